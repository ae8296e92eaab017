//! Small crooked images, forward and back.

use crate::ops::cases::{Case, Draw, Input};

use super::{Normalize, NormalizeBackward};

pub(super) fn cases() -> Vec<Case> {
    let shapes: [([usize; 4], &str); 4] = [
        ([1, 1, 1, 1], "the smallest"),
        ([2, 3, 7, 9], "a photograph: three channels and a pad lane"),
        ([3, 8, 5, 13], "no pad lanes, more than one workgroup"),
        ([2, 5, 6, 4], "a second group with pad lanes"),
    ];
    let mut cases = Vec::new();
    for (shape, why) in shapes {
        let std = || Input::drawn([shape[1]], Draw::Uniform(0.1, 2.0));
        cases.push(Case::new(Normalize, vec![Input::normal(shape), Input::normal([shape[1]]), std()], why));
        cases.push(Case::new(NormalizeBackward, vec![Input::normal(shape), std()], why));
    }
    cases
}
