//! Small crooked values, some probabilities.

use crate::ops::cases::{Case, Draw, Input};

use super::Dropout;

pub(super) fn cases() -> Vec<Case> {
    let shapes: [(&[usize], f32, &str); 8] = [
        (&[1, 1, 1, 1], 0.5, "the smallest"),
        (&[2, 5, 7, 3], 0.3, "channels leave pad lanes, odd sizes"),
        (&[3, 8, 5, 13], 0.5, "no pad lanes, more than one workgroup"),
        (&[2, 1, 9, 11], 0.25, "one channel, which stays plain"),
        (&[7, 33], 0.2, "two dimensions"),
        (&[1, 6], 0.9, "one row, most is dropped"),
        (&[2, 6, 4, 5], 0.0, "nothing is dropped"),
        (&[1, 7, 6, 4], 0.999, "almost all is dropped"),
    ];
    let step = || Input::drawn([1], Draw::Classes(1 << 24));
    let case = |(at, (shape, p, why)): (usize, (&[usize], f32, &'static str))| {
        let op = Dropout { p, seed: 0x9E37_79B9u32.wrapping_mul(at as u32 + 1), sample: at as u32 };
        Case::new(op, vec![Input::normal(shape), step()], why)
    };
    shapes.into_iter().enumerate().map(case).collect()
}
