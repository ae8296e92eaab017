// conv2d / winograd_output: an image's tiles of {{ m }} by {{ m }} pixels from Winograd's points, with bias and epilogue.
//
//   out = At points A + bias
//
// products [points][points][c/4][tile] of four c   bias (c)   out, residual, mask (n, c, h, w) C4

{% include "common/wide" %}
{% include "common/winograd" %}
{% include "common/winograd_tiles" %}
{% include "common/epilogue4" %}

@group(0) @binding(1) var<storage, read_write> products: array<Wide>;
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

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    let quads = (p.c + 3u) / 4u;
    let i = min((wid.y * groups.x + wid.x) * WG + lane, p.count * quads - 1u);
    let at = place(i);
    let plane = p.count * quads;
{% for j in range(points) %}
    let c{{ j }} = outputs({% for i in range(points) %}from_wide(products[{{ i * points + j }}u * plane + i]){% if not loop.last %}, {% endif %}{% endfor %});
{% endfor %}
    let channel = vec4<u32>(at.group * 4u) + vec4<u32>(0u, 1u, 2u, 3u);
{% if bias %}
    let last = vec4<u32>(p.c - 1u);
    let from_bias = min(channel, last);
    let start = vec4<f32>(bias[from_bias.x], bias[from_bias.y], bias[from_bias.z], bias[from_bias.w]);
{% endif %}
    let plane_at = at.group * p.h * p.w + at.y * p.w + at.x;
    let to = p.base + at.n * p.stride + plane_at;
    let added = p.r_base + at.n * p.r_stride + plane_at;
    let masked = p.m_base + at.n * p.m_stride + plane_at;
{% for i in range(m) %}
    if at.y + {{ i }}u < p.h {
        let row = outputs({% for j in range(points) %}c{{ j }}.p{{ i }}{% if not loop.last %}, {% endif %}{% endfor %});
{% for j in range(m) %}
        if at.x + {{ j }}u < p.w {
            let pixel = {{ i }}u * p.w + {{ j }}u;
            let v = finish(row.p{{ j }}{% if bias %} + start{% endif %}, added + pixel, masked + pixel);
            out[to + pixel] = to_wide(select(vec4<f32>(0.0), v, channel < vec4<u32>(p.c)));
        }
{% endfor %}
    }
{% endfor %}
}
