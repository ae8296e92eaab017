//! The networks as graphs, their weights' files, and the reference cases they must reproduce.

pub(crate) mod durable;
pub mod hashed;
pub mod reference;
pub mod shipped;
pub mod unet;
pub mod weights;

pub use unet::{DropoutKey, UNet};
pub use weights::{Meta, Normalisation, Precision, Weights};
