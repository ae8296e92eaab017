//! Images into files that are either whole or not there.

use std::path::Path;

use ::image::codecs::jpeg::JpegEncoder;
use ::image::{ExtendedColorType, GrayImage, ImageEncoder, RgbImage, codecs::png::PngEncoder};

use crate::error::{Error, Result};

pub use crate::models::durable::write_atomic;

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
    fn a_missing_folder_is_named() {
        let error = write_png("no/such/folder/a.png", &RgbImage::new(1, 1)).unwrap_err();
        assert!(error.to_string().contains("no/such/folder/a.png"), "{error}");
    }
}
