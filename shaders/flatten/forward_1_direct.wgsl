// flatten / forward / 1 direct: one invocation an element. The one to read first.
//
//   out[n, c * plane + pixel] = input[n, c, pixel],   plane = h * w
//
// input (n, c, h, w) C4   out (n, c * h * w) row-major

{% include "common/image" %}

struct Params {
    c: u32, plane: u32, len: u32, in_base: u32, in_stride: u32, out_base: u32, out_stride: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
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
    let c = quotient(i, p.plane);
    let pixel = i - c * p.plane;
    out[p.out_base + wid.z * p.out_stride + i] =
        input[float_at(p.in_base, p.in_stride, 1u, p.plane, wid.z, c, 0u, pixel)];
}
