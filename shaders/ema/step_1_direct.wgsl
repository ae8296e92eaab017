// ema / step / 1 direct: one invocation an element.
//
//   a = a + (1 - decay) (w - a)
//
// in place; where control says that the step is not finite, nothing is written.
//
// average a, weight w (len), whole slabs   hyper (decay, 0, 0, 0)   control (norm, coefficient, finite, 0)

struct Params {
    len: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> average: array<f32>;
@group(0) @binding(2) var<storage, read_write> weight: array<f32>;
@group(0) @binding(3) var<storage, read_write> hyper: array<f32>;
@group(0) @binding(4) var<storage, read_write> control: array<f32>;

const WG = 64u;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    let i = (wid.y * groups.x + wid.x) * WG + lane;
    if i >= p.len || control[2] == 0.0 {
        return;
    }
    average[i] += (1.0 - hyper[0]) * (weight[i] - average[i]);
}
