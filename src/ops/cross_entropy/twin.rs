//! The losses and their gradients in plain loops over rows.

use crate::error::Result;
use crate::graph::Op;
use crate::ops::{Array, Real};

use super::{CrossEntropy, CrossEntropyBackward};

/// −log_softmax of a row.
pub(in crate::ops) fn negative_log_softmax<T: Real>(x: &[T]) -> Vec<T> {
    let most = x.iter().copied().fold(T::neg_infinity(), T::max);
    let sum: T = x.iter().map(|&x| (x - most).exp()).sum();
    x.iter().map(|&x| (most - x) + sum.ln()).collect()
}

/// The class that a target names, where it names one of `count`.
pub(in crate::ops) fn class<T: Real>(target: T, count: usize) -> Option<usize> {
    let value = target.wide();
    (value >= 0.0 && value < count as f64 && value.fract() == 0.0).then_some(value as usize)
}

fn weights<T: Real>(given: Option<&&Array<T>>, count: usize) -> Vec<T> {
    given.map_or_else(|| vec![T::one(); count], |weights| weights.data.clone())
}

pub(super) fn forward<T: Real>(op: &dyn Op, inputs: &[&Array<T>]) -> Result<Vec<Array<T>>> {
    let smoothing = T::of(f64::from(op.expect::<CrossEntropy>()?.label_smoothing));
    let c = inputs[0].shape[1];
    let w = weights(inputs.get(2), c);
    let (mut sum, mut total) = (T::zero(), T::zero());
    for (x, &target) in inputs[0].data.chunks(c).zip(&inputs[1].data) {
        let Some(t) = class(target, c) else {
            sum = T::nan();
            continue;
        };
        let l = negative_log_softmax(x);
        let all: T = l.iter().zip(&w).map(|(&l, &w)| w * l).sum();
        sum += (T::one() - smoothing) * w[t] * l[t] + smoothing / T::of(c as f64) * all;
        total += w[t];
    }
    Ok(vec![Array { shape: vec![], data: vec![sum / total] }])
}

pub(super) fn backward<T: Real>(op: &dyn Op, inputs: &[&Array<T>]) -> Result<Vec<Array<T>>> {
    let smoothing = T::of(f64::from(op.expect::<CrossEntropyBackward>()?.loss.label_smoothing));
    let c = inputs[0].shape[1];
    let w = weights(inputs.get(3), c);
    let all: T = w.iter().copied().sum();
    let total: T = inputs[1].data.iter().filter_map(|&target| class(target, c)).map(|t| w[t]).sum();
    let scale = inputs[2].data[0] / total;
    let mut dx = Array::zeros(&inputs[0].shape);
    for (n, x) in inputs[0].data.chunks(c).enumerate() {
        let t = class(inputs[1].data[n], c);
        for (k, l) in negative_log_softmax(x).into_iter().enumerate() {
            let q = (-l).exp();
            dx.data[n * c + k] = match t {
                None => T::nan(),
                Some(t) => {
                    let hot = if k == t { T::one() } else { T::zero() };
                    let smooth = smoothing / T::of(c as f64) * (q * all - w[k]);
                    scale * ((T::one() - smoothing) * w[t] * (q - hot) + smooth)
                }
            };
        }
    }
    Ok(vec![dx])
}

pub(super) fn soft_forward<T: Real>(_: &dyn Op, inputs: &[&Array<T>]) -> Result<Vec<Array<T>>> {
    let (n, c) = (inputs[0].shape[0], inputs[0].shape[1]);
    let mut sum = T::zero();
    for (x, t) in inputs[0].data.chunks(c).zip(inputs[1].data.chunks(c)) {
        for (l, &t) in negative_log_softmax(x).into_iter().zip(t) {
            sum += t * l;
        }
    }
    Ok(vec![Array { shape: vec![], data: vec![sum / T::of(n as f64)] }])
}

pub(super) fn soft_backward<T: Real>(_: &dyn Op, inputs: &[&Array<T>]) -> Result<Vec<Array<T>>> {
    let (n, c) = (inputs[0].shape[0], inputs[0].shape[1]);
    let scale = inputs[2].data[0] / T::of(n as f64);
    let mut dx = Array::zeros(&inputs[0].shape);
    for n in 0..n {
        let t = &inputs[1].data[n * c..][..c];
        let all: T = t.iter().copied().sum();
        for (k, l) in negative_log_softmax(&inputs[0].data[n * c..][..c]).into_iter().enumerate() {
            dx.data[n * c + k] = scale * ((-l).exp() * all - t[k]);
        }
    }
    Ok(vec![dx])
}
