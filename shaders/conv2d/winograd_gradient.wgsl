// conv2d / winograd_gradient: an output's gradient, tiles of {{ m }} by {{ m }} pixels, at Winograd's points: what
// winograd_output takes apart, put together.
//
//   out[point y, point x, c, tile] = A gradient At
//
// gradient (n, c, h, w) C4   out [points][points][c/4][tile] of four c

{% include "common/wide" %}
{% include "common/winograd" %}
{% include "common/winograd_tiles" %}

@group(0) @binding(1) var<storage, read_write> gradient: array<Wide>;
@group(0) @binding(2) var<storage, read_write> out: array<Wide>;

fn pixel(start: u32, y: u32, x: u32) -> vec4<f32> {
    let ok = y < p.h && x < p.w;
    return select(vec4<f32>(0.0), from_wide(gradient[start + select(0u, y * p.w + x, ok)]), ok);
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    let quads = (p.c + 3u) / 4u;
    let i = min((wid.y * groups.x + wid.x) * WG + lane, p.count * quads - 1u);
    let at = place(i);
    let start = p.base + at.n * p.stride + at.group * p.h * p.w;
{% for i in range(m) %}
    let r{{ i }} = output_points({% for j in range(m) %}pixel(start, at.y + {{ i }}u, at.x + {{ j }}u){% if not loop.last %}, {% endif %}{% endfor %});
{% endfor %}
    let plane = p.count * quads;
    let row = {{ points }}u * plane;
{% for j in range(points) %}
    let c{{ j }} = output_points({% for i in range(m) %}r{{ i }}.p{{ j }}{% if not loop.last %}, {% endif %}{% endfor %});
    var to{{ j }} = i + {{ j }}u * plane;
{% for i in range(points) %}
    out[to{{ j }}] = to_wide(c{{ j }}.p{{ i }});
    to{{ j }} += row;
{% endfor %}
{% endfor %}
}
