// A convolution of 3×3 taps by F({{ m }}×{{ m }}, 3×3) in one dispatch: each of {{ lanes }} lanes, which are one subgroup, takes a tile of
// {{ m }} by {{ m }} pixels to Winograd's points, sums products there for {{ tile }} output channels, and comes back. Nothing at the points
// is written to memory; tiles are taken to the points once for every {{ tile }} channels.
//
//   out = At (sum over ci of (G weight Gt) * (Bt x B)) A + bias
//
// x (n, ci, h, w) C4   weight: out of conv2d/winograd_weight   bias (co)   out, residual, mask (n, co, oh, ow) C4
//
// `swapped`, `quad`: as in common/gather_gemm. `residual`, `relu`, `mask`: what `common/epilogue` does to out.

{% include "common/wide" %}
{% include "common/panels" %}
{% include "common/winograd" %}
{% include "common/epilogue4" %}

struct Params {
    count: u32, tiles_x: u32, tiles: u32, ci: u32, co: u32, h: u32, w: u32, oh: u32, ow: u32, pad_y: i32, pad_x: i32,
    x_base: u32, x_stride: u32, out_base: u32, out_stride: u32, r_base: u32, r_stride: u32, m_base: u32, m_stride: u32,
}

{% include "common/image_bindings" %}

fn pixel(at: u32, ok: bool) -> vec4<f32> {
    return select(vec4<f32>(0.0), from_wide(x[at]), ok);
}

{% set points = m + 2 %}
{% set quads = tile // 4 %}
{% set parts = ["x", "y", "z", "w"] %}
@compute @workgroup_size({{ lanes }})
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    // Neighbouring workgroups take the same tiles, for other channels. Lanes past the last tile do the last again.
    let slot = wid.y * groups.x + wid.x;
    let co_tiles = (p.co + {{ tile - 1 }}u) / {{ tile }}u;
    let run = slot / co_tiles;
    let at = min(run * {{ lanes }}u + lane, p.count - 1u);
    let n = at / p.tiles;
    let in_image = at - n * p.tiles;
    let tile_y = in_image / p.tiles_x;
    let y = tile_y * {{ m }}u;
    let left = (in_image - tile_y * p.tiles_x) * {{ m }}u;
    let co0 = (slot - run * co_tiles) * {{ tile }}u;
    let ci4 = (p.ci + 3u) / 4u;
    let co4 = (p.co + 3u) / 4u;

    let iy = i32(y) - p.pad_y;
    let ix = i32(left) - p.pad_x;
    let x_first = p.x_base + n * p.x_stride;
    let x_plane = p.h * p.w;
{% for i in range(points) %}
    let row{{ i }} = u32(iy + {{ i }}) < p.h;
    let column{{ i }} = u32(ix + {{ i }}) < p.w;
{% endfor %}
{% for i in range(points) %}
{% for j in range(points) %}
    let ok{{ i }}_{{ j }} = row{{ i }} && column{{ j }};
    let from{{ i }}_{{ j }} = x_first + select(0u, u32(iy + {{ i }}) * p.w + u32(ix + {{ j }}), ok{{ i }}_{{ j }});
{% endfor %}
{% endfor %}

    // Of one point after the other.
{% if swapped %}
    let w_point = co4 * p.ci;
    let w_row = min(co0 / 4u + lane % {{ quads }}u, co4 - 1u);
    let w_ci = lane / {{ quads }}u;
{% else %}
    let w_point = p.co * ci4;
    let panel = panel_of(co0);
    let w_turn = panel_width(panel, p.co);
    let w_at = panel * ci4 + min(co0 + lane, p.co - 1u) - panel;
{% endif %}

{% for o in range(tile) %}
{% for j in range(points) %}
{% for i in range(points) %}
    var c{{ o }}_{{ i }}_{{ j }} = 0.0;
{% endfor %}
{% endfor %}
{% endfor %}
    var x_at = 0u;
    for (var turn = 0u; turn < ci4; turn++) {
{% for i in range(points) %}
        let r{{ i }} = input_points({% for j in range(points) %}pixel(x_at + from{{ i }}_{{ j }}, ok{{ i }}_{{ j }}){% if not loop.last %}, {% endif %}{% endfor %});
{% endfor %}
{% if swapped %}
        // Past the last input channel x holds zeros; the weight of the last meets them.
        let ci = min(turn * 4u + w_ci, p.ci - 1u);
        let panel = panel_of(ci);
        let w_first = panel * co4 + w_row * panel_width(panel, p.ci) + ci - panel;
{% else %}
        let w_first = w_at + turn * w_turn;
{% endif %}
{% for j in range(points) %}
        let v{{ j }} = input_points({% for i in range(points) %}r{{ i }}.p{{ j }}{% if not loop.last %}, {% endif %}{% endfor %});
{% for i in range(points) %}
        let w{{ i }}_{{ j }} = from_wide(weight[w_first + {{ i * points + j }}u * w_point]);
{% for o in range(tile) %}
{% for c in range(quad) %}
{% set from_lane = c * quads + o // 4 if swapped else o %}
{% set part = parts[o % 4] if swapped else parts[c] %}
        c{{ o }}_{{ i }}_{{ j }} = fma(subgroupBroadcast(w{{ i }}_{{ j }}.{{ part }}, {{ from_lane }}u), v{{ j }}.p{{ i }}.{{ parts[c] }}, c{{ o }}_{{ i }}_{{ j }});
{% endfor %}
{% endfor %}
{% endfor %}
{% endfor %}
        x_at += x_plane;
    }

    let height = p.oh;
    let width = p.ow;
    let channels = p.co;
    let first = p.out_base + n * p.out_stride;
{% for q in range(quads) %}
    if co0 / 4u + {{ q }}u < co4 {
        let group = co0 / 4u + {{ q }}u;
{% for j in range(points) %}
        let c{{ j }} = outputs({% for i in range(points) %}vec4<f32>({% for k in range(4) %}c{{ q * 4 + k }}_{{ i }}_{{ j }}{% if not loop.last %}, {% endif %}{% endfor %}){% if not loop.last %}, {% endif %}{% endfor %});
{% endfor %}
{% include "common/winograd_store" %}
    }
{% endfor %}
}
