// What the resize shaders share: the uniform block, and which rows (or columns) of the image an output row mixes, in
// whole numbers: with size pixels to count, output row o stands at ((2o + 1) size - count) / (2 count), at least 0.
//
// x (n, c, h, w) C4 is the side of the image, y (n, c, oh, ow) C4 the resized one.

{% include "common/image" %}

struct Params {
    c: u32, h: u32, w: u32, oh: u32, ow: u32, len: u32,
    x_base: u32, x_stride: u32, y_base: u32, y_stride: u32,
}

@group(0) @binding(0) var<uniform> p: Params;

// Two neighbours and the share of the second; that of the first is 1 - share.
struct Mix { low: u32, high: u32, share: f32 }

fn mix_of(o: u32, size: u32, count: u32) -> Mix {
    let place = max((2u * o + 1u) * size, count) - count;
    let low = quotient(place, 2u * count);
    let rest = place - low * 2u * count;
    return Mix(low, min(low + 1u, size - 1u), f32(rest) / f32(2u * count));
}

// The first output row at or above half-steps j/2 of the image: the smallest o with (2o + 1) size >= j count.
fn first_above(j: u32, size: u32, count: u32) -> u32 {
    return quotient(j * count + size - 1u, size) / 2u;
}

// From the first to behind the last of the output rows that may mix row i.
fn rows_of(i: u32, size: u32, count: u32) -> vec2<u32> {
    let first = select(0u, first_above(max(2u * i, 1u) - 1u, size, count), i > 0u);
    return vec2<u32>(first, min(first_above(2u * i + 3u, size, count), count));
}

// The share of row i in output row o.
fn share_of(i: u32, o: u32, size: u32, count: u32) -> f32 {
    let mix = mix_of(o, size, count);
    return select(0.0, 1.0 - mix.share, mix.low == i) + select(0.0, mix.share, mix.high == i);
}
