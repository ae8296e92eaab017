//! Photographs and masks from files, whatever the files hold.

use std::fs::File;
use std::io::{Cursor, Read};
use std::path::Path;

use ::image::metadata::Orientation;
use ::image::{DynamicImage, ImageDecoder, ImageReader, Limits};
pub use ::image::{GrayImage, RgbImage};

use super::jpeg;
use crate::error::{Error, Result};

/// What a file may ask for before it is refused: a header that claims terabytes allocates nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecodeLimits {
    /// The most pixels of one image.
    pub max_pixels: u64,
    /// The most bytes of one file, and the most that its decoder may allocate.
    pub max_bytes: u64,
}

impl Default for DecodeLimits {
    /// 256 megapixels, of which a phone's sensor has up to 200, and 1 GiB.
    fn default() -> Self {
        Self { max_pixels: 256_000_000, max_bytes: 1 << 30 }
    }
}

/// A photograph as 8-bit RGB, upright after its EXIF orientation, transparency laid on white. PNG, JPEG, BMP, TIFF
/// and WebP are told apart by their content.
pub fn read_photo(path: impl AsRef<Path>, limits: &DecodeLimits) -> Result<RgbImage> {
    let path = path.as_ref();
    decode_photo(&read_bytes(path, limits)?, path, limits)
}

/// As [`read_photo`], from bytes; `path` serves messages only.
pub fn decode_photo(bytes: &[u8], path: impl AsRef<Path>, limits: &DecodeLimits) -> Result<RgbImage> {
    let (mut image, orientation) = decode(bytes, path.as_ref(), limits)?;
    image.apply_orientation(orientation);
    if !image.color().has_alpha() {
        return Ok(image.into_rgb8());
    }
    let source = image.into_rgba8();
    let mut flat = RgbImage::new(source.width(), source.height());
    for (to, from) in flat.pixels_mut().zip(source.pixels()) {
        let alpha = u32::from(from.0[3]);
        to.0 = [0, 1, 2].map(|c| over(u32::from(from.0[c]), 255, alpha));
    }
    Ok(flat)
}

/// A mask as 0 and 255 (lesion) from any grey, 1-bit, 16-bit or colour image: lesion is where the brightness is 128
/// or more. Transparency counts as black. A grey mask of zeros and ones is taken as such.
///
/// EXIF orientation is not applied: a mask is drawn over the upright photograph.
pub fn read_mask(path: impl AsRef<Path>, limits: &DecodeLimits) -> Result<GrayImage> {
    let path = path.as_ref();
    decode_mask(&read_bytes(path, limits)?, path, limits)
}

/// As [`read_mask`], from bytes; `path` serves messages only.
pub fn decode_mask(bytes: &[u8], path: impl AsRef<Path>, limits: &DecodeLimits) -> Result<GrayImage> {
    let (image, _) = decode(bytes, path.as_ref(), limits)?;
    let mut mask = if image.color().has_alpha() {
        let source = image.into_luma_alpha8();
        let (width, height) = source.dimensions();
        GrayImage::from_fn(width, height, |x, y| {
            let [luma, alpha] = source.get_pixel(x, y).0;
            ::image::Luma([over(u32::from(luma), 0, u32::from(alpha))])
        })
    } else {
        image.into_luma8()
    };
    let threshold = if mask.iter().copied().max() == Some(1) { 1 } else { 128 };
    for value in mask.iter_mut() {
        *value = if *value >= threshold { 255 } else { 0 };
    }
    Ok(mask)
}

/// The (width, height) that [`read_photo`] would give, from the header alone.
pub fn photo_size(path: impl AsRef<Path>) -> Result<(u32, u32)> {
    let path = path.as_ref();
    let file = open(path)?.0;
    let reader = ImageReader::new(std::io::BufReader::new(file)).with_guessed_format().map_err(Error::io(path))?;
    let mut decoder = reader.into_decoder().map_err(|e| refuse(path, &e))?;
    let (width, height) = decoder.dimensions();
    let turned = matches!(
        decoder.orientation().unwrap_or(Orientation::NoTransforms),
        Orientation::Rotate90 | Orientation::Rotate270 | Orientation::Rotate90FlipH | Orientation::Rotate270FlipH
    );
    Ok(if turned { (height, width) } else { (width, height) })
}

/// A file's bytes, refused where it is no regular file or above the limit.
pub fn read_bytes(path: impl AsRef<Path>, limits: &DecodeLimits) -> Result<Vec<u8>> {
    let path = path.as_ref();
    let (file, len) = open(path)?;
    if len > limits.max_bytes {
        return Err(Error::image(path, format!("the file has {len} bytes, expected at most {}", limits.max_bytes)));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(len).unwrap_or(0));
    file.take(limits.max_bytes).read_to_end(&mut bytes).map_err(Error::io(path))?;
    Ok(bytes)
}

/// Refuses a file that is missing, no regular file, or may not be read; what it holds is not looked at.
///
/// # Errors
/// [`Error::Io`], [`Error::Image`].
pub fn can_open(path: impl AsRef<Path>) -> Result<()> {
    open(path.as_ref()).map(|_| ())
}

fn open(path: &Path) -> Result<(File, u64)> {
    // Asked before opening: opening a pipe would wait for its writer.
    let about = std::fs::metadata(path).map_err(Error::io(path))?;
    if !about.is_file() {
        return Err(Error::image(path, "not a file"));
    }
    Ok((File::open(path).map_err(Error::io(path))?, about.len()))
}

fn decode(bytes: &[u8], path: &Path, limits: &DecodeLimits) -> Result<(DynamicImage, Orientation)> {
    if bytes.is_empty() {
        return Err(Error::image(path, "the file is empty"));
    }
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(Error::io(path))?;
    let Some(format) = reader.format() else {
        return Err(Error::image(path, "not an image in a known format (expected JPEG, PNG, BMP, TIFF or WebP)"));
    };
    if format == ::image::ImageFormat::Jpeg {
        jpeg::check_complete(bytes).map_err(|message| Error::image(path, message))?;
    }
    let mut decoder = reader.into_decoder().map_err(|e| refuse(path, &e))?;
    let (width, height) = decoder.dimensions();
    let pixels = u64::from(width) * u64::from(height);
    if pixels == 0 {
        return Err(Error::image(path, format!("the image is {width}×{height}, without a pixel")));
    }
    if pixels > limits.max_pixels {
        let limit = limits.max_pixels;
        return Err(Error::image(path, format!("the image is {width}×{height} ({pixels} pixels), limit {limit}")));
    }
    let mut allowed = Limits::default();
    allowed.max_alloc = Some(limits.max_bytes);
    decoder.set_limits(allowed).map_err(|e| refuse(path, &e))?;
    if decoder.total_bytes() > limits.max_bytes {
        let bytes = decoder.total_bytes();
        return Err(Error::image(path, format!("decoding takes {bytes} bytes, limit {}", limits.max_bytes)));
    }
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let image = DynamicImage::from_decoder(decoder).map_err(|e| refuse(path, &e))?;
    Ok((image, orientation))
}

fn refuse(path: &Path, error: &::image::ImageError) -> Error {
    Error::image(path, format!("cannot be decoded (broken, truncated or not supported): {error}"))
}

/// `value` of opacity `alpha` over `ground`.
fn over(value: u32, ground: u32, alpha: u32) -> u8 {
    u8::try_from((value * alpha + ground * (255 - alpha) + 127) / 255).unwrap_or(u8::MAX)
}
