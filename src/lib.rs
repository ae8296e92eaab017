//! A GPU compute engine whose every kernel is hand-written WGSL, with a small autograd on top. It trains and runs a
//! U-Net on photographs of skin lesions, on any Vulkan, Metal or DX12 adapter, without CUDA.
//!
//! Each layer knows those above it in this list and none below: [`error`], [`tensor`], [`gpu`], [`graph`], [`ops`],
//! [`plan`], [`models`], `data`, `train`, `report`, `cli`. The last four are features, on by default; without them the
//! crate is the engine alone.

#![deny(missing_docs)]

#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "data")]
pub mod data;
pub mod error;
pub mod gpu;
pub mod graph;
pub mod models;
pub mod ops;
pub mod plan;
#[cfg(feature = "report")]
pub mod report;
pub mod tensor;
#[cfg(feature = "train")]
pub mod train;

pub use error::{Error, Result};
pub use gpu::{Gpu, GpuOptions};
pub use graph::Graph;
pub use models::weights::Weights;
pub use plan::{Params, Plan, PlanOptions};
pub use tensor::Tensor;
