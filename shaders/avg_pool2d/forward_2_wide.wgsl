// avg_pool2d / forward / 2 wide: four channels an invocation, 16 bytes a load.
//
//   out[n, c, oy, ox] = sum over ky, kx of input[n, c, oy*stride + ky - pad, ox*stride + kx - pad] / (kh * kw)
//
// input (n, c, h, w) C4 is x, out (n, c, oh, ow) C4 is y; outside of the image input is 0

{% include "common/wide" %}
{% include "common/pool" %}

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
        let rows = pixels_of(o.y, p.stride_y, p.pad_y, p.kh, p.h);
        let cols = pixels_of(o.x, p.stride_x, p.pad_x, p.kw, p.w);
        let start = group_at(p.x_base, p.x_stride, p.h, p.w, o.n, o.c);
        var sum = vec4<f32>(0.0);
        for (var y = rows.x; y < rows.y; y++) {
            for (var x = cols.x; x < cols.y; x++) {
                sum += from_wide(input[start + y * p.w + x]);
            }
        }
        let at = group_at(p.y_base, p.y_stride, p.oh, p.ow, o.n, o.c) + o.y * p.ow + o.x;
        out[at] = to_wide(keep(sum / f32(p.kh * p.kw), o.c, p.c));
    }
}
