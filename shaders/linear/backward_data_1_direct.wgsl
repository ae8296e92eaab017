// linear / backward_data / 1 direct: one invocation an element of dx.
//
//   dx[n, i] = sum over o of g[n, o] weight[o, i]
//
// gradient g (n, o)   weight (o, i)   dx (n, i)

struct Params {
    n: u32, i: u32, o: u32, x_base: u32, y_base: u32, continued: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> gradient: array<f32>;
@group(0) @binding(2) var<storage, read_write> weight: array<f32>;
@group(0) @binding(3) var<storage, read_write> dx: array<f32>;

const WG = 64u;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    let at = (wid.y * groups.x + wid.x) * WG + lane;
    if at >= p.n * p.i {
        return;
    }
    let n = at / p.i;
    let i = at % p.i;
    var sum = 0.0;
    for (var o = 0u; o < p.o; o++) {
        sum += gradient[p.y_base + n * p.o + o] * weight[o * p.i + i];
    }
    dx[p.x_base + at] = sum;
}
