//! Small crooked images to larger and smaller ones, and back.

use crate::ops::cases::{Case, Input};

use super::{ResizeBilinear, ResizeBilinearBackward};

const SHAPES: &[([usize; 4], [usize; 2], &str)] = &[
    ([1, 1, 1, 1], [1, 1], "the smallest"),
    ([2, 3, 7, 9], [14, 18], "twice as large"),
    ([2, 5, 13, 11], [6, 5], "smaller: pixels that no output pixel mixes"),
    ([1, 3, 5, 21], [17, 4], "larger one way, smaller the other"),
    ([2, 4, 6, 8], [6, 8], "the same size"),
    ([1, 2, 1, 6], [5, 1], "one row to many, many columns to one"),
    ([1, 1, 3, 4], [40, 37], "every pixel mixed into many"),
    ([1, 6, 40, 37], [3, 2], "most pixels are skipped"),
    ([3, 8, 9, 12], [23, 19], "more than one workgroup, no pad lanes"),
];

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for &([n, c, h, w], size, why) in SHAPES {
        let resize = ResizeBilinear { size };
        cases.push(Case::new(resize, vec![Input::normal([n, c, h, w])], why));
        let op = ResizeBilinearBackward { resize, from: [h, w] };
        cases.push(Case::new(op, vec![Input::normal([n, c, size[0], size[1]])], why));
    }
    cases
}
