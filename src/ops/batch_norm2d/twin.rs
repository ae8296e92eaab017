//! The kernels in plain loops.

use crate::error::Result;
use crate::graph::Op;
use crate::ops::{Array, Real};

use super::{BatchNorm2d, BatchNorm2dBackward};

/// y from a mean and an inv_std for every channel.
fn normalise<T: Real>(inputs: &[&Array<T>], mean: &[T], inv_std: &[T]) -> Array<T> {
    let (x, weight, bias) = (inputs[0], inputs[1], inputs[2]);
    let [n, c, h, w] = x.dims4();
    let mut out = Array::zeros(&x.shape);
    for n in 0..n {
        for c in 0..c {
            for y in 0..h {
                for column in 0..w {
                    *out.at_mut(n, c, y, column) =
                        (x.at(n, c, y, column) - mean[c]) * inv_std[c] * weight.data[c] + bias.data[c];
                }
            }
        }
    }
    out
}

pub(super) fn forward<T: Real>(op: &dyn Op, inputs: &[&Array<T>]) -> Result<Vec<Array<T>>> {
    let &BatchNorm2d { momentum, eps, .. } = op.expect()?;
    let (momentum, eps) = (T::of(f64::from(momentum)), T::of(f64::from(eps)));
    let x = inputs[0];
    let [n, c, h, w] = x.dims4();
    let count = T::of((n * h * w) as f64);
    let mut new_mean = inputs[3].clone();
    let mut new_var = inputs[4].clone();
    let mut mean = Array::zeros(&[c]);
    let mut inv_std = Array::zeros(&[c]);
    for c in 0..c {
        let mut sum = T::zero();
        for n in 0..n {
            for y in 0..h {
                for column in 0..w {
                    sum += x.at(n, c, y, column);
                }
            }
        }
        mean.data[c] = sum / count;
        let mut square = T::zero();
        for n in 0..n {
            for y in 0..h {
                for column in 0..w {
                    let d = x.at(n, c, y, column) - mean.data[c];
                    square += d * d;
                }
            }
        }
        inv_std.data[c] = T::one() / (square / count + eps).sqrt();
        new_mean.data[c] = (T::one() - momentum) * new_mean.data[c] + momentum * mean.data[c];
        new_var.data[c] = (T::one() - momentum) * new_var.data[c] + momentum * (square / (count - T::one()));
    }
    let y = normalise(inputs, &mean.data, &inv_std.data);
    Ok(vec![y, new_mean, new_var, mean, inv_std])
}

pub(super) fn update<T: Real>(_: &dyn Op, inputs: &[&Array<T>]) -> Result<Vec<Array<T>>> {
    let first = if inputs[4].data[2] == T::zero() { 0 } else { 2 };
    Ok(vec![inputs[first].clone(), inputs[first + 1].clone()])
}

fn of_variance<T: Real>(variance: &[T], eps: f32) -> Vec<T> {
    variance.iter().map(|&v| T::one() / (v + T::of(f64::from(eps))).sqrt()).collect()
}

pub(super) fn inference<T: Real>(op: &dyn Op, inputs: &[&Array<T>]) -> Result<Vec<Array<T>>> {
    let eps = op.expect::<BatchNorm2d>()?.eps;
    Ok(vec![normalise(inputs, &inputs[3].data, &of_variance(&inputs[4].data, eps))])
}

#[expect(clippy::needless_range_loop, reason = "keeps the loops comparable with the shader")]
pub(super) fn backward<T: Real>(op: &dyn Op, inputs: &[&Array<T>]) -> Result<Vec<Array<T>>> {
    let &BatchNorm2dBackward { training, eps } = op.expect()?;
    let (x, weight, mean, gradient) = (inputs[0], inputs[1], inputs[2], inputs[4]);
    let inv_std = if training { inputs[3].data.clone() } else { of_variance(&inputs[3].data, eps) };
    let [n, c, h, w] = x.dims4();
    let count = T::of((n * h * w) as f64);
    let mut dx = Array::zeros(&x.shape);
    let mut dweight = Array::zeros(&[c]);
    let mut dbias = Array::zeros(&[c]);
    for c in 0..c {
        for n in 0..n {
            for y in 0..h {
                for column in 0..w {
                    let g = gradient.at(n, c, y, column);
                    dbias.data[c] += g;
                    dweight.data[c] += g * (x.at(n, c, y, column) - mean.data[c]) * inv_std[c];
                }
            }
        }
        for n in 0..n {
            for y in 0..h {
                for column in 0..w {
                    let normalised = (x.at(n, c, y, column) - mean.data[c]) * inv_std[c];
                    let mut g = gradient.at(n, c, y, column);
                    if training {
                        g -= dbias.data[c] / count + normalised * dweight.data[c] / count;
                    }
                    *dx.at_mut(n, c, y, column) = g * inv_std[c] * weight.data[c];
                }
            }
        }
    }
    Ok(vec![dx, dweight, dbias])
}
