// adamw / step / 2 wide: 16 bytes a load; a workgroup has TILE quads, WG at a time; 64 floats of a segment are
// whole quads.
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

{% include "common/wide" %}

struct Params {
    len: u32, segment: u32, rest1: f32, beta2: f32, rest2: f32, eps: f32, weight_decay: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> weight: array<Wide>;
@group(0) @binding(2) var<storage, read_write> gradient: array<Wide>;
@group(0) @binding(3) var<storage, read_write> mean: array<Wide>;
@group(0) @binding(4) var<storage, read_write> square: array<Wide>;
@group(0) @binding(5) var<storage, read_write> hyper: array<f32>;
@group(0) @binding(6) var<storage, read_write> control: array<f32>;
@group(0) @binding(7) var<storage, read_write> segments: array<f32>;

const WG = {{ lanes }}u;
const TILE = {{ tile }}u;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    if control[2] == 0.0 {
        return;
    }
    let lr = hyper[0];
    let c1 = hyper[1];
    let root_c2 = sqrt(hyper[2]);
    let coefficient = control[1];
    let tile = (wid.y * groups.x + wid.x) * TILE;
    let end = min(tile + TILE, (p.len + 3u) / 4u);
    for (var i = tile + lane; i < end; i += WG) {
        let pair = p.segment * 2u + i / 16u * 2u;
        let rate = lr * segments[pair];
        let g = coefficient * from_wide(gradient[i]);
        let before = from_wide(mean[i]);
        let m = before + p.rest1 * (g - before);
        let v = p.beta2 * from_wide(square[i]) + p.rest2 * g * g;
        mean[i] = to_wide(m);
        square[i] = to_wide(v);
        let decayed = from_wide(weight[i]) * (1.0 - rate * p.weight_decay * segments[pair + 1u]);
        weight[i] = to_wide(decayed - rate / c1 * m / (sqrt(v) / root_c2 + p.eps));
    }
}
