// The implicit GEMM that convolutions and transposed convolutions share: a register tile of {{ tile }} output channels
// by {{ lanes }} lanes times {{ pixels }} pixels; each turn of the inner loop takes four input channels in one
// 16-byte load a pixel.
//
//   out[n, co, oy, ox] = bias[co] + sum over ky, kx, ci of x[n, ci, iy, ix] * weight[ky, kx, ci, co]
//   iy = (oy * scale_y + shift_y + ky * step_y) / div_y, where that is whole and inside; ix likewise
//
// x (n, ci, h, w) C4   weight packed [kh][kw][ci/4][co] of four ci   bias (co)   out, residual, mask (n, co, oh, ow) C4
//
// `swapped` 1: the weight lies as [kh][kw][co/4][ci] of four co, as a forward's does for the data gradient.
// `broadcast` 1: the lanes are one subgroup, and each weight is loaded by one lane and broadcast; 0: every lane loads
// every weight from the same address. `fractional` 1: div_y or div_x is above 1; a workgroup then computes pixels of one
// phase (oy % div_y, ox % div_x), which all meet the same taps: every every_y-th, every every_x-th. `subpixel` 1: the
// taps do not overlap (kernel = stride), so a workgroup computes one tap and scatters it: out y = iy * kh + ky.
// `batched` 1: every tap has images of its own, x_stride and out_stride apart, and none is summed: one plain GEMM a tap.
// `residual`, `relu`, `mask`: what `common/epilogue` does to out.
//
// One loop over taps and channels: at every turn of every loop a software driver copies what the loop carries, here the
// whole tile.

{% include "common/gather_operands" %}

