//! What worked examples and refusals of several rooms are tested with.

use crate::error::Result;
use crate::graph::Op;

use super::{Array, kernel};

/// What an op's twin makes of its inputs: the first output.
pub(super) fn run(op: &dyn Op, inputs: &[&Array<f64>]) -> Vec<f64> {
    kernel(op.kernel()).unwrap().twin.run(op, inputs).unwrap().remove(0).data
}

pub(super) fn array(shape: &[usize], data: &[f64]) -> Array<f64> {
    Array { shape: shape.to_vec(), data: data.to_vec() }
}

/// The message of a refusal.
pub(super) fn refused(result: Result<impl Sized>) -> String {
    let Err(error) = result else { panic!("it was taken") };
    error.to_string()
}
