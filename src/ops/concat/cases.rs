//! Small crooked joins.

use crate::ops::cases::{Case, Input};

use super::Concat;

const SHAPES: &[(&[usize], usize, [usize; 2], &str)] = &[
    (&[1, 1], 1, [1, 1], "the smallest"),
    (&[8, 8], 2, [6, 9], "the U-Net's join: whole groups of four channels"),
    (&[4, 12, 5], 3, [5, 7], "whole groups but for the last, which leaves pad lanes"),
    (&[3, 5], 2, [7, 4], "the second starts inside a group and fills the output's last one"),
    (&[5, 2, 6], 2, [3, 11], "a part that is inside one group; pad lanes"),
    (&[6], 2, [4, 3], "one input is a copy"),
    (&[1, 2, 3, 4, 1, 2, 3, 4, 1, 2], 1, [3, 5], "more inputs than one dispatch could bind"),
    (&[16, 16], 1, [13, 21], "more than one workgroup"),
];

pub(super) fn cases() -> Vec<Case> {
    let inputs = |channels: &[usize], n: usize, [h, w]: [usize; 2]| -> Vec<Input> {
        channels.iter().map(|&c| Input::normal([n, c, h, w])).collect()
    };
    SHAPES.iter().map(|&(channels, n, size, why)| Case::new(Concat, inputs(channels, n, size), why)).collect()
}
