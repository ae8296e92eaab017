// conv2d / sum_parts: adds the partial sums of an image's channels, in order, and finishes them; one invocation four channels of a
// pixel.
//
//   out[i] = finish(bias + sum over s of partial[s, i])
//
// partial (parts, n, co, plane) C4, a part every `part_stride` quads   bias (co)   out, residual, mask (n, co, plane) C4

{% include "common/wide" %}
{% include "common/epilogue4" %}

struct Params {
    len: u32, parts: u32, part_stride: u32, plane: u32, sample: u32, co_first: u32, co: u32,
    out_base: u32, out_stride: u32, r_base: u32, r_stride: u32, m_base: u32, m_stride: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> partial_sums: array<Wide>;
{% if bias %}
@group(0) @binding(2) var<storage, read_write> bias: array<f32>;
{% endif %}
{% if residual %}
@group(0) @binding({{ 2 + bias }}) var<storage, read_write> residual: array<Wide>;
{% endif %}
{% if mask %}
@group(0) @binding({{ 2 + bias + residual }}) var<storage, read_write> mask: array<Wide>;
{% endif %}
@group(0) @binding({{ 2 + bias + residual + mask }}) var<storage, read_write> out: array<Wide>;

const WG = 64u;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    let i = (wid.y * groups.x + wid.x) * WG + lane;
    if i >= p.len {
        return;
    }
    let n = i / p.sample;
    let place = i - n * p.sample;
    let co = vec4<u32>(p.co_first + place / p.plane * 4u) + vec4<u32>(0u, 1u, 2u, 3u);
{% if bias %}
    let last = vec4<u32>(p.co - 1u);
    let at = min(co, last);
    var sum = vec4<f32>(bias[at.x], bias[at.y], bias[at.z], bias[at.w]);
{% else %}
    var sum = vec4<f32>(0.0);
{% endif %}
    for (var s = 0u; s < p.parts; s++) {
        sum += from_wide(partial_sums[s * p.part_stride + i]);
    }
    let finished = finish(sum, p.r_base + n * p.r_stride + place, p.m_base + n * p.m_stride + place);
    out[p.out_base + n * p.out_stride + place] = to_wide(select(vec4<f32>(0.0), finished, co < vec4<u32>(p.co)));
}
