//! Small crooked batches.

use crate::ops::cases::{Case, Draw, Input};

use super::{FocalLoss, FocalLossBackward};

pub(super) fn cases() -> Vec<Case> {
    let sizes: [(usize, usize, f32, Draw, &str); 7] = [
        (1, 2, 2.0, Draw::Normal(0.0, 1.0), "the smallest"),
        (67, 7, 2.0, Draw::Normal(0.0, 3.0), "more rows than a workgroup"),
        (5, 130, 3.5, Draw::Normal(0.0, 1.0), "many classes"),
        (9, 3, 2.0, Draw::Uniform(-1e4, 1e4), "logits of 10,000 neither overflow nor give NaN"),
        (9, 3, 1.0, Draw::Uniform(-1e4, 1e4), "the same where the slope has (1 - q)^0"),
        (13, 4, 0.0, Draw::Normal(0.0, 2.0), "gamma 0: cross-entropy"),
        (13, 4, 0.5, Draw::Normal(0.0, 9.0), "gamma below 1: a power of a negative exponent"),
    ];
    let mut cases = Vec::new();
    for (n, c, gamma, draw, why) in sizes {
        let (x, t) = (Input::drawn([n, c], draw), Input::drawn([n], Draw::Classes(c)));
        let (w, g) = (Input::drawn([c], Draw::Uniform(0.2, 1.2)), Input::normal([]));
        let loss = FocalLoss { gamma };
        let backward = FocalLossBackward { loss };
        cases.push(Case::new(loss, vec![x.clone(), t.clone()], why));
        cases.push(Case::new(loss, vec![x.clone(), t.clone(), w.clone()], why));
        cases.push(Case::new(backward, vec![x.clone(), t.clone(), g.clone()], why));
        cases.push(Case::new(backward, vec![x, t, g, w], why));
    }
    cases
}
