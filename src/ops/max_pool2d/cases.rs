//! Small crooked pools, on normal numbers and on a few whole ones, where windows tie.

use crate::ops::cases::{Case, Draw, Input};

use super::{MaxPool2d, MaxPool2dBackward};

const fn pool(k: usize, s: usize, p: usize) -> MaxPool2d {
    MaxPool2d { kernel: [k; 2], stride: [s; 2], padding: [p; 2] }
}

const SHAPES: &[([usize; 4], MaxPool2d, &str)] = &[
    ([1, 1, 2, 2], pool(2, 2, 0), "the smallest"),
    ([2, 5, 7, 9], pool(2, 2, 0), "pad lanes; a last row and column that no window covers"),
    ([3, 16, 12, 22], pool(2, 2, 0), "the U-Net's pool, more than one workgroup"),
    ([2, 7, 11, 14], pool(3, 2, 1), "the stem of a ResNet: windows overlap and reach over the border"),
    ([1, 3, 6, 5], pool(2, 1, 1), "every pixel in four windows"),
    ([2, 4, 10, 13], pool(2, 3, 1), "pixels between the windows"),
    ([1, 9, 8, 8], pool(3, 3, 1), "windows side by side that start outside of the image"),
    (
        [2, 6, 9, 8],
        MaxPool2d { kernel: [1, 4], stride: [2, 3], padding: [0, 2] },
        "nothing is alike in both directions, an even kernel",
    ),
    ([1, 2, 5, 6], pool(5, 1, 2), "windows as large as the image"),
];

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for &(shape, pool, why) in SHAPES {
        let windows = pool.windows();
        for draw in [Draw::Normal(0.0, 1.0), Draw::Integers] {
            cases.push(Case::new(pool, vec![Input::drawn(shape, draw)], why));
            let [n, c, h, w] = shape;
            if let Ok([oh, ow]) = windows.out_size("max_pool2d", [h, w]) {
                let inputs = vec![Input::drawn(shape, draw), Input::normal([n, c, oh, ow])];
                cases.push(Case::new(MaxPool2dBackward { pool }, inputs, why));
            }
        }
    }
    cases
}
