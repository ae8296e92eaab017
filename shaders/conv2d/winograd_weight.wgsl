// conv2d / winograd_weight: a 3x3 kernel's weight at Winograd's points; one invocation four values of the channels
// summed over. `flip` 1: the kernel turned by half a turn, as the data gradient takes it.
//
//   out[point y, point x, …] = G weight Gt
//
// weight in panels of its `outers` channels, [3][3][rows][outer] quads   out the same of one tap, [rows][outer], once for each point

{% include "common/wide" %}
{% include "common/panels" %}
{% include "common/winograd" %}

struct Params {
    len: u32, rows: u32, outers: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> weight: array<Wide>;
@group(0) @binding(2) var<storage, read_write> out: array<Wide>;

const WG = {{ lanes }}u;
const TILE = 64u;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    let first = (wid.y * groups.x + wid.x) * TILE;
    for (var i = first + lane; i < min(first + TILE, p.len); i += WG) {
        let panel = panel_of(i / p.rows);
        let first_tap = i + panel * p.rows * 8u;
        let tap_len = p.rows * panel_width(panel, p.outers);
{% for ky in range(3) %}
        let r{{ ky }} = weight_points({% for kx in range(3) %}{% set tap = ky * 3 + kx %}from_wide(weight[first_tap + {{ 8 - tap if flip else tap }}u * tap_len]){% if not loop.last %}, {% endif %}{% endfor %});
{% endfor %}
{% for j in range(points) %}
        let c{{ j }} = weight_points(r0.p{{ j }}, r1.p{{ j }}, r2.p{{ j }});
{% for i in range(points) %}
        out[{{ i * points + j }}u * p.len + i] = to_wide(c{{ j }}.p{{ i }});
{% endfor %}
{% endfor %}
    }
}
