//! Small crooked sets of gradients.

use crate::ops::cases::{Case, Draw, Input};

use super::{ClipApply, GradNorm};

pub(super) fn cases() -> Vec<Case> {
    let loss = || Input::normal([]);
    let many = || vec![Input::normal([3, 5, 3, 3]), Input::normal([7]), Input::normal([2051]), Input::normal([9, 13])];
    let with = |mut gradients: Vec<Input>, loss: Input| {
        gradients.push(loss);
        gradients
    };
    let clip = GradNorm { max_norm: 5.0 };
    let mut cases = vec![
        Case::new(clip, vec![Input::normal([1]), loss()], "the smallest"),
        Case::new(clip, with(many(), loss()), "several shapes and layouts, one of three chunks"),
        Case::new(GradNorm { max_norm: 1e4 }, with(many(), loss()), "a norm below the limit"),
        Case::new(GradNorm { max_norm: f32::INFINITY }, with(many(), loss()), "no limit"),
        Case::new(clip, vec![Input::normal([70_003]), loss()], "more chunks than the last pass has lanes"),
        Case::new(clip, vec![Input::normal([2 * 8192 - 1]), loss()], "chunks of the last version, but for one float"),
        Case::new(
            clip,
            with(many(), Input::drawn([], Draw::Normal(f32::NAN, 0.0))),
            "a loss that is NaN: coefficient and finite are 0",
        ),
        Case::new(
            clip,
            with(many(), Input::drawn([1], Draw::Uniform(f32::INFINITY, f32::INFINITY))),
            "a loss that is not finite, of shape [1]",
        ),
    ];
    let shapes: [(&[usize], &str); 3] =
        [(&[1], "the smallest"), (&[3, 5, 3, 3], "pad lanes"), (&[1027], "a last quad of three")];
    for (shape, why) in shapes {
        let control = Input::drawn([4], Draw::Uniform(0.1, 0.9));
        cases.push(Case::new(ClipApply, vec![Input::normal(shape), control], why));
    }
    cases
}
