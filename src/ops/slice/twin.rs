//! The copies in plain loops.

use crate::error::Result;
use crate::graph::Op;
use crate::ops::{Array, Real};

use super::{Slice, SliceBackward};

pub(super) fn forward<T: Real>(op: &dyn Op, inputs: &[&Array<T>]) -> Result<Vec<Array<T>>> {
    let Slice { start, end } = *op.expect::<Slice>()?;
    let [n, _, h, w] = inputs[0].dims4();
    let mut out = Array::zeros(&[n, end - start, h, w]);
    for n in 0..n {
        for c in start..end {
            for y in 0..h {
                for x in 0..w {
                    *out.at_mut(n, c - start, y, x) = inputs[0].at(n, c, y, x);
                }
            }
        }
    }
    Ok(vec![out])
}

pub(super) fn backward<T: Real>(op: &dyn Op, inputs: &[&Array<T>]) -> Result<Vec<Array<T>>> {
    let SliceBackward { slice: Slice { start, end }, channels } = *op.expect::<SliceBackward>()?;
    let [n, _, h, w] = inputs[0].dims4();
    let mut out = Array::zeros(&[n, channels, h, w]);
    for n in 0..n {
        for c in start..end {
            for y in 0..h {
                for x in 0..w {
                    *out.at_mut(n, c, y, x) = inputs[0].at(n, c - start, y, x);
                }
            }
        }
    }
    Ok(vec![out])
}
