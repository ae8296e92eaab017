// concat / forward / 1 direct: one dispatch an input, one invocation an element of it. The one to read first.
//
//   out[n, first + c, y, x] = input[n, c, y, x]
//
// input (n, c, h, w) C4   out (n, channels, h, w) C4
//
// An input writes its own lanes of the output; the last one counts the pad of the output's last group as channels.

{% include "common/image" %}

struct Params {
    c: u32, h: u32, w: u32, first: u32, len: u32,
    in_base: u32, in_stride: u32, out_base: u32, out_stride: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> input: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

const WG = 64u;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    let i = (wid.y * groups.x + wid.x) * WG + lane;
    if i >= p.len {
        return;
    }
    // Channel by channel, so that each input writes its own lanes.
    let row = quotient(i, p.w);
    let c = quotient(row, p.h);
    let y = row - c * p.h;
    let x = i - row * p.w;
    var value = 0.0;
    if c < p.c {
        value = input[float_at(p.in_base, p.in_stride, p.h, p.w, wid.z, c, y, x)];
    }
    out[float_at(p.out_base, p.out_stride, p.h, p.w, wid.z, p.first + c, y, x)] = value;
}
