//! A GPU compute engine whose every kernel is hand-written WGSL, with a small autograd on top. It trains and runs a
//! U-Net on photographs of skin lesions, on any Vulkan, Metal or DX12 adapter, without CUDA.
//!
//! Each layer knows those above it in this list and none below: [`error`], [`tensor`], [`gpu`], [`graph`], [`ops`],
//! [`plan`], [`tune`], [`models`], `data`, `train`, `report`, `cli`. The last four are features, on by default; without them the
//! crate is the engine alone.
//!
//! ```
//! use nevus::{Gpu, GpuOptions, Graph, Params, Plan, Tensor, Weights, models::UNet};
//!
//! # fn main() -> nevus::Result<()> {
//! # let gpu = match Gpu::new(&GpuOptions::default()) {
//! #     Err(nevus::Error::NoAdapter { .. }) if std::env::var_os("CI").is_none() => return Ok(()),
//! #     other => other?,
//! # };
//! let weights = Weights::open("weights/unet-ham10000-96x128.safetensors")?; // metadata: model, size, normalisation
//! let mut graph = Graph::new();
//! let x = graph.input("image", [1, 3, 96, 128])?;
//! let logits = UNet::from_weights(&weights)?.build(&mut graph, x)?;
//! let params = Params::upload(&gpu, &graph, &weights)?; // shared by every plan that uses them
//! let plan = Plan::inference(&gpu, &graph, &[logits])?; // plan.memory() before any allocation
//! let mask = plan.run(&params, &[("image", &Tensor::zeros([1, 3, 96, 128]))])?;
//! assert_eq!(mask[0].shape(), [1, 1, 96, 128]);
//! # Ok(())
//! # }
//! ```
//!
//! A host that has a device already hands it in:
//!
//! ```
//! use nevus::gpu::wgpu;
//! use nevus::{Gpu, Graph, Params, Plan, Tensor};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
//! let adapter = pollster::block_on(instance.request_adapter(&wgpu::RequestAdapterOptions::default()));
//! # let Ok(adapter) = adapter else { return Ok(()) };
//! # let adapter: Result<_, wgpu::RequestAdapterError> = Ok(adapter);
//! let (device, queue) = pollster::block_on(adapter?.request_device(&wgpu::DeviceDescriptor::default()))?;
//! let gpu = Gpu::from_wgpu(device, queue)?;
//! let mut graph = Graph::new();
//! let x = graph.input("x", [2, 3])?;
//! let y = graph.relu(x)?;
//! let plan = Plan::inference(&gpu, &graph, &[y])?;
//! let x = Tensor::new([2, 3], vec![-1.0, 2.0, -3.0, 4.0, -5.0, 6.0])?;
//! let outputs = plan.run(&Params::new(&gpu, &graph)?, &[("x", &x)])?;
//! assert_eq!(outputs[0].data(), [0.0, 2.0, 0.0, 4.0, 0.0, 6.0]);
//! # Ok(())
//! # }
//! ```

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
pub mod tune;

/// The README's example compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

pub use error::{Error, Result};
pub use gpu::{Gpu, GpuOptions};
pub use graph::Graph;
pub use models::weights::Weights;
pub use plan::{Params, Plan, PlanOptions, Precision};
pub use tensor::Tensor;
