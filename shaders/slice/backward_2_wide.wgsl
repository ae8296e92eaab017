// slice / backward / 2 wide: four channels an invocation, 16 bytes a load; `start` is a multiple of four.
//
//   out[n, c, y, x] = gradient[n, c - start, y, x] for start <= c < start + part, else 0
//
// gradient (n, part, h, w) C4   out (n, c, h, w) C4

{% include "common/wide" %}
{% include "common/image" %}

struct Params {
    c: u32, h: u32, w: u32, start: u32, part: u32, len: u32,
    in_base: u32, in_stride: u32, out_base: u32, out_stride: u32,
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
        // A sample's groups lie one after another on both sides.
        let plane = p.h * p.w;
        let before = p.start / 4u * plane;
        var value = vec4<f32>(0.0);
        if i >= before && i - before < (p.part + 3u) / 4u * plane {
            value = from_wide(gradient[(p.in_base + wid.z * p.in_stride) / 4u + i - before]);
            if p.part % 4u != 0u {
                value = keep(value, quotient(i - before, plane) * 4u, p.part);
            }
        }
        out[(p.out_base + wid.z * p.out_stride) / 4u + i] = to_wide(value);
    }
}
