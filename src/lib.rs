//! nevus
#![allow(dead_code)]
#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "data")]
pub mod data;
pub mod error;
pub mod gpu;
pub mod graph;
pub mod ops;
#[cfg(feature = "report")]
pub mod report;
pub mod tensor;
pub use error::{Error, Result};
pub use tensor::Tensor;
