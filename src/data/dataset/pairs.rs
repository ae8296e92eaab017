//! The layout `images/` + `masks/`: a mask belongs to the image of its name, with or without an ending.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{Sample, walk};
use crate::error::{Error, Result};

/// The two folders, where `root` has both (in any case).
pub(super) fn folders(root: &Path) -> Result<Option<(PathBuf, PathBuf)>> {
    let (mut images, mut masks) = (None, None);
    for path in walk::entries(root)?.into_iter().filter(|path| path.is_dir()) {
        let name = path.file_name().map(|n| n.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
        match name.as_str() {
            "images" => images = Some(path),
            "masks" => masks = Some(path),
            _ => {}
        }
    }
    Ok(images.zip(masks))
}

/// The samples: one for each image, with a mask where there is one.
pub(super) fn read(images: &Path, masks: &Path) -> Result<Vec<Sample>> {
    let mut by_name: BTreeMap<String, PathBuf> = BTreeMap::new();
    for path in walk::images(masks)? {
        let name = walk::name_below(&path, masks);
        let name = walk::without_mask_ending(&name).unwrap_or(&name).to_owned();
        if let Some(first) = by_name.insert(name.clone(), path.clone()) {
            let (a, b) = (first.display(), path.display());
            return Err(Error::data(masks, format!("two masks for {name:?}: {a} and {b}")));
        }
    }
    let mut samples = Vec::new();
    for image in walk::images(images)? {
        let id = walk::name_below(&image, images);
        samples.push(Sample { mask: by_name.remove(&id), id, image, label: None, lesion: None, split: None });
    }
    if samples.is_empty() {
        return Err(Error::data(images, "no image in the folder (expected JPEG, PNG, BMP, TIFF or WebP)"));
    }
    if samples.iter().all(|s| s.mask.is_none()) {
        let message = format!(
            "no mask belongs to any of the {} images; expected the image's name, which may be followed by \
             _segmentation or _mask (first image: {})",
            samples.len(),
            samples[0].id
        );
        return Err(Error::data(masks, message));
    }
    if !by_name.is_empty() {
        tracing::warn!(folder = %masks.display(), count = by_name.len(), "masks without an image");
    }
    Ok(samples)
}
