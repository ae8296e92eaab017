//! Folders of photographs as lists of samples: HAM10000, `images/` + `masks/`, or a folder per class.

mod classes;
mod folders;
mod ham;
mod labelled;
mod pairs;
mod split;
mod walk;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use self::classes::{Classes, DX};
pub use self::labelled::Labelled;
pub use self::split::{SPLIT_FILE, Split, apply_split, read_split, split_by_lesion, write_split};
pub(crate) use self::walk::{images, stem};
use super::image::can_open;
use crate::error::{Error, Result};

/// One photograph and what is known about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// Its name, unique in the data set: the file's stem, with its folders where there are several.
    pub id: String,
    /// The photograph's file.
    pub image: PathBuf,
    /// The lesion mask's file.
    pub mask: Option<PathBuf>,
    /// The diagnosis as the data set writes it (`dx`, or the folder's name).
    pub label: Option<String>,
    /// The lesion, where several photographs may show the same one.
    pub lesion: Option<String>,
    /// The side of the split it stands on, where the data set says.
    pub split: Option<Split>,
}

impl Sample {
    /// Refuses photograph or mask that cannot be opened; neither is decoded.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Image`].
    pub fn can_open(&self) -> Result<()> {
        [Some(&self.image), self.mask.as_ref()].into_iter().flatten().try_for_each(can_open)
    }
}

/// How a data set's folder is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// `HAM10000_metadata.csv`, images and masks anywhere below.
    Ham10000,
    /// `images/` and `masks/`, matched by stem.
    Pairs,
    /// A folder per class, also below `train/`, `val/` and `test/`.
    ClassFolders,
}

/// A data set: samples in the order of their ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dataset {
    /// The folder it was read from.
    pub root: PathBuf,
    /// How that folder is laid out.
    pub layout: Layout,
    /// The samples, sorted by id.
    pub samples: Vec<Sample>,
    /// Names in the folder's CSV that have no image.
    pub without_image: Vec<String>,
    /// Folders that would be classes but hold no image; only in a layout of class folders.
    pub empty_folders: Vec<PathBuf>,
    /// Which of `lesion_id` and `dx` HAM10000's table lacks.
    pub lacking_columns: Vec<&'static str>,
}

impl Dataset {
    /// Reads a folder of any of the three layouts, without opening a single image.
    pub fn open(root: impl AsRef<Path>) -> Result<Self> {
        let root = root.as_ref();
        let about = std::fs::metadata(root).map_err(Error::io(root))?;
        if !about.is_dir() {
            return Err(Error::data(root, "not a folder; expected the folder of a data set"));
        }
        let (mut empty_folders, mut lacking_columns) = (Vec::new(), Vec::new());
        let (layout, samples, without_image) = if let Some(table) = ham::table(root) {
            let ham::Read { samples, without_image, lacking } = ham::read(root, &table)?;
            if lacking.contains(&"lesion_id") {
                let message =
                    "the table lacks the column lesion_id: which photographs show the same lesion is not known";
                tracing::warn!(table = %table.display(), "{message}");
            }
            lacking_columns = lacking;
            (Layout::Ham10000, samples, without_image)
        } else if let Some((images, masks)) = pairs::folders(root)? {
            (Layout::Pairs, pairs::read(&images, &masks)?, Vec::new())
        } else {
            let (samples, empty) = folders::read(root)?;
            empty_folders = empty;
            (Layout::ClassFolders, samples, Vec::new())
        };
        let root_path = root.to_path_buf();
        let mut dataset = Self { root: root_path, layout, samples, without_image, empty_folders, lacking_columns };
        if dataset.samples.is_empty() {
            return Err(Error::data(
                root,
                "no photographs found; expected HAM10000_metadata.csv with its images, images/ and masks/, \
                 or a folder per class",
            ));
        }
        dataset.samples.sort_by(|a, b| a.id.cmp(&b.id));
        if let Some(pair) = dataset.samples.windows(2).find(|pair| pair[0].id == pair[1].id) {
            let (a, b) = (pair[0].image.display(), pair[1].image.display());
            return Err(Error::data(root, format!("two images are named {:?}: {a} and {b}", pair[0].id)));
        }
        let file = root.join(SPLIT_FILE);
        if file.is_file() {
            let unknown = apply_split(&mut dataset.samples, &read_split(&file)?);
            if unknown > 0 {
                tracing::warn!(file = %file.display(), unknown, "the split names images that are not there");
            }
            let aside = dataset.samples.iter().filter(|sample| sample.split.is_none()).count();
            if aside > 0 {
                tracing::warn!(file = %file.display(), aside, "the split does not name these images, which no side has");
            }
        }
        if !dataset.without_image.is_empty() {
            tracing::warn!(root = %root.display(), count = dataset.without_image.len(), "rows without an image");
        }
        Ok(dataset)
    }

    /// Whether any sample carries a side of a split.
    #[must_use]
    pub fn has_split(&self) -> bool {
        self.samples.iter().any(|s| s.split.is_some())
    }

    /// Whether any sample stands on this side of the split.
    #[must_use]
    pub fn has_side(&self, split: Split) -> bool {
        self.samples.iter().any(|s| s.split == Some(split))
    }

    /// The samples on one side of the split, in order.
    #[must_use]
    pub fn side(&self, split: Split) -> Vec<Sample> {
        self.samples.iter().filter(|s| s.split == Some(split)).cloned().collect()
    }
}

#[cfg(test)]
mod tests;
