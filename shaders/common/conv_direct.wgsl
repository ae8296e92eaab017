// What the direct versions of convolutions share: the uniform block and where an element stands.
//
// x, y (n, c, h, w) C4: x is the side with the stride's larger image (a convolution's input), y the other.
// weight (channels of y, channels of x, kh, kw) or its transpose: in panels of b, [kh][kw][a/4][b] of four a.

{% include "common/weight_places" %}

struct Params {
    n: u32, cx: u32, cy: u32, xh: u32, xw: u32, yh: u32, yw: u32, kh: u32, kw: u32,
    stride_y: u32, stride_x: u32, pad_y: u32, pad_x: u32, dil_y: u32, dil_x: u32,
    x_base: u32, x_stride: u32, y_base: u32, y_stride: u32, len: u32,
    r_base: u32, r_stride: u32, m_base: u32, m_stride: u32,
}

@group(0) @binding(0) var<uniform> p: Params;

fn x_at(n: u32, c: u32, y: u32, x: u32) -> u32 {
    return p.x_base + n * p.x_stride + ((c / 4u * p.xh + y) * p.xw + x) * 4u + c % 4u;
}

fn y_at(n: u32, c: u32, y: u32, x: u32) -> u32 {
    return p.y_base + n * p.y_stride + ((c / 4u * p.yh + y) * p.yw + x) * 4u + c % 4u;
}

fn weight_at(ky: u32, kx: u32, a: u32, b: u32, da: u32, db: u32) -> u32 {
    return weight_place(WeightElement(ky * p.kw + kx, a, b), p.kh * p.kw, da, db);
}
