//! The weights that come with nevus: files `weights/unet*.safetensors` and `weights/resnet*.safetensors`, found where the
//! program lies.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// The weights of the shipped U-Net: in a folder `weights` in the current folder, in one that the program lies in, or
/// in the one it was built from; of several files the last by name, where a number counts as one: `144x192` comes after
/// `96x128`.
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
    let text = |name: Option<&OsStr>| name.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let ours = |path: &PathBuf| {
        let name = text(path.file_name());
        name.starts_with(kind) && name.ends_with(".safetensors") && path.is_file()
    };
    let found = entries.filter_map(|entry| Some(entry.ok()?.path())).filter(ours);
    found.max_by(|a, b| {
        let (one, other) = (text(a.file_stem()), text(b.file_stem()));
        natural(&one).cmp(&natural(&other)).then_with(|| a.cmp(b))
    })
}

/// A name in pieces that compare as people sort names: a text, then the number after it by its length and its digits.
fn natural(name: &str) -> Vec<(&str, usize, &str)> {
    let mut pieces = Vec::new();
    let mut rest = name;
    while !rest.is_empty() {
        let (text, after) = rest.split_at(rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len()));
        let (digits, after) = after.split_at(after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len()));
        let number = digits.trim_start_matches('0');
        pieces.push((text, number.len(), number));
        rest = after;
    }
    pieces
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

    #[test]
    fn numbers_in_names_count_as_numbers() {
        let rising = [
            ["unet-ham10000-96x128", "unet-ham10000-144x192"],
            ["unet-ham10000-144x192", "unet-ham10000-144x192-2"],
            ["unet-9", "unet-10"],
            ["unet-v2", "unet-v010"],
            ["unet-99999999999999999999998", "unet-99999999999999999999999"],
            ["unet", "unet-1"],
            ["resnet50-96x128", "resnet50-224x224"],
            ["resnet50-224x224", "resnet101-96x128"],
        ];
        for names in rising {
            let dir = tempfile::tempdir().unwrap();
            let [_, last] = names.map(|name| dir.path().join(format!("{name}.safetensors")));
            for name in names {
                std::fs::write(dir.path().join(format!("{name}.safetensors")), b"").unwrap();
            }
            let kind = if names[0].starts_with("unet") { "unet" } else { "resnet" };
            assert_eq!(newest(dir.path(), kind), Some(last));
        }
    }
}
