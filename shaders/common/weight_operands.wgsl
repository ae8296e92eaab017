// What the weight gradients of common/weight_gemm, common/row_weight_gemm and common/staged_weight_gemm read and write.

{% include "common/wide" %}
{% include "common/panels" %}

struct Params {
    n: u32, s4: u32, s: u32, b: u32, h: u32, w: u32, oh: u32, ow: u32, kh: u32, kw: u32,
    stride_y: u32, stride_x: u32, pad_y: i32, pad_x: i32, dil_y: u32, dil_x: u32,
    s_base: u32, s_stride: u32, b_base: u32, b_stride: u32,
    samples: u32, rows: u32, row_splits: u32, split_floats4: u32, first_split: u32,
}

@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> shifted: array<Wide>;
@group(0) @binding(2) var<storage, read_write> broad: array<Wide>;
@group(0) @binding(3) var<storage, read_write> out: array<Wide>;
