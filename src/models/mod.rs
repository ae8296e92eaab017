//! The networks as graphs, their weights' files, and the reference cases they must reproduce.

pub(crate) mod durable;
pub mod hashed;
pub mod reference;
pub mod resnet;
pub mod running;
pub mod shipped;
pub mod unet;
pub mod weights;

pub use resnet::{ResNet, ResNetDepth, Stage, StrideIn};
pub use running::RunningStatistics;
pub use unet::{DropoutKey, UNet};
#[cfg(feature = "pytorch")]
pub use weights::FromPytorch;
pub use weights::{Loaded, Meta, Normalisation, Precision, Weights};
