//! A layout is not seen in row-major arrays: the values stay.

use crate::error::Result;
use crate::graph::Op;
use crate::ops::{Array, Real};

pub(super) fn convert<T: Real>(_: &dyn Op, inputs: &[&Array<T>]) -> Result<Vec<Array<T>>> {
    Ok(vec![inputs[0].clone()])
}
