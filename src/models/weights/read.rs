//! Reading: the header is bounded before it is read, the tensors one by one after the header was found consistent.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use half::{bf16, f16};
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};

use super::Weights;
use crate::error::{Error, Result};
use crate::tensor::Tensor;

const MAX_HEADER: u64 = 100_000_000;
const CHUNK: usize = 1 << 16;

pub(super) fn read(path: &Path) -> Result<Weights> {
    let refuse = |message: String| Error::weights(path, message);
    if !std::fs::metadata(path).map_err(Error::io(path))?.is_file() {
        return Err(refuse("is not a file".into()));
    }
    let file = File::open(path).map_err(Error::io(path))?;
    let len = file.metadata().map_err(Error::io(path))?.len();
    let mut file = BufReader::with_capacity(CHUNK, file);
    if len < 8 {
        return Err(refuse(format!("is {len} bytes long, too short for a safetensors file (truncated?)")));
    }
    let mut size = [0; 8];
    file.read_exact(&mut size).map_err(Error::io(path))?;
    let size = u64::from_le_bytes(size);
    if size > MAX_HEADER || size > len - 8 {
        let message = format!(
            "its header claims {size} bytes, but the file has {len} (truncated, or no safetensors file; \
             PyTorch's become one by `nevus weights convert`)"
        );
        return Err(refuse(message));
    }
    let mut header = vec![0; usize::try_from(size).map_err(|e| refuse(e.to_string()))?];
    file.read_exact(&mut header).map_err(Error::io(path))?;
    let header = String::from_utf8(header).map_err(|e| refuse(format!("its header is not UTF-8: {e}")))?;
    let parsed: Metadata = serde_json::from_str(&header).map_err(|e| refuse(explain(&header, &e)))?;
    let promised = (size + 8).saturating_add(parsed.data_len() as u64);
    if promised != len {
        let what = if promised > len { "truncated" } else { "bytes behind the last tensor" };
        return Err(refuse(format!("its header describes {promised} bytes, but the file has {len} ({what})")));
    }
    drop(header);
    let mut weights = Weights { path: Some(path.to_path_buf()), ..Weights::default() };
    weights.metadata = parsed.metadata().iter().flatten().map(|(key, value)| (key.clone(), value.clone())).collect();
    for name in parsed.offset_keys() {
        let Some(info) = parsed.info(&name) else { continue };
        weights.stored.insert(name.clone(), format!("{:?}", info.dtype));
        if let Some(tensor) = tensor(path, &mut file, &name, info)? {
            weights.tensors.insert(name, tensor);
        }
    }
    Ok(weights)
}

/// The next tensor of what is read, its numbers little-endian, or `None` where it holds integers.
pub(super) fn tensor(path: &Path, file: &mut impl Read, name: &str, info: &TensorInfo) -> Result<Option<Tensor>> {
    let (start, end) = info.data_offsets;
    let bytes = end - start;
    let data = match info.dtype {
        Dtype::F32 => floats(path, file, bytes, f32::from_le_bytes)?,
        Dtype::F16 => floats(path, file, bytes, |b| f16::from_le_bytes(b).to_f32())?,
        Dtype::BF16 => floats(path, file, bytes, |b| bf16::from_le_bytes(b).to_f32())?,
        #[expect(clippy::cast_possible_truncation, reason = "rounds; what passes f32 becomes infinite and is refused")]
        Dtype::F64 => floats(path, file, bytes, |b| f64::from_le_bytes(b) as f32)?,
        Dtype::BOOL
        | Dtype::U8
        | Dtype::I8
        | Dtype::U16
        | Dtype::I16
        | Dtype::U32
        | Dtype::I32
        | Dtype::U64
        | Dtype::I64 => {
            std::io::copy(&mut file.take(bytes as u64), &mut std::io::sink()).map_err(Error::io(path))?;
            if !name.ends_with("num_batches_tracked") {
                tracing::warn!(file = %path.display(), tensor = name, dtype = ?info.dtype, "left out: no floats");
            }
            return Ok(None);
        }
        other => {
            let message = format!("tensor {name:?} has dtype {other:?}, expected F32, F16, BF16 or F64");
            return Err(Error::weights(path, message));
        }
    };
    let tensor = Tensor::new(info.shape.clone(), data);
    tensor.map(Some).map_err(|e| Error::weights(path, format!("tensor {name:?}: {e}")))
}

fn floats<const N: usize>(
    path: &Path,
    file: &mut impl Read,
    bytes: usize,
    value: impl Fn([u8; N]) -> f32,
) -> Result<Vec<f32>> {
    let mut data = Vec::with_capacity(bytes / N);
    let mut chunk = vec![0; CHUNK.min(bytes)];
    let mut left = bytes;
    while left > 0 {
        let part = &mut chunk[..CHUNK.min(left)];
        file.read_exact(part).map_err(Error::io(path))?;
        data.extend(part.as_chunks::<N>().0.iter().map(|&b| value(b)));
        left -= part.len();
    }
    Ok(data)
}

/// What is wrong with a header, with the tensor's name, which the parser does not always say.
fn explain(header: &str, error: &serde_json::Error) -> String {
    let parts: BTreeMap<String, serde_json::Value> = match serde_json::from_str(header) {
        Ok(parts) => parts,
        Err(error) => return format!("its header is not a JSON object: {error}"),
    };
    let mut tensors = Vec::new();
    for (name, part) in parts {
        if name == "__metadata__" {
            if let Err(error) = serde_json::from_value::<BTreeMap<String, String>>(part) {
                return format!("its metadata is not a map of texts: {error}");
            }
            continue;
        }
        match serde_json::from_value::<TensorInfo>(part) {
            Ok(info) => tensors.push((name, info)),
            Err(error) => return format!("tensor {name:?}: {error}"),
        }
    }
    tensors.sort_by_key(|(_, info)| info.data_offsets);
    let mut expected = 0;
    for (name, info) in tensors {
        let (start, end) = info.data_offsets;
        if start != expected || end < start {
            return format!("tensor {name:?} lies at bytes {start}..{end}, expected a start at {expected}");
        }
        let elements = info.shape.iter().try_fold(1usize, |len, &dim| len.checked_mul(dim));
        let bits = elements.and_then(|elements| elements.checked_mul(info.dtype.bitsize()));
        if bits.is_none_or(|bits| bits % 8 != 0 || bits / 8 != end - start) {
            let (shape, dtype, bytes) = (&info.shape, info.dtype, end - start);
            return format!("tensor {name:?} has shape {shape:?} of {dtype:?}, which does not fill its {bytes} bytes");
        }
        expected = end;
    }
    format!("its header cannot be read: {error}")
}
