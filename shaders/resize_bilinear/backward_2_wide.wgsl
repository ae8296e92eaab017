// resize_bilinear / backward / 2 wide: four channels an invocation, 16 bytes a load.
//
//   out[n, c, y, x] = sum over oy, ox of share(y, oy) share(x, ox) gradient[n, c, oy, ox]
//
// gradient (n, c, oh, ow) C4 is y, out (n, c, h, w) C4 is x

{% include "common/wide" %}
{% include "common/resize" %}

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
        let rows = rows_of(at.y, p.h, p.oh);
        let cols = rows_of(at.x, p.w, p.ow);
        let start = group_at(p.y_base, p.y_stride, p.oh, p.ow, at.n, at.c);
        var sum = vec4<f32>(0.0);
        for (var oy = rows.x; oy < rows.y; oy++) {
            var row = vec4<f32>(0.0);
            for (var ox = cols.x; ox < cols.y; ox++) {
                row += share_of(at.x, ox, p.w, p.ow) * from_wide(gradient[start + oy * p.ow + ox]);
            }
            sum += share_of(at.y, oy, p.h, p.oh) * row;
        }
        let written = group_at(p.x_base, p.x_stride, p.h, p.w, at.n, at.c) + at.y * p.w + at.x;
        out[written] = to_wide(keep(sum, at.c, p.c));
    }
}
