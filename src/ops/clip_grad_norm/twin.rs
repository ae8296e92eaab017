//! The norm and the clipping in plain loops.

use crate::error::Result;
use crate::graph::Op;
use crate::ops::{Array, Real};

use super::GradNorm;

pub(super) fn norm<T: Real>(op: &dyn Op, inputs: &[&Array<T>]) -> Result<Vec<Array<T>>> {
    let max_norm = f64::from(op.expect::<GradNorm>()?.max_norm);
    let (gradients, loss) = inputs.split_at(inputs.len() - 1);
    let mut sum = T::zero();
    for gradient in gradients {
        for &g in &gradient.data {
            sum += g * g;
        }
    }
    let norm = sum.sqrt();
    let coefficient = if max_norm.is_finite() { (max_norm / (norm.wide() + 1e-6)).min(1.0) } else { 1.0 };
    let finite = norm.is_finite() && loss[0].data[0].is_finite();
    let [coefficient, finite] = if finite { [T::of(coefficient), T::one()] } else { [T::zero(); 2] };
    let control = Array { shape: vec![4], data: vec![norm, coefficient, finite, T::zero()] };
    Ok(vec![Array { shape: vec![], data: vec![norm] }, control])
}

pub(super) fn apply<T: Real>(_: &dyn Op, inputs: &[&Array<T>]) -> Result<Vec<Array<T>>> {
    let coefficient = inputs[1].data[1];
    let data = inputs[0].data.iter().map(|&g| g * coefficient).collect();
    Ok(vec![Array { shape: inputs[0].shape.clone(), data }])
}
