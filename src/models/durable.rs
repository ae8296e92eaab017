//! Files that are either whole or not there: written beside their place, then renamed. The durable ones survive a loss
//! of power besides: they are flushed to the disk first.

use std::io::{BufWriter, ErrorKind, Write};
use std::path::Path;

use crate::error::{Error, Result};

/// What the names of unfinished files begin with.
pub(crate) const UNFINISHED: &str = ".nevus-";

/// Writes a file through `fill`; where that fails, or the process ends, what stood at `path` stays as it was. A file that is
/// there keeps its mode, and is refused where it is read-only; what a link points at is written; a pipe or a device
/// gets the bytes as they come.
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
    // What a link points at is written, not the link.
    let there = std::fs::metadata(path).ok();
    let path = &there.as_ref().and_then(|_| path.canonicalize().ok()).unwrap_or_else(|| path.to_path_buf());
    if there.as_ref().is_some_and(|there| !there.is_file() && !there.is_dir()) {
        let file = std::fs::OpenOptions::new().write(true).open(path).map_err(Error::io(path))?;
        let mut writer = BufWriter::with_capacity(1 << 18, file);
        fill(&mut writer)?;
        return writer.flush().map_err(Error::io(path));
    }
    let permissions = there.map(|there| there.permissions());
    if permissions.as_ref().is_some_and(std::fs::Permissions::readonly) {
        return Err(Error::io(path)(std::io::Error::new(ErrorKind::PermissionDenied, "the file is read-only")));
    }
    let mut builder = tempfile::Builder::new();
    let file = for_all(builder.prefix(UNFINISHED)).tempfile_in(folder_of(path)).map_err(Error::io(path))?;
    let mut writer = BufWriter::with_capacity(1 << 18, file);
    fill(&mut writer)?;
    let file = writer.into_inner().map_err(|e| Error::io(path)(e.into_error()))?;
    if let Some(permissions) = permissions {
        file.as_file().set_permissions(permissions).map_err(Error::io(path))?;
    }
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

/// Temporary files are made for their owner alone; a result is for everyone whom the umask allows.
#[cfg(unix)]
fn for_all<'a, 'b>(builder: &'a mut tempfile::Builder<'b, 'b>) -> &'a tempfile::Builder<'b, 'b> {
    use std::os::unix::fs::PermissionsExt as _;
    builder.permissions(std::fs::Permissions::from_mode(0o666))
}

#[cfg(not(unix))]
fn for_all<'a, 'b>(builder: &'a mut tempfile::Builder<'b, 'b>) -> &'a tempfile::Builder<'b, 'b> {
    builder
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

    #[cfg(unix)]
    #[test]
    fn modes_and_links_stay_and_read_only_files_are_refused() {
        use std::os::unix::fs::{PermissionsExt as _, symlink};
        let dir = tempfile::tempdir().unwrap();
        let [path, link] = ["a.bin", "link.bin"].map(|name| dir.path().join(name));
        let put =
            |path: &Path, bytes: &'static [u8]| write(path, false, |out| out.write_all(bytes).map_err(Error::io("")));
        let mode = || std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        put(&path, b"1").unwrap();
        assert_eq!(mode() & 0o600, 0o600);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        symlink("a.bin", &link).unwrap();
        put(&link, b"2").unwrap();
        assert!(link.is_symlink());
        assert_eq!((std::fs::read(&path).unwrap().as_slice(), mode()), (b"2".as_slice(), 0o600));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o444)).unwrap();
        let refused = put(&path, b"3").unwrap_err();
        assert!(refused.to_string().contains("read-only"), "{refused}");
        assert_eq!(std::fs::read(&path).unwrap(), b"2");
        put(Path::new("/dev/null"), b"4").unwrap();
    }
}
