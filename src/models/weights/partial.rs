//! Weights that fit a model in part: a backbone without its head, a head for other classes.

use std::fmt::{Display, Formatter};

use serde::Serialize;

use super::{EXTRAS, Weights};
use crate::error::Result;
use crate::gpu::Gpu;
use crate::graph::{Graph, ParamEntry};
use crate::plan::Params;

/// What a partial load did, by the tensors' names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Loaded {
    /// Taken from the file, in the model's order.
    pub loaded: Vec<String>,
    /// Parameters of the model that the file has not: they keep the values they had.
    pub missing: Vec<String>,
    /// Parameters of the head that the file has in another shape or for other classes: they keep the values they had.
    pub replaced: Vec<Replaced>,
    /// The file's classes, where its head is for others than the model's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other_classes: Option<Vec<String>>,
    /// Tensors of the file that the model has no place for, but for those that nevus puts beside a model.
    pub unexpected: Vec<String>,
}

/// A parameter of a head for other classes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Replaced {
    /// Its name.
    pub name: String,
    /// Its shape in the file.
    pub file: Vec<usize>,
    /// Its shape in the model.
    pub model: Vec<usize>,
}

impl Weights {
    /// Sets those parameters that the file holds. A parameter below `head` (`fc` for `fc.weight` and `fc.bias`) may have
    /// another shape in the file, and then keeps the value it has, as do those that the file has not. So does the whole
    /// head where the file names classes that are not `classes`, in their order; without `classes` none are compared.
    ///
    /// # Errors
    /// [`crate::Error::Weights`] where another parameter has another shape, no tensor of the file is the model's, or its
    /// metadata cannot be read; errors of the device.
    pub fn load_partial(&self, params: &Params, head: &str, classes: Option<&[String]>) -> Result<Loaded> {
        let mut report = Loaded::default();
        let of_head = |name: &str| name.strip_prefix(head).is_some_and(|rest| rest.starts_with('.'));
        if let (Some(known), Some(wanted)) = (self.meta()?.classes, classes) {
            let same = known.len() == wanted.len() && known.iter().zip(wanted).all(|(a, b)| a.eq_ignore_ascii_case(b));
            report.other_classes = (!same).then_some(known);
        }
        let mut taken = Vec::new();
        for entry in params.table().entries() {
            let ParamEntry { name, shape, .. } = entry;
            match self.get(name) {
                None => report.missing.push(name.clone()),
                Some(tensor) if of_head(name) && (tensor.shape() != shape || report.other_classes.is_some()) => {
                    let (file, model) = (tensor.shape().to_vec(), shape.clone());
                    report.replaced.push(Replaced { name: name.clone(), file, model });
                }
                Some(_) => taken.push((name, self.require(name, shape)?)),
            }
        }
        report.other_classes.take_if(|_| report.replaced.is_empty());
        if taken.is_empty() {
            let alike = report.missing.iter().find_map(|name| Some((name, self.alike(name)?)));
            let hint = alike.map_or(String::new(), |(name, found)| format!(" (it has {found:?} for {name:?})"));
            return Err(self.error(format!("no tensor in it belongs to the model{hint}")));
        }
        let known = |name: &String| params.table().entries().iter().any(|entry| entry.name == *name);
        let passed_over = |name: &String| name.ends_with("num_batches_tracked") || EXTRAS.contains(&name.as_str());
        report.unexpected = self.tensors.keys().filter(|name| !known(name) && !passed_over(name)).cloned().collect();
        for (name, tensor) in taken {
            params.set(name, tensor)?;
            report.loaded.push(name.clone());
        }
        Ok(report)
    }

    /// Sets every parameter.
    ///
    /// # Errors
    /// [`crate::Error::Weights`] that names the first parameter the file has not, or has in another shape; errors of the
    /// device.
    pub fn load(&self, params: &Params) -> Result<()> {
        let entries = params.table().entries();
        for entry in entries {
            self.require(&entry.name, &entry.shape)?;
        }
        entries.iter().try_for_each(|entry| params.set(&entry.name, self.require(&entry.name, &entry.shape)?))
    }
}

impl Params {
    /// The parameters of `graph` with the values of a weights file, on the device; any number of plans may share them.
    ///
    /// # Errors
    /// As [`Params::new`] and [`Weights::load`].
    pub fn upload(gpu: &Gpu, graph: &Graph, weights: &Weights) -> Result<Self> {
        let params = Self::new(gpu, graph)?;
        weights.load(&params)?;
        Ok(params)
    }
}

impl Loaded {
    /// Whether every parameter came from the file.
    #[must_use]
    pub fn complete(&self) -> bool {
        self.missing.is_empty() && self.replaced.is_empty()
    }
}

impl Display for Loaded {
    /// What was loaded and what was not, a line each; of long lists the first names.
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let some = |names: &[String]| {
            let shown = names.iter().take(6).map(String::as_str).collect::<Vec<_>>().join(", ");
            if names.len() > 6 { format!("{shown} and {} more", names.len() - 6) } else { shown }
        };
        let of = self.loaded.len() + self.missing.len() + self.replaced.len();
        write!(f, "loaded {} of {of} tensors", self.loaded.len())?;
        for Replaced { name, file, model } in &self.replaced {
            match file == model {
                true => write!(f, "\nreplaced: {name} is for other classes in the file, and starts afresh")?,
                false => write!(f, "\nreplaced: {name} is {file:?} in the file, {model:?} here, and starts afresh")?,
            }
        }
        if let Some(classes) = &self.other_classes {
            write!(f, "\nthe classes of the file: {}", classes.join(", "))?;
        }
        if !self.missing.is_empty() {
            write!(f, "\nnot in the file, so they start afresh: {}", some(&self.missing))?;
        }
        if !self.unexpected.is_empty() {
            write!(f, "\nin the file, but not in the model: {}", some(&self.unexpected))?;
        }
        Ok(())
    }
}
