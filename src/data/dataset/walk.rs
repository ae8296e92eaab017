//! Finding images below a folder.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Deep enough for any data set, shallow enough to end where links form a circle.
const MAX_DEPTH: usize = 12;

const ENDINGS: [&str; 8] = ["jpg", "jpeg", "png", "bmp", "tif", "tiff", "webp", "jfif"];

/// Whether the file's ending is an image's.
pub(super) fn is_image(path: &Path) -> bool {
    let Some(ending) = path.extension().and_then(|e| e.to_str()) else { return false };
    ENDINGS.iter().any(|known| known.eq_ignore_ascii_case(ending))
}

/// The entries of a folder that are not hidden, sorted by name.
pub(super) fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(Error::io(folder))? {
        let entry = entry.map_err(Error::io(folder))?;
        if !entry.file_name().to_string_lossy().starts_with('.') {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

/// All image files below a folder, sorted by path.
pub(crate) fn images(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = vec![(folder.to_path_buf(), 0)];
    while let Some((folder, depth)) = open.pop() {
        for path in entries(&folder)? {
            if path.is_dir() {
                if depth < MAX_DEPTH {
                    open.push((path, depth + 1));
                }
            } else if is_image(&path) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// The file's name without its ending.
pub(crate) fn stem(path: &Path) -> String {
    path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default()
}

/// The path below `root` without its ending, parts joined by `/`.
pub(super) fn name_below(path: &Path, root: &Path) -> String {
    let below = path.strip_prefix(root).unwrap_or(path).with_extension("");
    let parts: Vec<_> = below.iter().map(|part| part.to_string_lossy()).collect();
    parts.join("/")
}

/// What stays of a mask's name without its `_segmentation` or `_mask`, in any case; `None` where neither is there.
pub(super) fn without_mask_ending(name: &str) -> Option<&str> {
    ["_segmentation", "_mask"].iter().find_map(|ending| {
        let at = name.len().checked_sub(ending.len())?;
        let tail = name.get(at..)?;
        tail.eq_ignore_ascii_case(ending).then(|| &name[..at])
    })
}
