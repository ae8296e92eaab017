// max_pool2d / backward / 4 cells: for small windows that overlap, one invocation the stride's cell of the image and four
// channels: a window's winner and gradient are loaded once for all pixels of a cell, and nothing is carried from turn to
// turn of a loop. backward_4_winners has found the winners.
//
//   out[n, c, y, x] = sum of gradient[n, c, oy, ox] over the windows whose winner is (y, x)
//
// winners (n, c, oh, ow) C4, dense, is z: ky * kw + kx   gradient (n, c, oh, ow) C4 is y, out (n, c, h, w) C4 is x;
// residual and mask as out is; kh, kw, sy, sx are template variables

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
        let tall = (p.h + p.pad_y + {{ sy - 1 }}u) / {{ sy }}u;
        let broad = (p.w + p.pad_x + {{ sx - 1 }}u) / {{ sx }}u;
        let cell = group_place(wid.z, i, tall, broad);
        let won = group_at(0u, p.z_stride, p.oh, p.ow, cell.n, cell.c);
        let pooled = group_at(p.y_base, p.y_stride, p.oh, p.ow, cell.n, cell.c);
{% for py in range(sy) %}{% for px in range(sx) %}
        var sum_{{ py }}_{{ px }} = vec4<f32>(0.0);
{% endfor %}{% endfor %}
{% set above = (kh - 1) // sy %}
{% set before = (kw - 1) // sx %}
{% for wy in range(above + 1) %}{% for wx in range(before + 1) %}
{% set dy = above - wy %}
{% set dx = before - wx %}
        {
            // A window before the first is none: its number wraps to a large one.
            let oy = cell.y - {{ dy }}u;
            let ox = cell.x - {{ dx }}u;
            let at = min(oy, p.oh - 1u) * p.ow + min(ox, p.ow - 1u);
            let tap = from_wide(winners[won + at]);
            let value = select(vec4<f32>(0.0), from_wide(gradient[pooled + at]), oy < p.oh && ox < p.ow);
{% for py in range(sy) if py + dy * sy < kh %}{% for px in range(sx) if px + dx * sx < kw %}
            sum_{{ py }}_{{ px }} += select(vec4<f32>(0.0), value, tap == vec4<f32>({{ (py + dy * sy) * kw + px + dx * sx }}.0));
{% endfor %}{% endfor %}
        }
{% endfor %}{% endfor %}
        let top = cell.y * {{ sy }}u - p.pad_y;
        let left = cell.x * {{ sx }}u - p.pad_x;
        let written = group_at(p.x_base, p.x_stride, p.h, p.w, cell.n, cell.c);
        let added = group_at(p.r_base, p.r_stride, p.h, p.w, cell.n, cell.c);
        let masked = group_at(p.m_base, p.m_stride, p.h, p.w, cell.n, cell.c);
{% for py in range(sy) %}{% for px in range(sx) %}
        if top + {{ py }}u < p.h && left + {{ px }}u < p.w {
            let pixel = (top + {{ py }}u) * p.w + left + {{ px }}u;
            let sum = finish(sum_{{ py }}_{{ px }}, added + pixel, masked + pixel);
            out[written + pixel] = to_wide(keep(sum, cell.c, p.c));
        }
{% endfor %}{% endfor %}
    }
}
