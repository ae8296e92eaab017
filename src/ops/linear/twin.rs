//! The layer and its gradients in plain loops.

use crate::error::Result;
use crate::graph::Op;
use crate::ops::{Array, Real};

pub(super) fn forward<T: Real>(_: &dyn Op, inputs: &[&Array<T>]) -> Result<Vec<Array<T>>> {
    let (x, weight, bias) = (inputs[0], inputs[1], inputs[2]);
    let (n, i, o) = (x.shape[0], x.shape[1], weight.shape[0]);
    let mut y = Array::zeros(&[n, o]);
    for n in 0..n {
        for at in 0..o {
            let mut sum = T::zero();
            for k in 0..i {
                sum += x.data[n * i + k] * weight.data[at * i + k];
            }
            y.data[n * o + at] = sum + bias.data[at];
        }
    }
    Ok(vec![y])
}

pub(super) fn backward_data<T: Real>(_: &dyn Op, inputs: &[&Array<T>]) -> Result<Vec<Array<T>>> {
    let (gradient, weight) = (inputs[0], inputs[1]);
    let (n, o, i) = (gradient.shape[0], gradient.shape[1], weight.shape[1]);
    let mut dx = Array::zeros(&[n, i]);
    for n in 0..n {
        for k in 0..i {
            for at in 0..o {
                dx.data[n * i + k] += gradient.data[n * o + at] * weight.data[at * i + k];
            }
        }
    }
    Ok(vec![dx])
}

pub(super) fn backward_weight<T: Real>(_: &dyn Op, inputs: &[&Array<T>]) -> Result<Vec<Array<T>>> {
    let (x, gradient) = (inputs[0], inputs[1]);
    let (n, i, o) = (x.shape[0], x.shape[1], gradient.shape[1]);
    let mut dweight = Array::zeros(&[o, i]);
    for at in 0..o {
        for k in 0..i {
            for n in 0..n {
                dweight.data[at * i + k] += gradient.data[n * o + at] * x.data[n * i + k];
            }
        }
    }
    Ok(vec![dweight])
}

pub(super) fn backward_bias<T: Real>(_: &dyn Op, inputs: &[&Array<T>]) -> Result<Vec<Array<T>>> {
    let gradient = inputs[0];
    let o = gradient.shape[1];
    let mut dbias = Array::zeros(&[o]);
    for n in 0..gradient.shape[0] {
        for at in 0..o {
            dbias.data[at] += gradient.data[n * o + at];
        }
    }
    Ok(vec![dbias])
}
