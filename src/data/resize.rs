//! Sizes: photographs to network input, maps to any size, padding to a multiple and back.

use std::borrow::Cow;

use ::image::{GrayImage, Rgb, RgbImage};
use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8x4;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};

use crate::error::{Error, Result};
use crate::tensor::{Tensor, checked_len};

/// A photograph at another size, antialiased (bilinear convolution, as Pillow's `BILINEAR`).
pub fn resize_photo(photo: &RgbImage, height: usize, width: usize) -> Result<RgbImage> {
    let (w, h) = target("resize_photo", height, width)?;
    if photo.dimensions() == (w, h) {
        return Ok(photo.clone());
    }
    let four: Vec<_> = photo.pixels().map(|&Rgb([r, g, b])| [r, g, b, 0]).collect();
    let three = convolve(&four, photo.dimensions(), (w, h))?.iter().flat_map(|&[r, g, b, _]| [r, g, b]).collect();
    RgbImage::from_raw(w, h, three).ok_or_else(|| lost("resize_photo"))
}

/// A grey image at another size, antialiased; a mask comes back with grey edges.
pub fn resize_grey(grey: &GrayImage, height: usize, width: usize) -> Result<GrayImage> {
    let (w, h) = target("resize_grey", height, width)?;
    if grey.dimensions() == (w, h) {
        return Ok(grey.clone());
    }
    let four: Vec<_> = grey.as_raw().iter().map(|&value| [value, 0, 0, 0]).collect();
    let one = convolve(&four, grey.dimensions(), (w, h))?.iter().map(|pixel| pixel[0]).collect();
    GrayImage::from_raw(w, h, one).ok_or_else(|| lost("resize_grey"))
}

/// A photograph whose longer side is at most `side` pixels: itself, or a smaller copy of the same proportions.
pub fn within(photo: &RgbImage, side: u32) -> Result<Cow<'_, RgbImage>> {
    let (width, height) = photo.dimensions();
    let longer = width.max(height);
    if longer <= side {
        return Ok(Cow::Borrowed(photo));
    }
    let scaled = |of: u32| (u64::from(of) * u64::from(side) / u64::from(longer)).max(1) as usize;
    resize_photo(photo, scaled(height), scaled(width)).map(Cow::Owned)
}

/// A photograph as network input: shape (1, 3, height, width), values 0..=1, channels red, green, blue.
pub fn photo_tensor(photo: &RgbImage, height: usize, width: usize) -> Result<Tensor> {
    let resized = resize_photo(photo, height, width)?;
    let mut tensor = Tensor::zeros([1, 3, height, width]);
    write_planes(resized.as_raw(), 3, tensor.data_mut());
    Ok(tensor)
}

/// A mask as a target: shape (1, 1, height, width), values 0 or 1.
pub fn mask_tensor(mask: &GrayImage, height: usize, width: usize) -> Result<Tensor> {
    let resized = resize_grey(mask, height, width)?;
    let data = resized.as_raw().iter().map(|&v| f32::from(u8::from(v >= 128))).collect();
    Tensor::new([1, 1, height, width], data)
}

/// Interleaved bytes of `stride` channels to three planes of 0..=1.
pub(super) fn write_planes(pixels: &[u8], stride: usize, planes: &mut [f32]) {
    let len = planes.len() / 3;
    let (red, rest) = planes.split_at_mut(len);
    let (green, blue) = rest.split_at_mut(len);
    for (((pixel, r), g), b) in pixels.chunks_exact(stride).zip(red).zip(green).zip(blue) {
        *r = f32::from(pixel[0]) * (1.0 / 255.0);
        *g = f32::from(pixel[1]) * (1.0 / 255.0);
        *b = f32::from(pixel[2]) * (1.0 / 255.0);
    }
}

