// dice_loss / sums / 1 direct: a workgroup sums a chunk of 1024 elements of one image; each lane every 64th of them.
//
//   parts[n][chunk] = sum over the chunk's i of (q t, q, t, q (1 - t) + (1 - q) t),  q = sigmoid(x[n, i]), t = t[n, i]
//
// The fourth is q + t - 2 q t without its cancellation. Chunks are counted from the last multiple of four floats
// before the image, so that every version sums the same elements.
//
// logits, labels (n, len), an image every `stride` floats   parts [n][chunks] of four

{% include "common/lanes4" %}

struct Params {
    len: u32, base: u32, stride: u32, first: u32, chunks: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> logits: array<f32>;
@group(0) @binding(2) var<storage, read_write> labels: array<f32>;
@group(0) @binding(3) var<storage, read_write> parts: array<f32>;

const WG = 64u;
const CHUNK = 1024u;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let start = p.base + wid.y * p.stride;
    let chunk = start / 4u * 4u + wid.x * CHUNK;
    let end = min(chunk + CHUNK, start + p.len);
    var sum = vec4<f32>(0.0);
    for (var i = chunk + lane; i < end; i += WG) {
        if i >= start {
            let x = logits[i];
            let t = labels[i];
            let e = exp(-abs(x));
            let q = select(e, 1.0, x >= 0.0) / (1.0 + e);
            let not_q = select(1.0, e, x >= 0.0) / (1.0 + e);
            sum += vec4<f32>(q * t, q, t, q * (1.0 - t) + not_q * t);
        }
    }
    let total = sum_lanes4(lane, sum);
    if lane < 4u {
        parts[((p.first + wid.y) * p.chunks + wid.x) * 4u + lane] = total;
    }
}