@compute @workgroup_size({{ lanes }})
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    let slot = wid.y * groups.x + wid.x;
    // Where an image is written in runs of channels, the run starts at co_first, a whole tile, and out_base is that of
    // channel 0, perhaps before the binding: the sum of both wraps around to the right place.
    let co0 = p.co_first + (wid.z % p.co_tiles) * {{ tile }}u;
{% if subpixel or batched %}
    let tile = slot;
    let tap = wid.z / p.co_tiles;
    let row = p.w;
    let plane = p.h * row;
    let last = p.pixels - 1u;
{% elif fractional %}
    // Neighbours take turns at the phases, some of which have more taps than others.
    let phases = u32(p.div_y * p.div_x);
    let tile = slot / phases;
    let phase_y = slot % phases / u32(p.div_x);
    let phase_x = slot % u32(p.div_x);
    let rows = (p.oh + u32(p.div_y) - 1u - phase_y) / u32(p.div_y);
    let row = (p.ow + u32(p.div_x) - 1u - phase_x) / u32(p.div_x);
    let plane = rows * row;
    let pixels = p.pixels / (p.oh * p.ow) * plane;
    if tile * {{ lanes * pixels }}u >= pixels {
        return;
    }
    let last = pixels - 1u;
    // The first tap of every_y, every_x that this phase meets.
    let from_y = i32(phase_y) + p.shift_y;
    let from_x = i32(phase_x) + p.shift_x;
    var first_y = 0u;
    while first_y < p.every_y && (from_y + i32(first_y) * p.step_y) % p.div_y != 0 {
        first_y++;
    }
    var first_x = 0u;
    while first_x < p.every_x && (from_x + i32(first_x) * p.step_x) % p.div_x != 0 {
        first_x++;
    }
    let meets = first_y < min(p.every_y, p.kh) && first_x < min(p.every_x, p.kw);
    let taps_y = (p.kh + p.every_y - 1u - first_y) / p.every_y;
    let taps_x = (p.kw + p.every_x - 1u - first_x) / p.every_x;
    let turns = select(0u, taps_y * taps_x * p.ci4, meets);
    let first_dy = (from_y + i32(first_y) * p.step_y) / p.div_y;
    let first_dx = (from_x + i32(first_x) * p.step_x) / p.div_x;
    let step_y = p.step_y * i32(p.every_y) / p.div_y;
    let step_x = p.step_x * i32(p.every_x) / p.div_x;
{% else %}
    let tile = slot;
    let row = p.ow;
    let plane = p.oh * row;
    let last = p.pixels - 1u;
    let taps_x = p.kw;
    let turns = p.kh * taps_x * p.ci4;
    let first_dy = p.shift_y;
    let first_dx = p.shift_x;
    let step_y = p.step_y;
    let step_x = p.step_x;
{% endif %}
    let out_plane = p.oh * p.ow;
{% for g in range(pixels) %}
    let at{{ g }} = min(tile * {{ lanes * pixels }}u + {{ g * lanes }}u + lane, last);
    let n{{ g }} = at{{ g }} / plane;
    let in_plane{{ g }} = at{{ g }} - n{{ g }} * plane;
    let oy{{ g }} = in_plane{{ g }} / row;
    let ox{{ g }} = in_plane{{ g }} - oy{{ g }} * row;
    let x{{ g }}_base = p.x_base + {{ "tap" if batched else "n" ~ g }} * p.x_stride;
{% if not (subpixel or batched) %}
    // The pixel's place on x, from which each tap lies dy, dx away.
    let y{{ g }} = i32(oy{{ g }} * p.scale_y);
    let x{{ g }} = i32(ox{{ g }} * p.scale_x);
    let x{{ g }}_pixel = x{{ g }}_base + u32(y{{ g }} * i32(p.w) + x{{ g }});
{% endif %}
{% endfor %}
{% set quads = tile // 4 %}
{% include "common/gather_start" %}
    let x_plane = p.h * p.w;
{% if subpixel or batched %}
    var w_tap = tap * tap_len;
    var plane_at = 0u;
    for (var turn = 0u; turn < p.ci4; turn++) {
{% for g in range(pixels) %}
        let q{{ g }} = from_wide(x[x{{ g }}_base + in_plane{{ g }} + plane_at]);
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
    for (var turn = 0u; turn < turns; turn++) {
        let moved = u32(dy * i32(p.w) + dx) + plane_at;
{% for g in range(pixels) %}
        let ok{{ g }} = u32(y{{ g }} + dy) < p.h && u32(x{{ g }} + dx) < p.w;
        let q{{ g }} = select(vec4<f32>(0.0), from_wide(x[select(x{{ g }}_base, x{{ g }}_pixel + moved, ok{{ g }})]), ok{{ g }});
{% endfor %}
{% endif %}
{% set turned = "turn" if subpixel or batched else "k" %}
{% if swapped %}
        // Past the last input channel x holds zeros; the weight of the last meets them.
{% if broadcast %}
{% for j in range(quads * 4 // lanes) %}
        let w{{ j }} = from_wide(weight[w_tap + w_row{{ j }} + min({{ turned }} * 4u + w_ci{{ j }}, p.ci - 1u)]);
{% endfor %}
{% else %}
{% for q in range(quads) %}
{% for c in range(4) %}
        let w{{ q + c * quads }} = from_wide(weight[w_tap + w_row{{ q }} + min({{ turned }} * 4u + {{ c }}u, p.ci - 1u)]);
{% endfor %}
{% endfor %}
{% endif %}
{% elif broadcast %}
{% for j in range(tile // lanes) %}
        let w{{ j }} = from_wide(weight[w_tap + {{ turned }} * p.co + w_at{{ j }}]);
{% endfor %}
{% endif %}
{% for o in range(tile) %}
{% if not (swapped or broadcast) %}
        let w{{ o }} = from_wide(weight[w_tap + {{ turned }} * p.co + min(co0 + {{ o }}u, p.co - 1u)]);
{% endif %}
{% for name in ["a", "b", "d", "e"] %}
{% set c = loop.index0 %}
{% if swapped %}
{% set load = c * quads + o // 4 %}
{% set part = ["x", "y", "z", "w"][o % 4] %}
{% else %}
{% set load = o %}
{% set part = ["x", "y", "z", "w"][c] %}
{% endif %}
{% if broadcast %}
        let {{ name }}{{ o }} = subgroupBroadcast(w{{ load // lanes }}.{{ part }}, {{ load % lanes }}u);
{% else %}
        let {{ name }}{{ o }} = w{{ load }}.{{ part }};
{% endif %}
{% endfor %}
{% for g in range(pixels) %}
        c{{ o }}_{{ g }} = fma(a{{ o }}, q{{ g }}.x, c{{ o }}_{{ g }});
        c{{ o }}_{{ g }} = fma(b{{ o }}, q{{ g }}.y, c{{ o }}_{{ g }});
        c{{ o }}_{{ g }} = fma(d{{ o }}, q{{ g }}.z, c{{ o }}_{{ g }});
        c{{ o }}_{{ g }} = fma(e{{ o }}, q{{ g }}.w, c{{ o }}_{{ g }});
{% endfor %}
{% endfor %}
        plane_at += x_plane;
{% if subpixel or batched %}
    }
{% if subpixel %}
    let ky = tap / p.kw;
    let kx = tap % p.kw;
{% endif %}
{% else %}
        k++;
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
