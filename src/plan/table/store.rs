//! Where tables lie: this machine's own in the cache folder, those of known families in the library.

use std::path::{Path, PathBuf};

use include_dir::{Dir, include_dir};

use crate::error::{Error, Result};
use crate::gpu::Gpu;

use super::{Origin, VersionTable};

/// A file for each family.
static SHIPPED: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/src/plan/tables");

/// The file of the table that was measured on this machine: another one for every adapter, driver, set of shaders and
/// version of nevus.
#[must_use]
pub fn file(gpu: &Gpu, folder: &Path) -> PathBuf {
    let (caps, shaders) = (gpu.caps(), gpu.shaders().digest());
    let key = format!("{} {:?} {shaders} {}", caps.describe(), caps.adapter.ids, env!("CARGO_PKG_VERSION"));
    let name = blake3::hash(key.as_bytes()).to_hex();
    folder.join(format!("versions-{}.json", &name[..16]))
}

/// The table that was measured on this machine, where there is one.
///
/// # Errors
/// [`Error::Io`]; [`Error::Data`] where the file is no table.
pub fn own(gpu: &Gpu, folder: &Path) -> Result<Option<VersionTable>> {
    match VersionTable::open(file(gpu, folder)) {
        Ok(table) => Ok(Some(table)),
        Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The table that comes with nevus for the family of this adapter, where there is one that says something.
#[must_use]
pub fn shipped(gpu: &Gpu) -> Option<VersionTable> {
    let family = Origin::of(gpu).family;
    tables()
        .into_iter()
        .filter_map(|(_, table)| table.ok())
        .find(|table| table.origin.family == family && !table.is_empty())
}

/// Every table that comes with nevus, by the name of its file.
pub(super) fn tables() -> Vec<(PathBuf, Result<VersionTable, String>)> {
    let read = |file: &include_dir::File<'_>| {
        let text = file.contents_utf8().ok_or_else(|| "is not UTF-8".to_owned());
        (file.path().to_path_buf(), text.and_then(VersionTable::parse))
    };
    SHIPPED.files().map(read).collect()
}

/// The table to plan with: that of the family with this machine's own rows over it; `None` where there is neither.
/// `folder` is where the own one lies.
#[must_use]
pub fn in_force(gpu: &Gpu, folder: Option<&Path>) -> Option<VersionTable> {
    let own = folder.and_then(|folder| {
        own(gpu, folder).unwrap_or_else(|error| {
            tracing::warn!(%error, "the table of versions cannot be read");
            None
        })
    });
    match (shipped(gpu), own) {
        (Some(mut table), Some(own)) => {
            table.update(&own);
            table.origin = own.origin;
            Some(table)
        }
        (table, own) => own.or(table),
    }
}
