//! The three computations in plain loops.

use crate::error::Result;
use crate::graph::Op;
use crate::ops::{Array, Real};

use super::{Conv2d, Conv2dBackwardData, Conv2dBackwardWeight};

/// Calls `visit(oy, ox, ky, kx, iy, ix)` for every output pixel and tap that falls inside the input.
fn each_tap(
    conv: &Conv2d,
    [h, w]: [usize; 2],
    [oh, ow]: [usize; 2],
    [kh, kw]: [usize; 2],
    mut visit: impl FnMut([usize; 2], [usize; 2], [usize; 2]),
) {
    for oy in 0..oh {
        for ox in 0..ow {
            for ky in 0..kh {
                for kx in 0..kw {
                    let iy = (oy * conv.stride[0] + ky * conv.dilation[0]).wrapping_sub(conv.padding[0]);
                    let ix = (ox * conv.stride[1] + kx * conv.dilation[1]).wrapping_sub(conv.padding[1]);
                    if iy < h && ix < w {
                        visit([oy, ox], [ky, kx], [iy, ix]);
                    }
                }
            }
        }
    }
}

pub(super) fn forward<T: Real>(op: &dyn Op, inputs: &[&Array<T>]) -> Result<Vec<Array<T>>> {
    let conv = op.expect::<Conv2d>()?;
    let (x, weight) = (inputs[0], inputs[1]);
    let ([n, ci, h, w], [co, _, kh, kw]) = (x.dims4(), weight.dims4());
    let [oh, ow] = conv.out_size([h, w], [kh, kw])?;
    let mut out = Array::zeros(&[n, co, oh, ow]);
    for n in 0..n {
        for co in 0..co {
            if let Some(bias) = inputs.get(2) {
                for oy in 0..oh {
                    for ox in 0..ow {
                        *out.at_mut(n, co, oy, ox) = bias.data[co];
                    }
                }
            }
            each_tap(conv, [h, w], [oh, ow], [kh, kw], |[oy, ox], [ky, kx], [iy, ix]| {
                for ci in 0..ci {
                    *out.at_mut(n, co, oy, ox) += x.at(n, ci, iy, ix) * weight.at(co, ci, ky, kx);
                }
            });
        }
    }
    Ok(vec![out])
}

pub(super) fn backward_data<T: Real>(op: &dyn Op, inputs: &[&Array<T>]) -> Result<Vec<Array<T>>> {
    let Conv2dBackwardData { conv, size } = op.expect::<Conv2dBackwardData>()?;
    let (gradient, weight) = (inputs[0], inputs[1]);
    let ([n, co, oh, ow], [_, ci, kh, kw]) = (gradient.dims4(), weight.dims4());
    let mut out = Array::zeros(&[n, ci, size[0], size[1]]);
    for n in 0..n {
        for ci in 0..ci {
            each_tap(conv, *size, [oh, ow], [kh, kw], |[oy, ox], [ky, kx], [iy, ix]| {
                for co in 0..co {
                    *out.at_mut(n, ci, iy, ix) += gradient.at(n, co, oy, ox) * weight.at(co, ci, ky, kx);
                }
            });
        }
    }
    Ok(vec![out])
}

pub(super) fn backward_weight<T: Real>(op: &dyn Op, inputs: &[&Array<T>]) -> Result<Vec<Array<T>>> {
    let Conv2dBackwardWeight { conv, kernel } = op.expect::<Conv2dBackwardWeight>()?;
    let (x, gradient) = (inputs[0], inputs[1]);
    let ([n, ci, h, w], [_, co, oh, ow]) = (x.dims4(), gradient.dims4());
    let mut out = Array::zeros(&[co, ci, kernel[0], kernel[1]]);
    for co in 0..co {
        for ci in 0..ci {
            for n in 0..n {
                each_tap(conv, [h, w], [oh, ow], *kernel, |[oy, ox], [ky, kx], [iy, ix]| {
                    *out.at_mut(co, ci, ky, kx) += x.at(n, ci, iy, ix) * gradient.at(n, co, oy, ox);
                });
            }
        }
    }
    Ok(vec![out])
}
