// The implicit GEMM that convolutions and transposed convolutions share: a register tile of {{ tile }} output channels
// by {{ lanes }} lanes times {{ pixels }} pixels; each turn of the inner loop takes {{ fours }} times four input channels, each
// four in one 16-byte load a pixel.
//
//   out[n, co, oy, ox] = bias[co] + sum over ky, kx, ci of x[n, ci, iy, ix] * weight[ky, kx, ci, co]
//   iy = (oy * scale_y + shift_y + ky * step_y) / div_y, where that is whole and inside; ix likewise
//
// x (n, ci, h, w) C4   weight in panels of co, [kh][kw][ci/4][co] of four ci   bias (co)   out, residual, mask (n, co, oh, ow) C4
//
// `swapped` 1: the weight lies in panels of ci, [kh][kw][co/4][ci] of four co, as a forward's does for the data gradient.
// `broadcast` 1: the lanes are one subgroup, and each weight is loaded by one lane and broadcast; 0: every lane loads
// every weight from the same address. `fractional` 1: div_y or div_x is above 1; a workgroup then computes pixels of one
// phase (oy % div_y, ox % div_x), which all meet the same taps: every every_y-th, every every_x-th. `subpixel` 1: the
// taps do not overlap (kernel = stride), so a workgroup computes one tap and scatters it: out y = iy * kh + ky. With a kernel
// of 1×1 that is a plain GEMM. `joined` 1: so, with the channels of all taps one after the other, as if they were channels.
// `batched` 1: every tap has images of its own, x_stride and out_stride apart, and none is summed: one plain GEMM a tap.
// `fours` above 1 divides the number of fours of input channels and those of a panel, and takes `broadcast`.
// `quad`: how many of four input channels there are, where ci is below 4.
// `residual`, `relu`, `mask`: what `common/epilogue` does to out.
//
// One loop over taps and channels: at every turn of every loop a software driver copies what the loop carries, here the
// whole tile.

{% include "common/gather_operands" %}

