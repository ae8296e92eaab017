// batch_norm2d / forward / 2 wide: a workgroup has TILE pixels of four channels, 16 bytes a load.
//
//   y[n, c, y, x] = ((x[n, c, y, x] - pivot[c]) - offset[c]) inv_std[c] weight[c] + bias[c], pad lanes 0
//
// `running` says that the statistics are a mean and a variance; else they are inv_std and (pivot, offset), whose sum is
// the mean and holds more of it than one float.
//
// In runs of channels, images start at the group `group` of all.
//
// x, y, residual, mask (n, c, h, w) C4, a sample every `…_stride` quads   weight, bias, second (c)   means [c/4] of two quads, or (c)

{% include "common/wide" %}
{% include "common/epilogue4" %}

struct Params {
    c: u32, plane: u32, x_base: u32, x_stride: u32, y_base: u32, y_stride: u32, eps: f32, group: u32,
    r_base: u32, r_stride: u32, m_base: u32, m_stride: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> x: array<Wide>;
@group(0) @binding(2) var<storage, read_write> weight: array<Wide>;
@group(0) @binding(3) var<storage, read_write> bias: array<Wide>;
@group(0) @binding(4) var<storage, read_write> means: array<Wide>;
@group(0) @binding(5) var<storage, read_write> second: array<Wide>;
{% if residual %}
@group(0) @binding(6) var<storage, read_write> residual: array<Wide>;
{% endif %}
{% if mask %}
@group(0) @binding({{ 6 + residual }}) var<storage, read_write> mask: array<Wide>;
{% endif %}
@group(0) @binding({{ 6 + residual + mask }}) var<storage, read_write> y: array<Wide>;

const WG = {{ lanes }}u;
const TILE = {{ tile }}u;

@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let group = p.group + wid.y;
{% if running %}
    let pivot = from_wide(means[group]);
    let offset = vec4<f32>(0.0);
    let inv_std = 1.0 / sqrt(from_wide(second[group]) + p.eps);
{% else %}
    let pivot = from_wide(means[group * 2u]);
    let offset = from_wide(means[group * 2u + 1u]);
    let inv_std = from_wide(second[group]);
{% endif %}
    let scale = inv_std * from_wide(weight[group]);
    let shift = from_wide(bias[group]);
    let inside = vec4<u32>(group * 4u) + vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(p.c);
    let source = p.x_base + wid.z * p.x_stride + wid.y * p.plane;
    let result = p.y_base + wid.z * p.y_stride + wid.y * p.plane;
    let added = p.r_base + wid.z * p.r_stride + wid.y * p.plane;
    let masked = p.m_base + wid.z * p.m_stride + wid.y * p.plane;
    let end = min((wid.x + 1u) * TILE, p.plane);
    for (var i = wid.x * TILE + lane; i < end; i += WG) {
        let value = ((from_wide(x[source + i]) - pivot) - offset) * scale + shift;
        y[result + i] = to_wide(select(vec4<f32>(0.0), finish(value, added + i, masked + i), inside));
    }
}
