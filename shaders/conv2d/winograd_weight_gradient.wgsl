// conv2d / winograd_weight_gradient: a 3x3 kernel's weight gradient from that at Winograd's points; one invocation four
// values.
//
//   out = Gt points G
//
// points, out: as weight and out of conv2d/winograd_weight

{% include "common/wide" %}
{% include "common/panels" %}
{% include "common/winograd" %}

struct Params {
    len: u32, rows: u32, outers: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> at_points: array<Wide>;
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
{% for j in range(points) %}
        let c{{ j }} = taps({% for i in range(points) %}from_wide(at_points[{{ i * points + j }}u * p.len + i]){% if not loop.last %}, {% endif %}{% endfor %});
{% endfor %}
{% for ky in range(3) %}
        let r{{ ky }} = taps({% for j in range(points) %}c{{ j }}.p{{ ky }}{% if not loop.last %}, {% endif %}{% endfor %});
{% for kx in range(3) %}
        out[first_tap + {{ ky * 3 + kx }}u * tap_len] = to_wide(r{{ ky }}.p{{ kx }});
{% endfor %}
{% endfor %}
    }
}