@compute @workgroup_size({{ lanes }})
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    let z = wid.z;
{% set group_pixels = lanes * pixels %}
{% include "common/gather_phases" %}
    let out_plane = p.oh * p.ow;
{% set of = "" %}
{% set count = pixels %}
{% set step = lanes %}
{% set first = "lane" %}
{% include "common/gather_places" %}
{% include "common/gather_source" %}
    let co_lane = co0;
    let out_first = p.out_base;
{% set quads = tile // 4 %}
{% set lane_quads = quads %}
{% include "common/gather_start" %}
    let x_plane = p.h * p.w;
{% if subpixel or batched %}
{% if batched %}
    let w_tap = 0u;
{% elif not joined %}
    let w_tap = tap * tap_len;
{% endif %}
    var plane_at = 0u;
    for (var turn = 0u; turn < p.ci4; turn += {{ fours }}u) {
{% for t in range(fours) %}
{% for g in range(pixels) %}
        let q{{ t }}_{{ g }} = from_wide(x[x{{ g }}_base + in_plane{{ g }} + plane_at{% if t %} + {{ t }}u * x_plane{% endif %}]);
{% endfor %}
{% endfor %}
{% else %}
{% if fractional %}
    var ty = 0u;
    var w_tap = (first_y * p.kw + first_x) * tap_len;
{% else %}
    var w_tap = 0u;
{% endif %}
    var tx = 0u;
    var dy = first_dy;
    var dx = first_dx;
    var k = 0u;
    var plane_at = 0u;
    for (var turn = 0u; turn < turns; turn += {{ fours }}u) {
        let moved = u32(dy * i32(p.w) + dx) + plane_at;
{% for g in range(pixels) %}
        let ok{{ g }} = u32(y{{ g }} + dy) < p.h && u32(x{{ g }} + dx) < p.w;
        let place{{ g }} = select(x{{ g }}_base, x{{ g }}_pixel + moved, ok{{ g }});
{% endfor %}
{% for t in range(fours) %}
{% for g in range(pixels) %}
        let q{{ t }}_{{ g }} = select(vec4<f32>(0.0), from_wide(x[place{{ g }}{% if t %} + {{ t }}u * x_plane{% endif %}]), ok{{ g }});
{% endfor %}
{% endfor %}
{% endif %}
{% set turned = "turn" if subpixel or batched else "k" %}
{% if swapped %}
        let panel = panel_of({{ turned }} * 4u);
        let width = panel_width(panel, p.ci);
        let w_panel = w_matrix + panel * panel_rows - panel;
        // Past the last input channel x holds zeros; the weight of the last meets them.
{% if broadcast %}
{% for t in range(fours) %}
{% for j in range((quads * 4 + lanes - 1) // lanes) %}
        let w{{ t }}_{{ j }} = from_wide(weight[w_panel + (w_tap + w_row{{ j }}) * width + min({{ turned }} * 4u + {{ t * 4 }}u + w_ci{{ j }}, p.ci - 1u)]);
{% endfor %}
{% endfor %}
{% else %}
{% for q in range(quads) %}
{% for c in range(4) %}
        let w0_{{ q + c * quads }} = from_wide(weight[w_panel + (w_tap + w_row{{ q }}) * width + min({{ turned }} * 4u + {{ c }}u, p.ci - 1u)]);
{% endfor %}
{% endfor %}
{% endif %}
{% elif broadcast %}
{% for t in range(fours) %}
{% for j in range((tile + lanes - 1) // lanes) %}
        let w{{ t }}_{{ j }} = from_wide(weight[{% if joined %}({{ turned }} + {{ t }}u) * width{{ j }}{% else %}w_tap + ({{ turned }} + {{ t }}u) * width{% endif %} + w_at{{ j }}]);
{% endfor %}
{% endfor %}
{% endif %}
{% for o in range(tile) %}
{% if not (swapped or broadcast) %}
        let w0_{{ o }} = from_wide(weight[w_panel + w_tap + {{ turned }} * width + min(co0 + {{ o }}u, p.co - 1u)]);
{% endif %}
{% for t in range(fours) %}
{% for name in ["a", "b", "d", "e"][:quad] %}
{% set c = loop.index0 %}
{% if swapped %}
{% set load = c * quads + o // 4 %}
{% set part = ["x", "y", "z", "w"][o % 4] %}
{% else %}
{% set load = o %}
{% set part = ["x", "y", "z", "w"][c] %}
{% endif %}
{% if broadcast %}
        let {{ name }}{{ t }}_{{ o }} = subgroupBroadcast(w{{ t }}_{{ load // lanes }}.{{ part }}, {{ load % lanes }}u);
{% else %}
        let {{ name }}{{ t }}_{{ o }} = w{{ t }}_{{ load }}.{{ part }};
{% endif %}
{% endfor %}
{% endfor %}
{% for g in range(pixels) %}
{% for t in range(fours) %}
{% for name in ["a", "b", "d", "e"][:quad] %}
        c{{ o }}_{{ g }} = fma({{ name }}{{ t }}_{{ o }}, q{{ t }}_{{ g }}.{{ ["x", "y", "z", "w"][loop.index0] }}, c{{ o }}_{{ g }});
{% endfor %}
{% endfor %}
{% endfor %}
{% endfor %}
        plane_at += {% if fours > 1 %}{{ fours }}u * {% endif %}x_plane;
{% if subpixel or batched %}
    }
{% if subpixel and not joined %}
    let ky = tap / p.kw;
    let kx = tap % p.kw;
{% endif %}
{% else %}
        k += {{ fours }}u;
        let tap_ends = k == p.ci4;
        k = select(k, 0u, tap_ends);
        plane_at = select(plane_at, 0u, tap_ends);
        tx += select(0u, 1u, tap_ends);
        let row_ends = tx == taps_x;
        tx = select(tx, 0u, row_ends);
        dx = select(dx + select(0, step_x, tap_ends), first_dx, row_ends);
        dy += select(0, step_y, row_ends);
{% if fractional %}
        ty += select(0u, 1u, row_ends);
        let next_tap = (first_y + ty * p.every_y) * p.kw + first_x + tx * p.every_x;
        w_tap = select(w_tap, next_tap * tap_len, tap_ends);
{% else %}
        w_tap += select(0u, tap_len, tap_ends);
{% endif %}
    }
{% endif %}
{% include "common/gather_store" %}
}
