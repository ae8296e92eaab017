// conv2d / sum_splits: adds the partial results of a split sum, in order; one invocation four values.
//
//   out[i] = sum over s of partial[s, i], and of what out has where the sum is `continued`
//
// partial, a split every `stride4` quads

{% include "common/wide" %}

struct Params {
    len4: u32, splits: u32, stride4: u32, continued: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> partial_sums: array<Wide>;
@group(0) @binding(2) var<storage, read_write> out: array<Wide>;

const WG = 64u;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    let i = (wid.y * groups.x + wid.x) * WG + lane;
    if i >= p.len4 {
        return;
    }
    var sum = vec4<f32>(0.0);
    if p.continued == 1u {
        sum = from_wide(out[i]);
    }
    for (var s = 0u; s < p.splits; s++) {
        sum += from_wide(partial_sums[s * p.stride4 + i]);
    }
    out[i] = to_wide(sum);
}
