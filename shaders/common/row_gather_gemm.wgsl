// The GEMM of common/gather_gemm for kernels of {{ kw }} taps in a row, stride 1, no dilation in a row, and outputs as wide as the
// input: a lane loads its pixels once for all taps of a row, and gets those of its neighbours by shuffles. Each turn of the
// loop takes four input channels of one row of taps.
//
//   out[n, co, oy, ox] = bias[co] + sum over ky, t, ci of x[n, ci, oy + shift_y + ky * step_y, ox + t - {{ kw // 2 }}]
//                        * weight[ky, kx, ci, co]
//   kx = t, or {{ kw - 1 }} - t where step_x is negative, as a data gradient's is
//
// x (n, ci, h, w) C4   weight in panels of co, [kh][kw][ci/4][co] of four ci   bias (co)   out, residual, mask (n, co, oh, ow) C4
//
// As every row is w long on both sides, pixel i of the output meets pixel i + dy * w + t - {{ kw // 2 }} of the input, so that the
// {{ lanes * pixels }} pixels of a workgroup, all of one image, need {{ pixels + 1 }} loads a lane. Such a place is inside the image just where
// its row is; which columns are, is looked up once.
//
// `swapped`, `quad`, `residual`, `relu`, `mask`: as in common/gather_gemm. The lanes are one subgroup.

{% include "common/gather_operands" %}

@compute @workgroup_size({{ lanes }})
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    let slot = wid.y * groups.x + wid.x;
    let co0 = p.co_first + (wid.z % p.co_tiles) * {{ tile }}u;
    let out_plane = p.oh * p.ow;
    let tiles = (out_plane + {{ lanes * pixels - 1 }}u) / {{ lanes * pixels }}u;
    if slot >= p.pixels / out_plane * tiles {
        return;
    }
    let n = slot / tiles;
    let tile = slot - n * tiles;
    let last = out_plane - 1u;
{% for g in range(pixels) %}
    let n{{ g }} = n;
    let in_plane{{ g }} = tile * {{ lanes * pixels }}u + {{ g * lanes }}u + lane;
    let ox{{ g }} = i32(in_plane{{ g }} % p.w);
{% for t in range(kw) if t != kw // 2 %}
    let ok{{ g }}_{{ t }} = u32(ox{{ g }} + {{ t - kw // 2 }}) < p.w;
{% endfor %}
{% endfor %}
    // Tap t of pixel g is in lane (lane + t) % {{ lanes }} of load g, or of the next one.
{% for t in range(1, kw) %}
    let turned{{ t }} = (lane + {{ t }}u) % {{ lanes }}u;
{% endfor %}
    let co_lane = co0;
    let out_first = p.out_base;
{% set group_pixels = lanes * pixels %}
{% set count = pixels %}
{% set step = lanes %}
{% set first = "lane" %}
{% set quads = tile // 4 %}
{% set lane_quads = quads %}
{% include "common/gather_start" %}
    let x_image = p.x_base + n * p.x_stride;
    let x_plane = p.h * p.w;
    let backwards = p.step_x < 0;
    let w_first = select(0u, {{ kw - 1 }}u * tap_len, backwards);
    let w_step = select(tap_len, 0u - tap_len, backwards);
    let turns = p.kh * p.ci4;
    var w_taps = 0u;
    var k = 0u;
    var plane_at = 0u;
    var dy = p.shift_y;
    for (var turn = 0u; turn < turns; turn++) {
        let place = i32(in_plane0) + dy * i32(p.w) - {{ kw // 2 }};
{% for g in range(pixels + 1) %}
        let i{{ g }} = u32(place + {{ g * lanes }});
        let in{{ g }} = i{{ g }} < x_plane;
        let v{{ g }} = select(vec4<f32>(0.0), from_wide(x[x_image + select(0u, plane_at + i{{ g }}, in{{ g }})]), in{{ g }});
{% endfor %}
{% if swapped %}
        let panel = panel_of(k * 4u);
        let width = panel_width(panel, p.ci);
        let w_panel = w_matrix + panel * panel_rows - panel;
{% endif %}
{% for t in range(kw) %}
        let w_at_{{ t }} = w_taps + w_first + {{ t }}u * w_step;
{% for j in range((tile + lanes - 1) // lanes) %}
{% if swapped %}
        // Past the last input channel x holds zeros; the weight of the last meets them.
        let w{{ t }}_{{ j }} = from_wide(weight[w_panel + (w_at_{{ t }} + w_row{{ j }}) * width + min(k * 4u + w_ci{{ j }}, p.ci - 1u)]);
{% else %}
        let w{{ t }}_{{ j }} = from_wide(weight[w_at_{{ t }} + k * width + w_at{{ j }}]);
{% endif %}
{% endfor %}
{% for g in range(pixels) %}
{% if t == 0 %}
        let s{{ g }}_{{ t }} = v{{ g }};
{% else %}
        let s{{ g }}_{{ t }} = subgroupShuffle(select(v{{ g }}, v{{ g + 1 }}, lane < {{ t }}u), turned{{ t }});
{% endif %}
{% if t == kw // 2 %}
        let q{{ g }}_{{ t }} = s{{ g }}_{{ t }};
{% else %}
        let q{{ g }}_{{ t }} = select(vec4<f32>(0.0), s{{ g }}_{{ t }}, ok{{ g }}_{{ t }});
{% endif %}
{% endfor %}
{% endfor %}
{% for o in range(tile) %}
{% for t in range(kw) %}
{% for c in range(quad) %}
{% set load = c * quads + o // 4 if swapped else o %}
{% set part = ["x", "y", "z", "w"][o % 4 if swapped else c] %}
        let b{{ o }}_{{ t }}_{{ c }} = subgroupBroadcast(w{{ t }}_{{ load // lanes }}.{{ part }}, {{ load % lanes }}u);
{% endfor %}
{% endfor %}
{% for g in range(pixels) %}
{% for t in range(kw) %}
{% for c in range(quad) %}
        c{{ o }}_{{ g }} = fma(b{{ o }}_{{ t }}_{{ c }}, q{{ g }}_{{ t }}.{{ ["x", "y", "z", "w"][c] }}, c{{ o }}_{{ g }});
{% endfor %}
{% endfor %}
{% endfor %}
{% endfor %}
        k++;
        plane_at += x_plane;
        let row_ends = k == p.ci4;
        k = select(k, 0u, row_ends);
        plane_at = select(plane_at, 0u, row_ends);
        dy += select(0, p.step_y, row_ends);
        w_taps += select(0u, {{ kw }}u * tap_len, row_ends);
    }
{% include "common/gather_store" %}
}
