// dropout / forward / 1 direct: one invocation an element. The one to read first.
//
//   out[n, c, y, x] = keep[n, c, y, x] ? input[n, c, y, x] * scale : 0,   scale = 1 / (1 - p)
//   keep = word c % 4 of pcg4d(pcg4d(seed, step, sample + n, 0) + (c / 4, y, x, 0)) / 2^32 >= p
//
// input, out (n, c, h, w) C4 where `packed` is 1, else row-major   step [1], a whole number
//
// The mask depends on logical coordinates alone: layouts and the cutting of a batch change nothing.

{% include "common/image" %}
{% include "common/pcg4d" %}

struct Params {
    c: u32, h: u32, w: u32, len: u32, seed: u32, sample: u32, threshold: u32, scale: f32,
    in_base: u32, in_stride: u32, out_base: u32, out_stride: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> input: array<f32>;
@group(0) @binding(2) var<storage, read_write> step_number: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

const WG = 64u;

{% if packed %}
fn coordinates(n: u32, i: u32) -> Place {
    return place(n, i, p.h, p.w);
}

fn at(base: u32, stride: u32, o: Place) -> u32 {
    return float_at(base, stride, p.h, p.w, o.n, o.c, o.y, o.x);
}
{% else %}
fn coordinates(n: u32, i: u32) -> Place {
    let row = quotient(i, p.w);
    let c = quotient(row, p.h);
    return Place(n, c, row - c * p.h, i - row * p.w);
}

fn at(base: u32, stride: u32, o: Place) -> u32 {
    return base + o.n * stride + (o.c * p.h + o.y) * p.w + o.x;
}
{% endif %}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    let i = (wid.y * groups.x + wid.x) * WG + lane;
    if i >= p.len {
        return;
    }
    let o = coordinates(wid.z, i);
    let key = pcg4d(vec4<u32>(p.seed, u32(step_number[0]), p.sample + o.n, 0u));
    let words = pcg4d(key + vec4<u32>(o.c / 4u, o.y, o.x, 0u));
    var value = 0.0;
    if o.c < p.c && (words[o.c % 4u] >> 8u) >= p.threshold {
        value = input[at(p.in_base, p.in_stride, o)] * p.scale;
    }
    out[at(p.out_base, p.out_stride, o)] = value;
}
