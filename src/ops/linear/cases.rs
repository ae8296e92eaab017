//! Small crooked layers, each with its gradients.

use crate::ops::cases::{Case, Draw, Input};

use super::{Linear, LinearBackwardBias, LinearBackwardData, LinearBackwardWeight};

pub(super) fn cases() -> Vec<Case> {
    let sizes: [(usize, usize, usize, &str); 8] = [
        (1, 1, 1, "the smallest"),
        (5, 7, 3, "no size a multiple of four"),
        (33, 20, 9, "whole quads, more rows than columns"),
        (3, 515, 130, "long rows that do not start at whole quads"),
        (4, 2048, 7, "ResNet-50's head"),
        (1, 36, 44, "one row; whole quads both ways, with a part of a tile of columns"),
        (2, 68, 12, "two rows, the last tile of columns a part"),
        (7, 260, 36, "tiles of rows and columns that are not full, more than one workgroup of quads"),
    ];
    let mut cases = Vec::new();
    for (n, i, o, why) in sizes {
        let x = || Input::normal([n, i]);
        let weight = || Input::drawn([o, i], Draw::Normal(0.0, (i as f32).sqrt().recip()));
        let gradient = || Input::normal([n, o]);
        cases.push(Case::new(Linear, vec![x(), weight(), Input::normal([o])], why));
        cases.push(Case::new(LinearBackwardData, vec![gradient(), weight()], why));
        cases.push(Case::new(LinearBackwardWeight, vec![x(), gradient()], why));
        cases.push(Case::new(LinearBackwardBias, vec![gradient()], why));
    }
    cases
}
