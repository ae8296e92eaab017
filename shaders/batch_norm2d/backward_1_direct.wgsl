// batch_norm2d / backward / 1 direct: one invocation an element, from dweight and dbias.
//
//   dx = weight inv_std (g - dbias / count - (x - mean) inv_std dweight / count), pad lanes 0
//
// Where `running` says that the statistics do not come from x, dx = weight inv_std g, and the second statistic is a
// variance: inv_std = 1 / sqrt(it + eps).
//
// x, gradient g, dx (n, c, h, w) C4, a sample every `…_stride` floats   all others (c)

struct Params {
    c: u32, plane: u32, len: u32, x_base: u32, x_stride: u32, g_base: u32, g_stride: u32, dx_base: u32,
    dx_stride: u32, running: u32, count: f32, eps: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> weight: array<f32>;
@group(0) @binding(3) var<storage, read_write> mean: array<f32>;
@group(0) @binding(4) var<storage, read_write> second: array<f32>;
@group(0) @binding(5) var<storage, read_write> gradient: array<f32>;
@group(0) @binding(6) var<storage, read_write> dweight: array<f32>;
@group(0) @binding(7) var<storage, read_write> dbias: array<f32>;
@group(0) @binding(8) var<storage, read_write> dx: array<f32>;

const WG = 64u;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    let i = (wid.y * groups.x + wid.x) * WG + lane;
    if i >= p.len {
        return;
    }
    let n = wid.z;
    let c = i / 4u / p.plane * 4u + i % 4u;
    var value = 0.0;
    if c < p.c {
        let g = gradient[p.g_base + n * p.g_stride + i];
        if p.running == 1u {
            value = g / sqrt(second[c] + p.eps) * weight[c];
        } else {
            let normalised = (x[p.x_base + n * p.x_stride + i] - mean[c]) * second[c];
            value = (g - dbias[c] / p.count - normalised * (dweight[c] / p.count)) * second[c] * weight[c];
        }
    }
    dx[p.dx_base + n * p.dx_stride + i] = value;
}
