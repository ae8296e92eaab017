//! What weights were trained from: one file, which was perhaps itself trained from another.

use std::fmt::{Display, Formatter};

use serde::{Deserialize, Serialize};

use super::Weights;
use crate::error::{Error, Result};

/// What stood before a start's name in `nevus.training_data` before it had a key of its own.
const BEFORE: &str = "started from ";
/// What stood between such a name and that of its own start.
const BETWEEN: &str = ", itself started from ";
/// How many starts are taken from such a text.
const DEEPEST: usize = 16;

/// Weights that a training started from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Stored")]
pub struct Start {
    /// The file's name, without folders.
    pub file: String,
    /// The first 32 hex digits of the file's BLAKE3; `None` where only its name is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blake3: Option<String>,
    /// What these weights had started from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Box<Start>>,
}

/// A start as files have it: older runs kept it as a text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Stored {
    Text(String),
    Known { file: String, blake3: Option<String>, from: Option<Box<Start>> },
}

impl From<Stored> for Start {
    fn from(stored: Stored) -> Self {
        match stored {
            Stored::Text(text) => Self::in_text(&text),
            Stored::Known { file, blake3, from } => Self { file, blake3, from },
        }
    }
}

impl Start {
    /// The file of these weights, and what they say that they started from.
    ///
    /// # Errors
    /// [`Error::Parameter`] where they came from no file, [`Error::Io`] where it cannot be read any more,
    /// [`Error::Weights`] where its metadata cannot be read.
    pub fn of(weights: &Weights) -> Result<Self> {
        let path = weights.path.as_deref().ok_or_else(|| Error::parameter("weights to start from", "have no file"))?;
        let bytes = std::fs::read(path).map_err(Error::io(path))?;
        Ok(Self {
            file: path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned(),
            blake3: Some(blake3::hash(&bytes).to_hex()[..32].to_owned()),
            from: weights.meta()?.started_from.map(Box::new),
        })
    }

    /// The start that an older file's `nevus.training_data` ends with.
    pub(super) fn in_description(text: &str) -> Option<Self> {
        text.split_once(BEFORE).map(|(_, start)| Self::in_text(start))
    }

    fn in_text(text: &str) -> Self {
        let named = |from: Option<Self>, file: &str| Self { file: file.into(), blake3: None, from: from.map(Box::new) };
        let files: Vec<&str> = text.splitn(DEEPEST, BETWEEN).collect();
        let (nearest, others) = files.split_first().unwrap_or((&text, &[]));
        named(others.iter().rev().fold(None, |from, file| Some(named(from, file))), nearest)
    }
}

impl Display for Start {
    /// For people: the files' names, the nearest first.
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.file)?;
        self.from.as_ref().map_or(Ok(()), |from| write!(f, "{BETWEEN}{from}"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Meta, Precision, keys};
    use super::*;

    fn named(file: &str, from: Option<Start>) -> Start {
        Start { file: file.into(), blake3: None, from: from.map(Box::new) }
    }

    #[test]
    fn a_start_knows_its_own_start() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        Weights::new().save(path("first.safetensors"), Precision::F32).unwrap();
        let first = Start::of(&Weights::open(path("first.safetensors")).unwrap()).unwrap();
        let bytes = std::fs::read(path("first.safetensors")).unwrap();
        assert_eq!(first.blake3.as_deref(), Some(&blake3::hash(&bytes).to_hex()[..32]));
        assert_eq!((first.file.as_str(), &first.from), ("first.safetensors", &None));

        let mut second = Weights::new();
        second.set_meta(&Meta { started_from: Some(first.clone()), ..Meta::new() });
        assert!(second.metadata[keys::STARTED_FROM].starts_with(r#"{"file":"first.safetensors","blake3":""#));
        second.save(path("second.safetensors"), Precision::F32).unwrap();
        let second = Start::of(&Weights::open(path("second.safetensors")).unwrap()).unwrap();
        assert_eq!(second.from.as_deref(), Some(&first));
        assert_eq!(second.to_string(), "second.safetensors, itself started from first.safetensors");
        assert!(Start::of(&Weights::new()).unwrap_err().to_string().contains("no file"));
    }

    #[test]
    fn older_files_and_runs_kept_it_as_a_text() {
        let mut weights = Weights::new();
        let data =
            "ham: 9 photographs to train on, 3 to choose on; started from b.safetensors, itself started from a, b";
        weights.metadata.insert(keys::TRAINING_DATA.into(), data.into());
        let wanted = named("b.safetensors", Some(named("a, b", None)));
        assert_eq!(weights.meta().unwrap().started_from, Some(wanted));
        weights.metadata.insert(keys::TRAINING_DATA.into(), "ham: 9 photographs".into());
        assert_eq!(weights.meta().unwrap().started_from, None);
        let start: Start = serde_json::from_str(r#""b, itself started from a""#).unwrap();
        assert_eq!(start, named("b", Some(named("a", None))));
        let text = serde_json::to_string(&start).unwrap();
        assert_eq!(text, r#"{"file":"b","from":{"file":"a"}}"#);
        assert_eq!(serde_json::from_str::<Start>(&text).unwrap(), start);
    }
}
