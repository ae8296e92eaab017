// dice_loss / mean: one workgroup takes the images' losses and their mean.
//
//   loss = sum over n of d / (q + t + added) / count,  (q t, q, t, d) = sums[n]
//
// which is 1 - (2 q t + added) / (q + t + added) without its cancellation.
//
// sums [n] of four   loss ()

{% include "common/wide" %}
{% include "common/lanes" %}

struct Params {
    chunks: u32, n: u32, added: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> sums: array<Wide>;
@group(0) @binding(2) var<storage, read_write> loss: array<f32>;

const WG = 64u;

@compute @workgroup_size(WG)
fn main(@builtin(local_invocation_index) lane: u32) {
    var sum = 0.0;
    for (var n = lane; n < p.n; n += WG) {
        let s = from_wide(sums[n]);
        sum += s.w / (s.y + s.z + p.added);
    }
    let total = sum_lanes(lane, sum);
    if lane == 0u {
        loss[0] = total / f32(p.n);
    }
}
