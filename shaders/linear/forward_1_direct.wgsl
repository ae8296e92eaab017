// linear / forward / 1 direct: one invocation an element of the output.
//
//   y[n, o] = bias[o] + sum over i of x[n, i] weight[o, i]
//
// x (n, i)   weight (o, i)   bias (o)   y (n, o)

struct Params {
    n: u32, i: u32, o: u32, x_base: u32, y_base: u32, continued: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> weight: array<f32>;
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
    var sum = 0.0;
    for (var i = 0u; i < p.i; i++) {
        sum += x[p.x_base + n * p.i + i] * weight[o * p.i + i];
    }
    y[p.y_base + at] = sum + bias[o];
}
