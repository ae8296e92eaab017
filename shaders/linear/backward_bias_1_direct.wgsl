// linear / backward_bias / 1 direct: one invocation an element of dbias.
//
//   dbias[o] = sum over n of g[n, o], onto what is there where `continued`
//
// gradient g (n, o)   dbias (o)

struct Params {
    n: u32, i: u32, o: u32, x_base: u32, y_base: u32, continued: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> gradient: array<f32>;
@group(0) @binding(2) var<storage, read_write> dbias: array<f32>;

const WG = 64u;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    let o = (wid.y * groups.x + wid.x) * WG + lane;
    if o >= p.o {
        return;
    }
    var sum = 0.0;
    if p.continued == 1u {
        sum = dbias[o];
    }
    for (var n = 0u; n < p.n; n++) {
        sum += gradient[p.y_base + n * p.o + o];
    }
    dbias[o] = sum;
}