/// Antialiased convolution of pixels of four bytes from one (width, height) to another.
// One type of pixels for all images: for each type that is named here, or for all of its types where none is, the library
// is compiled anew, which took a third of this crate's time.
pub(super) fn convolve(pixels: &[[u8; 4]], from: (u32, u32), to: (u32, u32)) -> Result<Vec<[u8; 4]>> {
    if from == to {
        return Ok(pixels.to_vec());
    }
    let refused = |e: &dyn std::fmt::Display| Error::parameter("resize", format!("{from:?} to {to:?}: {e}"));
    let source = TypedImageRef::<U8x4>::from_buffer(from.0, from.1, pixels.as_flattened()).map_err(|e| refused(&e))?;
    let mut result = vec![[0; 4]; to.0 as usize * to.1 as usize];
    let mut view = TypedImage::<U8x4>::from_buffer(to.0, to.1, result.as_flattened_mut()).map_err(|e| refused(&e))?;
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear)).use_alpha(false);
    Resizer::new().resize_typed(&source, &mut view, &options).map_err(|e| refused(&e))?;
    Ok(result)
}

fn target(op: &str, height: usize, width: usize) -> Result<(u32, u32)> {
    let fits = |v: usize| u32::try_from(v).ok().filter(|&v| v > 0 && v <= 1 << 16);
    match (fits(width), fits(height)) {
        (Some(w), Some(h)) if u64::from(w) * u64::from(h) <= 1 << 28 => Ok((w, h)),
        _ => Err(Error::shape(op, "size", "height and width from 1 to 65536", &[height, width])),
    }
}

fn lost(op: &str) -> Error {
    Error::parameter(op, "the resized image has another length than its size says")
}

/// Where an output pixel reads its line: two indices and the weight of the second.
/// `PyTorch`'s `interpolate(mode="bilinear", align_corners=False)`, without antialiasing.
fn taps(from: usize, to: usize) -> Vec<(usize, usize, f32)> {
    #[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^24")]
    let scale = from as f32 / to as f32;
    (0..to)
        .map(|i| {
            #[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^24")]
            let at = ((i as f32 + 0.5) * scale - 0.5).max(0.0);
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at is not negative")]
            let low = (at as usize).min(from - 1);
            #[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^24")]
            let weight = (at - low as f32).clamp(0.0, 1.0);
            (low, (low + 1).min(from - 1), weight)
        })
        .collect()
}

/// Maps (logits, probabilities) of shape (n, c, h, w) at another size: `PyTorch`'s
/// `F.interpolate(mode="bilinear", align_corners=False)`.
pub fn resize_maps(maps: &Tensor, height: usize, width: usize) -> Result<Tensor> {
    let &[n, c, h, w] = maps.shape() else {
        return Err(Error::shape("resize_maps", "shape", "(n, c, h, w)", maps.shape()));
    };
    let len = checked_len(&[n, c, height, width]).filter(|&len| len > 0 && h > 0 && w > 0 && height < 1 << 24);
    let Some(len) = len.filter(|_| width < 1 << 24) else {
        return Err(Error::shape("resize_maps", "size", "sizes that are not 0", &[n, c, h, w, height, width]));
    };
    if (h, w) == (height, width) {
        return Ok(maps.clone());
    }
    let (rows, columns) = (taps(h, height), taps(w, width));
    let mut data = Vec::with_capacity(len);
    for plane in maps.data().chunks_exact(h * w) {
        for &(top, bottom, dy) in &rows {
            let (top, bottom) = (&plane[top * w..(top + 1) * w], &plane[bottom * w..(bottom + 1) * w]);
            for &(left, right, dx) in &columns {
                let above = (1.0 - dx) * top[left] + dx * top[right];
                let below = (1.0 - dx) * bottom[left] + dx * bottom[right];
                data.push((1.0 - dy) * above + dy * below);
            }
        }
    }
    Tensor::new([n, c, height, width], data)
}

/// What stands beyond an image's edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pad {
    /// The image mirrored, its outermost pixels not repeated.
    #[default]
    Reflect,
    /// The outermost pixels repeated.
    Edge,
}

