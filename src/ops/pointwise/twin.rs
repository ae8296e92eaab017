//! The members in plain loops.

use crate::error::Result;
use crate::graph::Op;
use crate::ops::{Array, Real};

use super::Scale;

fn map<T: Real>(inputs: &[&Array<T>], f: impl Fn(T) -> T) -> Result<Vec<Array<T>>> {
    Ok(vec![Array { shape: inputs[0].shape.clone(), data: inputs[0].data.iter().map(|&x| f(x)).collect() }])
}

fn zip<T: Real>(inputs: &[&Array<T>], f: impl Fn(T, T) -> T) -> Result<Vec<Array<T>>> {
    let data = inputs[0].data.iter().zip(&inputs[1].data).map(|(&x, &y)| f(x, y)).collect();
    Ok(vec![Array { shape: inputs[0].shape.clone(), data }])
}

pub(super) fn relu<T: Real>(_: &dyn Op, inputs: &[&Array<T>]) -> Result<Vec<Array<T>>> {
    map(inputs, |x| if x < T::zero() { T::zero() } else { x })
}

pub(super) fn relu_backward<T: Real>(_: &dyn Op, inputs: &[&Array<T>]) -> Result<Vec<Array<T>>> {
    zip(inputs, |gradient, y| if y > T::zero() { gradient } else { T::zero() })
}

pub(super) fn sigmoid<T: Real>(_: &dyn Op, inputs: &[&Array<T>]) -> Result<Vec<Array<T>>> {
    map(inputs, |x| {
        let e = (-x.abs()).exp();
        if x >= T::zero() { T::one() / (T::one() + e) } else { e / (T::one() + e) }
    })
}

pub(super) fn sigmoid_backward<T: Real>(_: &dyn Op, inputs: &[&Array<T>]) -> Result<Vec<Array<T>>> {
    zip(inputs, |gradient, x| {
        let e = (-x.abs()).exp();
        gradient * e / ((T::one() + e) * (T::one() + e))
    })
}

pub(super) fn scale<T: Real>(op: &dyn Op, inputs: &[&Array<T>]) -> Result<Vec<Array<T>>> {
    let factor = T::of(f64::from(op.expect::<Scale>()?.factor));
    map(inputs, |x| factor * x)
}

pub(super) fn add<T: Real>(_: &dyn Op, inputs: &[&Array<T>]) -> Result<Vec<Array<T>>> {
    zip(inputs, |x, y| x + y)
}

pub(super) fn mul<T: Real>(_: &dyn Op, inputs: &[&Array<T>]) -> Result<Vec<Array<T>>> {
    zip(inputs, |x, y| x * y)
}
