// clip_grad_norm / apply / 2 wide: four elements an invocation, 16 bytes a load.
//
//   out[i] = g[i] coefficient
//
// g, out (len), any layout, the same for both   control (norm, coefficient, finite, 0)

{% include "common/wide" %}

struct Params {
    len: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> g: array<Wide>;
@group(0) @binding(2) var<storage, read_write> control: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<Wide>;

const WG = 64u;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    let i = (wid.y * groups.x + wid.x) * WG + lane;
    if i * 4u >= p.len {
        return;
    }
    out[i] = to_wide(from_wide(g[i]) * control[1]);
}
