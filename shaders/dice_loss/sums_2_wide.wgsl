// dice_loss / sums / 2 wide: as 1, with 16 bytes a load; an image may start and end within a quad.
//
//   parts[n][chunk] = sum over the chunk's i of (q t, q, t, q (1 - t) + (1 - q) t),  q = sigmoid(x[n, i]), t = t[n, i]
//
// logits, labels (n, len), an image every `stride` floats   parts [n][chunks] of four

{% include "common/wide" %}
{% include "common/lanes4" %}

struct Params {
    len: u32, base: u32, stride: u32, first: u32, chunks: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> logits: array<Wide>;
@group(0) @binding(2) var<storage, read_write> labels: array<Wide>;
@group(0) @binding(3) var<storage, read_write> parts: array<f32>;

const WG = 64u;
const CHUNK = 1024u;

fn sum4(v: vec4<f32>) -> f32 {
    return (v.x + v.y) + (v.z + v.w);
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let start = p.base + wid.y * p.stride;
    let chunk = start / 4u * 4u + wid.x * CHUNK;
    let end = min(chunk + CHUNK, start + p.len);
    var both = vec4<f32>(0.0);
    var predicted = vec4<f32>(0.0);
    var labelled = vec4<f32>(0.0);
    var differing = vec4<f32>(0.0);
    for (var i = chunk + lane * 4u; i < end; i += WG * 4u) {
        let x = from_wide(logits[i / 4u]);
        let e = exp(-abs(x));
        let at = vec4<u32>(i) + vec4<u32>(0u, 1u, 2u, 3u);
        let inside = (at >= vec4<u32>(start)) & (at < vec4<u32>(end));
        let zero = vec4<f32>(0.0);
        let t = select(zero, from_wide(labels[i / 4u]), inside);
        let q = select(zero, select(e, vec4<f32>(1.0), x >= zero) / (1.0 + e), inside);
        let not_q = select(zero, select(vec4<f32>(1.0), e, x >= zero) / (1.0 + e), inside);
        both += q * t;
        predicted += q;
        labelled += t;
        differing += q * (1.0 - t) + not_q * t;
    }
    let total = sum_lanes4(lane, vec4<f32>(sum4(both), sum4(predicted), sum4(labelled), sum4(differing)));
    if lane < 4u {
        parts[((p.first + wid.y) * p.chunks + wid.x) * 4u + lane] = total;
    }
}
