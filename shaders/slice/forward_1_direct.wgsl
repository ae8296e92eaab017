// slice / forward / 1 direct: one invocation an element of the output. The one to read first.
//
//   out[n, c, y, x] = input[n, start + c, y, x]
//
// input (n, ci, h, w) C4   out (n, c, h, w) C4

{% include "common/image" %}

struct Params {
    c: u32, h: u32, w: u32, start: u32, part: u32, len: u32,
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
    let o = place(wid.z, i, p.h, p.w);
    var value = 0.0;
    if o.c < p.c {
        value = input[float_at(p.in_base, p.in_stride, p.h, p.w, o.n, p.start + o.c, o.y, o.x)];
    }
    out[float_at(p.out_base, p.out_stride, p.h, p.w, o.n, o.c, o.y, o.x)] = value;
}
