//! Small crooked batches.

use crate::ops::cases::{Case, Draw, Input};

use super::{CrossEntropy, CrossEntropyBackward, CrossEntropySoft, CrossEntropySoftBackward};

pub(super) fn cases() -> Vec<Case> {
    let sizes: [(usize, usize, Draw, &str); 6] = [
        (1, 2, Draw::Normal(0.0, 1.0), "the smallest"),
        (67, 7, Draw::Normal(0.0, 3.0), "more rows than a workgroup"),
        (5, 130, Draw::Normal(0.0, 1.0), "many classes"),
        (9, 3, Draw::Uniform(-1e4, 1e4), "logits of 10,000 neither overflow nor give NaN"),
        (70, 5, Draw::Normal(0.0, 1e-3), "logits near zero"),
        (6, 1, Draw::Normal(0.0, 1.0), "one class: the loss is 0"),
    ];
    let mut cases = Vec::new();
    for (n, c, draw, why) in sizes {
        let (x, t) = (Input::drawn([n, c], draw), Input::drawn([n], Draw::Classes(c)));
        let w = Input::drawn([c], Draw::Uniform(0.2, 1.2));
        let g = Input::normal([]);
        for label_smoothing in [0.0, 0.1] {
            let loss = CrossEntropy { label_smoothing };
            let backward = CrossEntropyBackward { loss };
            cases.push(Case::new(loss, vec![x.clone(), t.clone()], why));
            cases.push(Case::new(loss, vec![x.clone(), t.clone(), w.clone()], why));
            cases.push(Case::new(backward, vec![x.clone(), t.clone(), g.clone()], why));
            cases.push(Case::new(backward, vec![x.clone(), t.clone(), g.clone(), w.clone()], why));
        }
        let soft = Input::drawn([n, c], Draw::Probabilities);
        cases.push(Case::new(CrossEntropySoft, vec![x.clone(), soft.clone()], why));
        cases.push(Case::new(CrossEntropySoftBackward, vec![x, soft, g], why));
    }
    cases
}
