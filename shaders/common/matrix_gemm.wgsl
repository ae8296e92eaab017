// The implicit GEMM of common/gather_gemm on cooperative matrices: 64 output channels by 64 pixels a workgroup, of which each
// of four subgroups computes 32 by 32 as {{ 32 // rows }} by {{ 32 // rows }} matrices. A turn stages four units, each four input channels of one
// tap, in workgroup memory, from where subgroups load them as matrices of {{ rows }} by {{ rows }}.
//
//   out[n, co, oy, ox] = bias[co] + sum over ky, kx, ci of x[n, ci, iy, ix] * weight[ky, kx, ci, co]
//   iy = oy * scale_y + shift_y + ky * step_y, where that is inside; ix likewise
//
// x (n, ci, h, w) C4   weight in panels of co, [kh][kw][ci/4][co] of four ci   bias (co)   out, residual, mask (n, co, oh, ow) C4;
// all but the bias in 16 bits.
//
// `lanes`: four subgroups, if they are as large as the adapter's largest. Where they are smaller, there are more, and some
// compute what others do.
// `residual`, `relu`, `mask`: as in common/gather_gemm.

{% include "common/gather_operands" %}

{% set depth = 4 %}
// 16-bit values from one pixel or channel to the next: those of a turn, and 16 bytes more, so that banks take turns.
const APART = {{ depth * 4 + 8 }}u;
// Floats from one pixel of a subgroup's sums to the next.
const SUMS_APART = 36u;

var<workgroup> pixels_of: array<f16, {{ 64 * (depth * 4 + 8) }}>;
var<workgroup> weights_of: array<f16, {{ 64 * (depth * 4 + 8) }}>;
// Of each subgroup, {{ rows }} pixels of 32 channels.
var<workgroup> sums_of: array<f32, {{ 4 * rows * 36 }}>;

