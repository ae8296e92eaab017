//! Checkpoints: what a run needs to go on to the bit, kept so that a kill at any moment leaves one that is whole.
//!
//! A run's folder holds
//!
//! - `state-STEP.safetensors`: every slab (weights, moments, averages) as tensors named `SLAB/PARAMETER`;
//! - `state.json`: the counters, and the name and digest of the state file that belongs to them;
//! - `last.safetensors` and `best.safetensors`: weights to use, which resuming does not read.
//!
//! Saving writes a state file under a name that no checkpoint has, then `last` and `best`, then renames `state.json` into
//! place. Before that rename the old checkpoint holds, from then on the new one; what is left over is removed after it.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::early::EarlyStopping;
use crate::error::{Error, Result};
use crate::models::durable::write_durable;
use crate::models::weights::{Precision, Weights};
use crate::tensor::Tensor;

/// The version of `state.json` that this program writes, and the only one that it reads.
pub const SCHEMA: u32 = 1;
/// The commit point of a checkpoint.
pub const STATE: &str = "state.json";
/// The weights as they stand.
pub const LAST: &str = "last.safetensors";
/// The weights with the best figure on validation.
pub const BEST: &str = "best.safetensors";
/// No `state.json` is larger.
const MAX_STATE: u64 = 1 << 26;

/// Where a run stands, but for its tensors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// Optimizer steps made.
    pub step: u64,
    /// Whole epochs done.
    pub epoch: u64,
    /// Batches done of the epoch after those.
    pub batch: u64,
    /// [`config_hash`](super::run_dir::config_hash) of the run's configuration.
    pub config: String,
    /// The data set's fingerprint.
    pub data: String,
    /// Early stopping, with the best figure.
    pub early: EarlyStopping,
    /// Which version of each kernel the run's plans use, by what they were chosen for.
    #[serde(default)]
    pub versions: BTreeMap<String, String>,
    /// Whatever else the loop keeps: sums of the epoch in progress, say.
    #[serde(default)]
    pub more: serde_json::Value,
}

/// A run's state with its tensors.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    /// Where the run stands.
    pub state: State,
    /// Every slab by name, each with its parameters in PyTorch's layout.
    pub slabs: BTreeMap<String, Vec<(String, Tensor)>>,
}

/// `state.json`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Committed {
    schema: u32,
    nevus: String,
    file: String,
    blake3: String,
    best: bool,
    state: State,
}

/// What [`Checkpoint::save`] has just done; a test ends it after any of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Done {
    StateFile,
    Last,
    Best,
    Committed,
    Cleaned,
}

impl Checkpoint {
    /// Saves the checkpoint in the run folder `dir` with `last.safetensors`, and `best.safetensors` where `best` is given.
    ///
    /// # Errors
    /// [`Error::Weights`] where a value is not finite, [`Error::Data`] where a slab's name has a slash or is empty,
    /// [`Error::Io`]. The checkpoint before stays.
    pub fn save(&self, dir: impl AsRef<Path>, last: &Weights, best: Option<&Weights>) -> Result<()> {
        self.save_watched(dir.as_ref(), last, best, |_| Ok(()))
    }

    fn save_watched(
        &self,
        dir: &Path,
        last: &Weights,
        best: Option<&Weights>,
        mut done: impl FnMut(Done) -> Result<()>,
    ) -> Result<()> {
        let before = committed(dir).ok().flatten();
        let plain = format!("state-{}.safetensors", self.state.step);
        let file = match &before {
            Some(before) if before.file == plain => format!("state-{}-again.safetensors", self.state.step),
            _ => plain,
        };
        let path = dir.join(&file);
        self.tensors(&path)?.save(&path, Precision::F32)?;
        let blake3 = digest(&path)?;
        done(Done::StateFile)?;
        last.save(dir.join(LAST), Precision::F32)?;
        done(Done::Last)?;
        if let Some(best) = best {
            best.save(dir.join(BEST), Precision::F32)?;
            done(Done::Best)?;
        }
        let best = best.is_some() || before.is_some_and(|before| before.best);
        let nevus = env!("CARGO_PKG_VERSION").to_owned();
        let text = Committed { schema: SCHEMA, nevus, file: file.clone(), blake3, best, state: self.state.clone() };
        let state = dir.join(STATE);
        let text = serde_json::to_vec_pretty(&text).map_err(|e| Error::data(&state, e.to_string()))?;
        write_durable(&state, |out| out.write_all(&text).map_err(Error::io(&state)))?;
        done(Done::Committed)?;
        for path in state_files(dir)? {
            if path.file_name() != Some(file.as_ref()) {
                std::fs::remove_file(&path).map_err(Error::io(&path))?;
            }
        }
        done(Done::Cleaned)
    }

