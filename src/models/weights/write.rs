//! Writing: the header with sorted keys, so that equal weights give equal bytes, then the tensors: those of 32 bits before
//! those of 16, so that each starts at a multiple of its own size, and by name among themselves.

use std::collections::BTreeMap;
use std::path::Path;

use half::f16;
use safetensors::Dtype;
use serde::{Deserialize, Serialize};

use super::Weights;
use crate::error::{Error, Result};
use crate::models::durable::write_durable;
use crate::tensor::Tensor;

/// How a file holds the values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32 bits: exact.
    #[default]
    F32,
    /// 16 bits: 11 bits of mantissa, values up to 65504; larger ones are refused, tiny ones become 0. Tensors of less than
    /// two dimensions stay at 32: biases and a norm's values are few, and a running variance knows no bound.
    F16,
}

impl Precision {
    fn dtype(self, tensor: &Tensor) -> Dtype {
        if self == Self::F16 && tensor.shape().len() > 1 { Dtype::F16 } else { Dtype::F32 }
    }
}

#[derive(Serialize)]
struct Header<'a> {
    #[serde(rename = "__metadata__", skip_serializing_if = "BTreeMap::is_empty")]
    metadata: &'a BTreeMap<String, String>,
    #[serde(flatten)]
    tensors: BTreeMap<&'a str, Info<'a>>,
}

#[derive(Serialize)]
struct Info<'a> {
    dtype: Dtype,
    shape: &'a [usize],
    data_offsets: (usize, usize),
}

pub(super) fn write(weights: &Weights, path: &Path, precision: Precision) -> Result<()> {
    let mut order: Vec<_> =
        weights.tensors.iter().map(|(name, tensor)| (name, tensor, precision.dtype(tensor))).collect();
    order.sort_by_key(|&(.., dtype)| dtype != Dtype::F32);
    let mut offset = 0;
    let mut tensors = BTreeMap::new();
    for &(name, tensor, dtype) in &order {
        check(path, name, tensor, dtype)?;
        let end = offset + tensor.len() * dtype.bitsize() / 8;
        tensors.insert(name.as_str(), Info { dtype, shape: tensor.shape(), data_offsets: (offset, end) });
        offset = end;
    }
    let header = Header { metadata: &weights.metadata, tensors };
    let mut header = serde_json::to_vec(&header).map_err(|e| Error::weights(path, e.to_string()))?;
    header.resize(header.len().next_multiple_of(8), b' ');
    write_durable(path, |out| {
        let mut put = |bytes: &[u8]| out.write_all(bytes).map_err(Error::io(path));
        put(&(header.len() as u64).to_le_bytes())?;
        put(&header)?;
        for &(_, tensor, dtype) in &order {
            for &value in tensor.data() {
                match dtype {
                    Dtype::F32 => put(&value.to_le_bytes())?,
                    _ => put(&f16::from_f32(value).to_le_bytes())?,
                }
            }
        }
        Ok(())
    })
}

fn check(path: &Path, name: &str, tensor: &Tensor, dtype: Dtype) -> Result<()> {
    if name == "__metadata__" {
        return Err(Error::weights(path, "a tensor cannot be named \"__metadata__\""));
    }
    if let Some(at) = tensor.first_not_finite() {
        let message = format!("not written: tensor {name:?} holds {} at {at}", tensor.data()[at]);
        return Err(Error::weights(path, message));
    }
    let fits = |value: &f32| dtype == Dtype::F32 || f16::from_f32(*value).is_finite();
    match tensor.data().iter().position(|value| !fits(value)) {
        None => Ok(()),
        Some(at) => {
            let value = tensor.data()[at];
            let message = format!("not written: tensor {name:?} holds {value} at {at}, f16 ends at 65504 (hint: f32)");
            Err(Error::weights(path, message))
        }
    }
}
