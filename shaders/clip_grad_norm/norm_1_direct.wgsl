// clip_grad_norm / norm / 1 direct: a workgroup squares and sums a chunk of 1024 floats of one gradient; each
// lane every 64th of them.
//
//   parts[first + chunk] = sum over the chunk's i of g[i]^2
//
// g (len), any layout whose pads are zero   parts [chunks]

{% include "common/lanes" %}

struct Params {
    len: u32, first: u32, chunks: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> g: array<f32>;
@group(0) @binding(2) var<storage, read_write> parts: array<f32>;

const WG = 64u;
const CHUNK = 1024u;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    let chunk = wid.y * groups.x + wid.x;
    let end = min((chunk + 1u) * CHUNK, p.len);
    var sum = 0.0;
    for (var i = chunk * CHUNK + lane; i < end; i += WG) {
        sum += g[i] * g[i];
    }
    let total = sum_lanes(lane, sum);
    if lane == 0u && chunk < p.chunks {
        parts[p.first + chunk] = total;
    }
}
