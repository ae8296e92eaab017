//! Small crooked slabs.

use crate::ops::cases::{Case, Draw, Input};

use super::AdamW;

pub(super) fn cases() -> Vec<Case> {
    let case = |len: usize, control: Draw, square: Draw, why: &'static str| {
        let slab = || Input::normal([len]);
        let hyper = Input::drawn([4], Draw::Uniform(0.1, 0.9));
        let segments = Input::drawn([2 * len.div_ceil(64)], Draw::Uniform(0.0, 2.0));
        let square = Input::drawn([len], square);
        let inputs = vec![slab(), slab(), slab(), square, hyper, Input::drawn([4], control), segments];
        Case::new(AdamW::default(), inputs, why)
    };
    let (one, square) = (Draw::Uniform(1.0, 1.0), Draw::Uniform(0.0, 1.0));
    vec![
        case(1, one, square, "the smallest"),
        case(320, one, square, "whole segments"),
        case(4999, Draw::Uniform(0.2, 0.8), square, "a gradient that is clipped, many segments, the last a part"),
        case(190, one, Draw::Uniform(0.0, 0.0), "the first step: the second moment is new, and 1 - beta2 counts"),
        case(131, Draw::Uniform(0.0, 0.0), square, "a step that is not finite changes nothing"),
    ]
}
