//! What a classifier tells apart.

use serde::{Deserialize, Serialize};

use super::Sample;
use crate::error::{Error, Result};

/// The seven diagnoses of HAM10000, as its table writes them.
pub const DX: [&str; 7] = ["akiec", "bcc", "bkl", "df", "mel", "nv", "vasc"];

/// Class names in the order of a model's outputs, and which labels belong to each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Classes {
    names: Vec<String>,
    members: Vec<Vec<String>>,
}

impl Classes {
    /// MEL (mel), NV (nv) and `Other_SC` (the other five).
    #[must_use]
    pub fn three() -> Self {
        let rest = DX.iter().copied().filter(|dx| !["mel", "nv"].contains(dx)).chain(["Other_SC"]);
        Self::build([("MEL", vec!["mel"]), ("NV", vec!["nv"]), ("Other_SC", rest.collect())])
    }

    /// All seven diagnoses apart.
    #[must_use]
    pub fn seven() -> Self {
        Self::build(DX.map(|dx| (dx, vec![dx])))
    }

    /// The merge of `count` classes (3 or 7) of HAM10000.
    pub fn of_ham10000(count: usize) -> Result<Self> {
        match count {
            3 => Ok(Self::three()),
            7 => Ok(Self::seven()),
            _ => Err(Error::parameter("classes", format!("{count} is not a known merge; expected 3 or 7"))),
        }
    }

    /// The labels that occur, sorted, each its own class.
    #[must_use]
    pub fn of_samples(samples: &[Sample]) -> Self {
        let mut labels: Vec<&str> = samples.iter().filter_map(|s| s.label.as_deref()).collect();
        labels.sort_unstable();
        labels.dedup();
        Self::build(labels.into_iter().map(|label| (label, vec![label])))
    }

    /// The classes of these names, as a weights file lists them: MEL, NV and `Other_SC` take HAM10000's labels, any
    /// others the labels that are called like them.
    ///
    /// # Errors
    /// [`Error::Parameter`] for fewer than two, or a name twice.
    pub fn named(names: &[String]) -> Result<Self> {
        let three = Self::three();
        if names == three.names() {
            return Ok(three);
        }
        if names.len() < 2 || names.iter().enumerate().any(|(at, name)| names[..at].contains(name)) {
            return Err(Error::parameter("classes", format!("are {names:?}, expected two or more, each once")));
        }
        Ok(Self::build(names.iter().map(|name| (name.as_str(), vec![name.as_str()]))))
    }

    /// The class of melanomas, where one is: called mel or melanoma, in any case.
    #[must_use]
    pub fn melanoma(&self) -> Option<usize> {
        self.names.iter().position(|name| ["mel", "melanoma"].iter().any(|known| name.eq_ignore_ascii_case(known)))
    }

    fn build<'a>(classes: impl IntoIterator<Item = (&'a str, Vec<&'a str>)>) -> Self {
        let (names, members) = classes
            .into_iter()
            .map(|(name, labels)| (name.to_owned(), labels.into_iter().map(str::to_owned).collect()))
            .unzip();
        Self { names, members }
    }

    /// The classes' names in order.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// How many classes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there is no class.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The class of a label (its letters' case does not matter).
    #[must_use]
    pub fn index_of(&self, label: &str) -> Option<usize> {
        let label = label.trim();
        let exact = self.members.iter().position(|labels| labels.iter().any(|l| l == label));
        exact.or_else(|| self.members.iter().position(|labels| labels.iter().any(|l| l.eq_ignore_ascii_case(label))))
    }

    /// Each sample's class; names the first label that belongs to none.
    pub fn indices(&self, samples: &[Sample]) -> Result<Vec<Option<usize>>> {
        let of = |sample: &Sample| match &sample.label {
            None => Ok(None),
            Some(label) => self.index_of(label).map(Some).ok_or_else(|| {
                let message = format!("label {label:?} is none of the classes {}", self.names.join(", "));
                Error::data(&sample.image, message)
            }),
        };
        samples.iter().map(of).collect()
    }
}
