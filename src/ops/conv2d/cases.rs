//! Small crooked convolutions, each with its three computations.

use crate::error::Result;
use crate::ops::cases::{Case, Draw, Input};

use super::{Conv2d, Conv2dBackwardData, Conv2dBackwardWeight};

struct Shape {
    x: [usize; 4],
    co: usize,
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
    dilation: [usize; 2],
    why: &'static str,
}

const fn shape(x: [usize; 4], co: usize, k: usize, s: usize, p: usize, why: &'static str) -> Shape {
    Shape { x, co, kernel: [k; 2], stride: [s; 2], padding: [p; 2], dilation: [1; 2], why }
}

const SHAPES: &[Shape] = &[
    shape([1, 1, 1, 1], 1, 1, 1, 0, "the smallest one"),
    shape([2, 3, 7, 8], 5, 3, 2, 1, "h and w leave different remainders under the stride"),
    shape([2, 16, 9, 13], 16, 3, 1, 1, "the U-Net's first level, a tile of 16"),
    shape([3, 33, 5, 7], 33, 3, 1, 1, "one channel more than a tile of 32, three of them pad"),
    shape([2, 33, 5, 7], 37, 1, 1, 0, "a plain GEMM: two samples, more channels than a tile, fewer pixels"),
    shape([1, 5, 6, 11], 1, 1, 1, 0, "the head: one channel out"),
    shape([2, 37, 6, 9], 70, 3, 2, 1, "more channels than a tile of 64, many to sum for few pixels, in phases"),
    shape([1, 20, 6, 8], 132, 1, 2, 0, "a shortcut: most phases meet no tap, many channels to sum"),
    shape([1, 8, 12, 3], 40, 3, 1, 1, "two tiles of channels out, the second a part"),
    shape([3, 4, 9, 11], 4, 3, 1, 1, "few channels and tiles that reach over every border"),
    shape([1, 5, 26, 27], 36, 3, 1, 1, "49 of Winograd's tiles: 7 pixels a lane where caches are large"),
    shape([2, 3, 9, 10], 12, 3, 1, 1, "three channels in, in Winograd's tiles"),
    shape([1, 6, 5, 4], 3, 3, 1, 0, "no padding: less out than in"),
    Shape {
        x: [2, 5, 3, 7],
        co: 8,
        kernel: [3, 3],
        stride: [1, 1],
        padding: [4, 0],
        dilation: [1, 1],
        why: "more padding above than the kernel reaches, none beside",
    },
    Shape {
        x: [2, 5, 11, 6],
        co: 9,
        kernel: [2, 3],
        stride: [1, 1],
        padding: [1, 1],
        dilation: [3, 1],
        why: "rows of taps far apart, as wide out as in but not as high",
    },
    shape([2, 4, 17, 19], 9, 7, 2, 3, "the stem: a large kernel with stride"),
    Shape {
        x: [2, 6, 13, 10],
        co: 7,
        kernel: [1, 4],
        stride: [3, 1],
        padding: [0, 2],
        dilation: [1, 1],
        why: "nothing is alike in both directions, an even kernel",
    },
    Shape {
        x: [1, 9, 11, 14],
        co: 12,
        kernel: [3, 3],
        stride: [1, 2],
        padding: [2, 3],
        dilation: [2, 3],
        why: "dilated, with more padding than the kernel reaches",
    },
];

pub(super) fn cases() -> Vec<Case> {
    SHAPES.iter().filter_map(|shape| three(shape).ok()).flatten().collect()
}

fn three(shape: &Shape) -> Result<[Case; 4]> {
    let conv = Conv2d::new(shape.stride, shape.padding, shape.dilation)?;
    let [n, ci, h, w] = shape.x;
    let [oh, ow] = conv.out_size([h, w], shape.kernel)?;
    let x = Input::normal(shape.x);
    let deviation = ((ci * shape.kernel[0] * shape.kernel[1]) as f32).sqrt().recip();
    let weight = Input::drawn([shape.co, ci, shape.kernel[0], shape.kernel[1]], Draw::Normal(0.0, deviation));
    let gradient = Input::normal([n, shape.co, oh, ow]);
    let data = Conv2dBackwardData { conv, size: [h, w] };
    let of_weight = Conv2dBackwardWeight { conv, kernel: shape.kernel };
    Ok([
        Case::new(conv, vec![x.clone(), weight.clone()], shape.why),
        Case::new(conv, vec![x.clone(), weight.clone(), Input::normal([shape.co])], shape.why),
        Case::new(data, vec![gradient.clone(), weight], shape.why),
        Case::new(of_weight, vec![x, gradient], shape.why),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_makes_its_cases() {
        assert_eq!(cases().len(), SHAPES.len() * 4);
    }
}
