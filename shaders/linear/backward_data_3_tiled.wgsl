// linear / backward_data / 3 tiled: as 2, with {{ rows }} rows of four elements an invocation and four columns of g a turn;
// eight neighbouring lanes have eight quads, and the workgroup's eight such groups take every eighth turn.
//
//   dx[n, i] = sum over o of g[n, o] weight[o, i]
//
// gradient g (n, o)   weight (o, i)   dx (n, i); i and o are multiples of four

{% include "common/wide" %}

struct Params {
    n: u32, i: u32, o: u32, x_base: u32, y_base: u32, continued: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> gradient: array<Wide>;
@group(0) @binding(2) var<storage, read_write> weight: array<Wide>;
@group(0) @binding(3) var<storage, read_write> dx: array<Wide>;

const WG = 64u;
const QUADS = 8u;
const SHARE = WG / QUADS;

var<workgroup> lane_values: array<vec4<f32>, {{ rows }}u * WG>;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let quads = p.i / 4u;
    let first = wid.y * {{ rows }}u;
    let i = wid.x * QUADS + lane % QUADS;
    let column = min(i, quads - 1u);
{% for r in range(rows) %}
    let g{{ r }} = (p.y_base + min(first + {{ r }}u, p.n - 1u) * p.o) / 4u;
    var sum{{ r }} = vec4<f32>(0.0);
{% endfor %}
    for (var o = lane / QUADS; o < p.o / 4u; o += SHARE) {
{% for k in range(4) %}
        let b{{ k }} = from_wide(weight[(o * 4u + {{ k }}u) * quads + column]);
{% endfor %}
{% for r in range(rows) %}
        let a{{ r }} = from_wide(gradient[g{{ r }} + o]);
        sum{{ r }} += (a{{ r }}.x * b0 + a{{ r }}.y * b1) + (a{{ r }}.z * b2 + a{{ r }}.w * b3);
{% endfor %}
    }
{% for r in range(rows) %}
    lane_values[{{ r }}u * WG + lane] = sum{{ r }};
{% endfor %}
    // Every lane's sums have to be there before they are added.
    workgroupBarrier();
    let row = lane / QUADS;
    if row < {{ rows }}u && first + row < p.n && i < quads {
        var sum = vec4<f32>(0.0);
        for (var other = 0u; other < SHARE; other++) {
            sum += lane_values[row * WG + other * QUADS + lane % QUADS];
        }
        dx[p.x_base / 4u + (first + row) * quads + i] = to_wide(sum);
    }
}
