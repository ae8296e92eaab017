//! Small crooked losses.

use crate::ops::cases::{Case, Draw, Input};

use super::{BceWithLogits, BceWithLogitsBackward};

pub(super) fn cases() -> Vec<Case> {
    let wide = Draw::Normal(0.0, 2.0);
    let shapes: [(&[usize], Draw, &str); 6] = [
        (&[1], wide, "the smallest"),
        (&[3, 1, 7, 11], wide, "a last quad of three"),
        (&[2, 1, 33, 65], wide, "five chunks, the last a part"),
        (&[7, 301], wide, "two dimensions, three chunks"),
        (&[1, 1, 9, 13], Draw::Uniform(-1e4, 1e4), "logits of 10,000 neither overflow nor give NaN"),
        (&[2, 3, 5, 7], Draw::Normal(0.0, 1e-3), "logits near zero, three channels"),
    ];
    let mut cases = Vec::new();
    for (shape, draw, why) in shapes {
        let (x, t) = (Input::drawn(shape, draw), Input::drawn(shape, Draw::Binary));
        cases.push(Case::new(BceWithLogits, vec![x.clone(), t.clone()], why));
        cases.push(Case::new(BceWithLogitsBackward, vec![x, t, Input::normal([])], why));
    }
    let right = || Input::drawn([1, 1, 21, 50], Draw::Uniform(9.0, 14.0));
    let ones = || Input::drawn([1, 1, 21, 50], Draw::Uniform(1.0, 1.0));
    let why = "all are right: the loss is a mean of ln(1 + e) for tiny e";
    cases.push(Case::new(BceWithLogits, vec![right(), ones()], why));
    cases.push(Case::new(BceWithLogitsBackward, vec![right(), ones(), Input::normal([])], why));
    cases.push(Case::new(
        BceWithLogits,
        vec![Input::normal([1030]), Input::drawn([1030], Draw::Uniform(0.0, 1.0))],
        "targets between 0 and 1",
    ));
    cases
}
