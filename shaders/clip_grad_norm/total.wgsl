// clip_grad_norm / total: one workgroup adds the chunks' sums, takes the root and says what a step may do.
//
//   norm = sqrt(sum over chunks of parts[chunk])
//   control = (norm, min(1, max_norm / (norm + 1e-6)), 1, 0)
//   or (norm, 0, 0, 0) where the norm or the loss is not finite; no limit where `clip` is 0
//
// parts [chunks]   loss ()   norm ()   control (4)

{% include "common/lanes" %}

struct Params {
    chunks: u32, clip: u32, max_norm: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> parts: array<f32>;
@group(0) @binding(2) var<storage, read_write> loss: array<f32>;
@group(0) @binding(3) var<storage, read_write> norm: array<f32>;
@group(0) @binding(4) var<storage, read_write> control: array<f32>;

const WG = 64u;

// By the exponent's bits: comparisons may be compiled as if there were no NaN.
fn finite(value: f32) -> bool {
    return (bitcast<u32>(value) & 0x7f800000u) != 0x7f800000u;
}

@compute @workgroup_size(WG)
fn main(@builtin(local_invocation_index) lane: u32) {
    var sum = 0.0;
    for (var i = lane; i < p.chunks; i += WG) {
        sum += parts[i];
    }
    let total = sum_lanes(lane, sum);
    if lane != 0u {
        return;
    }
    let root = sqrt(total);
    var coefficient = 1.0;
    if p.clip == 1u && root + 1e-6 > p.max_norm {
        coefficient = p.max_norm / (root + 1e-6);
    }
    let sound = finite(total) && finite(loss[0]);
    norm[0] = root;
    control[0] = root;
    control[1] = select(0.0, coefficient, sound);
    control[2] = select(0.0, 1.0, sound);
    control[3] = 0.0;
}
