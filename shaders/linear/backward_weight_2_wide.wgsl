// linear / backward_weight / 2 wide: four elements of dweight an invocation, 16 bytes a load; i is a multiple of four.
//
//   dweight[o, i] = sum over n of g[n, o] x[n, i], onto what is there where `continued`
//
// x (n, i)   gradient g (n, o)   dweight (o, i)

{% include "common/wide" %}

struct Params {
    n: u32, i: u32, o: u32, x_base: u32, y_base: u32, continued: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> x: array<Wide>;
@group(0) @binding(2) var<storage, read_write> gradient: array<f32>;
@group(0) @binding(3) var<storage, read_write> dweight: array<Wide>;

const WG = 64u;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    let quads = p.i / 4u;
    let at = (wid.y * groups.x + wid.x) * WG + lane;
    if at >= p.o * quads {
        return;
    }
    let o = at / quads;
    let i = at % quads;
    var sum = vec4<f32>(0.0);
    if p.continued == 1u {
        sum = from_wide(dweight[at]);
    }
    for (var n = 0u; n < p.n; n++) {
        sum += gradient[p.y_base + n * p.o + o] * from_wide(x[p.x_base / 4u + n * quads + i]);
    }
    dweight[at] = to_wide(sum);
}
