// avg_pool2d / backward / 2 wide: four channels an invocation, 16 bytes a load.
//
//   out[n, c, y, x] = sum of gradient[n, c, oy, ox] over the windows that hold (y, x) / (kh * kw)
//
// gradient (n, c, oh, ow) C4 is y, out (n, c, h, w) C4 is x

{% include "common/wide" %}
{% include "common/pool" %}

@group(0) @binding(1) var<storage, read_write> gradient: array<Wide>;
@group(0) @binding(2) var<storage, read_write> out: array<Wide>;

const WG = {{ lanes }}u;
const TILE = {{ tile }}u;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    let first = (wid.y * groups.x + wid.x) * TILE;
    for (var i = first + lane; i < min(first + TILE, p.len); i += WG) {
        let at = group_place(wid.z, i, p.h, p.w);
        let tall = windows_of(at.y, p.stride_y, p.pad_y, p.kh, p.oh);
        let broad = windows_of(at.x, p.stride_x, p.pad_x, p.kw, p.ow);
        let pooled = group_at(p.y_base, p.y_stride, p.oh, p.ow, at.n, at.c);
        var sum = vec4<f32>(0.0);
        for (var oy = tall.x; oy < tall.y; oy++) {
            for (var ox = broad.x; ox < broad.y; ox++) {
                sum += from_wide(gradient[pooled + oy * p.ow + ox]);
            }
        }
        let written = group_at(p.x_base, p.x_stride, p.h, p.w, at.n, at.c) + at.y * p.w + at.x;
        out[written] = to_wide(keep(sum / f32(p.kh * p.kw), at.c, p.c));
    }
}
