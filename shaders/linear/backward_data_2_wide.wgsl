// linear / backward_data / 2 wide: four elements of dx an invocation, 16 bytes a load; i is a multiple of four.
//
//   dx[n, i] = sum over o of g[n, o] weight[o, i]
//
// gradient g (n, o)   weight (o, i)   dx (n, i)

{% include "common/wide" %}

struct Params {
    n: u32, i: u32, o: u32, x_base: u32, y_base: u32, continued: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> gradient: array<f32>;
@group(0) @binding(2) var<storage, read_write> weight: array<Wide>;
@group(0) @binding(3) var<storage, read_write> dx: array<Wide>;

const WG = 64u;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    let quads = p.i / 4u;
    let at = (wid.y * groups.x + wid.x) * WG + lane;
    if at >= p.n * quads {
        return;
    }
    let n = at / quads;
    let i = at % quads;
    var sum = vec4<f32>(0.0);
    for (var o = 0u; o < p.o; o++) {
        sum += gradient[p.y_base + n * p.o + o] * from_wide(weight[o * quads + i]);
    }
    dx[p.x_base / 4u + at] = to_wide(sum);
}
