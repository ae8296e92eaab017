// The implicit GEMM of common/gather_gemm with operands staged in workgroup memory: {{ tile }} output channels by 64 pixels a
// workgroup, of which each of 64 lanes, 8 by 8, computes {{ tile // 8 }} channels by 8 pixels. A turn stages two units, each four input
// channels of one tap.
//
//   out[n, co, oy, ox] = bias[co] + sum over ky, kx, ci of x[n, ci, iy, ix] * weight[ky, kx, ci, co]
//   iy = (oy * scale_y + shift_y + ky * step_y) / div_y, where that is whole and inside; ix likewise
//
// x (n, ci, h, w) C4   weight in panels of co, [kh][kw][ci/4][co] of four ci   bias (co)   out, residual, mask (n, co, oh, ow) C4
//
// `swapped`, `fractional`, `subpixel`, `batched`, `residual`, `relu`, `mask`: as in common/gather_gemm. `shared` 1: workgroups along z
// share out the units, each sum goes to out `part_stride` apart, and conv2d/sum_parts adds them.
//
// Lanes that read one vector at a time from workgroup memory read the same one, or neighbours: no bank serves two of them.

{% include "common/gather_operands" %}

{% set depth = 2 %}
{% set lane_quads = tile // 32 %}
{% set weights = depth * tile // 64 %}
{% set apart = subpixel or batched %}

// Unit d, pixel i at d * 64 + i.
var<workgroup> pixels_of: array<vec4<f32>, {{ depth * 64 }}>;
// Unit d, then channel by channel{% if swapped %}, four of them together, once for each of the unit's input channels{% endif %}.
var<workgroup> weights_of: array<vec4<f32>, {{ depth * tile }}>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
{% if shared %}
    let part = wid.z / p.co_tiles;
    let z = wid.z % p.co_tiles;
{% else %}
    let z = wid.z;
{% endif %}
{% set group_pixels = 64 %}
{% include "common/gather_phases" %}
    let out_plane = p.oh * p.ow;
    let lane_x = lane % 8u;
    let lane_y = lane / 8u;
    let co_lane = co0 + lane_y * {{ lane_quads * 4 }}u;
    // The pixel that this lane stages.
{% set of = "s" %}
{% set count = 1 %}
{% set step = 0 %}
{% set first = "lane" %}
{% include "common/gather_places" %}
{% include "common/gather_source" %}
    let x_plane = p.h * p.w;
    // `tap_len` and `panel_rows`: rows of a tap and of a panel.
{% if swapped %}
    let co4 = (p.co + 3u) / 4u;
    let tap_len = co4;
{% else %}
    let tap_len = p.ci4;
{% endif %}
{% if batched %}
    let panel_rows = tap_len;
    let w_matrix = tap * tap_len * {{ "p.ci" if swapped else "p.co" }};
{% else %}
    let panel_rows = p.kh * p.kw * tap_len;
    let w_matrix = 0u;
{% endif %}
{% for j in range(weights) %}
{% if swapped %}
    let w_row{{ j }} = min(co0 / 4u + (lane + {{ j * 64 }}u) % {{ tile }}u / 4u, co4 - 1u);
{% else %}
    let w_co{{ j }} = min(co0 + (lane + {{ j * 64 }}u) % {{ tile }}u, p.co - 1u);
    let panel{{ j }} = panel_of(w_co{{ j }});
    let width{{ j }} = panel_width(panel{{ j }}, p.co);
    let w_at{{ j }} = w_matrix + panel{{ j }} * panel_rows + w_co{{ j }} - panel{{ j }};
{% endif %}
{% endfor %}
{% for o in range(lane_quads * 4) %}
{% if bias %}
    let start{{ o }} = bias[min(co_lane + {{ o }}u, p.co - 1u)];
{% else %}
    let start{{ o }} = 0.0;
{% endif %}
{% for g in range(8) %}
    var c{{ o }}_{{ g }} = start{{ o }};
{% endfor %}
{% endfor %}
{% if apart %}
    let units = p.ci4;
{% else %}
    let units = turns;
{% endif %}
{% if shared %}
    let first_unit = min(part * p.part_units, units);
    let end_unit = min(first_unit + p.part_units, units);
    var k = first_unit % p.ci4;
    // A phase may meet no tap at all.
    let row_taps = max(taps_x, 1u);
    var tx = first_unit / p.ci4 % row_taps;
    var ty = first_unit / p.ci4 / row_taps;
{% else %}
    let first_unit = 0u;
    let end_unit = units;
    var k = 0u;
{% if not apart %}
    var tx = 0u;
    var ty = 0u;
{% endif %}
{% endif %}
    for (var unit = first_unit; unit < end_unit; unit += {{ depth }}u) {
{% for d in range(depth) %}
        let live{{ d }} = unit + {{ d }}u < end_unit;
        let k{{ d }} = k;
{% if apart %}
        let w_tap{{ d }} = {{ "0u" if batched else "tap * tap_len" }};
        let ok{{ d }} = live{{ d }};
        let at{{ d }} = xs0_base + in_planes0 + k * x_plane;
        k++;
{% else %}
        let dy{{ d }} = first_dy + i32(ty) * step_y;
        let dx{{ d }} = first_dx + i32(tx) * step_x;
{% if fractional %}
        let w_tap{{ d }} = ((first_y + ty * p.every_y) * p.kw + first_x + tx * p.every_x) * tap_len;
{% else %}
        let w_tap{{ d }} = (ty * p.kw + tx) * tap_len;
{% endif %}
        let ok{{ d }} = live{{ d }} && u32(ys0 + dy{{ d }}) < p.h && u32(xs0 + dx{{ d }}) < p.w;
        let at{{ d }} = xs0_pixel + u32(dy{{ d }} * i32(p.w) + dx{{ d }}) + k * x_plane;
        k++;
        tx += select(0u, 1u, k == p.ci4);
        k = select(k, 0u, k == p.ci4);
        ty += select(0u, 1u, tx == taps_x);
        tx = select(tx, 0u, tx == taps_x);
{% endif %}
        let pixel{{ d }} = select(vec4<f32>(0.0), from_wide(x[select(xs0_base, at{{ d }}, ok{{ d }})]), ok{{ d }});
{% endfor %}
{% for j in range(weights) %}
{% if tile == 64 %}
        // Past the last unit the pixels are 0.
        let w_unit{{ j }} = select(0u, w_tap{{ j }}, live{{ j }});
        let w_k{{ j }} = select(0u, k{{ j }}, live{{ j }});
{% else %}
        let second{{ j }} = lane >= {{ tile }}u;
        let w_live{{ j }} = select(live{{ j * 2 }}, live{{ j * 2 + 1 }}, second{{ j }});
        let w_unit{{ j }} = select(0u, select(w_tap{{ j * 2 }}, w_tap{{ j * 2 + 1 }}, second{{ j }}), w_live{{ j }});
        let w_k{{ j }} = select(0u, select(k{{ j * 2 }}, k{{ j * 2 + 1 }}, second{{ j }}), w_live{{ j }});
{% endif %}
{% if swapped %}
        // Past the last input channel x holds zeros; the weight of the last meets them.
        let w_ci{{ j }} = min(w_k{{ j }} * 4u + lane % 4u, p.ci - 1u);
        let panel{{ j }} = panel_of(w_ci{{ j }});
        let w_row_at{{ j }} = (w_unit{{ j }} + w_row{{ j }}) * panel_width(panel{{ j }}, p.ci);
        let w{{ j }} = from_wide(weight[w_matrix + panel{{ j }} * panel_rows + w_row_at{{ j }} + w_ci{{ j }} - panel{{ j }}]);
{% else %}
        let w{{ j }} = from_wide(weight[(w_unit{{ j }} + w_k{{ j }}) * width{{ j }} + w_at{{ j }}]);
{% endif %}
{% endfor %}
        // Whoever still computes with the units before has read them.
        workgroupBarrier();
{% for d in range(depth) %}
        pixels_of[{{ d * 64 }}u + lane] = pixel{{ d }};
{% endfor %}
{% for j in range(weights) %}
        weights_of[{{ j * 64 }}u + lane] = w{{ j }};
{% endfor %}
        workgroupBarrier();
        // A loop for compilers to unroll, or not: written out it takes software drivers long to compile.
        for (var d = 0u; d < {{ depth }}u; d++) {
            let pixels_at = d * 64u + lane_x;
            let weights_at = d * {{ tile }}u + lane_y * {{ lane_quads * 4 }}u;
{% for g in range(8) %}
            let q{{ g }} = pixels_of[pixels_at + {{ g * 8 }}u];
{% endfor %}
{% for quad in range(lane_quads) %}
{% for c in range(4) %}
            let v{{ quad }}_{{ c }} = weights_of[weights_at + {{ quad * 4 + c }}u];
{% endfor %}
{% for o in range(4) %}
{% for g in range(8) %}
{% for c in range(4) %}
{% set load = c if swapped else o %}
{% set part = ["x", "y", "z", "w"][o if swapped else c] %}
            c{{ quad * 4 + o }}_{{ g }} = fma(v{{ quad }}_{{ load }}.{{ part }}, q{{ g }}.{{ ["x", "y", "z", "w"][c] }}, c{{ quad * 4 + o }}_{{ g }});
{% endfor %}
{% endfor %}
{% endfor %}
{% endfor %}
        }
    }
    // The pixels whose sums this lane has.
{% set of = "" %}
{% set count = 8 %}
{% set step = 8 %}
{% set first = "lane_x" %}
{% include "common/gather_places" %}
{% if shared %}
    let out_first = p.out_base + part * p.part_stride;
{% else %}
    let out_first = p.out_base;
{% endif %}
{% if subpixel %}
    let ky = tap / p.kw;
    let kx = tap % p.kw;
{% endif %}
{% include "common/gather_store" %}
}
