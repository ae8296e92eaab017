// A workgroup sums four channels of a chunk of one sample's pixels, 16 bytes a load; each lane every WG-th of them.
//
//   part = (sum of g, sum of g (x - mean)) over the chunk
//
// In runs of channels, images start at the group `group` of all.
// `broadcast`, `together`: as in common/batch_norm_parts.
//
// x, gradient g (n, c, h, w) C4, a sample every `…_stride` quads   mean (c)   parts [c/4][n][chunks] of two quads

{% include "common/wide" %}

struct Params {
    plane: u32, x_base: u32, x_stride: u32, g_base: u32, g_stride: u32, first: u32, n: u32, chunks: u32, group: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> x: array<Wide>;
@group(0) @binding(2) var<storage, read_write> mean: array<Wide>;
@group(0) @binding(3) var<storage, read_write> gradient: array<Wide>;
@group(0) @binding(4) var<storage, read_write> parts: array<{{ "Wide" if broadcast else "f32" }}>;

const WG = {{ lanes }}u;
const CHUNK = {{ chunk }}u;

{% if not broadcast %}
var<workgroup> lane_values: array<f32, 8u * WG>;
{% endif %}

@compute @workgroup_size({{ lanes * together }})
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_index) index: u32) {
    let x_start = p.x_base + wid.z * p.x_stride + wid.y * p.plane;
    let g_start = p.g_base + wid.z * p.g_stride + wid.y * p.plane;
    let middle = from_wide(mean[p.group + wid.y]);
    let lane = index % WG;
    let number = wid.x * {{ together }}u + index / WG;
    let end = min((number + 1u) * CHUNK, p.plane);
    var of_bias = vec4<f32>(0.0);
    var of_weight = vec4<f32>(0.0);
    for (var i = number * CHUNK + lane; i < end; i += WG) {
        let g = from_wide(gradient[g_start + i]);
        of_bias += g;
        of_weight += g * (from_wide(x[x_start + i]) - middle);
    }
{% if broadcast %}
{% set other = (together - 1) * lanes %}
    let second = index >= WG;
    var bias_sum = vec4<f32>(0.0);
    var weight_sum = vec4<f32>(0.0);
{% for i in range(lanes) %}
    bias_sum += select(subgroupBroadcast(of_bias, {{ i }}u), subgroupBroadcast(of_bias, {{ i + other }}u), second);
    weight_sum += select(subgroupBroadcast(of_weight, {{ i }}u), subgroupBroadcast(of_weight, {{ i + other }}u), second);
{% endfor %}
    let part = (((p.group + wid.y) * p.n + p.first + wid.z) * p.chunks + number) * 2u;
    if lane == 0u && number < p.chunks {
        parts[part] = to_wide(bias_sum);
        parts[part + 1u] = to_wide(weight_sum);
    }
{% else %}
    for (var k = 0u; k < 4u; k++) {
        lane_values[k * WG + lane] = of_bias[k];
        lane_values[(k + 4u) * WG + lane] = of_weight[k];
    }
    // Every lane's values have to be there before they are added.
    workgroupBarrier();
    if lane < 8u {
        var sum = 0.0;
        for (var i = 0u; i < WG; i++) {
            sum += lane_values[lane * WG + i];
        }
        parts[(((p.group + wid.y) * p.n + p.first + wid.z) * p.chunks + wid.x) * 8u + lane] = sum;
    }
{% endif %}
}