@compute @workgroup_size({{ lanes }})
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32, @builtin(subgroup_id) subgroup: u32) {
    let z = wid.z;
{% set group_pixels = 64 %}
{% include "common/gather_phases" %}
    let out_plane = p.oh * p.ow;
    // The pixels, and as many channels, of which this lane stages some units.
    let staged = lane % 64u;
{% set of = "s" %}
{% set count = pixels %}
{% set step = lanes %}
{% set first = "staged" %}
{% include "common/gather_places" %}
{% include "common/gather_source" %}
    let x_plane = p.h * p.w;
    let panel_rows = p.kh * p.kw * p.ci4;
{% for g in range(pixels) %}
    let w_co{{ g }} = min(co0 + staged + {{ g * lanes }}u, p.co - 1u);
    let panel{{ g }} = panel_of(w_co{{ g }});
    let width{{ g }} = panel_width(panel{{ g }}, p.co);
    let w_at{{ g }} = panel{{ g }} * panel_rows + w_co{{ g }} - panel{{ g }};
    let place{{ g }} = (staged + {{ g * lanes }}u) * APART;
{% endfor %}
{% set parts = lanes // 64 if lanes > 64 else 1 %}
{% set units = depth // parts %}
    let part = lane / 64u;
{% for d in range(units) %}
    var unit{{ d }} = {{ d * parts }}u + part;
    var k{{ d }} = unit{{ d }} % p.ci4;
    var tx{{ d }} = unit{{ d }} / p.ci4 % taps_x;
    var ty{{ d }} = unit{{ d }} / p.ci4 / taps_x;
{% endfor %}
{% set squares = 32 // rows %}
    let own = subgroup % 4u;
    let own_channel = own / 2u * 32u;
    let own_pixel = own % 2u * 32u;
{% for i in range(squares) %}
{% for j in range(squares) %}
    var c{{ i }}_{{ j }} = coop_mat{{ rows }}x{{ rows }}<f32, C>();
{% endfor %}
{% endfor %}
    for (var turn = 0u; turn < turns; turn += {{ depth }}u) {
{% for d in range(units) %}
        let live{{ d }} = unit{{ d }} < turns;
        let dy{{ d }} = first_dy + i32(ty{{ d }}) * step_y;
        let dx{{ d }} = first_dx + i32(tx{{ d }}) * step_x;
        // Past the last unit the pixels are 0.
        let w_row{{ d }} = select(0u, unit{{ d }}, live{{ d }});
{% for g in range(pixels) %}
        let ok{{ d }}_{{ g }} = live{{ d }} && u32(ys{{ g }} + dy{{ d }}) < p.h && u32(xs{{ g }} + dx{{ d }}) < p.w;
        let at{{ d }}_{{ g }} = xs{{ g }}_pixel + u32(dy{{ d }} * i32(p.w) + dx{{ d }}) + k{{ d }} * x_plane;
        let loaded{{ d }}_{{ g }} = vec4<f16>(from_wide(x[select(xs{{ g }}_base, at{{ d }}_{{ g }}, ok{{ d }}_{{ g }})]));
        let q{{ d }}_{{ g }} = select(vec4<f16>(0.0h), loaded{{ d }}_{{ g }}, ok{{ d }}_{{ g }});
        let w{{ d }}_{{ g }} = vec4<f16>(from_wide(weight[w_row{{ d }} * width{{ g }} + w_at{{ g }}]));
{% endfor %}
        unit{{ d }} += {{ depth }}u;
        k{{ d }} += {{ depth }}u;
        while k{{ d }} >= p.ci4 {
            k{{ d }} -= p.ci4;
            tx{{ d }}++;
            let row_ends = tx{{ d }} == taps_x;
            tx{{ d }} = select(tx{{ d }}, 0u, row_ends);
            ty{{ d }} += select(0u, 1u, row_ends);
        }
{% endfor %}
        // Whoever still multiplies the units before has read them.
        workgroupBarrier();
{% for d in range(units) %}
        let unit_place{{ d }} = ({{ d * parts }}u + part) * 4u;
{% for g in range(pixels) %}
{% for c in ["x", "y", "z", "w"] %}
        pixels_of[place{{ g }} + unit_place{{ d }} + {{ loop.index0 }}u] = q{{ d }}_{{ g }}.{{ c }};
        weights_of[place{{ g }} + unit_place{{ d }} + {{ loop.index0 }}u] = w{{ d }}_{{ g }}.{{ c }};
{% endfor %}
{% endfor %}
{% endfor %}
        workgroupBarrier();
{% for s in range(depth * 4 // rows) %}
{% for i in range(squares) %}
        let a{{ s }}_{{ i }} = coopLoadT<coop_mat{{ rows }}x{{ rows }}<f16, A>>(&weights_of[(own_channel + {{ i * rows }}u) * APART + {{ s * rows }}u], APART);
{% endfor %}
{% for j in range(squares) %}
        let b{{ s }}_{{ j }} = coopLoad<coop_mat{{ rows }}x{{ rows }}<f16, B>>(&pixels_of[(own_pixel + {{ j * rows }}u) * APART + {{ s * rows }}u], APART);
{% for i in range(squares) %}
        c{{ i }}_{{ j }} = coopMultiplyAdd(a{{ s }}_{{ i }}, b{{ s }}_{{ j }}, c{{ i }}_{{ j }});
{% endfor %}
{% endfor %}
{% endfor %}
    }
    // Through workgroup memory to lanes that finish four channels of a pixel each, {{ rows }} pixels of every subgroup at a time.
{% for j in range(squares) %}
    workgroupBarrier();
{% for i in range(squares) %}
    coopStore(c{{ i }}_{{ j }}, &sums_of[own * {{ rows }}u * SUMS_APART + {{ i * rows }}u], SUMS_APART);
{% endfor %}
    workgroupBarrier();
    for (var item = lane; item < {{ 32 * rows }}u; item += {{ lanes }}u) {
        let of_row = item % {{ rows }}u;
        let quad = item / {{ rows }}u % 8u;
        let owner = item / {{ 8 * rows }}u;
        let co = co0 + owner / 2u * 32u + quad * 4u;
        let i = tile * 64u + owner % 2u * 32u + {{ j * rows }}u + of_row;
        if i <= last && co < p.co {
            let n = i / plane;
            let place = (co / 4u) * out_plane + i - n * plane;
            let sum = (owner * {{ rows }}u + of_row) * SUMS_APART + quad * 4u;
            var v = vec4<f32>(sums_of[sum], sums_of[sum + 1u], sums_of[sum + 2u], sums_of[sum + 3u]);
            let channel = vec4<u32>(co) + vec4<u32>(0u, 1u, 2u, 3u);
{% if bias %}
            let from_bias = min(channel, vec4<u32>(p.co - 1u));
            v += vec4<f32>(bias[from_bias.x], bias[from_bias.y], bias[from_bias.z], bias[from_bias.w]);
{% endif %}
            let finished = finish(v, p.r_base + n * p.r_stride + place, p.m_base + n * p.m_stride + place);
            out[p.out_base + n * p.out_stride + place] = to_wide(select(vec4<f32>(0.0), finished, channel < vec4<u32>(p.co)));
        }
    }
{% endfor %}
}
