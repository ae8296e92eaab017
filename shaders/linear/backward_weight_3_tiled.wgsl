// linear / backward_weight / 3 tiled: as 2, with four rows of four elements an invocation.
//
//   dweight[o, i] = sum over n of g[n, o] x[n, i], onto what is there where `continued`
//
// x (n, i)   gradient g (n, o)   dweight (o, i); i and o are multiples of four

{% include "common/wide" %}

struct Params {
    n: u32, i: u32, o: u32, x_base: u32, y_base: u32, continued: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> x: array<Wide>;
@group(0) @binding(2) var<storage, read_write> gradient: array<Wide>;
@group(0) @binding(3) var<storage, read_write> dweight: array<Wide>;

const WG = 64u;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let quads = p.i / 4u;
    let i = wid.x * WG + lane;
    if i >= quads {
        return;
    }
    let o = wid.y;
    let at = o * 4u * quads + i;
{% for k in range(4) %}
    var sum{{ k }} = vec4<f32>(0.0);
{% endfor %}
    if p.continued == 1u {
{% for k in range(4) %}
        sum{{ k }} = from_wide(dweight[at + {{ k }}u * quads]);
{% endfor %}
    }
    for (var n = 0u; n < p.n; n++) {
        let a = from_wide(gradient[(p.y_base + n * p.o) / 4u + o]);
        let b = from_wide(x[p.x_base / 4u + n * quads + i]);
{% for k in range(4) %}
        sum{{ k }} += a[{{ k }}] * b;
{% endfor %}
    }
{% for k in range(4) %}
    dweight[at + {{ k }}u * quads] = to_wide(sum{{ k }});
{% endfor %}
}
