//! Small crooked images, forward and back.

use crate::ops::cases::{Case, Input};

use super::{GlobalAvgPool2d, GlobalAvgPool2dBackward};

pub(super) fn cases() -> Vec<Case> {
    let shapes: [([usize; 4], &str); 6] = [
        ([1, 1, 1, 1], "the smallest"),
        ([2, 5, 7, 3], "channels leave pad lanes, fewer pixels than lanes"),
        ([3, 8, 5, 13], "one pixel more than lanes"),
        ([2, 70, 7, 7], "the end of a ResNet, more than one workgroup of channels"),
        ([2, 3, 67, 129], "many pixels"),
        ([5, 17, 2, 1], "more groups of channels than pixels"),
    ];
    let mut cases = Vec::new();
    for ([n, c, h, w], why) in shapes {
        cases.push(Case::new(GlobalAvgPool2d, vec![Input::normal([n, c, h, w])], why));
        cases.push(Case::new(GlobalAvgPool2dBackward { size: [h, w] }, vec![Input::normal([n, c, 1, 1])], why));
    }
    cases
}
