// avg_pool2d / backward / 1 direct: one invocation an element of the image. The one to read first.
//
//   out[n, c, y, x] = sum of gradient[n, c, oy, ox] over the windows that hold (y, x) / (kh * kw)
//
// gradient (n, c, oh, ow) C4 is y, out (n, c, h, w) C4 is x

{% include "common/pool" %}

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
    let at = place(wid.z, i, p.h, p.w);
    let tall = windows_of(at.y, p.stride_y, p.pad_y, p.kh, p.oh);
    let broad = windows_of(at.x, p.stride_x, p.pad_x, p.kw, p.ow);
    var sum = 0.0;
    if at.c < p.c {
        for (var oy = tall.x; oy < tall.y; oy++) {
            for (var ox = broad.x; ox < broad.y; ox++) {
                sum += gradient[float_at(p.y_base, p.y_stride, p.oh, p.ow, at.n, at.c, oy, ox)];
            }
        }
    }
    out[float_at(p.x_base, p.x_stride, p.h, p.w, at.n, at.c, at.y, at.x)] = sum / f32(p.kh * p.kw);
}
