// layout / convert / 1 direct: one invocation a place of the output, pad lanes included.
//
//   out[place(a, b, y, x)] = input[place(a, b, y, x)], pad lanes 0

{% include "common/convert" %}

@group(0) @binding(1) var<storage, read_write> input: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

const WG = 64u;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    let i = (wid.y * groups.x + wid.x) * WG + lane;
    if i >= p.len {
        return;
    }
    let at = element(i);
    if at.a >= p.da || at.b >= p.db {
        out[written(i, at.a)] = 0.0;
        return;
    }
    out[written(i, at.a)] = input[place(at)];
}
