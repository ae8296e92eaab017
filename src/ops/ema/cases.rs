//! Small crooked slabs.

use crate::ops::cases::{Case, Draw, Input};

use super::Ema;

pub(super) fn cases() -> Vec<Case> {
    let case = |len: usize, control: Draw, why: &'static str| {
        let hyper = Input::drawn([4], Draw::Uniform(0.9, 0.999));
        let inputs = vec![Input::normal([len]), Input::normal([len]), hyper, Input::drawn([4], control)];
        Case::new(Ema, inputs, why)
    };
    vec![
        case(1, Draw::Uniform(1.0, 1.0), "the smallest"),
        case(320, Draw::Uniform(1.0, 1.0), "whole segments"),
        case(4999, Draw::Uniform(0.2, 0.8), "a last quad of three; clipping changes nothing here"),
        case(131, Draw::Uniform(0.0, 0.0), "a step that is not finite changes nothing"),
    ]
}
