//! The step in plain loops.

use crate::error::Result;
use crate::graph::{Op, SEGMENT};
use crate::ops::{Array, Real};

use super::Sgd;

pub(super) fn step<T: Real>(op: &dyn Op, inputs: &[&Array<T>]) -> Result<Vec<Array<T>>> {
    let sgd = op.expect::<Sgd>()?;
    let (momentum, weight_decay) = (T::of(f64::from(sgd.momentum)), T::of(f64::from(sgd.weight_decay)));
    let [mut p, mut b] = [inputs[0].clone(), inputs[2].clone()];
    let (hyper, control, segments) = (&inputs[3].data, &inputs[4].data, &inputs[5].data);
    if control[2] == T::zero() {
        return Ok(vec![p, b]);
    }
    for i in 0..p.data.len() {
        let (lr_mult, decay_mult) = (segments[i / SEGMENT * 2], segments[i / SEGMENT * 2 + 1]);
        let g = control[1] * inputs[1].data[i] + weight_decay * decay_mult * p.data[i];
        b.data[i] = momentum * b.data[i] + g;
        p.data[i] -= hyper[0] * lr_mult * b.data[i];
    }
    Ok(vec![p, b])
}
