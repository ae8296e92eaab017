// batch_norm2d / fold / 1 direct: a convolution's weight and bias with the norm that follows it taken in; one invocation
// four values of the weight.
//
//   s[c] = scale[c] / sqrt(variance[c] + eps)
//   out_weight[tap, i, c] = weight[tap, i, c] s[c]
//   out_bias[c] = (bias[c] - mean[c]) s[c] + shift[c]
//
// weight, out_weight in panels of c, `rows` times [c] of four i   all others (c)

{% include "common/weight_places" %}

struct Params { quads: u32, rows: u32, c: u32, eps: f32 }

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> weight: array<vec4<f32>>;
{% if bias %}
@group(0) @binding(2) var<storage, read_write> bias: array<f32>;
{% endif %}
@group(0) @binding({{ 2 + bias }}) var<storage, read_write> scale: array<f32>;
@group(0) @binding({{ 3 + bias }}) var<storage, read_write> shift: array<f32>;
@group(0) @binding({{ 4 + bias }}) var<storage, read_write> mean: array<f32>;
@group(0) @binding({{ 5 + bias }}) var<storage, read_write> variance: array<f32>;
@group(0) @binding({{ 6 + bias }}) var<storage, read_write> out_weight: array<vec4<f32>>;
@group(0) @binding({{ 7 + bias }}) var<storage, read_write> out_bias: array<f32>;

const WG = 64u;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    let i = (wid.y * groups.x + wid.x) * WG + lane;
    if i >= p.quads {
        return;
    }
    let at = panel_place(i, p.rows, p.c);
    let c = at.outer;
    let s = scale[c] / sqrt(variance[c] + p.eps);
    out_weight[i] = weight[i] * s;
    if at.row == 0u {
{% if bias %}
        out_bias[c] = (bias[c] - mean[c]) * s + shift[c];
{% else %}
        out_bias[c] = -mean[c] * s + shift[c];
{% endif %}
    }
}
