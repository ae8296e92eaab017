// avg_pool2d / forward / 1 direct: one invocation an output element. The one to read first.
//
//   out[n, c, oy, ox] = sum over ky, kx of input[n, c, oy*stride + ky - pad, ox*stride + kx - pad] / (kh * kw)
//
// input (n, c, h, w) C4 is x, out (n, c, oh, ow) C4 is y; outside of the image input is 0

{% include "common/pool" %}

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
    let o = place(wid.z, i, p.oh, p.ow);
    var sum = 0.0;
    if o.c < p.c {
        let rows = pixels_of(o.y, p.stride_y, p.pad_y, p.kh, p.h);
        let cols = pixels_of(o.x, p.stride_x, p.pad_x, p.kw, p.w);
        for (var y = rows.x; y < rows.y; y++) {
            for (var x = cols.x; x < cols.y; x++) {
                sum += input[float_at(p.x_base, p.x_stride, p.h, p.w, o.n, o.c, y, x)];
            }
        }
    }
    out[float_at(p.y_base, p.y_stride, p.oh, p.ow, o.n, o.c, o.y, o.x)] = sum / f32(p.kh * p.kw);
}
