// batch_norm2d / update / 1 direct: one invocation a channel.
//
//   mean = new_mean,   variance = new_variance
//
// in place; where control says that the step is not finite, nothing is written.
//
// mean, variance, new_mean, new_variance (c)   control (norm, coefficient, finite, 0)

struct Params {
    c: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> mean: array<f32>;
@group(0) @binding(2) var<storage, read_write> variance: array<f32>;
@group(0) @binding(3) var<storage, read_write> new_mean: array<f32>;
@group(0) @binding(4) var<storage, read_write> new_variance: array<f32>;
@group(0) @binding(5) var<storage, read_write> control: array<f32>;

const WG = 64u;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    let i = (wid.y * groups.x + wid.x) * WG + lane;
    if i >= p.c || control[2] == 0.0 {
        return;
    }
    mean[i] = new_mean[i];
    variance[i] = new_variance[i];
}
