// global_avg_pool2d / backward / 1 direct: one invocation an element of the image. The one to read first.
//
//   out[n, c, y, x] = gradient[n, c, 0, 0] / (h * w)
//
// gradient (n, c, 1, 1) C4   out (n, c, h, w) C4

{% include "common/image" %}

struct Params {
    c: u32, plane: u32, len: u32, x_base: u32, x_stride: u32, y_base: u32, y_stride: u32,
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
        value = gradient[float_at(p.y_base, p.y_stride, 1u, 1u, at.n, at.c, 0u, 0u)] / f32(p.plane);
    }
    out[float_at(p.x_base, p.x_stride, 1u, p.plane, at.n, at.c, 0u, at.x)] = value;
}
