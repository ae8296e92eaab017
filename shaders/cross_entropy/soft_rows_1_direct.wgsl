// cross_entropy / soft_rows / 1 direct: one invocation a row whose target is a probability for every class.
//
//   parts[n] = (loss, 1),  loss = sum over c of -t[n, c] ln softmax(x[n])[c]
//
// logits, labels t (n, c)   parts [n] of (loss, weight), from row `first` on

struct Params {
    n: u32, c: u32, x_base: u32, t_base: u32, dx_base: u32, first: u32, number: f32, count: f32, nan: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> logits: array<f32>;
@group(0) @binding(2) var<storage, read_write> labels: array<f32>;
@group(0) @binding(3) var<storage, read_write> parts: array<f32>;

{% include "common/logits_row" %}

const WG = 64u;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    let n = (wid.y * groups.x + wid.x) * WG + lane;
    if n >= p.n {
        return;
    }
    let start = p.x_base + n * p.c;
    let row = logits_row(start);
    let sum = log_sum(row);
    var loss = 0.0;
    for (var c = 0u; c < p.c; c++) {
        loss += labels[p.t_base + n * p.c + c] * ((row.most - logits[start + c]) + sum);
    }
    parts[(p.first + n) * 2u] = loss;
    parts[(p.first + n) * 2u + 1u] = 1.0;
}
