//! The layout of a folder per class, also below `train/`, `val/` and `test/`.

use std::path::Path;

use super::{Sample, Split, walk};
use crate::error::Result;

/// The samples; empty where no folder below `root` holds an image.
pub(super) fn read(root: &Path) -> Result<Vec<Sample>> {
    let mut samples = Vec::new();
    for folder in walk::entries(root)?.into_iter().filter(|path| path.is_dir()) {
        match Split::parse(&walk::name_below(&folder, root)) {
            Some(split) => {
                for class in walk::entries(&folder)?.into_iter().filter(|path| path.is_dir()) {
                    class_folder(root, &class, Some(split), &mut samples)?;
                }
            }
            None => class_folder(root, &folder, None, &mut samples)?,
        }
    }
    Ok(samples)
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
