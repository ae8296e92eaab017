//! The step in plain loops.

use crate::error::Result;
use crate::graph::{Op, SEGMENT};
use crate::ops::{Array, Real};

use super::AdamW;

pub(super) fn step<T: Real>(op: &dyn Op, inputs: &[&Array<T>]) -> Result<Vec<Array<T>>> {
    let adamw = op.expect::<AdamW>()?;
    let [beta2, eps, weight_decay] = [adamw.beta2, adamw.eps, adamw.weight_decay].map(T::of);
    let (rest1, rest2) = (T::of(1.0 - adamw.beta1), T::of(1.0 - adamw.beta2));
    let [mut p, mut m, mut v] = [inputs[0].clone(), inputs[2].clone(), inputs[3].clone()];
    let (hyper, control, segments) = (&inputs[4].data, &inputs[5].data, &inputs[6].data);
    if control[2] == T::zero() {
        return Ok(vec![p, m, v]);
    }
    for i in 0..p.data.len() {
        let (lr_mult, decay_mult) = (segments[i / SEGMENT * 2], segments[i / SEGMENT * 2 + 1]);
        let lr = hyper[0] * lr_mult;
        let g = control[1] * inputs[1].data[i];
        p.data[i] *= T::one() - lr * weight_decay * decay_mult;
        m.data[i] = m.data[i] + rest1 * (g - m.data[i]);
        v.data[i] = beta2 * v.data[i] + rest2 * g * g;
        p.data[i] -= lr / hyper[1] * m.data[i] / (v.data[i].sqrt() / hyper[2].sqrt() + eps);
    }
    Ok(vec![p, m, v])
}
