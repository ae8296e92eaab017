//! Tensors' names without what training code puts before them.

use std::collections::BTreeMap;

use super::Weights;
use crate::error::Result;

/// What wrappers put before a network's own names: DataParallel, `torch.compile`, Lightning's and others' attributes.
pub const PREFIXES: [&str; 6] = ["module.", "_orig_mod.", "model.", "net.", "backbone.", "encoder."];

impl Weights {
    /// Takes [`PREFIXES`], and `more` where it is not empty, away from every name that begins with them, several on end
    /// too. What is left are torchvision's names where the network is torchvision's or timm's. Returns how many tensors
    /// are named otherwise now.
    ///
    /// # Errors
    /// [`crate::Error::Weights`] where two tensors would come to the same name; the names then stay.
    pub fn strip_prefixes(&mut self, more: &str) -> Result<usize> {
        let names = self.tensors.keys().chain(self.stored.keys());
        let mut short: BTreeMap<String, String> = BTreeMap::new();
        for name in names {
            short.insert(name.clone(), stripped(name, more).to_owned());
        }
        let mut owners: BTreeMap<&str, &str> = BTreeMap::new();
        for (name, short) in &short {
            if let Some(other) = owners.insert(short, name) {
                return Err(self.error(format!(
                    "tensors {other:?} and {name:?} would both be named {short:?} (hint: --keep-names)"
                )));
            }
        }
        let renamed = self.tensors.keys().filter(|name| short[*name] != **name).count();
        let named = |name: String| short.get(&name).cloned().unwrap_or(name);
        self.tensors = std::mem::take(&mut self.tensors).into_iter().map(|(name, one)| (named(name), one)).collect();
        self.stored = std::mem::take(&mut self.stored).into_iter().map(|(name, one)| (named(name), one)).collect();
        Ok(renamed)
    }
}

fn stripped<'a>(mut name: &'a str, more: &str) -> &'a str {
    let shorter = |name: &'a str| {
        let known = PREFIXES.into_iter().chain((!more.is_empty()).then_some(more));
        known.filter_map(|prefix| name.strip_prefix(prefix)).find(|short| !short.is_empty())
    };
    while let Some(short) = shorter(name) {
        name = short;
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::Tensor;

    #[test]
    fn prefixes_go_and_names_stay_apart() {
        let names = |weights: &Weights| weights.tensors.keys().cloned().collect::<Vec<_>>();
        let of = |names: &[&str]| {
            let mut weights = Weights::new();
            for (at, name) in (0u16..).zip(names) {
                weights.insert(*name, Tensor::scalar(f32::from(at)));
            }
            weights
        };
        let mut wrapped = of(&[
            "module._orig_mod.conv1.weight",
            "model.backbone.layer1.0.conv1.weight",
            "encoder.q.bn1.bias",
            "fc.model.bias",
            "model.",
        ]);
        assert_eq!(wrapped.strip_prefixes("q.").unwrap(), 3);
        assert_eq!(names(&wrapped), ["bn1.bias", "conv1.weight", "fc.model.bias", "layer1.0.conv1.weight", "model."]);
        assert_eq!(wrapped.get("bn1.bias").unwrap().data(), [2.0]);
        assert_eq!(wrapped.strip_prefixes("").unwrap(), 0);

        let mut twice = of(&["fc.bias", "model.fc.bias"]);
        let message = twice.strip_prefixes("").unwrap_err().to_string();
        assert!(message.contains("\"fc.bias\" and \"model.fc.bias\" would both"), "{message}");
        assert_eq!(names(&twice), ["fc.bias", "model.fc.bias"]);
    }

    /// A file whose names have a prefix is a network's after it.
    #[test]
    fn a_files_integers_keep_their_place() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("w.safetensors");
        let header = r#"{"model.bn1.num_batches_tracked":{"dtype":"I64","shape":[],"data_offsets":[0,8]},"model.bn1.bias":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}}"#;
        let bytes = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &[0; 12]].concat();
        std::fs::write(&path, bytes).unwrap();
        let mut weights = Weights::open(&path).unwrap();
        assert_eq!(weights.strip_prefixes("").unwrap(), 1);
        assert!(weights.require("bn1.bias", &[1]).is_ok());
        let message = weights.require("bn1.num_batches_tracked", &[]).unwrap_err().to_string();
        assert!(message.contains("holds I64"), "{message}");
    }
}
