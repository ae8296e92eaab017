// global_avg_pool2d / forward / 2 wide: four channels an invocation, 16 bytes a load.
//
//   out[n, c, 0, 0] = sum over y, x of input[n, c, y, x] / (h * w)
//
// input (n, c, h, w) C4   out (n, c, 1, 1) C4

{% include "common/wide" %}
{% include "common/image" %}

struct Params {
    c: u32, plane: u32, len: u32, x_base: u32, x_stride: u32, y_base: u32, y_stride: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> input: array<Wide>;
@group(0) @binding(2) var<storage, read_write> out: array<Wide>;

const WG = {{ lanes }}u;
const TILE = {{ tile }}u;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    let first = (wid.y * groups.x + wid.x) * TILE;
    for (var i = first + lane; i < min(first + TILE, p.len); i += WG) {
        let start = group_at(p.x_base, p.x_stride, 1u, p.plane, wid.z, i * 4u);
        var sum = vec4<f32>(0.0);
        for (var pixel = 0u; pixel < p.plane; pixel++) {
            sum += from_wide(input[start + pixel]);
        }
        let at = group_at(p.y_base, p.y_stride, 1u, 1u, wid.z, i * 4u);
        out[at] = to_wide(keep(sum / f32(p.plane), i * 4u, p.c));
    }
}
