// conv2d / winograd_input: an image's overlapping tiles of {{ m + 2 }} by {{ m + 2 }} pixels at Winograd's points.
//
//   out[point y, point x, c, tile] = Bt d B
//
// x (n, c, h, w) C4   out [points][points][c/4][tile] of four c

{% include "common/wide" %}
{% include "common/winograd" %}
{% include "common/winograd_tiles" %}

@group(0) @binding(1) var<storage, read_write> x: array<Wide>;
@group(0) @binding(2) var<storage, read_write> out: array<Wide>;

fn pixel(start: u32, iy: i32, ix: i32) -> vec4<f32> {
    let ok = u32(iy) < p.h && u32(ix) < p.w;
    return select(vec4<f32>(0.0), from_wide(x[start + select(0u, u32(iy) * p.w + u32(ix), ok)]), ok);
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    let quads = (p.c + 3u) / 4u;
    let i = min((wid.y * groups.x + wid.x) * WG + lane, p.count * quads - 1u);
    let at = place(i);
    let start = p.base + at.n * p.stride + at.group * p.h * p.w;
    let iy = i32(at.y) - p.pad_y;
    let ix = i32(at.x) - p.pad_x;
{% for i in range(points) %}
    let r{{ i }} = input_points({% for j in range(points) %}pixel(start, iy + {{ i }}, ix + {{ j }}){% if not loop.last %}, {% endif %}{% endfor %});
{% endfor %}
    let plane = p.count * quads;
    let row = {{ points }}u * plane;
{% for j in range(points) %}
    let c{{ j }} = input_points({% for i in range(points) %}r{{ i }}.p{{ j }}{% if not loop.last %}, {% endif %}{% endfor %});
    var to{{ j }} = i + {{ j }}u * plane;
{% for i in range(points) %}
    out[to{{ j }}] = to_wide(c{{ j }}.p{{ i }});
    to{{ j }} += row;
{% endfor %}
{% endfor %}
}
