// focal_loss / rows / 1 direct: one invocation a row.
//
//   parts[n] = (loss, 1),  loss = -w[t] (1 - q)^gamma ln q,  q = softmax(x[n])[t], t = labels[n]
//
// gamma = number; w is 1 where there are no weights. A label that is no class makes the loss `nan`.
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

// base^exponent for a base from 0 to 1; pow need not know that 0^0 = 1.
fn power(base: f32, exponent: f32) -> f32 {
    if exponent == 0.0 {
        return 1.0;
    }
    return select(0.0, pow(base, exponent), base > 0.0);
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
    let x = logits[start + t];
    var loss = power(other(row, x, t), p.number) * ((row.most - x) + log_sum(row));
{% if weighted %}
    loss *= weight[t];
{% endif %}
    parts[(p.first + n) * 2u] = select(p.nan, loss, is_class(label));
    parts[(p.first + n) * 2u + 1u] = 1.0;
}
