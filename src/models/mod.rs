//! The networks as graphs, their weights' files, and the reference cases they must reproduce.

pub mod hashed;
pub mod reference;
pub mod unet;

pub use unet::{DropoutKey, UNet};
