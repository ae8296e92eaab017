// max_pool2d / forward / 1 direct: one invocation an output element. The one to read first.
//
//   out[n, c, oy, ox] = max over ky, kx of input[n, c, oy*stride + ky - pad, ox*stride + kx - pad], inside the image
//
// input (n, c, h, w) C4 is x, out (n, c, oh, ow) C4 is y

{% include "common/pool" %}

@group(0) @binding(1) var<storage, read_write> input: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

const WG = 64u;

// A NaN goes before every number and is known by its bits, as compilers may take `v != v` for false.
fn beats(value: f32, most: f32) -> bool {
    return value > most || (bitcast<u32>(value) & 0x7fffffffu) > 0x7f800000u;
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    let i = (wid.y * groups.x + wid.x) * WG + lane;
    if i >= p.len {
        return;
    }
    let o = place(wid.z, i, p.oh, p.ow);
    var most = 0.0;
    if o.c < p.c {
        let rows = pixels_of(o.y, p.stride_y, p.pad_y, p.kh, p.h);
        let cols = pixels_of(o.x, p.stride_x, p.pad_x, p.kw, p.w);
        most = input[float_at(p.x_base, p.x_stride, p.h, p.w, o.n, o.c, rows.x, cols.x)];
        for (var y = rows.x; y < rows.y; y++) {
            for (var x = cols.x; x < cols.y; x++) {
                let value = input[float_at(p.x_base, p.x_stride, p.h, p.w, o.n, o.c, y, x)];
                if beats(value, most) {
                    most = value;
                }
            }
        }
    }
    out[float_at(p.y_base, p.y_stride, p.oh, p.ow, o.n, o.c, o.y, o.x)] = most;
}
