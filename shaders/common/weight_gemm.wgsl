// The weight gradient that convolutions and transposed convolutions share. A lane holds {{ columns }} of the columns, pairs of a
// tap and four channels of the shifted operand; {{ tile }} channels of the other operand are broadcast to all lanes; {{ pixels }} pixels a
// turn.
//
//   out[ky, kx, s, b] = sum over n, y, x of shifted[n, s, y * stride_y - pad_y + ky * dil_y, …] * broad[n, b, y, x]
//
// shifted (n, s, h, w) C4   broad (n, b, oh, ow) C4
// out     in panels of b, [kh][kw][s/4][b] of four s (`transposed` 0), or of s, [kh][kw][b/4][s] of four b (1), once for each
//         split
//
// Every split sums some whole samples, or some rows of one sample; which ones depends on the shapes alone. `continued`
// 1: the samples are the next ones of a split, whose sum goes on.

{% include "common/weight_operands" %}

{% set quads = tile // 4 %}
{% set packed_pixels = lanes // quads if broadcast else 1 %}

@compute @workgroup_size({{ lanes }})
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
{% set group_columns = lanes * columns %}
{% set step = lanes %}
{% set first = "lane" %}
{% include "common/weight_columns" %}
    let b0 = wid.y * {{ tile }}u;
    let b_lane = b0;
{% include "common/weight_split" %}
{% for h in range(columns) %}
    let ky{{ h }} = tap{{ h }} / p.kw;
    let dy{{ h }} = i32(ky{{ h }} * p.dil_y) - p.pad_y;
    let dx{{ h }} = i32((tap{{ h }} - ky{{ h }} * p.kw) * p.dil_x) - p.pad_x;
{% endfor %}
{% if broadcast %}
    let b_group = min(b0 / 4u + lane % {{ quads }}u, b4 - 1u);
    let b_pixel = lane / {{ quads }}u;
{% endif %}
{% for o in range(tile) %}
{% for k in range(columns * 4) %}
    var c{{ o }}_{{ k }} = 0.0;
{% endfor %}
{% endfor %}
    let to = wid.z * p.split_floats4;
{% set lane_quads = quads %}
{% include "common/weight_continue" %}
    // One loop over the pixels of all rows and samples: at every turn of every loop a software driver copies what the
    // loop carries, here the whole tile.
    let row_turns = (p.ow + {{ pixels - 1 }}u) / {{ pixels }}u;
    let turns = (end_sample - min(first_sample, end_sample)) * (end_row - min(first_row, end_row)) * row_turns;
    var n = first_sample;
    var y = first_row;
    var x = 0u;
    for (var turn = 0u; turn < turns; turn++) {
{% for h in range(columns) %}
        let iy{{ h }} = i32(y * p.stride_y) + dy{{ h }};
        let row_ok{{ h }} = inside{{ h }} && u32(iy{{ h }}) < p.h;
        let s_row{{ h }} = p.s_base + n * p.s_stride + group{{ h }} * s_plane + select(0u, u32(iy{{ h }}) * p.w, row_ok{{ h }});
{% endfor %}
{% if broadcast %}
        let b_row = p.b_base + n * p.b_stride + b_group * b_plane + y * p.ow;
{% else %}
        let b_row = p.b_base + n * p.b_stride + y * p.ow;
{% endif %}
{% for h in range(columns) %}
{% for t in range(pixels) %}
        let ix{{ t }}_{{ h }} = i32((x + {{ t }}u) * p.stride_x) + dx{{ h }};
        let ok{{ t }}_{{ h }} = row_ok{{ h }} && u32(ix{{ t }}_{{ h }}) < p.w && x + {{ t }}u < p.ow;
        let s_at{{ t }}_{{ h }} = s_row{{ h }} + select(0u, u32(ix{{ t }}_{{ h }}), ok{{ t }}_{{ h }});
        let q{{ t }}_{{ h }} = select(vec4<f32>(0.0), from_wide(shifted[s_at{{ t }}_{{ h }}]), ok{{ t }}_{{ h }});
{% endfor %}
{% endfor %}
{% if broadcast %}
{% for t in range((pixels + packed_pixels - 1) // packed_pixels) %}
        let bx{{ t }} = x + {{ t * packed_pixels }}u + b_pixel;
        let g{{ t }} = select(vec4<f32>(0.0), from_wide(broad[b_row + min(bx{{ t }}, p.ow - 1u)]), bx{{ t }} < p.ow);
{% endfor %}
{% else %}
{% for t in range(pixels) %}
{% for j in range(quads) %}
        let g{{ t }}_{{ j }} = select(vec4<f32>(0.0), from_wide(broad[b_row + min(b0 / 4u + {{ j }}u, b4 - 1u) * b_plane + min(x + {{ t }}u, p.ow - 1u)]), x + {{ t }}u < p.ow);
{% endfor %}
{% endfor %}
{% endif %}
{% for o in range(tile) %}
{% set part = ["x", "y", "z", "w"][o % 4] %}
{% for t in range(pixels) %}
{% if broadcast %}
        let v{{ o }}_{{ t }} = subgroupBroadcast(g{{ t // packed_pixels }}.{{ part }}, {{ (t % packed_pixels) * quads + o // 4 }}u);
{% else %}
        let v{{ o }}_{{ t }} = g{{ t }}_{{ o // 4 }}.{{ part }};
{% endif %}
{% endfor %}
{% for h in range(columns) %}
{% for k in range(4) %}
{% set lane_part = ["x", "y", "z", "w"][k] %}
{% for t in range(pixels) %}
        c{{ o }}_{{ h * 4 + k }} = fma(v{{ o }}_{{ t }}, q{{ t }}_{{ h }}.{{ lane_part }}, c{{ o }}_{{ h * 4 + k }});
{% endfor %}
{% endfor %}
{% endfor %}
{% endfor %}
        x += {{ pixels }}u;
        let row_ends = x >= p.ow;
        x = select(x, 0u, row_ends);
        y += select(0u, 1u, row_ends);
        let sample_ends = y >= end_row;
        y = select(y, first_row, sample_ends);
        n += select(0u, 1u, sample_ends);
    }
{% include "common/weight_store" %}
}
