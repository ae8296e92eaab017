// layout / convert / 2 pixels: between row-major and NC4HW4, four pixels of four channels an invocation, 16 bytes a load;
// h w is a multiple of four.
//
//   out[n, c, i] = input[n, c, i], pad lanes 0
//
// input, out (n, c, h w), one row-major and one NC4HW4: `pack` where out is the latter. Bases and strides in quads.

{% include "common/wide" %}
{% include "common/image" %}

struct Params {
    c: u32, quads: u32, len: u32, in_base: u32, in_stride: u32, out_base: u32, out_stride: u32,
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
        let group = quotient(i, p.quads);
        let quad = i - group * p.quads;
        let channels = p.c - group * 4u;
{% if pack %}
        let row = p.in_base + wid.z * p.in_stride + group * 4u * p.quads + quad;
        let a = from_wide(input[row]);
        var b = vec4<f32>(0.0);
        var c = vec4<f32>(0.0);
        var d = vec4<f32>(0.0);
        if channels > 1u {
            b = from_wide(input[row + p.quads]);
        }
        if channels > 2u {
            c = from_wide(input[row + 2u * p.quads]);
        }
        if channels > 3u {
            d = from_wide(input[row + 3u * p.quads]);
        }
        let pixel = p.out_base + wid.z * p.out_stride + i * 4u;
{% for k in range(4) %}
        out[pixel + {{ k }}u] = to_wide(vec4<f32>(a[{{ k }}], b[{{ k }}], c[{{ k }}], d[{{ k }}]));
{% endfor %}
{% else %}
        let pixel = p.in_base + wid.z * p.in_stride + i * 4u;
        let a = from_wide(input[pixel]);
        let b = from_wide(input[pixel + 1u]);
        let c = from_wide(input[pixel + 2u]);
        let d = from_wide(input[pixel + 3u]);
        let row = p.out_base + wid.z * p.out_stride + group * 4u * p.quads + quad;
        out[row] = to_wide(vec4<f32>(a.x, b.x, c.x, d.x));
        if channels > 1u {
            out[row + p.quads] = to_wide(vec4<f32>(a.y, b.y, c.y, d.y));
        }
        if channels > 2u {
            out[row + 2u * p.quads] = to_wide(vec4<f32>(a.z, b.z, c.z, d.z));
        }
        if channels > 3u {
            out[row + 3u * p.quads] = to_wide(vec4<f32>(a.w, b.w, c.w, d.w));
        }
{% endif %}
    }
}
