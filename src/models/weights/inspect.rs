//! Looking at weights: a line per tensor, and what differs between two files.

use std::collections::BTreeSet;

use serde::Serialize;

use super::Weights;
use crate::tensor::Tensor;

/// What `nevus weights inspect` prints of a tensor. The statistics are those of its finite values.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TensorSummary {
    /// Its name.
    pub name: String,
    /// Its shape; empty for a scalar, and for a tensor that was left out.
    pub shape: Vec<usize>,
    /// How the file holds it; `F32` for one made in memory.
    pub dtype: String,
    /// Whether it was read: integer tensors are left out.
    pub read: bool,
    /// The smallest finite value; `None` where there is none.
    pub min: Option<f32>,
    /// The largest finite value.
    pub max: Option<f32>,
    /// The mean.
    pub mean: Option<f64>,
    /// The standard deviation, that of a whole population.
    pub std: Option<f64>,
    /// How many values are NaN.
    pub nan: usize,
    /// How many values are infinite.
    pub infinite: usize,
}

pub(super) fn summary(weights: &Weights) -> Vec<TensorSummary> {
    let names: BTreeSet<&String> = weights.tensors.keys().chain(weights.stored.keys()).collect();
    let line = |name: &String| {
        let dtype = weights.stored.get(name).map_or("F32", String::as_str);
        line(name, dtype, weights.tensors.get(name))
    };
    names.into_iter().map(line).collect()
}

#[expect(clippy::cast_precision_loss, reason = "counts of values are far below 2^52")]
fn line(name: &str, dtype: &str, tensor: Option<&Tensor>) -> TensorSummary {
    let values = tensor.map_or(&[][..], Tensor::data);
    let finite = || values.iter().copied().filter(|value| value.is_finite());
    let count = finite().count();
    let some = |value: f64| (count > 0).then_some(value);
    let mean = finite().map(f64::from).sum::<f64>() / count as f64;
    let variance = finite().map(|value| (f64::from(value) - mean).powi(2)).sum::<f64>() / count as f64;
    TensorSummary {
        name: name.into(),
        shape: tensor.map_or(vec![], |tensor| tensor.shape().to_vec()),
        dtype: dtype.into(),
        read: tensor.is_some(),
        min: finite().reduce(f32::min),
        max: finite().reduce(f32::max),
        mean: some(mean),
        std: some(variance.sqrt()),
        nan: values.iter().filter(|value| value.is_nan()).count(),
        infinite: values.iter().filter(|value| value.is_infinite()).count(),
    }
}

/// What differs between two files.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Diff {
    /// Tensors that only the first has.
    pub only_first: Vec<String>,
    /// Tensors that only the second has.
    pub only_second: Vec<String>,
    /// Tensors whose shapes differ.
    pub shapes: Vec<ShapeChange>,
    /// Tensors with other values.
    pub changed: Vec<Changed>,
    /// How many tensors are equal to the bit.
    pub equal: usize,
    /// Keys of the metadata that differ.
    pub metadata: Vec<MetadataChange>,
}

/// A tensor whose shapes differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShapeChange {
    /// Its name.
    pub name: String,
    /// In the first file.
    pub first: Vec<usize>,
    /// In the second file.
    pub second: Vec<usize>,
}

/// A tensor with other values.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Changed {
    /// Its name.
    pub name: String,
    /// How many values differ, by their bits.
    pub values: usize,
    /// The largest distance; infinite or NaN values are not counted here.
    pub max_abs: f64,
    /// ‖first − second‖ / ‖first‖ over the values that are finite in both; `None` where the first is all zero.
    pub relative: Option<f64>,
}

/// A key of the metadata that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MetadataChange {
    /// The key.
    pub key: String,
    /// In the first file.
    pub first: Option<String>,
    /// In the second file.
    pub second: Option<String>,
}

impl Diff {
    /// Whether the tensors are equal to the bit, whatever the metadata.
    #[must_use]
    pub fn tensors_equal(&self) -> bool {
        self.only_first.is_empty() && self.only_second.is_empty() && self.shapes.is_empty() && self.changed.is_empty()
    }
}

/// What differs from `first` to `second`.
#[must_use]
pub fn diff(first: &Weights, second: &Weights) -> Diff {
    let mut diff = Diff::default();
    for (name, a) in &first.tensors {
        match second.tensors.get(name) {
            None => diff.only_first.push(name.clone()),
            Some(b) if a.shape() != b.shape() => {
                let (first, second) = (a.shape().to_vec(), b.shape().to_vec());
                diff.shapes.push(ShapeChange { name: name.clone(), first, second });
            }
            Some(b) => match changed(name, a.data(), b.data()) {
                Some(changed) => diff.changed.push(changed),
                None => diff.equal += 1,
            },
        }
    }
    diff.only_second = second.tensors.keys().filter(|name| !first.tensors.contains_key(*name)).cloned().collect();
    let keys: BTreeSet<&String> = first.metadata.keys().chain(second.metadata.keys()).collect();
    for key in keys {
        let (a, b) = (first.metadata.get(key).cloned(), second.metadata.get(key).cloned());
        if a != b {
            diff.metadata.push(MetadataChange { key: key.clone(), first: a, second: b });
        }
    }
    diff
}

fn changed(name: &str, first: &[f32], second: &[f32]) -> Option<Changed> {
    let pairs = || first.iter().zip(second);
    let values = pairs().filter(|(a, b)| a.to_bits() != b.to_bits()).count();
    if values == 0 {
        return None;
    }
    let (mut max_abs, mut distance, mut norm) = (0f64, 0f64, 0f64);
    for (&a, &b) in pairs().filter(|(a, b)| a.is_finite() && b.is_finite()) {
        let (a, b) = (f64::from(a), f64::from(b));
        max_abs = max_abs.max((a - b).abs());
        distance += (a - b).powi(2);
        norm += a.powi(2);
    }
    let relative = (norm > 0.0).then(|| (distance / norm).sqrt());
    Some(Changed { name: name.into(), values, max_abs, relative })
}
