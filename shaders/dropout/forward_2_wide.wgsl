// dropout / forward / 2 wide: four channels an invocation, 16 bytes a load, one hash for the four.
//
//   out[n, c, y, x] = keep[n, c, y, x] ? input[n, c, y, x] * scale : 0,   scale = 1 / (1 - p)
//   keep = word c % 4 of pcg4d(pcg4d(seed, step, sample + n, 0) + (c / 4, y, x, 0)) / 2^32 >= p
//
// input, out (n, c, h, w) C4   step [1], a whole number

{% include "common/wide" %}
{% include "common/image" %}
{% include "common/pcg4d" %}

struct Params {
    c: u32, h: u32, w: u32, len: u32, seed: u32, sample: u32, threshold: u32, scale: f32,
    in_base: u32, in_stride: u32, out_base: u32, out_stride: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> input: array<Wide>;
@group(0) @binding(2) var<storage, read_write> step_number: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<Wide>;

const WG = {{ lanes }}u;
const TILE = {{ tile }}u;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    let first = (wid.y * groups.x + wid.x) * TILE;
    for (var i = first + lane; i < min(first + TILE, p.len); i += WG) {
        let o = group_place(wid.z, i, p.h, p.w);
        let pixel = o.y * p.w + o.x;
        let key = pcg4d(vec4<u32>(p.seed, u32(step_number[0]), p.sample + o.n, 0u));
        let words = pcg4d(key + vec4<u32>(o.c / 4u, o.y, o.x, 0u));
        let value = from_wide(input[group_at(p.in_base, p.in_stride, p.h, p.w, o.n, o.c) + pixel]) * p.scale;
        let kept = select(vec4<f32>(0.0), value, (words >> vec4<u32>(8u)) >= vec4<u32>(p.threshold));
        out[group_at(p.out_base, p.out_stride, p.h, p.w, o.n, o.c) + pixel] = to_wide(keep(kept, o.c, p.c));
    }
}
