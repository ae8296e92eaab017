// max_pool2d / backward / 4 winners: as backward_2_winners, with the taps of a small window written out: nothing is carried
// from turn to turn of a loop. backward_4_cells then sums.
//
//   out[n, c, oy, ox] = ky * kw + kx of the first maximum in row-major order of window (oy, ox)
//
// input (n, c, h, w) C4 is x, out (n, c, oh, ow) C4 is y; kh, kw are template variables

{% include "common/wide" %}
{% include "common/pool" %}
{% include "common/max_rule" %}

@group(0) @binding(1) var<storage, read_write> input: array<Wide>;
@group(0) @binding(2) var<storage, read_write> out: array<Wide>;

const WG = {{ lanes }}u;
const TILE = {{ tile }}u;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    let tile = (wid.y * groups.x + wid.x) * TILE;
    for (var i = tile + lane; i < min(tile + TILE, p.len); i += WG) {
        let o = group_place(wid.z, i, p.oh, p.ow);
        let start = group_at(p.x_base, p.x_stride, p.h, p.w, o.n, o.c);
{% include "common/max_taps" %}
        out[(p.y_base + o.n * p.y_stride) / 4u + i] = to_wide(tap);
    }
}
