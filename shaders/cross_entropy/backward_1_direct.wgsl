// cross_entropy / backward / 1 direct: one invocation a row.
//
//   dx[c] = g / total ((1 - smoothing) w[t] (q[c] - [c = t]) + smoothing / classes (q[c] sum of w - w[c]))
//
// smoothing = number, q = softmax(x[n]), t = labels[n]; total is the sum over n of w[t], or `count` where there are no
// weights and w is 1. A label that is no class makes its row `nan`.
//
// logits, dx (n, c)   labels (n)   gradient g ()   weight w (c)   total ()

struct Params {
    n: u32, c: u32, x_base: u32, t_base: u32, dx_base: u32, first: u32, number: f32, count: f32, nan: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> logits: array<f32>;
@group(0) @binding(2) var<storage, read_write> labels: array<f32>;
@group(0) @binding(3) var<storage, read_write> gradient: array<f32>;
@group(0) @binding(4) var<storage, read_write> dx: array<f32>;
{% if weighted %}
@group(0) @binding(5) var<storage, read_write> weight: array<f32>;
@group(0) @binding(6) var<storage, read_write> total: array<f32>;
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
{% if weighted %}
    let scale = gradient[0] / total[0];
{% else %}
    let scale = gradient[0] / p.count;
{% endif %}
    let start = p.x_base + n * p.c;
    let row = logits_row(start);
    var weights = 0.0;
    for (var c = 0u; c < p.c; c++) {
        weights += weight_of(c);
    }
    let smooth_part = p.number / f32(p.c);
    for (var c = 0u; c < p.c; c++) {
        let x = logits[start + c];
        let q = probability(row, x);
        var difference = q;
        if c == t {
            difference = -other(row, x, c);
        }
        let value = (1.0 - p.number) * weight_of(t) * difference + smooth_part * (q * weights - weight_of(c));
        dx[p.dx_base + n * p.c + c] = select(p.nan, scale * value, is_class(label));
    }
}
