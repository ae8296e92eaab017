// pointwise / binary / 1 direct: one invocation an element.
//
//   out[i] = f(a[i], b[i]), pad lanes 0
//
// a, b, out: any layout, the same for all; a sample starts `stride` floats after the one before.
//
// f is chosen by `function`: 0 add, 1 mul, 2 relu's gradient (a where b > 0, b being relu's output or input),
// 3 sigmoid's gradient (a s (1 - s), s = sigmoid(b)).

struct Params {
    n: u32, len: u32, c: u32, plane: u32,
    a_base: u32, a_stride: u32, b_base: u32, b_stride: u32, out_base: u32, out_stride: u32,
    factor: f32, packed: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> a: array<f32>;
@group(0) @binding(2) var<storage, read_write> b: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

const WG = 64u;

fn f(x: f32, y: f32) -> f32 {
{% if function == 0 %}
    return x + y;
{% elif function == 1 %}
    return x * y;
{% elif function == 2 %}
    return select(0.0, x, y > 0.0);
{% else %}
    // s (1 - s) from e alone: 1 - s would round to 0 long before e does.
    let e = exp(-abs(y));
    return x * e / ((1.0 + e) * (1.0 + e));
{% endif %}
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    let i = (wid.y * groups.x + wid.x) * WG + lane;
    if i >= p.len {
        return;
    }
    // In C4 the element i of a sample is lane i % 4 of the channel group i / 4 / plane.
    let channel = (i / 4u / p.plane) * 4u + i % 4u;
    let pad = p.packed == 1u && channel >= p.c;
    let value = f(a[p.a_base + wid.z * p.a_stride + i], b[p.b_base + wid.z * p.b_stride + i]);
    out[p.out_base + wid.z * p.out_stride + i] = select(value, 0.0, pad);
}
