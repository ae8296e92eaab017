//! The ops and their gradients in plain loops over rows.

use crate::error::Result;
use crate::graph::Op;
use crate::ops::{Array, Real};

/// Calls `row` with the places of every row's values.
fn rows(shape: &[usize], mut row: impl FnMut(&[usize])) {
    let (n, channels) = (shape[0], shape[1]);
    let inner: usize = shape[2..].iter().product();
    for n in 0..n {
        for i in 0..inner {
            row(&(0..channels).map(|c| (n * channels + c) * inner + i).collect::<Vec<_>>());
        }
    }
}

/// (x[c] - m for every c, s)
fn shifted<T: Real>(x: &Array<T>, row: &[usize]) -> (Vec<T>, T) {
    let most = row.iter().map(|&at| x.data[at]).fold(T::neg_infinity(), T::max);
    let shifted: Vec<T> = row.iter().map(|&at| x.data[at] - most).collect();
    let sum = shifted.iter().map(|d| d.exp()).sum();
    (shifted, sum)
}

pub(super) fn forward<T: Real>(_: &dyn Op, inputs: &[&Array<T>]) -> Result<Vec<Array<T>>> {
    let mut out = Array::zeros(&inputs[0].shape);
    rows(&inputs[0].shape, |row| {
        let (d, sum) = shifted(inputs[0], row);
        for (&at, d) in row.iter().zip(d) {
            out.data[at] = d.exp() / sum;
        }
    });
    Ok(vec![out])
}

pub(super) fn log_forward<T: Real>(_: &dyn Op, inputs: &[&Array<T>]) -> Result<Vec<Array<T>>> {
    let mut out = Array::zeros(&inputs[0].shape);
    rows(&inputs[0].shape, |row| {
        let (d, sum) = shifted(inputs[0], row);
        for (&at, d) in row.iter().zip(d) {
            out.data[at] = d - sum.ln();
        }
    });
    Ok(vec![out])
}

pub(super) fn backward<T: Real>(_: &dyn Op, inputs: &[&Array<T>]) -> Result<Vec<Array<T>>> {
    let (gradient, y) = (inputs[0], inputs[1]);
    let mut dx = Array::zeros(&gradient.shape);
    rows(&gradient.shape, |row| {
        let sum: T = row.iter().map(|&at| gradient.data[at] * y.data[at]).sum();
        for &at in row {
            dx.data[at] = y.data[at] * (gradient.data[at] - sum);
        }
    });
    Ok(vec![dx])
}

pub(super) fn log_backward<T: Real>(_: &dyn Op, inputs: &[&Array<T>]) -> Result<Vec<Array<T>>> {
    let (gradient, y) = (inputs[0], inputs[1]);
    let mut dx = Array::zeros(&gradient.shape);
    rows(&gradient.shape, |row| {
        let sum: T = row.iter().map(|&at| gradient.data[at]).sum();
        for &at in row {
            dx.data[at] = gradient.data[at] - y.data[at].exp() * sum;
        }
    });
    Ok(vec![dx])
}
