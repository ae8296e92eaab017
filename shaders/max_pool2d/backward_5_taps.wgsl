// max_pool2d / backward / 5 taps: as 3 disjoint, with the taps of a small window and the pixels of the stride's cell written
// out.
//
//   out[n, c, y, x] = gradient[n, c, oy, ox] where the window's first maximum in row-major order is (y, x), else 0
//
// input (n, c, h, w) C4 is x, gradient (n, c, oh, ow) C4 is y, out (n, c, h, w) C4 is z; kh, kw, sy, sx are template variables;
// residual and mask as out is

{% include "common/wide" %}
{% include "common/pool" %}
{% include "common/max_rule" %}
{% include "common/pool_gradient" %}

@group(0) @binding(1) var<storage, read_write> input: array<Wide>;

const WG = {{ lanes }}u;
const TILE = {{ tile }}u;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    let tile = (wid.y * groups.x + wid.x) * TILE;
    for (var i = tile + lane; i < min(tile + TILE, p.len); i += WG) {
        let tall = (p.h + p.pad_y + {{ sy - 1 }}u) / {{ sy }}u;
        let broad = (p.w + p.pad_x + {{ sx - 1 }}u) / {{ sx }}u;
        let o = group_place(wid.z, i, tall, broad);
        let start = group_at(p.x_base, p.x_stride, p.h, p.w, o.n, o.c);
{% include "common/max_taps" %}
        // A cell may have no window.
        let there = o.y < p.oh && o.x < p.ow;
        let pooled = group_at(p.y_base, p.y_stride, p.oh, p.ow, o.n, o.c) + min(o.y, p.oh - 1u) * p.ow + min(o.x, p.ow - 1u);
        let value = select(vec4<f32>(0.0), keep(from_wide(gradient[pooled]), o.c, p.c), there);
        let written = group_at(p.z_base, p.z_stride, p.h, p.w, o.n, o.c);
        let added = group_at(p.r_base, p.r_stride, p.h, p.w, o.n, o.c);
        let masked = group_at(p.m_base, p.m_stride, p.h, p.w, o.n, o.c);
{% for k in range(sy * sx) %}
{% set ky = k // sx %}
{% set kx = k % sx %}
        {
            let at = corner + vec2<i32>({{ ky }}, {{ kx }});
            if all(at == clamp(at, vec2<i32>(0), last)) {
                let pixel = u32(at.x) * p.w + u32(at.y);
{% if ky < kh and kx < kw %}
                let v = select(vec4<f32>(0.0), value, tap == vec4<f32>({{ ky * kw + kx }}.0));
{% else %}
                let v = vec4<f32>(0.0);
{% endif %}
                out[written + pixel] = to_wide(finish(v, added + pixel, masked + pixel));
            }
        }
{% endfor %}
    }
}
