//! nevus
#![allow(dead_code)]
pub mod error;
pub mod gpu;
pub mod graph;
pub mod ops;
pub mod tensor;
pub use error::{Error, Result};
pub use tensor::Tensor;
