// linear / backward_weight / 1 direct: one invocation an element of dweight.
//
//   dweight[o, i] = sum over n of g[n, o] x[n, i], onto what is there where `continued`
//
// x (n, i)   gradient g (n, o)   dweight (o, i)

struct Params {
    n: u32, i: u32, o: u32, x_base: u32, y_base: u32, continued: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> gradient: array<f32>;
@group(0) @binding(3) var<storage, read_write> dweight: array<f32>;

const WG = 64u;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    let at = (wid.y * groups.x + wid.x) * WG + lane;
    if at >= p.o * p.i {
        return;
    }
    let o = at / p.i;
    let i = at % p.i;
    var sum = 0.0;
    if p.continued == 1u {
        sum = dweight[at];
    }
    for (var n = 0u; n < p.n; n++) {
        sum += gradient[p.y_base + n * p.o + o] * x[p.x_base + n * p.i + i];
    }
    dweight[at] = sum;
}
