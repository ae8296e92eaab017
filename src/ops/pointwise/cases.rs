//! Small crooked calls of every member.

use crate::ops::cases::{Case, Draw, Input};

use super::{Add, Mul, Relu, ReluBackward, Scale, Sigmoid, SigmoidBackward};

pub(super) fn cases() -> Vec<Case> {
    let shapes: [(&[usize], &str); 5] = [
        (&[1, 1, 1, 1], "the smallest"),
        (&[2, 5, 7, 3], "channels leave pad lanes, odd sizes"),
        (&[3, 8, 5, 13], "no pad lanes, more than one workgroup"),
        (&[2, 1, 9, 11], "one channel, which stays plain"),
        (&[7, 33], "two dimensions"),
    ];
    let mut cases = Vec::new();
    for (shape, why) in shapes {
        let normal = || Input::normal(shape);
        cases.push(Case::new(Relu, vec![normal()], why));
        cases.push(Case::new(ReluBackward, vec![normal(), normal()], why));
        cases.push(Case::new(Sigmoid, vec![Input::drawn(shape, Draw::Normal(0.0, 8.0))], why));
        cases.push(Case::new(SigmoidBackward, vec![normal(), Input::drawn(shape, Draw::Normal(0.0, 8.0))], why));
        cases.push(Case::new(Scale { factor: -0.5 }, vec![normal()], why));
        cases.push(Case::new(Add, vec![normal(), normal()], why));
        cases.push(Case::new(Mul, vec![normal(), normal()], why));
    }
    let far = || Input::drawn([1, 1, 5, 7], Draw::Uniform(-1e4, 1e4));
    cases.push(Case::new(Sigmoid, vec![far()], "logits of 10,000 neither overflow nor give NaN"));
    cases.push(Case::new(SigmoidBackward, vec![Input::normal([1, 1, 5, 7]), far()], "the same of the gradient"));
    cases
}
