// max_pool2d / backward / 2 wide: four channels an invocation, 16 bytes a load.
//
//   out[n, c, y, x] = sum of gradient[n, c, oy, ox] over the windows whose first maximum in row-major order is (y, x)
//
// input (n, c, h, w) C4 is x, gradient (n, c, oh, ow) C4 is y, out (n, c, h, w) C4 is z

{% include "common/wide" %}
{% include "common/pool" %}

@group(0) @binding(1) var<storage, read_write> input: array<Wide>;
@group(0) @binding(2) var<storage, read_write> gradient: array<Wide>;
@group(0) @binding(3) var<storage, read_write> out: array<Wide>;

const WG = 64u;

{% include "common/max_window" %}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    let i = (wid.y * groups.x + wid.x) * WG + lane;
    if i >= p.len {
        return;
    }
    let at = group_place(i, p.c, p.h, p.w);
    let tall = windows_of(at.y, p.stride_y, p.pad_y, p.kh, p.oh);
    let broad = windows_of(at.x, p.stride_x, p.pad_x, p.kw, p.ow);
    let start = group_at(p.x_base, p.x_stride, p.h, p.w, at.n, at.c);
    let pooled = group_at(p.y_base, p.y_stride, p.oh, p.ow, at.n, at.c);
    let pixel = at.y * p.w + at.x;
    var sum = vec4<f32>(0.0);
    for (var oy = tall.x; oy < tall.y; oy++) {
        for (var ox = broad.x; ox < broad.y; ox++) {
            let mine = winner(start, oy, ox) == vec4<u32>(pixel);
            sum += select(vec4<f32>(0.0), from_wide(gradient[pooled + oy * p.ow + ox]), mine);
        }
    }
    out[group_at(p.z_base, p.z_stride, p.h, p.w, at.n, at.c) + pixel] = to_wide(keep(sum, at.c, p.c));
}
