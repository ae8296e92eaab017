//! Weights in safetensors files: read with bounded memory, checked, and written whole or not at all.
//!
//! A file holds PyTorch's layouts and names. What else a model needs to be used (its architecture, the size and the
//! normalisation of its input, its threshold, its classes) stands in the file's metadata, see [`Meta`].

mod inspect;
mod meta;
mod names;
mod partial;
#[cfg(feature = "pytorch")]
mod pytorch;
mod read;
mod start;
#[cfg(test)]
mod tests;
mod write;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::tensor::Tensor;

pub use inspect::{Changed, Diff, MetadataChange, ShapeChange, TensorSummary, diff};
pub use meta::{Meta, Normalisation, SCHEMA, format_size, keys, parse_size};
pub use names::PREFIXES;
pub use partial::{Loaded, Replaced};
#[cfg(feature = "pytorch")]
pub use pytorch::FromPytorch;
pub use start::Start;
pub use write::Precision;

/// The tensor of a sample of the training images' features, (images, features), each row of length 1, which `nevus weights familiar`
/// puts beside a classifier.
pub const FAMILIARITY_SAMPLE: &str = "familiarity.sample";
/// Tensors that nevus puts into files and that belong to no model.
const EXTRAS: &[&str] = &[FAMILIARITY_SAMPLE];

/// Named tensors with a file's metadata.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Weights {
    /// The file they came from; `None` where they were made in memory.
    pub path: Option<PathBuf>,
    /// The file's metadata as it stands; [`Weights::meta`] reads the part that nevus defines.
    pub metadata: BTreeMap<String, String>,
    /// The tensors by name, as `f32` whatever the file holds.
    pub tensors: BTreeMap<String, Tensor>,
    /// How the file holds each tensor, also those that were left out because they are no floats.
    stored: BTreeMap<String, String>,
}

impl Weights {
    /// No tensors, no metadata, no file.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads a safetensors file. F16, BF16 and F64 become `f32`; integer tensors are left out with a warning
    /// (`num_batches_tracked` without one). Memory is bounded by the file's size whatever its header says.
    ///
    /// # Errors
    /// [`Error::Weights`] where the file is truncated, contradicts itself, holds NaN or infinite values or a dtype that
    /// is not supported; [`Error::Io`] where it cannot be read.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let weights = Self::open_unchecked(path)?;
        weights.refuse_not_finite()?;
        Ok(weights)
    }

    /// [`Weights::open`] that takes NaN and infinite values, to look at a broken file.
    ///
    /// # Errors
    /// As [`Weights::open`], but for values that are not finite.
    pub fn open_unchecked(path: impl AsRef<Path>) -> Result<Self> {
        read::read(path.as_ref())
    }

    /// Adds a tensor, or replaces it.
    pub fn insert(&mut self, name: impl Into<String>, tensor: Tensor) {
        let name = name.into();
        self.stored.remove(&name);
        self.tensors.insert(name, tensor);
    }

    /// The tensor of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.tensors.get(name)
    }

    /// The tensor of this name and shape.
    ///
    /// # Errors
    /// [`Error::Weights`] where it is missing, naming one that looks alike, or has another shape.
    pub fn require(&self, name: &str, shape: &[usize]) -> Result<&Tensor> {
        let Some(tensor) = self.get(name) else {
            let mut message = format!("tensor {name:?} is missing");
            if let Some(dtype) = self.stored.get(name) {
                message = format!("tensor {name:?} holds {dtype}, expected floats");
            } else if let Some(alike) = self.alike(name) {
                message += &format!(" (there is {alike:?})");
            }
            return Err(self.error(message));
        };
        if tensor.shape() == shape {
            return Ok(tensor);
        }
        Err(self.error(format!("tensor {name:?} has shape {:?}, expected {shape:?}", tensor.shape())))
    }

    /// The tensors that hold NaN or infinite values, with how many.
    #[must_use]
    pub fn health(&self) -> Vec<(String, usize)> {
        let count = |tensor: &Tensor| tensor.data().iter().filter(|value| !value.is_finite()).count();
        let bad = self.tensors.iter().map(|(name, tensor)| (name.clone(), count(tensor)));
        bad.filter(|&(_, count)| count > 0).collect()
    }

    /// How their file holds them: 16 bits where any tensor is held so; 32 for what was made in memory.
    #[must_use]
    pub fn precision(&self) -> Precision {
        if self.stored.values().any(|dtype| dtype == "F16") { Precision::F16 } else { Precision::F32 }
    }

    /// The number of values in all tensors.
    #[must_use]
    pub fn parameters(&self) -> usize {
        self.tensors.values().map(Tensor::len).sum()
    }

    /// What the metadata says of the model; every field empty in a file that nevus did not write.
    ///
    /// # Errors
    /// [`Error::Weights`] where a key's value cannot be read or the schema is newer than this program.
    pub fn meta(&self) -> Result<Meta> {
        Meta::from_map(&self.metadata).map_err(|message| self.error(message))
    }

    /// Writes `meta` into the metadata; keys that it does not define stay.
    pub fn set_meta(&mut self, meta: &Meta) {
        meta.write_to(&mut self.metadata);
    }

    /// Writes a safetensors file: whole, flushed to the disk, then renamed into place. The same tensors and metadata
    /// give the same bytes.
    ///
    /// # Errors
    /// [`Error::Weights`] where a value is not finite, or passes what `precision` can hold; [`Error::Io`].
    pub fn save(&self, path: impl AsRef<Path>, precision: Precision) -> Result<()> {
        write::write(self, path.as_ref(), precision)
    }

    /// One line per tensor, for people, also for the tensors that were left out.
    #[must_use]
    pub fn summary(&self) -> Vec<TensorSummary> {
        inspect::summary(self)
    }

    /// An [`Error::Weights`] that names the file, or says that there is none.
    pub(crate) fn error(&self, message: impl Into<String>) -> Error {
        Error::weights(self.path.as_deref().unwrap_or(Path::new("(weights in memory)")), message)
    }

    fn refuse_not_finite(&self) -> Result<()> {
        let bad = self.health();
        let Some((name, count)) = bad.first() else { return Ok(()) };
        let more = match bad.len() {
            1 => String::new(),
            many => format!(", and {} more tensors hold such values", many - 1),
        };
        let len = self.tensors[name].len();
        Err(self.error(format!("tensor {name:?} has {count} of {len} values NaN or infinite{more}")))
    }

    /// A name that ends the same way, as where a file puts a prefix before every name.
    fn alike(&self, name: &str) -> Option<&str> {
        let ends = |known: &str| {
            known.ends_with(&format!(".{name}")) || name.ends_with(&format!(".{known}")) || known.contains(name)
        };
        self.tensors.keys().map(String::as_str).find(|known| ends(known))
    }
}
