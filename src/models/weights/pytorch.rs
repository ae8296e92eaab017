//! PyTorch's own checkpoints (`.pth`, `.pt`, `.bin`), read without running what their pickle says.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use pytorch_reader::{DType, PickleValue, PytorchError, PytorchReader};
use safetensors::Dtype;
use safetensors::tensor::TensorInfo;

use super::{Weights, read};
use crate::error::{Error, Result};

/// Where a state dict may lie below the top of a checkpoint, first come first served.
const KEYS: [&str; 5] = ["state_dict", "model_state_dict", "model", "net", "ema"];

/// How often a checkpoint's bytes may be claimed by its tensors: views share a storage, but an expanded one can claim
/// gigabytes of a file of one value.
const SHARED: u64 = 4;

/// Which tensors of a PyTorch checkpoint to take, and by what names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FromPytorch {
    /// Where the state dict lies, as `state_dict` or `ema.module`; `None` looks below `state_dict`, `model_state_dict`,
    /// `model`, `net` and `ema`, then at the top.
    pub key: Option<String>,
    /// A prefix to take away from every name that has it, after DataParallel's `module.`.
    pub strip: String,
}

impl FromPytorch {
    /// Whether a file begins as one that `torch.save` has written: a ZIP archive, a pickle or a TAR archive.
    ///
    /// # Errors
    /// [`Error::Io`] where it cannot be read.
    pub fn recognises(path: impl AsRef<Path>) -> Result<bool> {
        let path = path.as_ref();
        let mut head = Vec::new();
        let file = File::open(path).map_err(Error::io(path))?;
        file.take(512).read_to_end(&mut head).map_err(Error::io(path))?;
        // The header of a safetensors file begins behind eight bytes of its length.
        if head.get(8) == Some(&b'{') {
            return Ok(false);
        }
        let pickle = matches!(head[..], [0x80, 2..=5, ..]);
        Ok(pickle || head.starts_with(b"PK\x03\x04") || head.get(257..262) == Some(b"ustar".as_slice()))
    }

    /// Reads a checkpoint's floats (F16, BF16 and F64 become `f32`); integer tensors are left out with a warning
    /// (`num_batches_tracked` without one). Files of every PyTorch are read, with one state dict or a whole module in
    /// them; nothing in them is run.
    ///
    /// # Errors
    /// [`Error::Weights`] where the file is broken or holds no tensors, there is no such key, two tensors come to the
    /// same name, the tensors claim more than four times the file's size, or a value is NaN or infinite; [`Error::Io`].
    pub fn open(&self, path: impl AsRef<Path>) -> Result<Weights> {
        let path = path.as_ref();
        let refuse = |message: String| Error::weights(path, message);
        let key = match &self.key {
            Some(key) => Some(key.clone()),
            None => state_dict(&PytorchReader::read_pickle_data(path, None).map_err(failed(path))?),
        };
        // The reader knows keys at the top; what lies deeper has their names before its own.
        let (top, below) = match key.as_deref().map(|key| key.split_once('.').unwrap_or((key, ""))) {
            Some((top, below)) => (Some(top), below),
            None => (None, ""),
        };
        let reader = match top {
            Some(top) => PytorchReader::with_top_level_key(path, top),
            None => PytorchReader::new(path),
        };
        let mut tensors = reader.map_err(failed(path))?.into_tensors();
        if !below.is_empty() {
            let inner = |(name, tensor): (String, _)| {
                let inner = name.strip_prefix(below)?.strip_prefix('.')?.to_owned();
                Some((inner, tensor))
            };
            tensors = tensors.into_iter().filter_map(inner).collect();
        }
        let len = std::fs::metadata(path).map_err(Error::io(path))?.len();
        let claimed: u64 = tensors.values().map(|tensor| tensor.byte_len() as u64).sum();
        if claimed > len.saturating_mul(SHARED) {
            return Err(refuse(format!("its tensors claim {claimed} bytes, but the file has {len}")));
        }
        let mut weights = Weights { path: Some(path.to_path_buf()), ..Weights::default() };
        for (name, tensor) in tensors {
            let short = name.strip_prefix("module.").unwrap_or(&name);
            let short = short.strip_prefix(&self.strip).unwrap_or(short).to_owned();
            let info = TensorInfo {
                dtype: stored(tensor.dtype()),
                shape: tensor.shape().to_vec(),
                data_offsets: (0, tensor.byte_len()),
            };
            if weights.stored.insert(short.clone(), format!("{:?}", info.dtype)).is_some() {
                return Err(refuse(format!("two tensors would be named {short:?} (hint: another prefix to strip)")));
            }
            let bytes = tensor.read().map_err(|error| refuse(error.to_string()))?;
            // In the host's byte order, which is a safetensors file's on whatever has a GPU.
            if let Some(tensor) = read::tensor(path, &mut bytes.as_slice(), &short, &info)? {
                weights.tensors.insert(short, tensor);
            }
        }
        if weights.tensors.is_empty() {
            let place = key.map_or_else(|| "it".into(), |key| format!("its {key:?}"));
            return Err(refuse(format!("there are no floats in {place} (hint: name the key of the state dict)")));
        }
        weights.refuse_not_finite()?;
        Ok(weights)
    }
}

fn failed(path: &Path) -> impl Fn(PytorchError) -> Error {
    move |error| match error {
        PytorchError::Io(error) if error.kind() != std::io::ErrorKind::InvalidData => Error::io(path)(error),
        error => Error::weights(path, format!("as a PyTorch checkpoint: {error}")),
    }
}

/// The key below which a checkpoint keeps its state dict, where the top is not one itself.
fn state_dict(top: &PickleValue) -> Option<String> {
    let PickleValue::Dict(top) = top else { return None };
    let inner = |key: &&str| matches!(top.get(*key), Some(PickleValue::Dict(_)));
    KEYS.iter().copied().find(inner).map(str::to_owned)
}

/// The same type in a safetensors file.
fn stored(dtype: DType) -> Dtype {
    match dtype {
        DType::F64 => Dtype::F64,
        DType::F32 => Dtype::F32,
        DType::F16 => Dtype::F16,
        DType::BF16 => Dtype::BF16,
        DType::I64 => Dtype::I64,
        DType::I32 => Dtype::I32,
        DType::I16 => Dtype::I16,
        DType::I8 => Dtype::I8,
        DType::U64 => Dtype::U64,
        DType::U32 => Dtype::U32,
        DType::U16 => Dtype::U16,
        DType::U8 => Dtype::U8,
        DType::Bool => Dtype::BOOL,
    }
}
