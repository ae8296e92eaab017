//! Files that are either whole or not there: written beside their place, then renamed. The durable ones survive a loss
//! of power besides: they are flushed to the disk first.

use std::io::{BufWriter, Write};
use std::path::Path;

use crate::error::{Error, Result};

/// What the names of unfinished files begin with.
pub(crate) const UNFINISHED: &str = ".nevus-";

/// Writes a file through `fill`; where that fails, or the process ends, what stood at `path` stays as it was.
///
/// # Errors
/// Those of `fill`, and [`Error::Io`].
#[cfg(feature = "data")]
pub fn write_atomic<F>(path: impl AsRef<Path>, fill: F) -> Result<()>
where
    F: FnOnce(&mut dyn Write) -> Result<()>,
{
    write(path.as_ref(), false, fill)
}

/// [`write_atomic`] whose content and name are on the disk when it returns.
pub(crate) fn write_durable<F>(path: &Path, fill: F) -> Result<()>
where
    F: FnOnce(&mut dyn Write) -> Result<()>,
{
    write(path, true, fill)?;
    let folder = folder_of(path);
    sync_folder(folder).map_err(Error::io(folder))
}

fn write<F>(path: &Path, flush: bool, fill: F) -> Result<()>
where
    F: FnOnce(&mut dyn Write) -> Result<()>,
{
    let file = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(folder_of(path)).map_err(Error::io(path))?;
    let mut writer = BufWriter::with_capacity(1 << 18, file);
    fill(&mut writer)?;
    let file = writer.into_inner().map_err(|e| Error::io(path)(e.into_error()))?;
    allow_reading(file.as_file()).map_err(Error::io(path))?;
    if flush {
        file.as_file().sync_all().map_err(Error::io(path))?;
    }
    file.persist(path).map_err(|e| Error::io(path)(e.error))?;
    Ok(())
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Temporary files are made for their owner alone; a result is for everyone the folder is for.
#[cfg(unix)]
fn allow_reading(file: &std::fs::File) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn allow_reading(_: &std::fs::File) -> std::io::Result<()> {
    Ok(())
}

/// A rename is on the disk once its folder is; some file systems cannot flush a folder, which is no failure.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> std::io::Result<()> {
    match std::fs::File::open(folder)?.sync_all() {
        Err(error) if matches!(error.raw_os_error(), Some(22 | 95)) => Ok(()),
        other => other,
    }
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> std::io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_the_old_file_and_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.bin");
        write_durable(&path, |out| out.write_all(b"old").map_err(Error::io(&path))).unwrap();
        let failing = |out: &mut dyn Write| {
            out.write_all(b"half").map_err(Error::io(&path))?;
            Err(Error::Cancelled)
        };
        for failed in [write_durable(&path, failing), write(&path, false, failing)] {
            assert!(matches!(failed, Err(Error::Cancelled)));
        }
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
