// batch_norm2d / forward / 1 direct: one invocation an element, from statistics that are known.
//
//   y[n, c, y, x] = (x[n, c, y, x] - mean[c]) inv_std[c] weight[c] + bias[c], pad lanes 0
//
// inv_std is the second statistic itself, or 1 / sqrt(it + eps) where `running` says that it is a variance.
//
// x, y, residual, mask (n, c, h, w) C4, a sample every `…_stride` floats   weight, bias, mean, second (c)

{% include "common/epilogue" %}

struct Params {
    c: u32, plane: u32, len: u32, x_base: u32, x_stride: u32, y_base: u32, y_stride: u32, running: u32, eps: f32,
    r_base: u32, r_stride: u32, m_base: u32, m_stride: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> weight: array<f32>;
@group(0) @binding(3) var<storage, read_write> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> mean: array<f32>;
@group(0) @binding(5) var<storage, read_write> second: array<f32>;
{% if residual %}
@group(0) @binding(6) var<storage, read_write> residual: array<f32>;
{% endif %}
{% if mask %}
@group(0) @binding({{ 6 + residual }}) var<storage, read_write> mask: array<f32>;
{% endif %}
@group(0) @binding({{ 6 + residual + mask }}) var<storage, read_write> y: array<f32>;

const WG = 64u;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) lane: u32) {
    let i = (wid.y * groups.x + wid.x) * WG + lane;
    if i >= p.len {
        return;
    }
    let n = wid.z;
    let c = i / 4u / p.plane * 4u + i % 4u;
    var value = 0.0;
    if c < p.c {
        var inv_std = second[c];
        if p.running == 1u {
            inv_std = 1.0 / sqrt(inv_std + p.eps);
        }
        value = (x[p.x_base + n * p.x_stride + i] - mean[c]) * inv_std * weight[c] + bias[c];
        value = finish(value, p.r_base + n * p.r_stride + i, p.m_base + n * p.m_stride + i);
    }
    y[p.y_base + n * p.y_stride + i] = value;
}
