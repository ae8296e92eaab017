//! The copies in plain loops.

use crate::error::Result;
use crate::graph::Op;
use crate::ops::{Array, Real};

use super::FlattenBackward;

pub(super) fn forward<T: Real>(_: &dyn Op, inputs: &[&Array<T>]) -> Result<Vec<Array<T>>> {
    let [n, c, h, w] = inputs[0].dims4();
    let mut out = Array::zeros(&[n, c * h * w]);
    for n in 0..n {
        for channel in 0..c {
            for y in 0..h {
                for x in 0..w {
                    out.data[n * c * h * w + (channel * h + y) * w + x] = inputs[0].at(n, channel, y, x);
                }
            }
        }
    }
    Ok(vec![out])
}

pub(super) fn backward<T: Real>(op: &dyn Op, inputs: &[&Array<T>]) -> Result<Vec<Array<T>>> {
    let [c, h, w] = op.expect::<FlattenBackward>()?.sample;
    let n = inputs[0].shape[0];
    let mut out = Array::zeros(&[n, c, h, w]);
    for n in 0..n {
        for channel in 0..c {
            for y in 0..h {
                for x in 0..w {
                    *out.at_mut(n, channel, y, x) = inputs[0].data[n * c * h * w + (channel * h + y) * w + x];
                }
            }
        }
    }
    Ok(vec![out])
}
