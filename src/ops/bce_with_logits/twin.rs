//! The loss and its gradient in plain loops.

use crate::error::Result;
use crate::graph::Op;
use crate::ops::{Array, Real};

pub(super) fn forward<T: Real>(_: &dyn Op, inputs: &[&Array<T>]) -> Result<Vec<Array<T>>> {
    let mut sum = T::zero();
    for (&x, &t) in inputs[0].data.iter().zip(&inputs[1].data) {
        sum += x.max(T::zero()) - x * t + (-x.abs()).exp().ln_1p();
    }
    let count = T::of(inputs[0].data.len() as f64);
    Ok(vec![Array { shape: vec![], data: vec![sum / count] }])
}

pub(super) fn backward<T: Real>(_: &dyn Op, inputs: &[&Array<T>]) -> Result<Vec<Array<T>>> {
    let scale = inputs[2].data[0] / T::of(inputs[0].data.len() as f64);
    let mut dx = Array::zeros(&inputs[0].shape);
    for (i, (&x, &t)) in inputs[0].data.iter().zip(&inputs[1].data).enumerate() {
        let e = (-x.abs()).exp();
        let small = e / (T::one() + e);
        let difference = if x >= T::zero() { (T::one() - t) - small } else { small - t };
        dx.data[i] = difference * scale;
    }
    Ok(vec![dx])
}
