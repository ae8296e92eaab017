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

{% include "common/image_bindings" %}
