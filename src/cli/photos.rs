//! Which photographs the arguments mean, what the results of each are called, and one after the other, decoded.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;

use image::RgbImage;
use indicatif::ProgressBar;

use super::Context;
use crate::data::dataset::{images, stem};
use crate::data::{DecodeLimits, read_photo};
use crate::error::{Error, Result};

/// What `nevus segment` and `nevus analyze` write, and masks of data sets: no photographs themselves.
const RESULTS: [&str; 6] = ["_mask", "_overlay", "_segmentation", "_outline", "_crop", "_heat"];

/// A photograph and the name of its results.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Photo {
    pub path: PathBuf,
    pub name: String,
}

/// The photographs of all arguments, in their order, each once. Arguments that name nothing come back as failures.
pub(super) fn photos(arguments: &[PathBuf]) -> (Vec<Photo>, Vec<(PathBuf, Error)>) {
    let (mut photos, mut failures) = (Vec::new(), Vec::new());
    let (mut seen, mut names) = (HashSet::new(), HashSet::new());
    for argument in arguments {
        match expand(argument) {
            Ok(found) => {
                for path in found {
                    let same = path.canonicalize().unwrap_or_else(|_| path.clone());
                    if seen.insert(same) {
                        let name = free_name(&stem(&path), &mut names);
                        photos.push(Photo { path, name });
                    }
                }
            }
            Err(error) => failures.push((argument.clone(), error)),
        }
    }
    (photos, failures)
}

/// Gives every photograph in turn to `work`, decoded or with the reason why it could not be, while a second thread
/// decodes the next one.
pub(super) fn each(
    photos: &[Photo],
    context: &Context,
    mut work: impl FnMut(&Photo, Result<RgbImage>, &ProgressBar) -> Result<()>,
) -> Result<()> {
    let bar = context.progress("photographs", photos.len() as u64);
    // Room for none: at most one photograph waits, decoded, while another is worked on.
    let (sender, receiver) = sync_channel(0);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for photo in photos {
                if sender.send((photo, read_photo(&photo.path, &DecodeLimits::default()))).is_err() {
                    return;
                }
            }
        });
        // Moved in here, so that an early end frees the decoder that waits.
        let receiver = receiver;
        for (photo, decoded) in &receiver {
            if context.cancelled() {
                return Err(Error::Cancelled);
            }
            work(photo, decoded, &bar)?;
            bar.inc(1);
        }
        bar.finish_and_clear();
        Ok(())
    })
}

/// A failure's message, which names the file once.
pub(super) fn failure(file: &Path, error: &Error) -> String {
    let text = error.to_string();
    if text.contains(&*file.to_string_lossy()) { text } else { format!("{}: {text}", file.display()) }
}

fn expand(argument: &Path) -> Result<Vec<PathBuf>> {
    if argument.is_dir() {
        return below(argument);
    }
    let pattern = argument.to_string_lossy();
    if argument.exists() || !pattern.contains(['*', '?', '[']) {
        return Ok(vec![argument.to_path_buf()]);
    }
    let wrong = |error: glob::PatternError| Error::data(argument, error.to_string());
    let mut found = Vec::new();
    for path in glob::glob(&pattern).map_err(wrong)? {
        let path = path.map_err(|error| Error::io(error.path().to_path_buf())(error.into()))?;
        match path.is_dir() {
            true => found.extend(below(&path)?),
            false if !is_result(&path) => found.push(path),
            false => {}
        }
    }
    if found.is_empty() {
        return Err(Error::data(argument, "no photograph matches"));
    }
    Ok(found)
}

fn below(folder: &Path) -> Result<Vec<PathBuf>> {
    let found: Vec<PathBuf> = images(folder)?.into_iter().filter(|path| !is_result(path)).collect();
    if found.is_empty() {
        return Err(Error::data(folder, "no photographs below this folder"));
    }
    Ok(found)
}

fn is_result(path: &Path) -> bool {
    let name = stem(path).to_lowercase();
    RESULTS.iter().any(|ending| name.ends_with(ending))
}

/// The stem, or with a number where another photograph's results have it; file systems may not tell cases apart.
fn free_name(stem: &str, taken: &mut HashSet<String>) -> String {
    let tries = std::iter::once(stem.to_owned()).chain((2u64..).map(|number| format!("{stem}_{number}")));
    let mut free = tries.skip_while(|name| !taken.insert(name.to_lowercase()));
    free.next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_globs_and_files_give_each_photograph_once() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        std::fs::create_dir_all(root.join("b")).unwrap();
        for name in ["x.png", "b/X.jpg", "x_mask.png", "b/x_overlay.png", "b/y_segmentation.png", "notes.txt"] {
            std::fs::write(root.join(name), b"").unwrap();
        }
        let names = |arguments: &[PathBuf]| -> Vec<String> {
            photos(arguments).0.into_iter().map(|photo| photo.name).collect()
        };
        assert_eq!(names(&[root.to_path_buf()]), ["X", "x_2"]);
        assert_eq!(names(&[root.join("*.png"), root.join("x.png"), root.join("b")]), ["x", "X_2"]);
        assert_eq!(names(&[root.join("x_mask.png")]), ["x_mask"]);
        let (found, failures) = photos(&[root.join("*.gif"), root.join("none.png")]);
        assert_eq!((found.len(), failures.len()), (1, 1));
    }
}
