//! One adapter for all tests of a file, and what plans give as bits.

use std::sync::OnceLock;

use nevus::{Gpu, Tensor};

use crate::support;

pub fn gpu() -> Option<Gpu> {
    static GPU: OnceLock<Option<Gpu>> = OnceLock::new();
    GPU.get_or_init(|| support::gpu(&support::options())).clone()
}

pub fn bits(tensors: &[Tensor]) -> Vec<Vec<u32>> {
    tensors.iter().map(|tensor| tensor.data().iter().map(|value| value.to_bits()).collect()).collect()
}
