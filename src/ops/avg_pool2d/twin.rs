//! The pool in plain loops.

use crate::error::Result;
use crate::graph::Op;
use crate::ops::{Array, Real};

use super::{AvgPool2d, AvgPool2dBackward};

pub(super) fn forward<T: Real>(op: &dyn Op, inputs: &[&Array<T>]) -> Result<Vec<Array<T>>> {
    let windows = op.expect::<AvgPool2d>()?.windows();
    let [n, c, h, w] = inputs[0].dims4();
    let [oh, ow] = windows.out_size("avg_pool2d", [h, w])?;
    let area = T::of((windows.kernel[0] * windows.kernel[1]) as f64);
    let mut out = Array::zeros(&[n, c, oh, ow]);
    for n in 0..n {
        for c in 0..c {
            windows.each([h, w], [oh, ow], |oy, ox, pixels| {
                for &[iy, ix] in pixels {
                    *out.at_mut(n, c, oy, ox) += inputs[0].at(n, c, iy, ix) / area;
                }
            });
        }
    }
    Ok(vec![out])
}

pub(super) fn backward<T: Real>(op: &dyn Op, inputs: &[&Array<T>]) -> Result<Vec<Array<T>>> {
    let AvgPool2dBackward { pool, size } = op.expect::<AvgPool2dBackward>()?;
    let windows = pool.windows();
    let [n, c, oh, ow] = inputs[0].dims4();
    let area = T::of((windows.kernel[0] * windows.kernel[1]) as f64);
    let mut out = Array::zeros(&[n, c, size[0], size[1]]);
    for n in 0..n {
        for c in 0..c {
            windows.each(*size, [oh, ow], |oy, ox, pixels| {
                for &[iy, ix] in pixels {
                    *out.at_mut(n, c, iy, ix) += inputs[0].at(n, c, oy, ox) / area;
                }
            });
        }
    }
    Ok(vec![out])
}
