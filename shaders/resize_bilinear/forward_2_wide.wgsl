// resize_bilinear / forward / 2 wide: four channels an invocation, 16 bytes a load.
//
//   out[n, c, oy, ox] = (1 - fy) ((1 - fx) input[y0, x0] + fx input[y0, x1])
//                     +      fy  ((1 - fx) input[y1, x0] + fx input[y1, x1])
//   y0 + fy = max(0, (oy + 1/2) h / oh - 1/2), y1 = min(y0 + 1, h - 1); x likewise
//
// input (n, c, h, w) C4 is x, out (n, c, oh, ow) C4 is y

{% include "common/wide" %}
{% include "common/resize" %}

@group(0) @binding(1) var<storage, read_write> input: array<Wide>;
@group(0) @binding(2) var<storage, read_write> out: array<Wide>;

const WG = {{ lanes }}u;
const TILE = {{ tile }}u;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    let first = (wid.y * groups.x + wid.x) * TILE;
    for (var i = first + lane; i < min(first + TILE, p.len); i += WG) {
        let o = group_place(wid.z, i, p.oh, p.ow);
        let y = mix_of(o.y, p.h, p.oh);
        let x = mix_of(o.x, p.w, p.ow);
        let start = group_at(p.x_base, p.x_stride, p.h, p.w, o.n, o.c);
        let upper = start + y.low * p.w;
        let lower = start + y.high * p.w;
        let above = (1.0 - x.share) * from_wide(input[upper + x.low]) + x.share * from_wide(input[upper + x.high]);
        let below = (1.0 - x.share) * from_wide(input[lower + x.low]) + x.share * from_wide(input[lower + x.high]);
        let value = (1.0 - y.share) * above + y.share * below;
        let at = group_at(p.y_base, p.y_stride, p.oh, p.ow, o.n, o.c) + o.y * p.ow + o.x;
        out[at] = to_wide(keep(value, o.c, p.c));
    }
}
