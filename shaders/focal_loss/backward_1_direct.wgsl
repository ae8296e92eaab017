// focal_loss / backward / 1 direct: one invocation a row.
//
//   dx[c] = g / count w[t] ((1 - q)^gamma - gamma q (1 - q)^(gamma - 1) ln q) (softmax(x[n])[c] - [c = t])
//
// gamma = number, q = softmax(x[n])[t], t = labels[n]; w is 1 where there are no weights. A label that
// is no class makes its row `nan`.
//
// logits, dx (n, c)   labels (n)   gradient g ()   weight w (c)

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
{% endif %}

{% include "common/logits_row" %}

const WG = 64u;

// base^exponent for a base from 0 to 1; 0 where the base is 0, which is the limit of what it is multiplied with here.
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
    let not_q = other(row, x, t);
    let minus_ln_q = (row.most - x) + log_sum(row);
    var slope = power(not_q, p.number);
    slope += p.number * probability(row, x) * power(not_q, p.number - 1.0) * minus_ln_q;
    slope *= gradient[0] / p.count;
{% if weighted %}
    slope *= weight[t];
{% endif %}
    for (var c = 0u; c < p.c; c++) {
        var difference = probability(row, logits[start + c]);
        if c == t {
            difference = -not_q;
        }
        dx[p.dx_base + n * p.c + c] = select(p.nan, slope * difference, is_class(label));
    }
}
