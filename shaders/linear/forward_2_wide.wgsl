// linear / forward / 2 wide: as 1, with 16 bytes a load and four sums; i is a multiple of four.
//
//   y[n, o] = bias[o] + sum over i of x[n, i] weight[o, i]
//
// x (n, i)   weight (o, i)   bias (o)   y (n, o)

{% include "common/wide" %}

struct Params {
    n: u32, i: u32, o: u32, x_base: u32, y_base: u32, continued: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> x: array<Wide>;
@group(0) @binding(2) var<storage, read_write> weight: array<Wide>;
@group(0) @binding(3) var<storage, read_write> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

const WG = 64u;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    let at = (wid.y * groups.x + wid.x) * WG + lane;
    if at >= p.n * p.o {
        return;
    }
    let n = at / p.o;
    let o = at % p.o;
    let quads = p.i / 4u;
    let row = p.x_base / 4u + n * quads;
    var sum = vec4<f32>(0.0);
    for (var i = 0u; i < quads; i++) {
        sum += from_wide(x[row + i]) * from_wide(weight[o * quads + i]);
    }
    y[p.y_base + at] = (sum.x + sum.y) + (sum.z + sum.w) + bias[o];
}
