//! The layout of a folder per class, also below `train/`, `val/` and `test/`.

use std::path::{Path, PathBuf};

use super::{Sample, Split, walk};
use crate::error::Result;

/// The samples, and the folders that hold no image.
pub(super) fn read(root: &Path) -> Result<(Vec<Sample>, Vec<PathBuf>)> {
    let (mut samples, mut empty) = (Vec::new(), Vec::new());
    let mut class = |folder: PathBuf, split| -> Result<()> {
        let before = samples.len();
        class_folder(root, &folder, split, &mut samples)?;
        if samples.len() == before {
            empty.push(folder);
        }
        Ok(())
    };
    for folder in walk::entries(root)?.into_iter().filter(|path| path.is_dir()) {
        match Split::parse(&walk::name_below(&folder, root)) {
            Some(split) => {
                for below in walk::entries(&folder)?.into_iter().filter(|path| path.is_dir()) {
                    class(below, Some(split))?;
                }
            }
            None => class(folder, None)?,
        }
    }
    Ok((samples, empty))
}

fn class_folder(root: &Path, folder: &Path, split: Option<Split>, samples: &mut Vec<Sample>) -> Result<()> {
    let label = folder.file_name().map(|name| name.to_string_lossy().into_owned());
    for image in walk::images(folder)? {
        if walk::without_mask_ending(&walk::stem(&image)).is_some() {
            continue;
        }
        let id = walk::name_below(&image, root);
        samples.push(Sample { id, image, mask: None, label: label.clone(), lesion: None, split });
    }
    Ok(())
}
