// cross_entropy / soft_backward / 1 direct: one invocation a row whose target is a probability for every class.
//
//   dx[c] = g / count (q[c] sum over c of t[n, c] - t[n, c]),  q = softmax(x[n])
//
// logits, labels t, dx (n, c)   gradient g ()

struct Params {
    n: u32, c: u32, x_base: u32, t_base: u32, dx_base: u32, first: u32, number: f32, count: f32, nan: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> logits: array<f32>;
@group(0) @binding(2) var<storage, read_write> labels: array<f32>;
@group(0) @binding(3) var<storage, read_write> gradient: array<f32>;
@group(0) @binding(4) var<storage, read_write> dx: array<f32>;

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
    let target_start = p.t_base + n * p.c;
    let row = logits_row(start);
    var sum = 0.0;
    for (var c = 0u; c < p.c; c++) {
        sum += labels[target_start + c];
    }
    for (var c = 0u; c < p.c; c++) {
        let q = probability(row, logits[start + c]);
        dx[p.dx_base + n * p.c + c] = gradient[0] / p.count * (q * sum - labels[target_start + c]);
    }
}
