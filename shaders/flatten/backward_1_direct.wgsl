// flatten / backward / 1 direct: one invocation an element of the image. The one to read first.
//
//   out[n, c, pixel] = gradient[n, c * plane + pixel],   plane = h * w
//
// gradient (n, c * h * w) row-major   out (n, c, h, w) C4

{% include "common/image" %}

struct Params {
    c: u32, plane: u32, len: u32, in_base: u32, in_stride: u32, out_base: u32, out_stride: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> gradient: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

const WG = 64u;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    let i = (wid.y * groups.x + wid.x) * WG + lane;
    if i >= p.len {
        return;
    }
    let at = place(wid.z, i, 1u, p.plane);
    var value = 0.0;
    if at.c < p.c {
        value = gradient[p.in_base + wid.z * p.in_stride + at.c * p.plane + at.x];
    }
    out[float_at(p.out_base, p.out_stride, 1u, p.plane, at.n, at.c, 0u, at.x)] = value;
}
