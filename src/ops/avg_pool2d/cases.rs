//! Small crooked pools, forward and back.

use crate::ops::cases::{Case, Input};

use super::{AvgPool2d, AvgPool2dBackward};

const fn pool(k: usize, s: usize, p: usize) -> AvgPool2d {
    AvgPool2d { kernel: [k; 2], stride: [s; 2], padding: [p; 2] }
}

const SHAPES: &[([usize; 4], AvgPool2d, &str)] = &[
    ([1, 1, 1, 1], pool(1, 1, 0), "the smallest"),
    ([2, 5, 7, 9], pool(2, 2, 0), "pad lanes; a last row and column that no window covers"),
    ([3, 16, 12, 22], pool(2, 2, 0), "more than one workgroup"),
    ([2, 7, 11, 14], pool(3, 2, 1), "windows overlap and reach over the border, whose zeros count"),
    ([1, 3, 9, 8], pool(7, 1, 3), "every pixel in many windows"),
    ([2, 4, 10, 13], pool(2, 3, 1), "pixels between the windows"),
    (
        [2, 6, 9, 8],
        AvgPool2d { kernel: [1, 4], stride: [2, 3], padding: [0, 2] },
        "nothing is alike in both directions, an even kernel",
    ),
];

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for &([n, c, h, w], pool, why) in SHAPES {
        cases.push(Case::new(pool, vec![Input::normal([n, c, h, w])], why));
        if let Ok([oh, ow]) = pool.windows().out_size("avg_pool2d", [h, w]) {
            let op = AvgPool2dBackward { pool, size: [h, w] };
            cases.push(Case::new(op, vec![Input::normal([n, c, oh, ow])], why));
        }
    }
    cases
}
