//! Small crooked losses.

use crate::ops::cases::{Case, Draw, Input};

use super::{DiceLoss, DiceLossBackward};

pub(super) fn cases() -> Vec<Case> {
    let wide = Draw::Normal(0.0, 2.0);
    let shapes: [(&[usize], Draw, &str); 6] = [
        (&[1, 1, 1, 1], wide, "the smallest"),
        (&[5, 1, 1, 3], wide, "three images within two quads"),
        (&[3, 1, 33, 65], wide, "images start within a quad and take three chunks"),
        (&[2, 3, 12, 9], wide, "three channels, whole quads"),
        (&[4, 1, 32, 64], wide, "images of two whole chunks"),
        (&[2, 1, 9, 13], Draw::Uniform(-1e4, 1e4), "logits of 10,000 neither overflow nor give NaN"),
    ];
    let mut cases = Vec::new();
    let backward = DiceLossBackward { loss: DiceLoss { smooth: 1.0 } };
    for (shape, draw, why) in shapes {
        let (x, t) = (Input::drawn(shape, draw), Input::drawn(shape, Draw::Binary));
        cases.push(Case::new(DiceLoss { smooth: 1.0 }, vec![x.clone(), t.clone()], why));
        cases.push(Case::new(backward, vec![x, t, Input::normal([])], why));
    }
    let right = || Input::drawn([2, 1, 21, 50], Draw::Uniform(9.0, 14.0));
    let ones = || Input::drawn([2, 1, 21, 50], Draw::Uniform(1.0, 1.0));
    let why = "all are right: the loss is a ten-thousandth";
    cases.push(Case::new(DiceLoss { smooth: 0.5 }, vec![right(), ones()], why));
    cases.push(Case::new(backward, vec![right(), ones(), Input::normal([])], why));
    cases
}
