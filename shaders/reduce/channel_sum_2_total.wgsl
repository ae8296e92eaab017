// reduce / channel_sum / 2 total: adds the parts of the split pass in order; one invocation four channels.
//
//   out[c] = sum over parts of input[part][c]
//
// input [parts][c/4] of four c   out (c)

{% include "common/wide" %}

struct Params {
    n: u32, c: u32, plane: u32, x_base: u32, x_stride: u32, first: u32, parts: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> input: array<Wide>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

const WG = 64u;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let group = wid.x * WG + lane;
    let groups = (p.c + 3u) / 4u;
    if group >= groups {
        return;
    }
    // The samples before `first` are summed already.
    var sum = vec4<f32>(0.0);
    for (var k = 0u; k < 4u; k++) {
        if p.first > 0u && group * 4u + k < p.c {
            sum[k] = out[group * 4u + k];
        }
    }
    for (var part = 0u; part < p.parts; part++) {
        sum += from_wide(input[part * groups + group]);
    }
    for (var k = 0u; k < 4u; k++) {
        if group * 4u + k < p.c {
            out[group * 4u + k] = sum[k];
        }
    }
}
