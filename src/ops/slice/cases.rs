//! Small crooked ranges, and back.

use crate::ops::cases::{Case, Input};

use super::{Slice, SliceBackward};

const SHAPES: &[([usize; 4], [usize; 2], &str)] = &[
    ([1, 1, 1, 1], [0, 1], "the smallest"),
    ([2, 16, 6, 9], [8, 16], "the second half of a join"),
    ([3, 12, 5, 7], [4, 9], "starts at a group and ends inside one"),
    ([2, 9, 7, 4], [3, 8], "starts inside a group"),
    ([2, 11, 3, 5], [9, 11], "the last channels, inside one group"),
    ([1, 6, 4, 3], [0, 6], "everything"),
    ([2, 10, 19, 13], [4, 10], "more than one workgroup, pad lanes on both sides"),
];

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for &(shape, [start, end], why) in SHAPES {
        let slice = Slice { start, end };
        let [n, channels, h, w] = shape;
        cases.push(Case::new(slice, vec![Input::normal(shape)], why));
        cases.push(Case::new(SliceBackward { slice, channels }, vec![Input::normal([n, end - start, h, w])], why));
    }
    cases
}
