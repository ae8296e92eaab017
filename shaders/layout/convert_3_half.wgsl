// layout / convert / 3 half: to or from 16 bits; one invocation four places of the output, pad lanes included.
//
//   out[place(a, b, y, x)] = input[place(a, b, y, x)], pad lanes 0
//
// input, out (da, db, dy, dx) in two layouts, chosen by `from` and `to` as in version 1. `narrow` 1: out lies in 16 bits;
// 0: the input does. Between layouts of one order, places are the same.

{% include "common/wide" %}

struct Params {
    da: u32, db: u32, dy: u32, dx: u32, len: u32, in_base: u32, in_stride: u32, out_base: u32, out_stride: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> input: array<{{ "f32" if narrow else "Wide" }}>;
@group(0) @binding(2) var<storage, read_write> out: array<{{ "Wide" if narrow else "f32" }}>;

const WG = 64u;

fn load(at: u32) -> f32 {
{% if narrow %}
    return input[at];
{% else %}
    return from_wide(input[at / 4u])[at % 4u];
{% endif %}
}

// The value at place i of the output, counted from the first of all.
fn value(i: u32) -> f32 {
    var rest = i;
{% if to == 0 %}
    let x = rest % p.dx; rest = rest / p.dx;
    let y = rest % p.dy; rest = rest / p.dy;
    let b = rest % p.db;
    let a = rest / p.db;
{% elif to == 1 %}
    let inner = rest % 4u; rest = rest / 4u;
    let x = rest % p.dx; rest = rest / p.dx;
    let y = rest % p.dy; rest = rest / p.dy;
    let groups_of_b = (p.db + 3u) / 4u;
    let b = rest % groups_of_b * 4u + inner;
    let a = rest / groups_of_b;
{% elif to == 2 %}
    let inner = rest % 4u; rest = rest / 4u;
    let a = rest % p.da; rest = rest / p.da;
    let groups_of_b = (p.db + 3u) / 4u;
    let b = rest % groups_of_b * 4u + inner; rest = rest / groups_of_b;
    let x = rest % p.dx;
    let y = rest / p.dx;
{% else %}
    let inner = rest % 4u; rest = rest / 4u;
    let b = rest % p.db; rest = rest / p.db;
    let groups_of_a = (p.da + 3u) / 4u;
    let a = rest % groups_of_a * 4u + inner; rest = rest / groups_of_a;
    let x = rest % p.dx;
    let y = rest / p.dx;
{% endif %}
    if a >= p.da || b >= p.db {
        return 0.0;
    }
{% if from == 0 %}
    return load(p.in_base + a * p.in_stride + (b * p.dy + y) * p.dx + x);
{% elif from == 1 %}
    return load(p.in_base + a * p.in_stride + ((b / 4u * p.dy + y) * p.dx + x) * 4u + b % 4u);
{% elif from == 2 %}
    return load((((y * p.dx + x) * ((p.db + 3u) / 4u) + b / 4u) * p.da + a) * 4u + b % 4u);
{% else %}
    return load((((y * p.dx + x) * ((p.da + 3u) / 4u) + a / 4u) * p.db + b) * 4u + a % 4u);
{% endif %}
}

// Where place i of the output, counted from the first of all, lies in its binding.
fn place(i: u32) -> u32 {
{% if to == 0 %}
    let sample = p.db * p.dy * p.dx;
    return p.out_base + i / sample * p.out_stride + i % sample;
{% elif to == 1 %}
    let sample = (p.db + 3u) / 4u * p.dy * p.dx * 4u;
    return p.out_base + i / sample * p.out_stride + i % sample;
{% else %}
    return i;
{% endif %}
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    let i = ((wid.y * groups.x + wid.x) * WG + lane) * 4u;
    if i >= p.len {
        return;
    }
{% if narrow %}
    out[place(i) / 4u] = to_wide(vec4<f32>(value(i), value(i + 1u), value(i + 2u), value(i + 3u)));
{% else %}
    for (var at = i; at < min(i + 4u, p.len); at++) {
        out[place(at)] = value(at);
    }
{% endif %}
}
