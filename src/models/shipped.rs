//! The weights that come with nevus: files `weights/unet*.safetensors` and `weights/resnet*.safetensors`, found where the
//! program lies.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// The weights of the shipped U-Net: in a folder `weights` in the current folder, in one that the program lies in, or
/// in the one it was built from; of several files the last by name.
///
/// # Errors
/// [`Error::Name`] where there is none, with the places that were searched.
pub fn unet() -> Result<PathBuf> {
    shipped("unet", "--weights FILE, such as best.safetensors of nevus train segment")
}

/// The weights of the shipped classifier, looked for in the same places.
///
/// # Errors
/// As [`unet`].
pub fn classifier() -> Result<PathBuf> {
    let knob =
        "--weights FILE, or with nevus analyze --classifier FILE, such as best.safetensors of nevus train classify";
    shipped("resnet", knob)
}

fn shipped(kind: &str, knob: &str) -> Result<PathBuf> {
    let mut places: Vec<PathBuf> = std::env::current_dir().ok().into_iter().collect();
    if let Ok(program) = std::env::current_exe() {
        places.extend(program.ancestors().skip(1).map(Path::to_path_buf));
    }
    places.push(env!("CARGO_MANIFEST_DIR").into());
    let found = places.iter().find_map(|place| newest(&place.join("weights"), kind));
    found.ok_or_else(|| Error::Name {
        what: "weights",
        name: format!("{kind}*.safetensors"),
        message: format!(
            "no such file in a folder weights, neither here nor beside the program, {} (hint: {knob})",
            std::env::current_exe().unwrap_or_default().display()
        ),
    })
}

fn newest(folder: &Path, kind: &str) -> Option<PathBuf> {
    let entries = std::fs::read_dir(folder).ok()?;
    let ours = |path: &PathBuf| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        name.starts_with(kind) && name.ends_with(".safetensors") && path.is_file()
    };
    entries.filter_map(|entry| Some(entry.ok()?.path())).filter(ours).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_the_unets_is_taken() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(newest(dir.path(), "unet"), None);
        for name in ["unet-1.safetensors", "unet-2.safetensors", "resnet.safetensors", "unet-3.md"] {
            std::fs::write(dir.path().join(name), b"").unwrap();
        }
        assert_eq!(newest(dir.path(), "unet"), Some(dir.path().join("unet-2.safetensors")));
        assert_eq!(newest(dir.path(), "resnet"), Some(dir.path().join("resnet.safetensors")));
        assert_eq!(newest(&dir.path().join("none"), "unet"), None);
    }
}
