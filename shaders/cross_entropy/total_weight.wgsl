// cross_entropy / total_weight: one workgroup adds the weights of the rows' classes.
//
//   total = sum over n of w[labels[n]]
//
// labels (n)   weight w (c)   total ()

{% include "common/lanes" %}

struct Params {
    n: u32, c: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> labels: array<f32>;
@group(0) @binding(2) var<storage, read_write> weight: array<f32>;
@group(0) @binding(3) var<storage, read_write> total: array<f32>;

const WG = 64u;

@compute @workgroup_size(WG)
fn main(@builtin(local_invocation_index) lane: u32) {
    var sum = 0.0;
    for (var n = lane; n < p.n; n += WG) {
        // A label that is no class is met by the row's own invocation.
        let label = labels[n];
        if label >= 0.0 && label < f32(p.c) {
            sum += weight[u32(label)];
        }
    }
    let all = sum_lanes(lane, sum);
    if lane == 0u {
        total[0] = all;
    }
}
