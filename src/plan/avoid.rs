//! Versions that `nevus check` found wrong on an adapter: a small file in the cache folder, which plans then heed.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::gpu::Gpu;

#[derive(Serialize, Deserialize)]
struct Record {
    /// Of nevus: a newer one may have mended them.
    version: String,
    adapter: String,
    shaders: BTreeSet<String>,
}

/// The file for this adapter, its driver, and the kernels' sources: one that was mended is judged anew.
#[must_use]
pub fn file(gpu: &Gpu, folder: &Path) -> PathBuf {
    let key = format!("{} {:?} {}", gpu.caps().describe(), gpu.caps().adapter.ids, gpu.shaders().digest());
    let name = blake3::hash(key.as_bytes()).to_hex();
    folder.join(format!("avoid-{}.json", &name[..16]))
}

/// The shaders that failed on this adapter, by this version of nevus: what
/// [`PlanOptions::avoid`](super::PlanOptions::avoid) takes. None where nothing is known, or the file cannot be read.
#[must_use]
pub fn known_bad(gpu: &Gpu, folder: &Path) -> BTreeSet<String> {
    let path = file(gpu, folder);
    let Ok(bytes) = std::fs::read(&path) else { return BTreeSet::new() };
    match serde_json::from_slice::<Record>(&bytes) {
        Ok(record) if record.version == env!("CARGO_PKG_VERSION") => record.shaders,
        Ok(_) => BTreeSet::new(),
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "the list of kernels to avoid cannot be read");
            BTreeSet::new()
        }
    }
}

/// Writes the shaders that failed, or removes the file where none did.
///
/// # Errors
/// [`Error::Io`].
pub fn record(gpu: &Gpu, folder: &Path, shaders: &BTreeSet<String>) -> Result<()> {
    let path = file(gpu, folder);
    if shaders.is_empty() {
        return match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::io(&path)(error)),
            _ => Ok(()),
        };
    }
    let record =
        Record { version: env!("CARGO_PKG_VERSION").into(), adapter: gpu.caps().describe(), shaders: shaders.clone() };
    let text = serde_json::to_vec_pretty(&record).map_err(|error| Error::data(&path, error.to_string()))?;
    replace(&path, &text)
}

/// Writes a file, whole or not at all, in a folder that is made where it is not there.
pub(super) fn replace(path: &Path, text: &[u8]) -> Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(Error::io(folder))?;
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(Error::io(path))?;
    file.write_all(text).map_err(Error::io(path))?;
    file.persist(path).map_err(|error| Error::io(path)(error.error))?;
    Ok(())
}
