//! The mean in plain loops.

use crate::error::Result;
use crate::graph::Op;
use crate::ops::{Array, Real};

use super::GlobalAvgPool2dBackward;

pub(super) fn forward<T: Real>(_: &dyn Op, inputs: &[&Array<T>]) -> Result<Vec<Array<T>>> {
    let [n, c, h, w] = inputs[0].dims4();
    let mut out = Array::zeros(&[n, c, 1, 1]);
    for n in 0..n {
        for c in 0..c {
            let mut sum = T::zero();
            for y in 0..h {
                for x in 0..w {
                    sum += inputs[0].at(n, c, y, x);
                }
            }
            *out.at_mut(n, c, 0, 0) = sum / T::of((h * w) as f64);
        }
    }
    Ok(vec![out])
}

pub(super) fn backward<T: Real>(op: &dyn Op, inputs: &[&Array<T>]) -> Result<Vec<Array<T>>> {
    let [h, w] = op.expect::<GlobalAvgPool2dBackward>()?.size;
    let [n, c, _, _] = inputs[0].dims4();
    let mut out = Array::zeros(&[n, c, h, w]);
    for n in 0..n {
        for c in 0..c {
            for y in 0..h {
                for x in 0..w {
                    *out.at_mut(n, c, y, x) = inputs[0].at(n, c, 0, 0) / T::of((h * w) as f64);
                }
            }
        }
    }
    Ok(vec![out])
}
