// pointwise / binary / 2 wide: 16 bytes a load; a workgroup has TILE quads, WG at a time.
//
//   out[i] = f(a[i], b[i]), pad lanes 0, and so what is beyond the end in the last quad
//
// a, b, out: any layout, the same for all; a sample starts `stride` floats after the one before, a multiple of four.
//
// f is chosen by `function`: 0 add, 1 mul, 2 relu's gradient (a where b > 0, b being relu's output or input),
// 3 sigmoid's gradient (a s (1 - s), s = sigmoid(b)).

{% include "common/wide" %}

struct Params {
    n: u32, len: u32, c: u32, plane: u32,
    a_base: u32, a_stride: u32, b_base: u32, b_stride: u32, out_base: u32, out_stride: u32,
    factor: f32, packed: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> a: array<Wide>;
@group(0) @binding(2) var<storage, read_write> b: array<Wide>;
@group(0) @binding(3) var<storage, read_write> out: array<Wide>;

const WG = {{ lanes }}u;
const TILE = {{ tile }}u;

fn f(x: vec4<f32>, y: vec4<f32>) -> vec4<f32> {
{% if function == 0 %}
    return x + y;
{% elif function == 1 %}
    return x * y;
{% elif function == 2 %}
    return select(vec4<f32>(0.0), x, y > vec4<f32>(0.0));
{% else %}
    // s (1 - s) from e alone: 1 - s would round to 0 long before e does.
    let e = exp(-abs(y));
    return x * e / ((1.0 + e) * (1.0 + e));
{% endif %}
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    let a_start = (p.a_base + wid.z * p.a_stride) / 4u;
    let b_start = (p.b_base + wid.z * p.b_stride) / 4u;
    let out_start = (p.out_base + wid.z * p.out_stride) / 4u;
    let tile = (wid.y * groups.x + wid.x) * TILE;
    let end = min(tile + TILE, (p.len + 3u) / 4u);
    for (var i = tile + lane; i < end; i += WG) {
        // A plain value's last quad may hold anything beyond its end, and what is written may be a slab's gap.
        let inside = vec4<u32>(i * 4u) + vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(p.len);
        let value = f(from_wide(a[a_start + i]), from_wide(b[b_start + i]));
        out[out_start + i] = to_wide(select(vec4<f32>(0.0), value, inside));
    }
}
