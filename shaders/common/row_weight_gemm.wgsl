// The weight gradient of common/weight_gemm for kernels of {{ kw }} taps in a row, without dilation. A lane holds the
// columns of one row of taps and four channels of the shifted operand, so that its pixels are loaded once for all taps of
// the row; {{ tile }} channels of the other operand are broadcast to all lanes; {{ pixels }} pixels a turn.
//
//   out[ky, kx, s, b] = sum over n, y, x of shifted[n, s, y * stride_y - pad_y + ky * dil_y, x * {{ stride }} - pad_x + kx]
//                       * broad[n, b, y, x]
//
// shifted (n, s, h, w) C4   broad (n, b, oh, ow) C4   out in panels of b, [kh][kw][s/4][b] of four s, once for
// each split
//
// Splits and `continued`: as in common/weight_gemm. `quad`: how many of four channels there are, where s is below 4.

{% include "common/weight_operands" %}

{% set quads = tile // 4 %}
{% set packed_pixels = lanes // quads if broadcast else 1 %}
{% set loads = (pixels - 1) * stride + kw %}
{% set components = ["x", "y", "z", "w"] %}

@compute @workgroup_size({{ lanes }})
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let columns = p.kh * p.s4;
    let column = wid.x * {{ lanes }}u + lane;
    let inside = column < columns;
    let ky = select(0u, column / p.s4, inside);
    let group = select(0u, column - ky * p.s4, inside);
    let b0 = wid.y * {{ tile }}u;
{% include "common/weight_split" %}
{% if broadcast %}
    let b_group = min(b0 / 4u + lane % {{ quads }}u, b4 - 1u);
    let b_pixel = lane / {{ quads }}u;
{% endif %}
{% for o in range(tile) %}
{% for kx in range(kw) %}
{% for k in range(quad) %}
    var c{{ o }}_{{ kx }}_{{ k }} = 0.0;
{% endfor %}
{% endfor %}
{% endfor %}
    let to = wid.z * p.split_floats4;
    // All of a tile lie in one panel.
    let panel = panel_of(b0);
    let width = panel_width(panel, p.b);
    let row_to = to + panel * p.kh * {{ kw }}u * p.s4 + (ky * {{ kw }}u * p.s4 + group) * width + b0 - panel;
{% if continued %}
    // The samples before are summed already.
    if inside {
{% for kx in range(kw) %}
{% for o in range(tile) %}
        if b0 + {{ o }}u < p.b {
            let v = from_wide(out[row_to + {{ kx }}u * p.s4 * width + {{ o }}u]);
{% for k in range(quad) %}
            c{{ o }}_{{ kx }}_{{ k }} = v.{{ components[k] }};
{% endfor %}
        }
{% endfor %}
{% endfor %}
    }
{% endif %}
    // One loop over the pixels of all rows and samples: at every turn of every loop a software driver copies what the
    // loop carries, here the whole tile.
    let row_turns = (p.ow + {{ pixels - 1 }}u) / {{ pixels }}u;
    let turns = (end_sample - min(first_sample, end_sample)) * (end_row - min(first_row, end_row)) * row_turns;
    var n = first_sample;
    var y = first_row;
    var x = 0u;
    for (var turn = 0u; turn < turns; turn++) {
        let iy = i32(y * p.stride_y + ky * p.dil_y) - p.pad_y;
        let row_ok = inside && u32(iy) < p.h;
        let s_row = p.s_base + n * p.s_stride + group * s_plane + select(0u, u32(iy) * p.w, row_ok);
        let left = i32(x * {{ stride }}u) - p.pad_x;
{% if broadcast %}
        let b_row = p.b_base + n * p.b_stride + b_group * b_plane + y * p.ow;
{% else %}
        let b_row = p.b_base + n * p.b_stride + y * p.ow;
{% endif %}
{% for j in range(loads) %}
        let ok{{ j }} = row_ok && u32(left + {{ j }}) < p.w;
        let q{{ j }} = select(vec4<f32>(0.0), from_wide(shifted[s_row + select(0u, u32(left + {{ j }}), ok{{ j }})]), ok{{ j }});
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
{% for t in range(pixels) %}
{% if broadcast %}
        let v{{ o }}_{{ t }} = subgroupBroadcast(g{{ t // packed_pixels }}.{{ components[o % 4] }}, {{ (t % packed_pixels) * quads + o // 4 }}u);
{% else %}
        let v{{ o }}_{{ t }} = g{{ t }}_{{ o // 4 }}.{{ components[o % 4] }};
{% endif %}
{% endfor %}
{% for kx in range(kw) %}
{% for k in range(quad) %}
{% for t in range(pixels) %}
        c{{ o }}_{{ kx }}_{{ k }} = fma(v{{ o }}_{{ t }}, q{{ t * stride + kx }}.{{ components[k] }}, c{{ o }}_{{ kx }}_{{ k }});
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
    if !inside {
        return;
    }
    let keep = vec4<u32>(group * 4u) + vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(p.s);
{% for kx in range(kw) %}
{% for o in range(tile) %}
    if b0 + {{ o }}u < p.b {
        let v = vec4<f32>({% for k in range(4) %}{% if k < quad %}c{{ o }}_{{ kx }}_{{ k }}{% else %}0.0{% endif %}{% if not loop.last %}, {% endif %}{% endfor %});
        out[row_to + {{ kx }}u * p.s4 * width + {{ o }}u] = to_wide(select(vec4<f32>(0.0), v, keep));
    }
{% endfor %}
{% endfor %}
}
