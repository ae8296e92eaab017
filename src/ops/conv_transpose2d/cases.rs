//! Small crooked transposed convolutions, each with its three computations.

use crate::error::Result;
use crate::ops::cases::{Case, Draw, Input};

use super::{ConvTranspose2d, ConvTranspose2dBackwardData, ConvTranspose2dBackwardWeight};

struct Shape {
    x: [usize; 4],
    co: usize,
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
    output_padding: [usize; 2],
    dilation: [usize; 2],
    why: &'static str,
}

const fn up(x: [usize; 4], co: usize, factor: usize, why: &'static str) -> Shape {
    Shape {
        x,
        co,
        kernel: [factor; 2],
        stride: [factor; 2],
        padding: [0; 2],
        output_padding: [0; 2],
        dilation: [1; 2],
        why,
    }
}

const SHAPES: &[Shape] = &[
    up([1, 1, 1, 1], 1, 1, "the smallest one"),
    up([2, 32, 5, 7], 16, 2, "the U-Net's: no two taps meet"),
    up([1, 7, 3, 4], 33, 2, "pad lanes on both sides, a second tile"),
    up([2, 3, 4, 2], 5, 3, "three by three without overlap"),
    Shape {
        x: [2, 6, 5, 4],
        co: 41,
        kernel: [3, 3],
        stride: [2, 2],
        padding: [1, 1],
        output_padding: [1, 0],
        dilation: [1, 1],
        why: "taps meet, a row is added at the end, two panels of channels out",
    },
    Shape {
        x: [1, 5, 6, 3],
        co: 4,
        kernel: [1, 5],
        stride: [3, 1],
        padding: [0, 2],
        output_padding: [2, 0],
        dilation: [1, 1],
        why: "nothing is alike in both directions, rows that no tap reaches",
    },
    Shape {
        x: [2, 5, 4, 6],
        co: 9,
        kernel: [3, 2],
        stride: [2, 3],
        padding: [1, 2],
        output_padding: [2, 1],
        dilation: [3, 2],
        why: "dilated, with as many rows added as the stride has",
    },
];

pub(super) fn cases() -> Vec<Case> {
    SHAPES.iter().filter_map(|shape| three(shape).ok()).flatten().collect()
}

fn three(shape: &Shape) -> Result<[Case; 4]> {
    let conv = ConvTranspose2d::new(shape.stride, shape.padding, shape.output_padding, shape.dilation)?;
    let [n, ci, h, w] = shape.x;
    let [oh, ow] = conv.out_size([h, w], shape.kernel)?;
    let x = Input::normal(shape.x);
    let weight = Input::drawn([ci, shape.co, shape.kernel[0], shape.kernel[1]], Draw::Normal(0.0, 0.3));
    let gradient = Input::normal([n, shape.co, oh, ow]);
    let data = ConvTranspose2dBackwardData { conv, size: [h, w] };
    let of_weight = ConvTranspose2dBackwardWeight { conv, kernel: shape.kernel };
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
