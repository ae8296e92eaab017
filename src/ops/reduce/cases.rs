//! Small crooked sums.

use crate::ops::cases::{Case, Input};

use super::ChannelSum;

pub(super) fn cases() -> Vec<Case> {
    let shapes: [([usize; 4], &str); 5] = [
        ([1, 1, 1, 1], "the smallest"),
        ([2, 5, 7, 3], "channels leave pad lanes"),
        ([3, 8, 5, 13], "no pad lanes"),
        ([2, 3, 67, 129], "more pixels than one pass of a workgroup takes"),
        ([5, 17, 2, 2], "more groups of channels than pixels"),
    ];
    shapes.into_iter().map(|(shape, why)| Case::new(ChannelSum, vec![Input::normal(shape)], why)).collect()
}
