// clip_grad_norm / norm / 3 block: as 2, with more floats a workgroup and four loads a turn of the loop.
//
//   parts[first + chunk] = sum over the chunk's i of g[i]^2
//
// g (len), any layout whose pads are zero, the last quad may hold anything beyond   parts [chunks]

{% include "common/wide" %}
{% include "common/lanes" %}

struct Params {
    len: u32, first: u32, chunks: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> g: array<Wide>;
@group(0) @binding(2) var<storage, read_write> parts: array<f32>;

const WG = {{ lanes }}u;
const CHUNK = 8192u;

// The squares of a quad, zeros beyond the end.
fn squares(quad: u32) -> vec4<f32> {
    let v = from_wide(g[min(quad, (p.len - 1u) / 4u)]);
    let inside = vec4<u32>(quad * 4u) + vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(p.len);
    return select(vec4<f32>(0.0), v * v, inside);
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    let chunk = wid.y * groups.x + wid.x;
    let start = chunk * (CHUNK / 4u) + lane;
    let end = min((chunk + 1u) * (CHUNK / 4u), (p.len + 3u) / 4u);
    var sum = vec4<f32>(0.0);
    for (var at = start; at < end; at += WG * 4u) {
        sum += (squares(at) + squares(at + WG)) + (squares(at + 2u * WG) + squares(at + 3u * WG));
    }
    let total = sum_lanes(lane, (sum.x + sum.y) + (sum.z + sum.w));
    if lane == 0u && chunk < p.chunks {
        parts[p.first + chunk] = total;
    }
}
