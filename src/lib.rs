//! nevus
#![allow(dead_code)]
#[cfg(feature = "data")]
pub mod data;
pub mod error;
pub mod gpu;
pub mod graph;
pub mod models;
pub mod ops;
pub mod plan;
pub mod tensor;
#[cfg(feature = "train")]
pub mod train;
pub use error::{Error, Result};
pub use tensor::Tensor;
