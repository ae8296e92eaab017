//! The shift and scale in plain loops.

use crate::error::Result;
use crate::graph::Op;
use crate::ops::{Array, Real};

fn each<T: Real>(x: &Array<T>, f: impl Fn(T, usize) -> T) -> Result<Vec<Array<T>>> {
    let [n, c, h, w] = x.dims4();
    let mut out = Array::zeros(&x.shape);
    for n in 0..n {
        for c in 0..c {
            for y in 0..h {
                for ix in 0..w {
                    *out.at_mut(n, c, y, ix) = f(x.at(n, c, y, ix), c);
                }
            }
        }
    }
    Ok(vec![out])
}

pub(super) fn forward<T: Real>(_: &dyn Op, inputs: &[&Array<T>]) -> Result<Vec<Array<T>>> {
    each(inputs[0], |value, c| (value - inputs[1].data[c]) / inputs[2].data[c])
}

pub(super) fn backward<T: Real>(_: &dyn Op, inputs: &[&Array<T>]) -> Result<Vec<Array<T>>> {
    each(inputs[0], |gradient, c| gradient / inputs[1].data[c])
}
