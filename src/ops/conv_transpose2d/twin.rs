//! The three computations in plain loops.

use crate::error::Result;
use crate::graph::Op;
use crate::ops::{Array, Real};

use super::{ConvTranspose2d, ConvTranspose2dBackwardData, ConvTranspose2dBackwardWeight};

/// Calls `visit([iy, ix], [ky, kx], [oy, ox])` for every input pixel and tap that falls inside the output.
fn each_tap(
    conv: &ConvTranspose2d,
    [h, w]: [usize; 2],
    [oh, ow]: [usize; 2],
    [kh, kw]: [usize; 2],
    mut visit: impl FnMut([usize; 2], [usize; 2], [usize; 2]),
) {
    for iy in 0..h {
        for ix in 0..w {
            for ky in 0..kh {
                for kx in 0..kw {
                    let oy = (iy * conv.stride[0] + ky * conv.dilation[0]).wrapping_sub(conv.padding[0]);
                    let ox = (ix * conv.stride[1] + kx * conv.dilation[1]).wrapping_sub(conv.padding[1]);
                    if oy < oh && ox < ow {
                        visit([iy, ix], [ky, kx], [oy, ox]);
                    }
                }
            }
        }
    }
}

pub(super) fn forward<T: Real>(op: &dyn Op, inputs: &[&Array<T>]) -> Result<Vec<Array<T>>> {
    let conv = op.expect::<ConvTranspose2d>()?;
    let (x, weight) = (inputs[0], inputs[1]);
    let ([n, ci, h, w], [_, co, kh, kw]) = (x.dims4(), weight.dims4());
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
            each_tap(conv, [h, w], [oh, ow], [kh, kw], |[iy, ix], [ky, kx], [oy, ox]| {
                for ci in 0..ci {
                    *out.at_mut(n, co, oy, ox) += x.at(n, ci, iy, ix) * weight.at(ci, co, ky, kx);
                }
            });
        }
    }
    Ok(vec![out])
}

pub(super) fn backward_data<T: Real>(op: &dyn Op, inputs: &[&Array<T>]) -> Result<Vec<Array<T>>> {
    let ConvTranspose2dBackwardData { conv, size } = op.expect::<ConvTranspose2dBackwardData>()?;
    let (gradient, weight) = (inputs[0], inputs[1]);
    let ([n, co, oh, ow], [ci, _, kh, kw]) = (gradient.dims4(), weight.dims4());
    let mut out = Array::zeros(&[n, ci, size[0], size[1]]);
    for n in 0..n {
        for ci in 0..ci {
            each_tap(conv, *size, [oh, ow], [kh, kw], |[iy, ix], [ky, kx], [oy, ox]| {
                for co in 0..co {
                    *out.at_mut(n, ci, iy, ix) += gradient.at(n, co, oy, ox) * weight.at(ci, co, ky, kx);
                }
            });
        }
    }
    Ok(vec![out])
}

pub(super) fn backward_weight<T: Real>(op: &dyn Op, inputs: &[&Array<T>]) -> Result<Vec<Array<T>>> {
    let ConvTranspose2dBackwardWeight { conv, kernel } = op.expect::<ConvTranspose2dBackwardWeight>()?;
    let (x, gradient) = (inputs[0], inputs[1]);
    let ([n, ci, h, w], [_, co, oh, ow]) = (x.dims4(), gradient.dims4());
    let mut out = Array::zeros(&[ci, co, kernel[0], kernel[1]]);
    for ci in 0..ci {
        for co in 0..co {
            for n in 0..n {
                each_tap(conv, [h, w], [oh, ow], *kernel, |[iy, ix], [ky, kx], [oy, ox]| {
                    *out.at_mut(ci, co, ky, kx) += x.at(n, ci, iy, ix) * gradient.at(n, co, oy, ox);
                });
            }
        }
    }
    Ok(vec![out])
}
