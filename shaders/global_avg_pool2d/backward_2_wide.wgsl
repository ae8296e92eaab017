// global_avg_pool2d / backward / 2 wide: four channels an invocation, 16 bytes a store.
//
//   out[n, c, y, x] = gradient[n, c, 0, 0] / (h * w)
//
// gradient (n, c, 1, 1) C4   out (n, c, h, w) C4

{% include "common/wide" %}
{% include "common/image" %}

struct Params {
    c: u32, plane: u32, len: u32, x_base: u32, x_stride: u32, y_base: u32, y_stride: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> gradient: array<Wide>;
@group(0) @binding(2) var<storage, read_write> out: array<Wide>;

const WG = {{ lanes }}u;
const TILE = {{ tile }}u;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    let first = (wid.y * groups.x + wid.x) * TILE;
    for (var i = first + lane; i < min(first + TILE, p.len); i += WG) {
        let c = quotient(i, p.plane) * 4u;
        let value = from_wide(gradient[group_at(p.y_base, p.y_stride, 1u, 1u, wid.z, c)]) / f32(p.plane);
        out[(p.x_base + wid.z * p.x_stride) / 4u + i] = to_wide(keep(value, c, p.c));
    }
}
