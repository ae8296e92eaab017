//! The mix in plain loops.

use crate::error::Result;
use crate::graph::Op;
use crate::ops::{Array, Real};

use super::{ResizeBilinear, ResizeBilinearBackward};

/// The two rows (or columns) of `size` that output row `o` of `count` mixes, with their shares.
fn mix<T: Real>(o: usize, size: usize, count: usize) -> [(usize, T); 2] {
    let place = ((2 * o + 1) * size).saturating_sub(count);
    let low = place / (2 * count);
    let share = T::of((place % (2 * count)) as f64) / T::of((2 * count) as f64);
    [(low, T::one() - share), ((low + 1).min(size - 1), share)]
}

pub(super) fn forward<T: Real>(op: &dyn Op, inputs: &[&Array<T>]) -> Result<Vec<Array<T>>> {
    let [oh, ow] = op.expect::<ResizeBilinear>()?.size;
    let [n, c, h, w] = inputs[0].dims4();
    let mut out = Array::zeros(&[n, c, oh, ow]);
    for n in 0..n {
        for c in 0..c {
            for oy in 0..oh {
                for ox in 0..ow {
                    for (y, share_y) in mix::<T>(oy, h, oh) {
                        for (x, share_x) in mix::<T>(ox, w, ow) {
                            *out.at_mut(n, c, oy, ox) += share_y * share_x * inputs[0].at(n, c, y, x);
                        }
                    }
                }
            }
        }
    }
    Ok(vec![out])
}

pub(super) fn backward<T: Real>(op: &dyn Op, inputs: &[&Array<T>]) -> Result<Vec<Array<T>>> {
    let [h, w] = op.expect::<ResizeBilinearBackward>()?.from;
    let [n, c, oh, ow] = inputs[0].dims4();
    let mut out = Array::zeros(&[n, c, h, w]);
    for n in 0..n {
        for c in 0..c {
            for oy in 0..oh {
                for ox in 0..ow {
                    for (y, share_y) in mix::<T>(oy, h, oh) {
                        for (x, share_x) in mix::<T>(ox, w, ow) {
                            *out.at_mut(n, c, y, x) += share_y * share_x * inputs[0].at(n, c, oy, ox);
                        }
                    }
                }
            }
        }
    }
    Ok(vec![out])
}
