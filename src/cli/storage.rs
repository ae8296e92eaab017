//! How a network at work stores its values.

use clap::{Args, ValueEnum};

use crate::plan::Precision;

/// Flags of the commands that run a network and train none.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(super) struct StorageArgs {
    /// How a network's images, and its convolutions' weights, are stored: in 16 bits they take half the memory. Sums are f32
    /// in both; where a value is beyond 65504, the network runs in 32 bits, with a warning
    #[arg(long, value_enum, default_value_t, value_name = "PRECISION")]
    pub precision: PrecisionArg,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum PrecisionArg {
    #[default]
    F32,
    F16,
}

impl From<PrecisionArg> for Precision {
    fn from(given: PrecisionArg) -> Self {
        match given {
            PrecisionArg::F32 => Self::F32,
            PrecisionArg::F16 => Self::F16,
        }
    }
}
