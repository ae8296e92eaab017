//! What several rooms refuse alike: parameters that come in pairs, kernels that reach too far, outputs too large.

use crate::error::{Error, Result};
use crate::tensor::checked_len;

/// Refuses pairs of parameters outside `least` to 65,535, which kernels count with 32 bits.
///
/// # Errors
/// [`Error::Parameter`].
pub fn check_pairs(op: &str, pairs: &[(&str, [usize; 2], usize)]) -> Result<()> {
    match pairs.iter().find(|(_, pair, least)| pair.iter().any(|v| !(*least..=65_535).contains(v))) {
        None => Ok(()),
        Some((what, pair, least)) => {
            Err(Error::parameter(op, format!("{what} is {pair:?}, expected {least} to 65535")))
        }
    }
}

/// Rows, or columns, that a kernel reaches over.
#[must_use]
pub fn span(kernel: usize, dilation: usize) -> usize {
    kernel.saturating_sub(1).saturating_mul(dilation).saturating_add(1)
}

/// The only output of an op, as [`Op::outputs`](crate::graph::Op::outputs) gives it.
///
/// # Errors
/// [`Error::Shape`] for more elements than a value can have.
pub fn only_output(op: &str, shape: [usize; 4]) -> Result<Vec<Vec<usize>>> {
    match checked_len(&shape) {
        Some(len) if u32::try_from(len).is_ok() => Ok(vec![shape.to_vec()]),
        _ => Err(Error::shape(op, "output", "at most 2^32 - 1 elements", &shape)),
    }
}
