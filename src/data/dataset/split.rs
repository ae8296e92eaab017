//! Train, val and test: read, written, and drawn by lesion.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Sample, ham};
use crate::data::rng::{Rng, hash_text};
use crate::data::save::write_atomic;
use crate::error::{Error, Result};

/// The file that holds a data set's split, columns `image_id,split`.
pub const SPLIT_FILE: &str = "split.csv";

/// A side of a split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// To fit parameters on.
    Train,
    /// To choose on: early stopping, thresholds, temperatures.
    Val,
    /// To report on.
    Test,
}

impl Split {
    /// All three, in order.
    pub const ALL: [Self; 3] = [Self::Train, Self::Val, Self::Test];

    /// Its name in `split.csv` and in folders.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Val => "val",
            Self::Test => "test",
        }
    }

    /// From a name as data sets write it.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name.trim().to_ascii_lowercase().as_str() {
            "train" | "training" => Some(Self::Train),
            "val" | "valid" | "validation" => Some(Self::Val),
            "test" | "testing" => Some(Self::Test),
            _ => None,
        }
    }
}

impl std::fmt::Display for Split {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// A `split.csv` as id → side.
pub fn read_split(path: impl AsRef<Path>) -> Result<HashMap<String, Split>> {
    let path = path.as_ref();
    let bad = |error: csv::Error| Error::data(path, format!("not a readable CSV: {error}"));
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_path(path).map_err(bad)?;
    let [id, side] = ham::columns(path, reader.headers().map_err(bad)?, ["image_id", "split"])?;
    let mut sides = HashMap::new();
    for (number, record) in reader.records().enumerate() {
        let record = record.map_err(bad)?;
        let (id, side) = (record.get(id).unwrap_or(""), record.get(side).unwrap_or(""));
        let Some(split) = Split::parse(side) else {
            let message = format!("row {}: the split of {id:?} is {side:?}, expected train, val or test", number + 1);
            return Err(Error::data(path, message));
        };
        if sides.insert(id.to_owned(), split).is_some_and(|before| before != split) {
            return Err(Error::data(path, format!("row {}: {id:?} stands on two sides", number + 1)));
        }
    }
    Ok(sides)
}

/// Gives samples their sides; returns how many names of the split are no sample's.
pub fn apply_split<S: std::hash::BuildHasher>(samples: &mut [Sample], sides: &HashMap<String, Split, S>) -> usize {
    let mut used = 0;
    for sample in samples {
        if let Some(&side) = sides.get(&sample.id) {
            sample.split = Some(side);
            used += 1;
        }
    }
    sides.len().saturating_sub(used)
}

/// Writes a `split.csv` of the samples that have a side.
pub fn write_split(path: impl AsRef<Path>, samples: &[Sample]) -> Result<()> {
    let path = path.as_ref();
    write_atomic(path, |out| {
        let unwritten = |error: csv::Error| Error::data(path, format!("cannot be written: {error}"));
        let mut writer = csv::Writer::from_writer(out);
        writer.write_record(["image_id", "split"]).map_err(unwritten)?;
        for sample in samples {
            if let Some(split) = sample.split {
                writer.write_record([sample.id.as_str(), split.name()]).map_err(unwritten)?;
            }
        }
        writer.flush().map_err(Error::io(path))
    })
}

/// Draws a side for each sample, shares of train, val and test in `fractions`: all photographs of a lesion stand on
/// one side, classes are spread alike, and the same seed gives the same sides whatever the samples' order. Where train
/// has a share, it has a lesion of every class.
pub fn split_by_lesion(samples: &[Sample], seed: u64, fractions: [f64; 3]) -> Result<Vec<Split>> {
    /// Its drawn place in the order, its name, its samples.
    type Lesion<'a> = (u64, &'a str, &'a [usize]);

    let sum: f64 = fractions.iter().sum();
    if fractions.iter().any(|f| !f.is_finite() || *f < 0.0) || (sum - 1.0).abs() > 1e-6 {
        let message = format!("fractions are {fractions:?}, expected three of at least 0 that add up to 1");
        return Err(Error::parameter("split", message));
    }
    let mut lesions: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (i, sample) in samples.iter().enumerate() {
        lesions.entry(sample.lesion.as_deref().unwrap_or(&sample.id)).or_default().push(i);
    }
    let mut classes: BTreeMap<Option<&str>, Vec<Lesion>> = BTreeMap::new();
    for (&lesion, members) in &lesions {
        let label = members.iter().filter_map(|&i| samples[i].label.as_deref()).min();
        let place = Rng::new(seed, "split", &[hash_text(lesion)]).at(0);
        classes.entry(label).or_default().push((place, lesion, members));
    }
    let mut sides = vec![Split::Train; samples.len()];
    // What is owed goes on from class to class, so that many small classes do not all round the same way.
    let mut owed = [0.0f64; 3];
    for lesions in classes.values_mut() {
        lesions.sort_unstable();
        let last = lesions.len() - 1;
        let mut learned = fractions[0] <= 0.0;
        for (at, (_, _, members)) in lesions.iter().enumerate() {
            #[expect(clippy::cast_precision_loss, reason = "counts of photographs")]
            let count = members.len() as f64;
            for (owed, fraction) in owed.iter_mut().zip(fractions) {
                *owed += count * fraction;
            }
            let most = (0..3).fold(0, |best, i| if owed[i] > owed[best] + 1e-9 { i } else { best });
            let side = if at == last && !learned { 0 } else { most };
            learned |= side == 0;
            // As if it had gone where it was owed: other classes are drawn as they would be without this one.
            owed[most] -= count;
            for &i in *members {
                sides[i] = Split::ALL[side];
            }
        }
    }
    Ok(sides)
}
