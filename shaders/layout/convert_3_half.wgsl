// layout / convert / 3 half: to or from 16 bits; one invocation four places of the output, pad lanes included.
//
//   out[place(a, b, y, x)] = input[place(a, b, y, x)], pad lanes 0
//
// `narrow` 1: out lies in 16 bits; 0: the input does. Between layouts of one order, places are the same.

{% include "common/wide" %}
{% include "common/convert" %}

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
    let at = element(i);
    if at.a >= p.da || at.b >= p.db {
        return 0.0;
    }
    return load(place(at));
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    let i = ((wid.y * groups.x + wid.x) * WG + lane) * 4u;
    if i >= p.len {
        return;
    }
{% if narrow %}
    out[written(i, element(i).a) / 4u] = to_wide(vec4<f32>(value(i), value(i + 1u), value(i + 2u), value(i + 3u)));
{% else %}
    for (var at = i; at < min(i + 4u, p.len); at++) {
        out[written(at, element(at).a)] = value(at);
    }
{% endif %}
}
