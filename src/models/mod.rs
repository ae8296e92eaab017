//! Models: their parameters in files, and the values that reference cases fill them with.

pub(crate) mod durable;
pub mod weights;

pub use weights::{Meta, Normalisation, Precision, Weights};
