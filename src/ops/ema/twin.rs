//! The step in plain loops.

use crate::error::Result;
use crate::graph::Op;
use crate::ops::{Array, Real};

pub(super) fn step<T: Real>(_: &dyn Op, inputs: &[&Array<T>]) -> Result<Vec<Array<T>>> {
    let mut average = inputs[0].clone();
    let (decay, control) = (inputs[2].data[0], &inputs[3].data);
    if control[2] == T::zero() {
        return Ok(vec![average]);
    }
    for i in 0..average.data.len() {
        average.data[i] = decay * average.data[i] + (T::one() - decay) * inputs[1].data[i];
    }
    Ok(vec![average])
}
