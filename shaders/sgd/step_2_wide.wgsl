// sgd / step / 2 wide: 16 bytes a load; a workgroup has TILE quads, WG at a time; 64 floats of a segment are
// whole quads.
//
//   b = momentum b + (coefficient g + weight_decay decay_mult w)
//   w = w - lr lr_mult b
//
// in place; where control says that the step is not finite, nothing is written.
//
// weight w, gradient g, momentum b (len), whole slabs   hyper (lr, 0, 0, 0)   control (norm, coefficient, finite, 0)
// segments: for every 64 floats (lr_mult, decay_mult), from the pair at `segment` on

{% include "common/wide" %}

struct Params {
    len: u32, segment: u32, momentum: f32, weight_decay: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> weight: array<Wide>;
@group(0) @binding(2) var<storage, read_write> gradient: array<Wide>;
@group(0) @binding(3) var<storage, read_write> momentum: array<Wide>;
@group(0) @binding(4) var<storage, read_write> hyper: array<f32>;
@group(0) @binding(5) var<storage, read_write> control: array<f32>;
@group(0) @binding(6) var<storage, read_write> segments: array<f32>;

const WG = {{ lanes }}u;
const TILE = {{ tile }}u;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    if control[2] == 0.0 {
        return;
    }
    let lr = hyper[0];
    let coefficient = control[1];
    let tile = (wid.y * groups.x + wid.x) * TILE;
    let end = min(tile + TILE, (p.len + 3u) / 4u);
    for (var i = tile + lane; i < end; i += WG) {
        let pair = p.segment * 2u + i / 16u * 2u;
        let rate = lr * segments[pair];
        let w = from_wide(weight[i]);
        let decayed = coefficient * from_wide(gradient[i]) + p.weight_decay * segments[pair + 1u] * w;
        let b = p.momentum * from_wide(momentum[i]) + decayed;
        momentum[i] = to_wide(b);
        weight[i] = to_wide(w - rate * b);
    }
}
