// bce_with_logits / mean: one workgroup adds the chunks' sums and divides by the number of elements.
//
//   loss = sum over chunks of parts[chunk] / count
//
// parts [chunks]   loss ()

{% include "common/lanes" %}

struct Params {
    chunks: u32, count: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> parts: array<f32>;
@group(0) @binding(2) var<storage, read_write> loss: array<f32>;

const WG = 64u;

@compute @workgroup_size(WG)
fn main(@builtin(local_invocation_index) lane: u32) {
    var sum = 0.0;
    for (var i = lane; i < p.chunks; i += WG) {
        sum += parts[i];
    }
    let total = sum_lanes(lane, sum);
    if lane == 0u {
        loss[0] = total / p.count;
    }
}
