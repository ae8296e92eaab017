// adamw / step / 1 direct: one invocation an element.
//
//   w = w (1 - lr lr_mult weight_decay decay_mult)
//   m = m + (1 - beta1) (coefficient g - m)
//   v = beta2 v + (1 - beta2) (coefficient g)^2
//   w = w - lr lr_mult / c1 m / (sqrt(v) / sqrt(c2) + eps),  c1 = 1 - beta1^t, c2 = 1 - beta2^t
//
// in place; where control says that the step is not finite, nothing is written. rest1 = 1 - beta1, rest2 = 1 - beta2,
// taken in double precision.
//
// weight w, gradient g, mean m, square v (len), whole slabs   hyper (lr, c1, c2, 0)
// control (norm, coefficient, finite, 0)
// segments: for every 64 floats (lr_mult, decay_mult), from the pair at `segment` on

struct Params {
    len: u32, segment: u32, rest1: f32, beta2: f32, rest2: f32, eps: f32, weight_decay: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> weight: array<f32>;
@group(0) @binding(2) var<storage, read_write> gradient: array<f32>;
@group(0) @binding(3) var<storage, read_write> mean: array<f32>;
@group(0) @binding(4) var<storage, read_write> square: array<f32>;
@group(0) @binding(5) var<storage, read_write> hyper: array<f32>;
@group(0) @binding(6) var<storage, read_write> control: array<f32>;
@group(0) @binding(7) var<storage, read_write> segments: array<f32>;

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
    let g = control[1] * gradient[i];
    let m = mean[i] + p.rest1 * (g - mean[i]);
    let v = p.beta2 * square[i] + p.rest2 * g * g;
    mean[i] = m;
    square[i] = v;
    let decayed = weight[i] * (1.0 - rate * p.weight_decay * segments[pair + 1u]);
    weight[i] = decayed - rate / hyper[1] * m / (sqrt(v) / sqrt(hyper[2]) + p.eps);
}
