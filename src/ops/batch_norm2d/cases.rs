//! Small crooked batches.

use crate::ops::cases::{Case, Draw, Input};

use super::{BatchNorm2d, BatchNorm2dBackward, BatchNorm2dFold, RunningUpdate};

pub(super) fn cases() -> Vec<Case> {
    let standard = Draw::Normal(0.0, 1.0);
    let shapes: [([usize; 4], Draw, &str); 8] = [
        ([2, 1, 1, 1], standard, "the smallest: two values"),
        ([2, 5, 7, 3], standard, "channels leave pad lanes"),
        ([3, 8, 5, 13], standard, "no pad lanes"),
        ([5, 17, 2, 2], standard, "more groups of channels than pixels"),
        ([2, 3, 9, 15], standard, "two chunks of 128 pixels on a GPU, the second a part"),
        ([2, 6, 37, 61], standard, "several chunks of 512 or 1024 pixels, the last a part"),
        ([3, 7, 11, 9], Draw::Normal(30.0, 0.1), "a mean of 300 deviations"),
        ([4, 9, 31, 33], Draw::Normal(-30.0, 0.1), "the same in a chunk of 1023 pixels, or two"),
    ];
    let mut cases = Vec::new();
    for (shape, draw, why) in shapes {
        let Draw::Normal(middle, deviation) = draw else { continue };
        let x = Input::drawn(shape, draw);
        let small = || Input::normal([shape[1]]);
        let mean = Input::drawn([shape[1]], Draw::Normal(middle, deviation));
        let variance =
            Input::drawn([shape[1]], Draw::Uniform(0.5 * deviation * deviation, 2.0 * deviation * deviation));
        let inv_std = Input::drawn([shape[1]], Draw::Uniform(0.5 / deviation, 2.0 / deviation));
        let all = vec![x.clone(), small(), small(), mean.clone(), variance.clone()];
        for training in [true, false] {
            cases.push(Case::new(BatchNorm2d { training, momentum: 0.1, eps: 1e-5 }, all.clone(), why));
            let second = if training { inv_std.clone() } else { variance.clone() };
            let inputs = vec![x.clone(), small(), mean.clone(), second, Input::normal(shape)];
            cases.push(Case::new(BatchNorm2dBackward { training, eps: 1e-5 }, inputs, why));
        }
    }
    let running = |c: usize, control: f32, why: &'static str| {
        let mut inputs = vec![Input::normal([c]); 4];
        inputs.push(Input::drawn([4], Draw::Uniform(control, control)));
        Case::new(RunningUpdate, inputs, why)
    };
    cases.push(running(1, 1.0, "the smallest"));
    cases.push(running(130, 0.5, "a last workgroup of two"));
    cases.push(running(67, 0.0, "a step that is not finite changes nothing"));
    for (weight, channels, why) in [
        ([1, 1, 1, 1], 0, "the smallest weight"),
        ([7, 5, 3, 2], 0, "pad lanes in the weight"),
        ([40, 8, 1, 1], 0, "none"),
        ([6, 41, 2, 2], 1, "a transposed convolution's, in two panels"),
    ] {
        let normal = || Input::normal([weight[channels]]);
        let variance = Input::drawn([weight[channels]], Draw::Uniform(0.25, 4.0));
        let op = BatchNorm2dFold { eps: 1e-5, channels };
        cases.push(Case::new(op, vec![Input::normal(weight), normal(), normal(), normal(), variance.clone()], why));
        let with_bias = vec![Input::normal(weight), normal(), normal(), normal(), normal(), variance];
        cases.push(Case::new(op, with_bias, why));
    }
    cases
}
