// linear / forward / 3 tiled: as 2, with {{ rows }} rows by four outputs an invocation; eight neighbouring lanes share them
// and take every eighth quad of the rows.
//
//   y[n, o] = bias[o] + sum over i of x[n, i] weight[o, i]
//
// x (n, i)   weight (o, i)   bias (o)   y (n, o); i is a multiple of four

{% include "common/wide" %}

struct Params {
    n: u32, i: u32, o: u32, x_base: u32, y_base: u32, continued: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> x: array<Wide>;
@group(0) @binding(2) var<storage, read_write> weight: array<Wide>;
@group(0) @binding(3) var<storage, read_write> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

const WG = 64u;
const SHARE = 8u;
const SUMS = {{ rows * 4 }}u;

var<workgroup> lane_values: array<f32, WG * SUMS>;

fn onto(sum: f32, a: vec4<f32>, b: vec4<f32>) -> f32 {
    return fma(a.w, b.w, fma(a.z, b.z, fma(a.y, b.y, fma(a.x, b.x, sum))));
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let quads = p.i / 4u;
    let first = wid.y * {{ rows }}u;
    let o = (wid.x * (WG / SHARE) + lane / SHARE) * 4u;
{% for r in range(rows) %}
    let x{{ r }} = p.x_base / 4u + min(first + {{ r }}u, p.n - 1u) * quads;
{% endfor %}
{% for k in range(4) %}
    let w{{ k }} = min(o + {{ k }}u, p.o - 1u) * quads;
{% endfor %}
{% for r in range(rows) %}{% for k in range(4) %}
    var sum{{ r }}_{{ k }} = 0.0;
{% endfor %}{% endfor %}
    for (var i = lane % SHARE; i < quads; i += SHARE) {
{% for k in range(4) %}
        let b{{ k }} = from_wide(weight[w{{ k }} + i]);
{% endfor %}
{% for r in range(rows) %}
        let a{{ r }} = from_wide(x[x{{ r }} + i]);
{% for k in range(4) %}
        sum{{ r }}_{{ k }} = onto(sum{{ r }}_{{ k }}, a{{ r }}, b{{ k }});
{% endfor %}
{% endfor %}
    }
{% for r in range(rows) %}{% for k in range(4) %}
    lane_values[lane * SUMS + {{ r * 4 + k }}u] = sum{{ r }}_{{ k }};
{% endfor %}{% endfor %}
    // Every lane's sums have to be there before they are added.
    workgroupBarrier();
    // Of the lanes that share, each adds up every eighth of the sums.
    for (var at = lane % SHARE; at < SUMS; at += SHARE) {
        let n = first + at / 4u;
        let column = o + at % 4u;
        if n < p.n && column < p.o {
            var sum = 0.0;
            for (var other = 0u; other < SHARE; other++) {
                sum += lane_values[(lane / SHARE * SHARE + other) * SUMS + at];
            }
            y[p.y_base + n * p.o + column] = sum + bias[column];
        }
    }
}
