// cross_entropy / mean: one workgroup takes the weighted mean of the rows' losses.
//
//   loss = sum over n of parts[n].x / sum over n of parts[n].y
//
// parts [n] of (loss, weight)   loss ()

{% include "common/lanes4" %}

struct Params {
    n: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> parts: array<f32>;
@group(0) @binding(2) var<storage, read_write> loss: array<f32>;

const WG = 64u;

var<workgroup> total: array<f32, 2>;

@compute @workgroup_size(WG)
fn main(@builtin(local_invocation_index) lane: u32) {
    var sum = vec4<f32>(0.0);
    for (var n = lane; n < p.n; n += WG) {
        sum += vec4<f32>(parts[n * 2u], parts[n * 2u + 1u], 0.0, 0.0);
    }
    let component = sum_lanes4(lane, sum);
    if lane < 2u {
        total[lane] = component;
    }
    // Lane 1's sum has to be there before lane 0 divides by it.
    workgroupBarrier();
    if lane == 0u {
        loss[0] = total[0] / total[1];
    }
}
