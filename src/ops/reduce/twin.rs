//! The sums in plain loops.

use crate::error::Result;
use crate::graph::Op;
use crate::ops::{Array, Real};

pub(super) fn channel_sum<T: Real>(_: &dyn Op, inputs: &[&Array<T>]) -> Result<Vec<Array<T>>> {
    let [n, c, h, w] = inputs[0].dims4();
    let mut out = Array::zeros(&[c]);
    for n in 0..n {
        for c in 0..c {
            for y in 0..h {
                for x in 0..w {
                    out.data[c] += inputs[0].at(n, c, y, x);
                }
            }
        }
    }
    Ok(vec![out])
}
