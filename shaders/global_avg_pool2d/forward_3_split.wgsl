// global_avg_pool2d / forward / 3 split: a workgroup sums four channels of a sample; each lane takes every 64th pixel,
// and the lanes' sums are added pairwise.
//
//   out[n, c, 0, 0] = sum over y, x of input[n, c, y, x] / (h * w)
//
// input (n, c, h, w) C4   out (n, c, 1, 1) C4

{% include "common/wide" %}
{% include "common/image" %}

struct Params {
    c: u32, plane: u32, len: u32, x_base: u32, x_stride: u32, y_base: u32, y_stride: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> input: array<Wide>;
@group(0) @binding(2) var<storage, read_write> out: array<Wide>;

const WG = 64u;

var<workgroup> sums: array<vec4<f32>, WG>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    // The last row of workgroups may run over: these sum the last group again and write nothing.
    let number = wid.y * groups.x + wid.x;
    let i = min(number, p.len - 1u);
    let start = group_at(p.x_base, p.x_stride, 1u, p.plane, wid.z, i * 4u);
    var sum = vec4<f32>(0.0);
    for (var pixel = lane; pixel < p.plane; pixel += WG) {
        sum += from_wide(input[start + pixel]);
    }
    sums[lane] = sum;
    for (var half = WG / 2u; half > 0u; half /= 2u) {
        // Waits until the sums of the turn before are written.
        workgroupBarrier();
        if lane < half {
            sums[lane] += sums[lane + half];
        }
    }
    if lane == 0u && number < p.len {
        let at = group_at(p.y_base, p.y_stride, 1u, 1u, wid.z, i * 4u);
        out[at] = to_wide(keep(sums[0] / f32(p.plane), i * 4u, p.c));
    }
}
