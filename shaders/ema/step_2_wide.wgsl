// ema / step / 2 wide: 16 bytes a load; a workgroup has TILE quads, WG at a time; 64 floats of a segment are
// whole quads.
//
//   a = a + (1 - decay) (w - a)
//
// in place; where control says that the step is not finite, nothing is written.
//
// average a, weight w (len), whole slabs   hyper (decay, 0, 0, 0)   control (norm, coefficient, finite, 0)

{% include "common/wide" %}

struct Params {
    len: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> average: array<Wide>;
@group(0) @binding(2) var<storage, read_write> weight: array<Wide>;
@group(0) @binding(3) var<storage, read_write> hyper: array<f32>;
@group(0) @binding(4) var<storage, read_write> control: array<f32>;

const WG = {{ lanes }}u;
const TILE = {{ tile }}u;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    if control[2] == 0.0 {
        return;
    }
    let share = 1.0 - hyper[0];
    let tile = (wid.y * groups.x + wid.x) * TILE;
    let end = min(tile + TILE, (p.len + 3u) / 4u);
    for (var i = tile + lane; i < end; i += WG) {
        let a = from_wide(average[i]);
        average[i] = to_wide(a + share * (from_wide(weight[i]) - a));
    }
}
