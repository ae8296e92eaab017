//! The loss and its gradient in plain loops over rows.

use crate::error::Result;
use crate::graph::Op;
use crate::ops::cross_entropy::{class, negative_log_softmax};
use crate::ops::{Array, Real};

use super::{FocalLoss, FocalLossBackward};

pub(super) fn forward<T: Real>(op: &dyn Op, inputs: &[&Array<T>]) -> Result<Vec<Array<T>>> {
    let gamma = T::of(f64::from(op.expect::<FocalLoss>()?.gamma));
    let (n, c) = (inputs[0].shape[0], inputs[0].shape[1]);
    let mut sum = T::zero();
    for (x, &target) in inputs[0].data.chunks(c).zip(&inputs[1].data) {
        sum += match class(target, c) {
            None => T::nan(),
            Some(t) => {
                let l = negative_log_softmax(x)[t];
                let w = inputs.get(2).map_or(T::one(), |weights| weights.data[t]);
                w * (-(-l).exp_m1()).powf(gamma) * l
            }
        };
    }
    Ok(vec![Array { shape: vec![], data: vec![sum / T::of(n as f64)] }])
}

pub(super) fn backward<T: Real>(op: &dyn Op, inputs: &[&Array<T>]) -> Result<Vec<Array<T>>> {
    let gamma = T::of(f64::from(op.expect::<FocalLossBackward>()?.loss.gamma));
    let (n, c) = (inputs[0].shape[0], inputs[0].shape[1]);
    let mut dx = Array::zeros(&inputs[0].shape);
    for n_at in 0..n {
        let l = negative_log_softmax(&inputs[0].data[n_at * c..][..c]);
        let Some(t) = class(inputs[1].data[n_at], c) else {
            dx.data[n_at * c..][..c].fill(T::nan());
            continue;
        };
        let (q, not_q) = ((-l[t]).exp(), -(-l[t]).exp_m1());
        let w = inputs.get(3).map_or(T::one(), |weights| weights.data[t]);
        let mut slope = not_q.powf(gamma);
        if not_q > T::zero() {
            slope += gamma * q * not_q.powf(gamma - T::one()) * l[t];
        }
        slope *= w * inputs[2].data[0] / T::of(n as f64);
        for (k, &l) in l.iter().enumerate() {
            let difference = if k == t { -not_q } else { (-l).exp() };
            dx.data[n_at * c + k] = slope * difference;
        }
    }
    Ok(vec![dx])
}
