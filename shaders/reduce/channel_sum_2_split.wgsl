// reduce / channel_sum / 2 split: a workgroup sums four channels of one sample; each lane keeps a sum of its own.
//
//   out[n * 64 + lane][c] = sum over i = lane, lane + 64, … of input[n, c, i]
//
// input (n, c, h, w) C4   out [parts][c/4] of four c

{% include "common/wide" %}

struct Params {
    n: u32, c: u32, plane: u32, x_base: u32, x_stride: u32, first: u32, parts: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> input: array<Wide>;
@group(0) @binding(2) var<storage, read_write> out: array<Wide>;

const WG = 64u;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let start = p.x_base + wid.y * p.x_stride + wid.x * p.plane;
    var sum = vec4<f32>(0.0);
    for (var i = lane; i < p.plane; i += WG) {
        sum += from_wide(input[start + i]);
    }
    let groups = (p.c + 3u) / 4u;
    out[(wid.y * WG + lane) * groups + wid.x] = to_wide(sum);
}