impl Pad {
    /// The index inside 0..len that stands at `at`.
    #[must_use]
    #[expect(clippy::cast_possible_wrap, clippy::cast_sign_loss, reason = "lengths of images are far below i64's")]
    pub const fn index(self, at: i64, len: usize) -> usize {
        let last = len as i64 - 1;
        if last <= 0 {
            return 0;
        }
        match self {
            Self::Edge if at < 0 => 0,
            Self::Edge if at > last => last as usize,
            Self::Edge => at as usize,
            // The nearest mirror images go without a division: they are what augmentation mostly asks for.
            Self::Reflect if at >= -last && at < 0 => -at as usize,
            Self::Reflect if at >= 0 && at <= last => at as usize,
            Self::Reflect if at > last && at <= 2 * last => (2 * last - at) as usize,
            Self::Reflect => {
                let period = 2 * last;
                let folded = at.rem_euclid(period);
                (if folded > last { period - folded } else { folded }) as usize
            }
        }
    }
}

/// What [`pad_to_multiple`] added, for [`crop`] to take away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Padding {
    /// Rows above.
    pub top: usize,
    /// Columns to the left.
    pub left: usize,
    /// The height before.
    pub height: usize,
    /// The width before.
    pub width: usize,
}

/// Maps (n, c, h, w) padded on all sides, as evenly as can be, until height and width are multiples of `multiple`.
pub fn pad_to_multiple(maps: &Tensor, multiple: usize, pad: Pad) -> Result<(Tensor, Padding)> {
    let &[n, c, height, width] = maps.shape() else {
        return Err(Error::shape("pad_to_multiple", "shape", "(n, c, h, w)", maps.shape()));
    };
    let up = |size: usize| size.checked_next_multiple_of(multiple).filter(|_| size > 0);
    let (Some(h), Some(w)) = (up(height), up(width)) else {
        let message = format!("cannot pad {height}×{width} to a multiple of {multiple}");
        return Err(Error::parameter("pad_to_multiple", message));
    };
    let padding = Padding { top: (h - height) / 2, left: (w - width) / 2, height, width };
    let Some(len) = checked_len(&[n, c, h, w]) else {
        return Err(Error::shape("pad_to_multiple", "size", "a product that fits", &[n, c, h, w]));
    };
    #[expect(clippy::cast_possible_wrap, reason = "lengths of images are far below i64's")]
    let line = |len: usize, before: usize, size: usize| -> Vec<usize> {
        (0..len).map(|i| pad.index(i as i64 - before as i64, size)).collect()
    };
    let (rows, columns) = (line(h, padding.top, height), line(w, padding.left, width));
    let mut data = Vec::with_capacity(len);
    for plane in maps.data().chunks_exact(height * width) {
        for &row in &rows {
            let row = &plane[row * width..(row + 1) * width];
            data.extend(columns.iter().map(|&column| row[column]));
        }
    }
    Ok((Tensor::new([n, c, h, w], data)?, padding))
}

/// Takes away what [`pad_to_multiple`] added.
pub fn crop(maps: &Tensor, padding: &Padding) -> Result<Tensor> {
    let &[n, c, h, w] = maps.shape() else {
        return Err(Error::shape("crop", "shape", "(n, c, h, w)", maps.shape()));
    };
    let Padding { top, left, height, width } = *padding;
    let inside = |start: usize, len: usize, size: usize| start.checked_add(len).is_some_and(|end| end <= size);
    if height == 0 || width == 0 || !inside(top, height, h) || !inside(left, width, w) {
        return Err(Error::shape("crop", "shape", format!("to hold {padding:?}"), maps.shape()));
    }
    let mut data = Vec::with_capacity(n * c * height * width);
    for plane in maps.data().chunks_exact(h * w) {
        for row in plane.chunks_exact(w).skip(top).take(height) {
            data.extend_from_slice(&row[left..left + width]);
        }
    }
    Tensor::new([n, c, height, width], data)
}
