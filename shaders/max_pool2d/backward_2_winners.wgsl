// max_pool2d / backward / 2 winners: four channels an invocation, 16 bytes a load; where each window's maximum stands
// is found once, and not again by every pixel of the window. backward_2_gather then sums.
//
//   out[n, c, oy, ox] = ky * kw + kx of the first maximum in row-major order of window (oy, ox)
//
// input (n, c, h, w) C4 is x, out (n, c, oh, ow) C4 is y

{% include "common/wide" %}
{% include "common/pool" %}

@group(0) @binding(1) var<storage, read_write> input: array<Wide>;
@group(0) @binding(2) var<storage, read_write> out: array<Wide>;

const WG = {{ lanes }}u;
const TILE = {{ tile }}u;

{% include "common/max_window" %}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    let first = (wid.y * groups.x + wid.x) * TILE;
    for (var i = first + lane; i < min(first + TILE, p.len); i += WG) {
        let o = group_place(wid.z, i, p.oh, p.ow);
        let start = group_at(p.x_base, p.x_stride, p.h, p.w, o.n, o.c);
        out[(p.y_base + o.n * p.y_stride) / 4u + i] = to_wide(vec4<f32>(winner(start, o.y, o.x)));
    }
}
