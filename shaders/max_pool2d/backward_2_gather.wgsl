// max_pool2d / backward / 2 gather: four channels of a pixel an invocation, 16 bytes a load; it looks at the windows that
// the pixel is in, whose maxima backward_2_winners has found.
//
//   out[n, c, y, x] = sum of gradient[n, c, oy, ox] over the windows whose winner is (y, x)
//
// winners (n, c, oh, ow) C4, dense: ky * kw + kx   gradient (n, c, oh, ow) C4 is y, out (n, c, h, w) C4 is x;
// residual and mask as out is

{% include "common/wide" %}
{% include "common/pool" %}
{% include "common/pool_gradient" %}

@group(0) @binding(1) var<storage, read_write> winners: array<Wide>;

const WG = {{ lanes }}u;
const TILE = {{ tile }}u;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    let first = (wid.y * groups.x + wid.x) * TILE;
    for (var i = first + lane; i < min(first + TILE, p.len); i += WG) {
        let at = group_place(wid.z, i, p.h, p.w);
        let tall = windows_of(at.y, p.stride_y, p.pad_y, p.kh, p.oh);
        let broad = windows_of(at.x, p.stride_x, p.pad_x, p.kw, p.ow);
        let won = group_at(0u, p.z_stride, p.oh, p.ow, at.n, at.c);
        let pooled = group_at(p.y_base, p.y_stride, p.oh, p.ow, at.n, at.c);
        var sum = vec4<f32>(0.0);
        for (var oy = tall.x; oy < tall.y; oy++) {
            for (var ox = broad.x; ox < broad.y; ox++) {
                let tap = (at.y + p.pad_y - oy * p.stride_y) * p.kw + at.x + p.pad_x - ox * p.stride_x;
                let mine = from_wide(winners[won + oy * p.ow + ox]) == vec4<f32>(f32(tap));
                sum += select(vec4<f32>(0.0), from_wide(gradient[pooled + oy * p.ow + ox]), mine);
            }
        }
        sum = finish(sum, (p.r_base + at.n * p.r_stride) / 4u + i, (p.m_base + at.n * p.m_stride) / 4u + i);
        out[(p.x_base + at.n * p.x_stride) / 4u + i] = to_wide(keep(sum, at.c, p.c));
    }
}
