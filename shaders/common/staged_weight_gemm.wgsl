// The weight gradient of common/weight_gemm with operands staged in workgroup memory: 16 columns, each a tap and four channels of the
// shifted operand, by 64 channels of the other a workgroup, of which each of 64 lanes, 8 by 8, computes 2 columns by 8
// channels. A turn stages 8 pixels, of whichever rows and samples.
//
//   out[ky, kx, s, b] = sum over n, y, x of shifted[n, s, y * stride_y - pad_y + ky * dil_y, …] * broad[n, b, y, x]
//
// shifted (n, s, h, w) C4   broad (n, b, oh, ow) C4
// out     in panels of b, [kh][kw][s/4][b] of four s (`transposed` 0), or of s, [kh][kw][b/4][s] of four b (1), once for each
//         split
//
// Splits and `continued`: as in common/weight_gemm.

{% include "common/weight_operands" %}

{% set lane_quads = 2 %}

// Eight pixels, and one vector between columns, which so begin at different banks.
var<workgroup> shifted_of: array<vec4<f32>, {{ 16 * 9 }}>;
var<workgroup> broad_of: array<vec4<f32>, {{ 16 * 9 }}>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let lane_x = lane % 8u;
    let lane_y = lane / 8u;
{% set columns = 2 %}
{% set group_columns = 16 %}
{% set step = 8 %}
{% set first = "lane_x" %}
{% include "common/weight_columns" %}
    let b0 = wid.y * 64u;
    let b_lane = b0 + lane_y * 8u;
{% include "common/weight_split" %}
    // This lane stages pixel lane_x of a turn: of two columns, and of two groups of four channels.
{% for j in range(2) %}
    let staged{{ j }} = wid.x * 16u + {{ j * 8 }}u + lane_y;
    let staged_inside{{ j }} = staged{{ j }} < all_columns;
    let staged_tap{{ j }} = select(0u, staged{{ j }} / p.s4, staged_inside{{ j }});
    let staged_ky{{ j }} = staged_tap{{ j }} / p.kw;
    let dy{{ j }} = i32(staged_ky{{ j }} * p.dil_y) - p.pad_y;
    let dx{{ j }} = i32((staged_tap{{ j }} - staged_ky{{ j }} * p.kw) * p.dil_x) - p.pad_x;
    let s_group{{ j }} = p.s_base + select(0u, staged{{ j }} - staged_tap{{ j }} * p.s4, staged_inside{{ j }}) * s_plane;
    let b_group{{ j }} = p.b_base + min(b0 / 4u + {{ j * 8 }}u + lane_y, b4 - 1u) * b_plane;
{% endfor %}
{% for o in range(8) %}
{% for k in range(8) %}
    var c{{ o }}_{{ k }} = 0.0;
{% endfor %}
{% endfor %}
    let to = wid.z * p.split_floats4;
{% include "common/weight_continue" %}
    let rows = end_row - min(first_row, end_row);
    let each = rows * p.ow;
    let count = (end_sample - min(first_sample, end_sample)) * each;
    for (var pixel = 0u; pixel < count; pixel += 8u) {
        let at = pixel + lane_x;
        let live = at < count;
        let safe = select(0u, at, live);
        let sample = safe / each;
        let place = safe - sample * each;
        let row = place / p.ow;
        let y = first_row + row;
        let x = place - row * p.ow;
        let n = first_sample + sample;
{% for j in range(2) %}
        let iy{{ j }} = i32(y * p.stride_y) + dy{{ j }};
        let ix{{ j }} = i32(x * p.stride_x) + dx{{ j }};
        let ok{{ j }} = live && staged_inside{{ j }} && u32(iy{{ j }}) < p.h && u32(ix{{ j }}) < p.w;
        let s_at{{ j }} = s_group{{ j }} + n * p.s_stride + select(0u, u32(iy{{ j }}) * p.w + u32(ix{{ j }}), ok{{ j }});
        let s{{ j }} = select(vec4<f32>(0.0), from_wide(shifted[s_at{{ j }}]), ok{{ j }});
        let b_at{{ j }} = b_group{{ j }} + n * p.b_stride + y * p.ow + x;
        let b{{ j }} = select(vec4<f32>(0.0), from_wide(broad[b_at{{ j }}]), live);
{% endfor %}
        // Whoever still computes with the pixels before has read them.
        workgroupBarrier();
{% for j in range(2) %}
        shifted_of[({{ j * 8 }}u + lane_y) * 9u + lane_x] = s{{ j }};
        broad_of[({{ j * 8 }}u + lane_y) * 9u + lane_x] = b{{ j }};
{% endfor %}
        workgroupBarrier();
        // A loop for compilers to unroll, or not: written out it takes software drivers long to compile.
        for (var t = 0u; t < 8u; t++) {
{% for j in range(2) %}
            let q{{ j }} = shifted_of[({{ j * 8 }}u + lane_x) * 9u + t];
            let v{{ j }} = broad_of[(lane_y * 2u + {{ j }}u) * 9u + t];
{% endfor %}
{% for o in range(8) %}
{% for k in range(8) %}
            c{{ o }}_{{ k }} = fma(v{{ o // 4 }}.{{ ["x", "y", "z", "w"][o % 4] }}, q{{ k // 4 }}.{{ ["x", "y", "z", "w"][k % 4] }}, c{{ o }}_{{ k }});
{% endfor %}
{% endfor %}
        }
    }
{% include "common/weight_store" %}
}
