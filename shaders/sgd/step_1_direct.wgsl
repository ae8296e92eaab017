// sgd / step / 1 direct: one invocation an element.
//
//   b = momentum b + (coefficient g + weight_decay decay_mult w)
//   w = w - lr lr_mult b
//
// in place; where control says that the step is not finite, nothing is written.
//
// weight w, gradient g, momentum b (len), whole slabs   hyper (lr, 0, 0, 0)   control (norm, coefficient, finite, 0)
// segments: for every 64 floats (lr_mult, decay_mult), from the pair at `segment` on

struct Params {
    len: u32, segment: u32, momentum: f32, weight_decay: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> weight: array<f32>;
@group(0) @binding(2) var<storage, read_write> gradient: array<f32>;
@group(0) @binding(3) var<storage, read_write> momentum: array<f32>;
@group(0) @binding(4) var<storage, read_write> hyper: array<f32>;
@group(0) @binding(5) var<storage, read_write> control: array<f32>;
@group(0) @binding(6) var<storage, read_write> segments: array<f32>;

const WG = 64u;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    let i = (wid.y * groups.x + wid.x) * WG + lane;
    if i >= p.len || control[2] == 0.0 {
        return;
    }
    let pair = p.segment * 2u + i / 64u * 2u;
    let rate = hyper[0] * segments[pair];
    let w = weight[i];
    let b = p.momentum * momentum[i] + (control[1] * gradient[i] + p.weight_decay * segments[pair + 1u] * w);
    momentum[i] = b;
    weight[i] = w - rate * b;
}
