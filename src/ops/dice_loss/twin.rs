//! The loss and its gradient in plain loops.

use crate::error::Result;
use crate::graph::Op;
use crate::ops::{Array, Real};

use super::{DiceLoss, DiceLossBackward};

fn sigmoid<T: Real>(x: T) -> T {
    let e = (-x.abs()).exp();
    if x >= T::zero() { T::one() / (T::one() + e) } else { e / (T::one() + e) }
}

/// Of one image: Σ q t and Σ q + Σ t + smooth.
fn sums<T: Real>(smooth: f32, x: &[T], t: &[T]) -> (T, T) {
    let mut both = T::zero();
    let mut total = T::of(f64::from(smooth));
    for (&x, &t) in x.iter().zip(t) {
        both += sigmoid(x) * t;
        total += sigmoid(x) + t;
    }
    (both, total)
}

pub(super) fn forward<T: Real>(op: &dyn Op, inputs: &[&Array<T>]) -> Result<Vec<Array<T>>> {
    let smooth = op.expect::<DiceLoss>()?.smooth;
    let n = inputs[0].shape[0];
    let len = inputs[0].data.len() / n;
    let mut sum = T::zero();
    for (x, t) in inputs[0].data.chunks(len).zip(inputs[1].data.chunks(len)) {
        let (both, total) = sums(smooth, x, t);
        sum += T::one() - (T::of(2.0) * both + T::of(f64::from(smooth))) / total;
    }
    Ok(vec![Array { shape: vec![], data: vec![sum / T::of(n as f64)] }])
}

pub(super) fn backward<T: Real>(op: &dyn Op, inputs: &[&Array<T>]) -> Result<Vec<Array<T>>> {
    let smooth = op.expect::<DiceLossBackward>()?.loss.smooth;
    let n = inputs[0].shape[0];
    let len = inputs[0].data.len() / n;
    let scale = inputs[2].data[0] / T::of(n as f64);
    let mut dx = Array::zeros(&inputs[0].shape);
    for image in 0..n {
        let (x, t) = (&inputs[0].data[image * len..][..len], &inputs[1].data[image * len..][..len]);
        let (both, total) = sums(smooth, x, t);
        let above = T::of(2.0) * both + T::of(f64::from(smooth));
        for (i, (&x, &t)) in x.iter().zip(t).enumerate() {
            let slope = sigmoid(x) * sigmoid(-x);
            dx.data[image * len + i] = (above - T::of(2.0) * t * total) / (total * total) * slope * scale;
        }
    }
    Ok(vec![dx])
}
