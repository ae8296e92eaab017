// cross_entropy / rows / 1 direct: one invocation a row.
//
//   parts[n] = (loss, w[t]),  loss = (1 - smoothing) w[t] l[t] + smoothing / classes sum over c of w[c] l[c]
//
// smoothing = number, l[c] = -ln softmax(x[n])[c], t = labels[n]; w is 1 where there are no weights.
// A label that is no class makes the loss `nan`.
//
// logits (n, c)   labels (n)   weight (c)   parts [n] of (loss, weight), from row `first` on

struct Params {
    n: u32, c: u32, x_base: u32, t_base: u32, dx_base: u32, first: u32, number: f32, count: f32, nan: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> logits: array<f32>;
@group(0) @binding(2) var<storage, read_write> labels: array<f32>;
@group(0) @binding(3) var<storage, read_write> parts: array<f32>;
{% if weighted %}
@group(0) @binding(4) var<storage, read_write> weight: array<f32>;
{% endif %}

{% include "common/logits_row" %}

const WG = 64u;

fn weight_of(c: u32) -> f32 {
{% if weighted %}
    return weight[c];
{% else %}
    return 1.0;
{% endif %}
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    let n = (wid.y * groups.x + wid.x) * WG + lane;
    if n >= p.n {
        return;
    }
    let label = labels[p.t_base + n];
    var t = 0u;
    if is_class(label) {
        t = u32(label);
    }
    let start = p.x_base + n * p.c;
    let row = logits_row(start);
    let sum = log_sum(row);
    var loss = (1.0 - p.number) * weight_of(t) * ((row.most - logits[start + t]) + sum);
    if p.number > 0.0 {
        var all = 0.0;
        for (var c = 0u; c < p.c; c++) {
            all += weight_of(c) * ((row.most - logits[start + c]) + sum);
        }
        loss += p.number / f32(p.c) * all;
    }
    parts[(p.first + n) * 2u] = select(p.nan, loss, is_class(label));
    parts[(p.first + n) * 2u + 1u] = weight_of(t);
}
