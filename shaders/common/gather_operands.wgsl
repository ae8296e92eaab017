// What the GEMMs of common/gather_gemm, common/row_gather_gemm and common/staged_gemm read and write.

{% include "common/wide" %}
{% include "common/panels" %}
{% include "common/epilogue4" %}

struct Params {
    pixels: u32, ci4: u32, co: u32, h: u32, w: u32, oh: u32, ow: u32, kh: u32, kw: u32,
    scale_y: u32, scale_x: u32, shift_y: i32, shift_x: i32, step_y: i32, step_x: i32, div_y: i32, div_x: i32,
    x_base: u32, x_stride: u32, out_base: u32, out_stride: u32, co_tiles: u32, r_base: u32, r_stride: u32,
    co_first: u32, every_y: u32, every_x: u32, ci: u32, m_base: u32, m_stride: u32,
    part_units: u32, part_stride: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> x: array<Wide>;
@group(0) @binding(2) var<storage, read_write> weight: array<Wide>;
{% if bias %}
@group(0) @binding(3) var<storage, read_write> bias: array<f32>;
{% endif %}
{% if residual %}
@group(0) @binding({{ 3 + bias }}) var<storage, read_write> residual: array<Wide>;
{% endif %}
{% if mask %}
@group(0) @binding({{ 3 + bias + residual }}) var<storage, read_write> mask: array<Wide>;
{% endif %}
@group(0) @binding({{ 3 + bias + residual + mask }}) var<storage, read_write> out: array<Wide>;
