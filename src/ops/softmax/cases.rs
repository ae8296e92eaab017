//! Small crooked rows.

use crate::ops::cases::{Case, Draw, Input};

use super::{LogSoftmax, LogSoftmaxBackward, Softmax, SoftmaxBackward};

pub(super) fn cases() -> Vec<Case> {
    let standard = Draw::Normal(0.0, 1.0);
    let shapes: [(&[usize], Draw, &str); 8] = [
        (&[1, 2], standard, "the smallest"),
        (&[1, 1], standard, "one class"),
        (&[67, 7], Draw::Normal(0.0, 5.0), "more rows than a workgroup, few classes"),
        (&[3, 65], standard, "one value more than lanes"),
        (&[5, 3001], Draw::Normal(0.0, 3.0), "thousands of columns"),
        (&[2, 5, 7, 3], standard, "channels of images"),
        (&[2, 70, 3, 2], standard, "many channels of a small image"),
        (&[4, 130], Draw::Uniform(-1e4, 1e4), "logits of 10,000 neither overflow nor give NaN"),
    ];
    let mut cases = Vec::new();
    for (shape, draw, why) in shapes {
        let x = || Input::drawn(shape, draw);
        let row = shape[1] as f32;
        let y = Input::drawn(shape, Draw::Uniform(0.0, 2.0 / row));
        let log_y = Input::drawn(shape, Draw::Uniform(-row.ln() - 2.0, -row.ln()));
        cases.push(Case::new(Softmax, vec![x()], why));
        cases.push(Case::new(SoftmaxBackward, vec![Input::normal(shape), y], why));
        cases.push(Case::new(LogSoftmax, vec![x()], why));
        cases.push(Case::new(LogSoftmaxBackward, vec![Input::normal(shape), log_y], why));
    }
    cases
}
