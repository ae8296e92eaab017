//! Dropout in plain loops, with the same whole-number hash.

use crate::error::Result;
use crate::graph::Op;
use crate::ops::{Array, Real};

use super::Dropout;

/// Four random words from four: Jarzynski and Olano, "Hash Functions for GPU Rendering", JCGT 9 (3), 2020.
pub(super) fn pcg4d(key: [u32; 4]) -> [u32; 4] {
    let mix = |[x, y, z, w]: [u32; 4]| {
        let x = x.wrapping_add(y.wrapping_mul(w));
        let y = y.wrapping_add(z.wrapping_mul(x));
        let z = z.wrapping_add(x.wrapping_mul(y));
        let w = w.wrapping_add(y.wrapping_mul(z));
        [x, y, z, w]
    };
    let v = mix(key.map(|word| word.wrapping_mul(1_664_525).wrapping_add(1_013_904_223)));
    mix(v.map(|word| word ^ (word >> 16)))
}

/// Whether an element stays.
pub(super) fn kept(dropout: &Dropout, step: u32, [n, c, y, x]: [u32; 4]) -> bool {
    let [a, b, d, e] = pcg4d([dropout.seed, step, dropout.sample.wrapping_add(n), 0]);
    let words = pcg4d([a.wrapping_add(c / 4), b.wrapping_add(y), d.wrapping_add(x), e]);
    words[(c % 4) as usize] >> 8 >= dropout.threshold()
}

pub(super) fn forward<T: Real>(op: &dyn Op, inputs: &[&Array<T>]) -> Result<Vec<Array<T>>> {
    let dropout = op.expect::<Dropout>()?;
    let input = inputs[0];
    let step = inputs[1].data[0].wide() as u32;
    let (channels, [h, w]) = match input.shape.as_slice() {
        &[_, c] => (c, [1, 1]),
        shape => (shape[1], [shape[2], shape[3]]),
    };
    let scale = T::of(f64::from(dropout.scale()));
    let mut out = Array::zeros(&input.shape);
    for n in 0..input.shape[0] {
        for c in 0..channels {
            for y in 0..h {
                for x in 0..w {
                    if kept(dropout, step, [n, c, y, x].map(|at| at as u32)) {
                        let at = ((n * channels + c) * h + y) * w + x;
                        out.data[at] = input.data[at] * scale;
                    }
                }
            }
        }
    }
    Ok(vec![out])
}
