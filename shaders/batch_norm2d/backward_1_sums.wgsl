// batch_norm2d / backward / 1 sums: one invocation a channel.
//
//   dbias[c] = sum over n, y, x of g[n, c, y, x]
//   dweight[c] = sum over n, y, x of g[n, c, y, x] (x[n, c, y, x] - mean[c]) inv_std[c]
//
// inv_std is the second statistic itself, or 1 / sqrt(it + eps) where `running` says that it is a variance.
//
// The n samples from `first` on, of `total`: until the last ones have come, the outputs hold the sums so far.
//
// x, gradient g (n, c, h, w) C4, a sample every `…_stride` floats   all others (c)

struct Params {
    n: u32, c: u32, h: u32, w: u32, x_base: u32, x_stride: u32, g_base: u32, g_stride: u32, first: u32, total: u32,
    running: u32, eps: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> mean: array<f32>;
@group(0) @binding(3) var<storage, read_write> second: array<f32>;
@group(0) @binding(4) var<storage, read_write> gradient: array<f32>;
@group(0) @binding(5) var<storage, read_write> dweight: array<f32>;
@group(0) @binding(6) var<storage, read_write> dbias: array<f32>;

const WG = 64u;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let c = wid.x * WG + lane;
    if c >= p.c {
        return;
    }
    var of_bias = 0.0;
    var of_weight = 0.0;
    if p.first > 0u {
        of_bias = dbias[c];
        of_weight = dweight[c];
    }
    for (var n = 0u; n < p.n; n++) {
        for (var row = 0u; row < p.h; row++) {
            var bias = 0.0;
            var weight = 0.0;
            for (var column = 0u; column < p.w; column++) {
                let i = ((c / 4u * p.h + row) * p.w + column) * 4u + c % 4u;
                let g = gradient[p.g_base + n * p.g_stride + i];
                bias += g;
                weight += g * (x[p.x_base + n * p.x_stride + i] - mean[c]);
            }
            of_bias += bias;
            of_weight += weight;
        }
    }
    var inv_std = second[c];
    if p.running == 1u {
        inv_std = 1.0 / sqrt(inv_std + p.eps);
    }
    dbias[c] = of_bias;
    dweight[c] = of_weight;
    if p.first + p.n == p.total {
        dweight[c] = of_weight * inv_std;
    }
}