    /// The checkpoint in the run folder `dir`, or `None` where none was made yet.
    ///
    /// # Errors
    /// [`Error::Data`] where a file is missing, damaged, or not that which the checkpoint was made with.
    pub fn load(dir: impl AsRef<Path>) -> Result<Option<Self>> {
        let dir = dir.as_ref();
        let Some(committed) = committed(dir)? else { return Ok(None) };
        let path = dir.join(&committed.file);
        if !path.is_file() {
            return Err(Error::data(&path, format!("is missing, and {STATE} needs it (hint: start a new run)")));
        }
        if digest(&path)? != committed.blake3 {
            let message = format!("is damaged: its digest is not that in {STATE} (hint: start a new run)");
            return Err(Error::data(&path, message));
        }
        if committed.best && !dir.join(BEST).is_file() {
            return Err(Error::data(dir.join(BEST), "is missing, but the run had made it (hint: start a new run)"));
        }
        let weights = Weights::open(&path).map_err(|e| Error::data(&path, e.to_string()))?;
        let mut slabs: BTreeMap<String, Vec<(String, Tensor)>> = BTreeMap::new();
        for (name, tensor) in weights.tensors {
            let Some((slab, param)) = name.split_once('/') else {
                return Err(Error::data(&path, format!("tensor {name:?} belongs to no slab")));
            };
            slabs.entry(slab.to_owned()).or_default().push((param.to_owned(), tensor));
        }
        Ok(Some(Self { state: committed.state, slabs }))
    }

    /// A slab's parameters, by the name it was saved under.
    ///
    /// # Errors
    /// [`Error::Data`] where it is not there; `dir` serves the message only.
    pub fn slab(&self, dir: impl AsRef<Path>, name: &str) -> Result<&[(String, Tensor)]> {
        let missing = || Error::data(dir, format!("the checkpoint has no {name:?} (another optimizer?)"));
        self.slabs.get(name).map(Vec::as_slice).ok_or_else(missing)
    }

    fn tensors(&self, path: &Path) -> Result<Weights> {
        let mut weights = Weights::new();
        for (slab, params) in &self.slabs {
            if slab.is_empty() || slab.contains('/') {
                return Err(Error::data(path, format!("a slab cannot be named {slab:?}")));
            }
            for (name, tensor) in params {
                weights.insert(format!("{slab}/{name}"), tensor.clone());
            }
        }
        Ok(weights)
    }
}

impl State {
    /// Refuses to go on with another configuration or other data.
    ///
    /// # Errors
    /// [`Error::Data`] that says which of them differs.
    pub fn check(&self, dir: impl AsRef<Path>, config: &str, data: &str) -> Result<()> {
        let refuse = |what: &str, knob: &str| {
            let message = format!("its checkpoint was made with {what} (hint: {knob}, or start a new run)");
            Err(Error::data(dir.as_ref(), message))
        };
        if self.config != config {
            return refuse("another configuration", "give the flags in its config.json");
        }
        if self.data != data {
            return refuse("other data", "give the same folder, unchanged");
        }
        Ok(())
    }
}

fn committed(dir: &Path) -> Result<Option<Committed>> {
    let path = dir.join(STATE);
    let size = match std::fs::metadata(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        other => other.map_err(Error::io(&path))?.len(),
    };
    if size > MAX_STATE {
        return Err(Error::data(&path, format!("has {size} bytes, expected at most {MAX_STATE}")));
    }
    let text = std::fs::read(&path).map_err(Error::io(&path))?;
    let value: serde_json::Value =
        serde_json::from_slice(&text).map_err(|e| Error::data(&path, format!("is damaged: {e}")))?;
    if value["schema"] != SCHEMA {
        let message = format!("has schema {}, expected {SCHEMA}: another version of nevus wrote it", value["schema"]);
        return Err(Error::data(&path, message));
    }
    let committed: Committed =
        serde_json::from_value(value).map_err(|e| Error::data(&path, format!("is damaged: {e}")))?;
    match is_state_file(&committed.file) {
        true => Ok(Some(committed)),
        false => Err(Error::data(&path, format!("is damaged: {:?} is no state file", committed.file))),
    }
}

fn is_state_file(name: &str) -> bool {
    name.starts_with("state-") && name.ends_with(".safetensors") && !name.contains(['/', '\\'])
}

fn state_files(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(Error::io(dir))? {
        let entry = entry.map_err(Error::io(dir))?;
        if entry.file_name().to_str().is_some_and(is_state_file) {
            found.push(entry.path());
        }
    }
    Ok(found)
}

fn digest(path: &Path) -> Result<String> {
    let mut hasher = blake3::Hasher::new();
    let mut file = File::open(path).map_err(Error::io(path))?;
    std::io::copy(&mut file, &mut hasher).map_err(Error::io(path))?;
    Ok(hasher.finalize().to_hex().to_string())
}

#[cfg(test)]
#[path = "checkpoint_tests.rs"]
mod tests;
