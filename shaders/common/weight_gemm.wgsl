// The weight gradient that convolutions and transposed convolutions share. A lane holds one column, a pair of a tap
// and four channels of the shifted operand; {{ tile }} channels of the other operand are broadcast to all lanes; four
// pixels a turn.
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
{% set columns = 1 %}
{% set group_columns = lanes %}
{% set step = 0 %}
{% set first = "lane" %}
{% include "common/weight_columns" %}
    let ky = tap0 / p.kw;
    let kx = tap0 - ky * p.kw;
    let b0 = wid.y * {{ tile }}u;
    let b_lane = b0;
{% include "common/weight_split" %}
    let dx = i32(kx * p.dil_x) - p.pad_x;
{% if broadcast %}
    let b_group = min(b0 / 4u + lane % {{ quads }}u, b4 - 1u);
    let b_pixel = lane / {{ quads }}u;
{% endif %}
{% for o in range(tile) %}
    var c{{ o }}_0 = 0.0;
    var c{{ o }}_1 = 0.0;
    var c{{ o }}_2 = 0.0;
    var c{{ o }}_3 = 0.0;
{% endfor %}
    let to = wid.z * p.split_floats4;
{% set lane_quads = quads %}
{% include "common/weight_continue" %}
    // One loop over the pixels of all rows and samples: at every turn of every loop a software driver copies what the
    // loop carries, here the whole tile.
    let row_turns = (p.ow + 3u) / 4u;
    let turns = (end_sample - min(first_sample, end_sample)) * (end_row - min(first_row, end_row)) * row_turns;
    var n = first_sample;
    var y = first_row;
    var x = 0u;
    for (var turn = 0u; turn < turns; turn++) {
        let iy = i32(y * p.stride_y + ky * p.dil_y) - p.pad_y;
        let row_ok = inside0 && u32(iy) < p.h;
        let s_row = p.s_base + n * p.s_stride + group0 * s_plane + select(0u, u32(iy) * p.w, row_ok);
{% if broadcast %}
        let b_row = p.b_base + n * p.b_stride + b_group * b_plane + y * p.ow;
{% else %}
        let b_row = p.b_base + n * p.b_stride + y * p.ow;
{% endif %}
{% for t in range(4) %}
        let ix{{ t }} = i32((x + {{ t }}u) * p.stride_x) + dx;
        let ok{{ t }} = row_ok && u32(ix{{ t }}) < p.w && x + {{ t }}u < p.ow;
        let q{{ t }} = select(vec4<f32>(0.0), from_wide(shifted[s_row + select(0u, u32(ix{{ t }}), ok{{ t }})]), ok{{ t }});
{% endfor %}
{% if broadcast %}
{% for t in range(4 // packed_pixels) %}
        let bx{{ t }} = x + {{ t * packed_pixels }}u + b_pixel;
        let g{{ t }} = select(vec4<f32>(0.0), from_wide(broad[b_row + min(bx{{ t }}, p.ow - 1u)]), bx{{ t }} < p.ow);
{% endfor %}
{% else %}
{% for t in range(4) %}
{% for j in range(quads) %}
        let g{{ t }}_{{ j }} = select(vec4<f32>(0.0), from_wide(broad[b_row + min(b0 / 4u + {{ j }}u, b4 - 1u) * b_plane + min(x + {{ t }}u, p.ow - 1u)]), x + {{ t }}u < p.ow);
{% endfor %}
{% endfor %}
{% endif %}
{% for o in range(tile) %}
{% set part = ["x", "y", "z", "w"][o % 4] %}
{% for t in range(4) %}
{% if broadcast %}
        let v{{ o }}_{{ t }} = subgroupBroadcast(g{{ t // packed_pixels }}.{{ part }}, {{ (t % packed_pixels) * quads + o // 4 }}u);
{% else %}
        let v{{ o }}_{{ t }} = g{{ t }}_{{ o // 4 }}.{{ part }};
{% endif %}
{% endfor %}
{% for k in range(4) %}
{% set lane_part = ["x", "y", "z", "w"][k] %}
{% for t in range(4) %}
        c{{ o }}_{{ k }} = fma(v{{ o }}_{{ t }}, q{{ t }}.{{ lane_part }}, c{{ o }}_{{ k }});
{% endfor %}
{% endfor %}
{% endfor %}
        x += 4u;
        let row_ends = x >= p.ow;
        x = select(x, 0u, row_ends);
        y += select(0u, 1u, row_ends);
        let sample_ends = y >= end_row;
        y = select(y, first_row, sample_ends);
        n += select(0u, 1u, sample_ends);
    }
{% include "common/weight_store" %}
}
