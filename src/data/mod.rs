//! Photographs, masks and labels: from folders of files to batches of tensors, and synthetic ones.
//!
//! Knows nothing of the GPU or the command line.

#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    reason = "pixel arithmetic: sizes are far below 2^24, and float-to-integer casts saturate"
)]
#![allow(
    clippy::many_single_char_names,
    clippy::similar_names,
    clippy::missing_errors_doc,
    reason = "coordinates and colour channels; errors are described by the sentence before"
)]

pub mod augment;
pub mod dataset;
pub mod describe;
#[cfg(test)]
mod describe_tests;
mod draw;
pub mod image;
#[cfg(test)]
mod image_tests;
mod jpeg;
pub mod loader;
pub mod measure;
pub mod phantom;
pub mod resize;
#[cfg(test)]
mod resize_tests;
pub mod rng;
pub mod save;
mod view;

pub use self::augment::Augment;
pub use self::dataset::{Classes, Dataset, Labelled, Sample, Split};
pub use self::image::{DecodeLimits, photo_size, read_mask, read_photo};
pub use self::loader::{Batch, Loader, LoaderOptions, OnUnreadable, Source, Unreadable};
pub use self::view::{GROUND, View};
