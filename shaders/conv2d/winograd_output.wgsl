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
    let group = at.group;
    let n = at.n;
    let y = at.y;
    let left = at.x;
    let height = p.h;
    let width = p.w;
    let channels = p.c;
    let first = p.base + n * p.stride;
{% include "common/winograd_store" %}
}
