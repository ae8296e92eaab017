//! Small crooked values, forward and back.

use crate::ops::cases::{Case, Input};

use super::{Flatten, FlattenBackward};

pub(super) fn cases() -> Vec<Case> {
    let shapes: [([usize; 4], &str); 6] = [
        ([1, 1, 1, 1], "the smallest"),
        ([3, 8, 1, 1], "one pixel, no pad lanes: the same order"),
        ([5, 70, 1, 1], "the end of a ResNet, pad lanes, more than one workgroup"),
        ([2, 5, 7, 3], "rows that are no whole quads"),
        ([2, 9, 5, 13], "pixels and pad lanes"),
        ([1, 3, 67, 29], "more than one workgroup of pixels"),
    ];
    let mut cases = Vec::new();
    for ([n, c, h, w], why) in shapes {
        cases.push(Case::new(Flatten, vec![Input::normal([n, c, h, w])], why));
        cases.push(Case::new(FlattenBackward { sample: [c, h, w] }, vec![Input::normal([n, c * h * w])], why));
    }
    cases
}
