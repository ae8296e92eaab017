//! The pool in plain loops.

use crate::error::Result;
use crate::graph::Op;
use crate::ops::{Array, Real};

use super::{MaxPool2d, MaxPool2dBackward};

/// The pixel of a window's maximum.
fn winner<T: Real>(x: &Array<T>, n: usize, c: usize, pixels: &[[usize; 2]]) -> [usize; 2] {
    let mut winner = pixels[0];
    for &[iy, ix] in pixels {
        let value = x.at(n, c, iy, ix);
        if value > x.at(n, c, winner[0], winner[1]) || value.is_nan() {
            winner = [iy, ix];
        }
    }
    winner
}

pub(super) fn forward<T: Real>(op: &dyn Op, inputs: &[&Array<T>]) -> Result<Vec<Array<T>>> {
    let windows = op.expect::<MaxPool2d>()?.windows();
    let [n, c, h, w] = inputs[0].dims4();
    let [oh, ow] = windows.out_size("max_pool2d", [h, w])?;
    let mut out = Array::zeros(&[n, c, oh, ow]);
    for n in 0..n {
        for c in 0..c {
            windows.each([h, w], [oh, ow], |oy, ox, pixels| {
                let [iy, ix] = winner(inputs[0], n, c, pixels);
                *out.at_mut(n, c, oy, ox) = inputs[0].at(n, c, iy, ix);
            });
        }
    }
    Ok(vec![out])
}

pub(super) fn backward<T: Real>(op: &dyn Op, inputs: &[&Array<T>]) -> Result<Vec<Array<T>>> {
    let windows = op.expect::<MaxPool2dBackward>()?.pool.windows();
    let (x, gradient) = (inputs[0], inputs[1]);
    let ([n, c, h, w], [_, _, oh, ow]) = (x.dims4(), gradient.dims4());
    let mut out = Array::zeros(&[n, c, h, w]);
    for n in 0..n {
        for c in 0..c {
            windows.each([h, w], [oh, ow], |oy, ox, pixels| {
                let [iy, ix] = winner(x, n, c, pixels);
                *out.at_mut(n, c, iy, ix) += gradient.at(n, c, oy, ox);
            });
        }
    }
    Ok(vec![out])
}
