//! Files that are either whole or not there: written beside their place, then renamed.

use std::io::{BufWriter, Write};
use std::path::Path;

use ::image::codecs::jpeg::JpegEncoder;
use ::image::{ExtendedColorType, GrayImage, ImageEncoder, RgbImage, codecs::png::PngEncoder};

use crate::error::{Error, Result};

/// Writes a file through `fill`; where that fails, or the process ends, what stood at `path` stays as it was.
pub fn write_atomic<F>(path: impl AsRef<Path>, fill: F) -> Result<()>
where
    F: FnOnce(&mut dyn Write) -> Result<()>,
{
    let path = path.as_ref();
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let file = tempfile::Builder::new().prefix(".nevus-").tempfile_in(folder).map_err(Error::io(path))?;
    let mut writer = BufWriter::new(file);
    fill(&mut writer)?;
    let file = writer.into_inner().map_err(|e| Error::io(path)(e.into_error()))?;
    allow_reading(file.as_file()).map_err(Error::io(path))?;
    file.persist(path).map_err(|e| Error::io(path)(e.error))?;
    Ok(())
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

/// Writes a colour image as PNG.
pub fn write_png(path: impl AsRef<Path>, image: &RgbImage) -> Result<()> {
    png(path.as_ref(), image.as_raw(), image.dimensions(), ExtendedColorType::Rgb8)
}

/// Writes a grey image, such as a mask, as PNG.
pub fn write_png_grey(path: impl AsRef<Path>, image: &GrayImage) -> Result<()> {
    png(path.as_ref(), image.as_raw(), image.dimensions(), ExtendedColorType::L8)
}

/// Writes a colour image as JPEG, quality 1 to 100.
pub fn write_jpeg(path: impl AsRef<Path>, image: &RgbImage, quality: u8) -> Result<()> {
    let path = path.as_ref();
    write_atomic(path, |out| {
        JpegEncoder::new_with_quality(out, quality.clamp(1, 100)).encode_image(image).map_err(|e| unwritten(path, e))
    })
}

fn png(path: &Path, raw: &[u8], (width, height): (u32, u32), color: ExtendedColorType) -> Result<()> {
    write_atomic(path, |out| {
        PngEncoder::new(out).write_image(raw, width, height, color).map_err(|e| unwritten(path, e))
    })
}

fn unwritten(path: &Path, error: ::image::ImageError) -> Error {
    match error {
        ::image::ImageError::IoError(source) => Error::Io { path: path.to_path_buf(), source },
        other => Error::image(path, format!("cannot be written: {other}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_the_old_file_and_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.txt");
        write_atomic(&path, |out| out.write_all(b"old").map_err(Error::io(&path))).unwrap();
        let failed = write_atomic(&path, |out| {
            out.write_all(b"half").map_err(Error::io(&path))?;
            Err(Error::Cancelled)
        });
        assert!(matches!(failed, Err(Error::Cancelled)));
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_missing_folder_is_named() {
        let error = write_png("no/such/folder/a.png", &RgbImage::new(1, 1)).unwrap_err();
        assert!(error.to_string().contains("no/such/folder/a.png"), "{error}");
    }
}
