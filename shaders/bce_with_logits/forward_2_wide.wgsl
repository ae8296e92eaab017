// bce_with_logits / forward / 2 wide: as 1, with 16 bytes a load.
//
//   parts[first + chunk] = sum over the chunk's i of |x[i]| d[i] + ln(1 + exp(-|x[i]|))
//   d = 1 - t where x >= 0, else t
//
// logits, labels (len), the last quad may hold anything beyond   parts [chunks]

{% include "common/wide" %}
{% include "common/lanes" %}
{% include "common/log1p" %}

struct Params {
    len: u32, first: u32, chunks: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> logits: array<Wide>;
@group(0) @binding(2) var<storage, read_write> labels: array<Wide>;
@group(0) @binding(3) var<storage, read_write> parts: array<f32>;

const WG = 64u;
const CHUNK = 1024u;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    let chunk = wid.y * groups.x + wid.x;
    let end = min((chunk + 1u) * CHUNK, p.len);
    var sum = vec4<f32>(0.0);
    for (var i = chunk * CHUNK + lane * 4u; i < end; i += WG * 4u) {
        let x = from_wide(logits[i / 4u]);
        let t = from_wide(labels[i / 4u]);
        let value = abs(x) * select(t, 1.0 - t, x >= vec4<f32>(0.0)) + log1p4(exp(-abs(x)));
        let inside = vec4<u32>(i) + vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(end);
        sum += select(vec4<f32>(0.0), value, inside);
    }
    let total = sum_lanes(lane, (sum.x + sum.y) + (sum.z + sum.w));
    if lane == 0u && chunk < p.chunks {
        parts[p.first + chunk] = total;
    }
}
