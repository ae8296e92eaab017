// normalize / forward / 2 wide: four channels an invocation, 16 bytes a load.
//
//   out[n, c, y, x] = (input[n, c, y, x] - mean[c]) / deviation[c]
//
// input, out (n, c, h, w) C4   mean, deviation (c)

{% include "common/wide" %}
{% include "common/image" %}

struct Params {
    c: u32, h: u32, w: u32, len: u32, in_base: u32, in_stride: u32, out_base: u32, out_stride: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> input: array<Wide>;
@group(0) @binding(2) var<storage, read_write> mean: array<f32>;
@group(0) @binding(3) var<storage, read_write> deviation: array<f32>;
@group(0) @binding(4) var<storage, read_write> out: array<Wide>;

const WG = {{ lanes }}u;
const TILE = {{ tile }}u;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    let tile = (wid.y * groups.x + wid.x) * TILE;
    for (var i = tile + lane; i < min(tile + TILE, p.len); i += WG) {
        // A sample's groups lie one after another on both sides.
        let first = quotient(i, p.h * p.w) * 4u;
        let c = min(vec4<u32>(first) + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(p.c - 1u));
        let d = vec4<f32>(deviation[c.x], deviation[c.y], deviation[c.z], deviation[c.w]);
        let m = vec4<f32>(mean[c.x], mean[c.y], mean[c.z], mean[c.w]);
        let value = from_wide(input[(p.in_base + wid.z * p.in_stride) / 4u + i]);
        out[(p.out_base + wid.z * p.out_stride) / 4u + i] = to_wide(keep((value - m) / d, first, p.c));
    }
}
