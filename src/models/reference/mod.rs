//! Reference cases: safetensors files that say what PyTorch gives for an op or a model, and whether nevus agrees.

mod model;
mod op;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use safetensors::{Dtype, SafeTensors};

use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::ops::{OPS, Room};
use crate::plan::PlanOptions;
use crate::tensor::Tensor;

/// A case file.
#[derive(Debug, Clone)]
pub struct Case {
    /// Where it came from.
    pub path: PathBuf,
    /// The op's name, or the model's.
    pub subject: Subject,
    /// Its attributes: a JSON object.
    pub attributes: serde_json::Value,
    /// Its tensors, by name; class indices as whole f32 numbers.
    pub tensors: BTreeMap<String, Tensor>,
}

/// What a case is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// An op.
    Op(String),
    /// A whole model.
    Model(String),
}

/// A case's result.
#[derive(Debug)]
pub enum Verdict {
    /// It holds; the worst error, as a share of what is allowed.
    Passed(f64),
    /// It cannot run, and why.
    Skipped(String),
    /// It does not hold.
    Failed(String),
}

/// Largest case file that is read.
const MAX_BYTES: u64 = 1 << 30;

impl Case {
    /// Reads a case file.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Weights`] where it is no case.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let size = std::fs::metadata(path).map_err(Error::io(path))?.len();
        if size > MAX_BYTES {
            return Err(Error::weights(path, format!("has {size} bytes, more than a case can have")));
        }
        let bytes = std::fs::read(path).map_err(Error::io(path))?;
        let wrong = |error: safetensors::SafeTensorError| Error::weights(path, error.to_string());
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(wrong)?;
        let metadata = header.metadata().clone().unwrap_or_default();
        let subject = match (metadata.get("op"), metadata.get("model")) {
            (Some(op), _) => Subject::Op(op.clone()),
            (None, Some(model)) => Subject::Model(model.clone()),
            _ => return Err(Error::weights(path, "its metadata names neither an op nor a model")),
        };
        let attributes = serde_json::from_str(metadata.get("attrs").map_or("{}", String::as_str))
            .map_err(|error| Error::weights(path, format!("attrs: {error}")))?;
        let file = SafeTensors::deserialize(&bytes).map_err(wrong)?;
        let mut tensors = BTreeMap::new();
        for (name, view) in file.iter() {
            let data: Vec<f32> = match view.dtype() {
                Dtype::F32 => {
                    view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
                }
                Dtype::I64 => {
                    let word = |b: &[u8]| i64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]);
                    view.data().chunks_exact(8).map(|b| word(b) as f32).collect()
                }
                other => return Err(Error::weights(path, format!("{name} is {other:?}, expected F32 or I64"))),
            };
            tensors.insert(name.to_owned(), Tensor::new(view.shape().to_vec(), data)?);
        }
        Ok(Self { path: path.to_path_buf(), subject, attributes, tensors })
    }

    /// The case files below a folder, sorted.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Data`] where there is none.
    pub fn find(folder: impl AsRef<Path>) -> Result<Vec<PathBuf>> {
        let folder = folder.as_ref();
        let mut found = Vec::new();
        let mut open = vec![folder.to_path_buf()];
        while let Some(dir) = open.pop() {
            for entry in std::fs::read_dir(&dir).map_err(Error::io(&dir))? {
                let path = entry.map_err(Error::io(&dir))?.path();
                if path.is_dir() {
                    open.push(path);
                } else if path.extension().is_some_and(|ending| ending == "safetensors") {
                    found.push(path);
                }
            }
        }
        found.sort();
        match found.is_empty() {
            true => Err(Error::data(folder, "holds no .safetensors case")),
            false => Ok(found),
        }
    }

    /// The name it is listed under: its file's.
    #[must_use]
    pub fn name(&self) -> String {
        self.path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned())
    }

    /// The room that answers for it.
    #[must_use]
    pub fn room(&self) -> Option<&'static Room> {
        let Subject::Op(op) = &self.subject else { return None };
        OPS.iter().find(|room| room.ops.contains(&op.as_str()))
    }

    /// Runs it by plans made with `options`.
    #[must_use]
    pub fn check(&self, gpu: &Gpu, options: &PlanOptions) -> Verdict {
        let checked = match &self.subject {
            Subject::Op(op) => match self.room() {
                None => return Verdict::Skipped(format!("no room answers for the op {op}")),
                Some(room) => self.check_op(gpu, room, op, options),
            },
            Subject::Model(model) => match self.net(model) {
                None => return Verdict::Skipped(format!("no model {model}")),
                Some(net) => net.and_then(|net| self.check_model(gpu, &net, options)),
            },
        };
        match checked {
            Ok(share) => Verdict::Passed(share),
            Err(error) => Verdict::Failed(error.to_string()),
        }
    }

    fn attribute<T: serde::de::DeserializeOwned>(&self, key: &str) -> Result<T> {
        serde_json::from_value(self.attributes[key].clone())
            .map_err(|error| Error::weights(&self.path, format!("attribute {key}: {error}")))
    }
}
