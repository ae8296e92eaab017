// batch_norm2d / backward / 2 sums: the parts of four channels are added.
//
//   dbias[c] = sum over parts of their first quad,  dweight[c] = inv_std[c] times that of their second
//
// parts [c/4][parts] of two quads   second, dweight, dbias (c)
//
// `serial`: as in batch_norm2d/forward_2_statistics.

{% include "common/wide" %}

struct Params {
    c: u32, parts: u32, eps: f32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> parts: array<Wide>;
@group(0) @binding(2) var<storage, read_write> second: array<f32>;
@group(0) @binding(3) var<storage, read_write> dweight: array<f32>;
@group(0) @binding(4) var<storage, read_write> dbias: array<f32>;

const WG = {{ lanes }}u;

{% if not serial %}
var<workgroup> lane_values: array<f32, 8u * WG>;

{% endif %}
fn weight_gradient(c: u32, sum: f32) -> f32 {
{% if running %}
    return sum / sqrt(second[c] + p.eps);
{% else %}
    return sum * second[c];
{% endif %}
}

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
{% if serial %}
    let group = wid.x * WG + lane;
    if group * 4u >= p.c {
        return;
    }
{% else %}
    let group = wid.x;
{% endif %}
    var of_bias = vec4<f32>(0.0);
    var of_weight = vec4<f32>(0.0);
{% set first, step = ("0u", "1u") if serial else ("lane", "WG") %}
    for (var part = {{ first }}; part < p.parts; part += {{ step }}) {
        let at = (group * p.parts + part) * 2u;
        of_bias += from_wide(parts[at]);
        of_weight += from_wide(parts[at + 1u]);
    }
{% if serial %}
    for (var k = 0u; k < 4u; k++) {
        let c = group * 4u + k;
        if c < p.c {
            dbias[c] = of_bias[k];
            dweight[c] = weight_gradient(c, of_weight[k]);
        }
    }
{% else %}
    for (var k = 0u; k < 4u; k++) {
        lane_values[k * WG + lane] = of_bias[k];
        lane_values[(k + 4u) * WG + lane] = of_weight[k];
    }
    // Every lane's values have to be there before they are added.
    workgroupBarrier();
    let c = group * 4u + lane % 4u;
    if lane >= 8u || c >= p.c {
        return;
    }
    var sum = 0.0;
    for (var i = 0u; i < WG; i++) {
        sum += lane_values[lane * WG + i];
    }
    if lane < 4u {
        dbias[c] = sum;
    } else {
        dweight[c] = weight_gradient(c, sum);
    }
{% endif %}
}
