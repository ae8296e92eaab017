// batch_norm2d / forward / 1 statistics: one invocation a channel, two passes over its pixels: one
// sums them, the other (`squares` 1) their squared differences from the mean.
//
//   mean = sum over n, y, x of x[n, c, y, x] / count
//   variance = sum of (x - mean)^2 / count,  inv_std = 1 / sqrt(variance + eps)
//   new_mean = (1 - momentum) running_mean + momentum mean
//   new_var  = (1 - momentum) running_var + momentum variance count / (count - 1)
//
// Sums are of differences from the channel's first pixel, and by rows and samples, so that they stay small. A pass may
// come in runs of samples: n of them from `first` on, of `total`.
//
// x (n, c, h, w) C4, a sample every `x_stride` floats   state [c] of (pivot, sum, square, -)   all others (c)

struct Params {
    n: u32, c: u32, h: u32, w: u32, x_base: u32, x_stride: u32, first: u32, total: u32, squares: u32,
    momentum: f32, eps: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> running_mean: array<f32>;
@group(0) @binding(3) var<storage, read_write> running_var: array<f32>;
@group(0) @binding(4) var<storage, read_write> new_mean: array<f32>;
@group(0) @binding(5) var<storage, read_write> new_var: array<f32>;
@group(0) @binding(6) var<storage, read_write> saved_mean: array<f32>;
@group(0) @binding(7) var<storage, read_write> saved_inv_std: array<f32>;
@group(0) @binding(8) var<storage, read_write> state: array<f32>;

const WG = 64u;

fn at(n: u32, c: u32, row: u32, column: u32) -> f32 {
    return x[p.x_base + n * p.x_stride + ((c / 4u * p.h + row) * p.w + column) * 4u + c % 4u];
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let c = wid.x * WG + lane;
    if c >= p.c {
        return;
    }
    let count = f32(p.total * p.h * p.w);
    if p.squares == 0u {
        var pivot = at(0u, c, 0u, 0u);
        var sum = 0.0;
        if p.first > 0u {
            pivot = state[c * 4u];
            sum = state[c * 4u + 1u];
        }
        for (var n = 0u; n < p.n; n++) {
            var of_sample = 0.0;
            for (var row = 0u; row < p.h; row++) {
                var of_row = 0.0;
                for (var column = 0u; column < p.w; column++) {
                    of_row += at(n, c, row, column) - pivot;
                }
                of_sample += of_row;
            }
            sum += of_sample;
        }
        state[c * 4u] = pivot;
        state[c * 4u + 1u] = sum;
        return;
    }
    let pivot = state[c * 4u];
    let offset = state[c * 4u + 1u] / count;
    var square = 0.0;
    if p.first > 0u {
        square = state[c * 4u + 2u];
    }
    for (var n = 0u; n < p.n; n++) {
        var of_sample = 0.0;
        for (var row = 0u; row < p.h; row++) {
            var of_row = 0.0;
            for (var column = 0u; column < p.w; column++) {
                let d = (at(n, c, row, column) - pivot) - offset;
                of_row += d * d;
            }
            of_sample += of_row;
        }
        square += of_sample;
    }
    state[c * 4u + 2u] = square;
    if p.first + p.n < p.total {
        return;
    }
    let mean = pivot + offset;
    saved_mean[c] = mean;
    saved_inv_std[c] = 1.0 / sqrt(square / count + p.eps);
    new_mean[c] = (1.0 - p.momentum) * running_mean[c] + p.momentum * mean;
    new_var[c] = (1.0 - p.momentum) * running_var[c] + p.momentum * (square / (count - 1.0));
}
