// max_pool2d / backward / 1 direct: one invocation an element of the image. The one to read first.
//
//   out[n, c, y, x] = sum of gradient[n, c, oy, ox] over the windows whose first maximum in row-major order is (y, x)
//
// input (n, c, h, w) C4 is x, gradient (n, c, oh, ow) C4 is y, out (n, c, h, w) C4 is z;
// residual and mask as out is

{% include "common/pool" %}
{% include "common/epilogue" %}

@group(0) @binding(1) var<storage, read_write> input: array<f32>;
@group(0) @binding(2) var<storage, read_write> gradient: array<f32>;
{% if residual %}
@group(0) @binding(3) var<storage, read_write> residual: array<f32>;
{% endif %}
{% if mask %}
@group(0) @binding({{ 3 + residual }}) var<storage, read_write> mask: array<f32>;
{% endif %}
@group(0) @binding({{ 3 + residual + mask }}) var<storage, read_write> out: array<f32>;

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
    let at = place(wid.z, i, p.h, p.w);
    let tall = windows_of(at.y, p.stride_y, p.pad_y, p.kh, p.oh);
    let broad = windows_of(at.x, p.stride_x, p.pad_x, p.kw, p.ow);
    var sum = 0.0;
    if at.c < p.c {
        for (var oy = tall.x; oy < tall.y; oy++) {
            for (var ox = broad.x; ox < broad.y; ox++) {
                let rows = pixels_of(oy, p.stride_y, p.pad_y, p.kh, p.h);
                let cols = pixels_of(ox, p.stride_x, p.pad_x, p.kw, p.w);
                var winner = vec2<u32>(rows.x, cols.x);
                var most = input[float_at(p.x_base, p.x_stride, p.h, p.w, at.n, at.c, rows.x, cols.x)];
                for (var y = rows.x; y < rows.y; y++) {
                    for (var x = cols.x; x < cols.y; x++) {
                        let value = input[float_at(p.x_base, p.x_stride, p.h, p.w, at.n, at.c, y, x)];
                        if beats(value, most) {
                            most = value;
                            winner = vec2<u32>(y, x);
                        }
                    }
                }
                if winner.x == at.y && winner.y == at.x {
                    sum += gradient[float_at(p.y_base, p.y_stride, p.oh, p.ow, at.n, at.c, oy, ox)];
                }
            }
        }
        sum = finish(sum, p.r_base + at.n * p.r_stride + i, p.m_base + at.n * p.m_stride + i);
    }
    out[float_at(p.z_base, p.z_stride, p.h, p.w, at.n, at.c, at.y, at.x)] = sum;
}
