//! Small crooked slabs.

use crate::ops::cases::{Case, Draw, Input};

use super::Sgd;

pub(super) fn cases() -> Vec<Case> {
    let case = |len: usize, control: Draw, why: &'static str| {
        let slab = || Input::normal([len]);
        let hyper = Input::drawn([4], Draw::Uniform(0.01, 0.1));
        let segments = Input::drawn([2 * len.div_ceil(64)], Draw::Uniform(0.0, 2.0));
        let inputs = vec![slab(), slab(), slab(), hyper, Input::drawn([4], control), segments];
        Case::new(Sgd { momentum: 0.9, weight_decay: 0.01 }, inputs, why)
    };
    vec![
        case(1, Draw::Uniform(1.0, 1.0), "the smallest"),
        case(320, Draw::Uniform(1.0, 1.0), "whole segments"),
        case(4999, Draw::Uniform(0.2, 0.8), "a gradient that is clipped, many segments, the last a part"),
        case(131, Draw::Uniform(0.0, 0.0), "a step that is not finite changes nothing"),
    ]
}
