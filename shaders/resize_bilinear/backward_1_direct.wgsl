// resize_bilinear / backward / 1 direct: one invocation an element of the image; it gathers from the output pixels that
// mix it. The one to read first.
//
//   out[n, c, y, x] = sum over oy, ox of share(y, oy) share(x, ox) gradient[n, c, oy, ox]
//
// gradient (n, c, oh, ow) C4 is y, out (n, c, h, w) C4 is x

{% include "common/resize" %}

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
    let rows = rows_of(at.y, p.h, p.oh);
    let cols = rows_of(at.x, p.w, p.ow);
    var sum = 0.0;
    if at.c < p.c {
        for (var oy = rows.x; oy < rows.y; oy++) {
            var row = 0.0;
            for (var ox = cols.x; ox < cols.y; ox++) {
                let value = gradient[float_at(p.y_base, p.y_stride, p.oh, p.ow, at.n, at.c, oy, ox)];
                row += share_of(at.x, ox, p.w, p.ow) * value;
            }
            sum += share_of(at.y, oy, p.h, p.oh) * row;
        }
    }
    out[float_at(p.x_base, p.x_stride, p.h, p.w, at.n, at.c, at.y, at.x)] = sum;
}
