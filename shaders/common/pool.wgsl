// What the pools share: the uniform block, and which pixels and windows belong together.
//
// x (n, c, h, w) C4 is the side of the image, y (n, c, oh, ow) C4 the pooled side, z what else a shader takes.

{% include "common/image" %}

struct Params {
    c: u32, h: u32, w: u32, oh: u32, ow: u32, kh: u32, kw: u32,
    stride_y: u32, stride_x: u32, pad_y: u32, pad_x: u32, len: u32,
    x_base: u32, x_stride: u32, y_base: u32, y_stride: u32, z_base: u32, z_stride: u32,
    r_base: u32, r_stride: u32, m_base: u32, m_stride: u32,
}

@group(0) @binding(0) var<uniform> p: Params;

// From the first to behind the last of the image's rows (or columns) in window o; there is always one.
fn pixels_of(o: u32, stride: u32, pad: u32, kernel: u32, size: u32) -> vec2<u32> {
    return vec2<u32>(max(o * stride, pad) - pad, min(o * stride + kernel - pad, size));
}

// From the first to behind the last of the windows that row (or column) i is in; there may be none.
fn windows_of(i: u32, stride: u32, pad: u32, kernel: u32, count: u32) -> vec2<u32> {
    let first = select(0u, quotient(max(i + pad, kernel) - kernel, stride) + 1u, i + pad >= kernel);
    return vec2<u32>(first, min(quotient(i + pad, stride) + 1u, count));
}
