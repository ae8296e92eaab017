// concat / forward / 2 wide: one dispatch an input, four channels an invocation, 16 bytes a load; every input but the
// last fills its last group of channels.
//
//   out[n, first + c, y, x] = input[n, c, y, x]
//
// input (n, c, h, w) C4   out (n, channels, h, w) C4

{% include "common/wide" %}
{% include "common/image" %}

struct Params {
    c: u32, h: u32, w: u32, first: u32, len: u32,
    in_base: u32, in_stride: u32, out_base: u32, out_stride: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> input: array<Wide>;
@group(0) @binding(2) var<storage, read_write> out: array<Wide>;

const WG = {{ lanes }}u;
const TILE = {{ tile }}u;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    let first = (wid.y * groups.x + wid.x) * TILE;
    for (var i = first + lane; i < min(first + TILE, p.len); i += WG) {
        // A sample's groups lie one after another on both sides.
        var value = from_wide(input[(p.in_base + wid.z * p.in_stride) / 4u + i]);
        if p.c % 4u != 0u {
            value = keep(value, quotient(i, p.h * p.w) * 4u, p.c);
        }
        out[group_at(p.out_base, p.out_stride, p.h, p.w, wid.z, p.first) + i] = to_wide(value);
    }
}
