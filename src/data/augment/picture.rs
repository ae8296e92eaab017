//! A decoded photograph with its mask, ready to be sampled.

use ::image::{GrayImage, RgbImage};

use crate::data::resize::{Pad, convolve, resize_grey, write_planes};
use crate::error::{Error, Result};
use crate::tensor::Tensor;

/// How much larger than the output a picture is kept: enough for any magnification that is worth it.
const KEPT: f32 = 2.0;

/// A photograph and its mask in one array of four bytes a pixel (red, green, blue, mask).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    height: usize,
    width: usize,
    pixels: Vec<[u8; 4]>,
}

impl Picture {
    /// Joins a photograph and its mask (none is an empty mask). A mask of another size is resized when it has the
    /// photograph's proportions, within 2 % or a pixel, and refused otherwise.
    pub fn new(photo: &RgbImage, mask: Option<&GrayImage>) -> Result<Self> {
        let size @ (width, height) = photo.dimensions();
        if width == 0 || height == 0 {
            return Err(Error::parameter("picture", "the photograph has no pixel"));
        }
        let resized;
        let mask = match mask {
            None => None,
            Some(mask) if mask.dimensions() == size => Some(mask.as_raw().as_slice()),
            Some(mask) => {
                let (w, h) = mask.dimensions();
                // A shorter side is rounded to whole pixels, which for a long strip is more than 2 %.
                let [across, along] = [f64::from(w) * f64::from(height), f64::from(h) * f64::from(width)];
                let alike = (0.98..=1.02).contains(&(across / along));
                if !alike && (across - along).abs() >= f64::from(width.max(height)) {
                    let message = format!("the mask is {w}×{h}, expected the proportions of {width}×{height}");
                    return Err(Error::parameter("picture", message));
                }
                resized = resize_grey(mask, height as usize, width as usize)?;
                Some(resized.as_raw().as_slice())
            }
        };
        let join = |(i, p): (usize, &[u8; 3])| [p[0], p[1], p[2], mask.map_or(0, |mask| mask[i])];
        let pixels = photo.as_raw().as_chunks::<3>().0.iter().enumerate().map(join).collect();
        Ok(Self { height: height as usize, width: width as usize, pixels })
    }

    /// The picture as small as training at `height` × `width` needs it: at most twice that size.
    pub fn reduced(self, height: usize, width: usize) -> Result<Self> {
        let scale = (self.height as f32 / height.max(1) as f32).min(self.width as f32 / width.max(1) as f32) / KEPT;
        if scale <= 1.0 {
            return Ok(self);
        }
        let shrink = |size: usize| ((size as f32 / scale).round() as usize).max(1);
        let (height, width) = (shrink(self.height), shrink(self.width));
        self.resized(height, width)
    }

    /// The whole picture at exactly `height` × `width`, antialiased: what inference sees.
    pub fn resized(self, height: usize, width: usize) -> Result<Self> {
        if (height, width) == (self.height, self.width) {
            return Ok(self);
        }
        let size = |h: usize, w: usize| match (u32::try_from(w), u32::try_from(h)) {
            (Ok(w), Ok(h)) if w > 0 && h > 0 => Ok((w, h)),
            _ => Err(Error::shape("picture", "size", "height and width above 0", &[h, w])),
        };
        let (from, to) = (size(self.height, self.width)?, size(height, width)?);
        Ok(Self { height, width, pixels: convolve(&self.pixels, from, to)? })
    }

    /// The box (left, top, width, height) of the mask's pixels; `None` where there are none.
    #[must_use]
    pub fn lesion_box(&self) -> Option<[usize; 4]> {
        let (mut left, mut top, mut right, mut bottom) = (usize::MAX, usize::MAX, 0, 0);
        for (y, line) in self.pixels.chunks_exact(self.width).enumerate() {
            for (x, _) in line.iter().enumerate().filter(|(_, pixel)| pixel[3] >= 128) {
                (left, top, right, bottom) = (left.min(x), top.min(y), right.max(x), bottom.max(y));
            }
        }
        (left <= right).then(|| [left, top, right - left + 1, bottom - top + 1])
    }

    /// A part of it; what of the part lies outside is left away.
    pub(in crate::data) fn cropped(&self, left: usize, top: usize, width: usize, height: usize) -> Self {
        let (left, top) = (left.min(self.width - 1), top.min(self.height - 1));
        let (width, height) = (width.clamp(1, self.width - left), height.clamp(1, self.height - top));
        let lines = self.pixels.chunks_exact(self.width).skip(top).take(height);
        let pixels = lines.flat_map(|line| line[left..left + width].iter().copied()).collect();
        Self { height, width, pixels }
    }

    /// With one colour where the mask has no lesion; unchanged where it has none at all.
    pub(in crate::data) fn without_background(mut self, [red, green, blue]: [u8; 3]) -> Self {
        if self.lesion_box().is_some() {
            for pixel in self.pixels.iter_mut().filter(|pixel| pixel[3] < 128) {
                *pixel = [red, green, blue, pixel[3]];
            }
        }
        self
    }

    /// The photograph as network input: shape (1, 3, height, width) at the picture's own size, values 0..=1.
    #[must_use]
    pub fn tensor(&self) -> Tensor {
        let mut tensor = Tensor::zeros([1, 3, self.height, self.width]);
        write_planes(self.pixels.as_flattened(), 4, tensor.data_mut());
        tensor
    }

    /// Half the size, each pixel the mean of four (of two at an odd edge).
    pub(super) fn halved(&self) -> Self {
        let (height, width) = (self.height.div_ceil(2), self.width.div_ceil(2));
        let mut pixels = Vec::with_capacity(height * width);
        for y in 0..height {
            let line = |y: usize| &self.pixels[y * self.width..(y + 1) * self.width];
            let (top, bottom) = (line(2 * y), line((2 * y + 1).min(self.height - 1)));
            for (a, b) in top.chunks(2).zip(bottom.chunks(2)) {
                let (a0, b0) = (a[0], b[0]);
                let (a1, b1) = (*a.last().unwrap_or(&a0), *b.last().unwrap_or(&b0));
                let mean =
                    |c: usize| (u16::from(a0[c]) + u16::from(a1[c]) + u16::from(b0[c]) + u16::from(b1[c]) + 2) / 4;
                pixels.push([0, 1, 2, 3].map(|c| mean(c) as u8));
            }
        }
        Self { height, width, pixels }
    }

    /// Height in pixels.
    #[must_use]
    pub const fn height(&self) -> usize {
        self.height
    }

    /// Width in pixels.
    #[must_use]
    pub const fn width(&self) -> usize {
        self.width
    }

    /// The bytes it takes in memory.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.pixels.len() * 4
    }

    /// Red, green, blue, mask of each pixel, row by row.
    #[must_use]
    pub fn pixels(&self) -> &[[u8; 4]] {
        &self.pixels
    }

    /// The four channels, 0..=1, between the pixels about (x, y); (0, 0) is the first pixel's middle. Places are
    /// rounded to 1/256 of a pixel.
    #[inline]
    pub(super) fn sample(&self, x: f32, y: f32, pad: Pad) -> [f32; 4] {
        let (x, y) = ((x * 256.0) as i32, (y * 256.0) as i32);
        let (left, top) = (x >> 8, y >> 8);
        let (dx, dy) = (u64::from(x as u8), u64::from(y as u8));
        // As unsigned numbers, what lies left of or above the picture is beyond its far edge too.
        let near = (left as u32 as usize, top as u32 as usize);
        let (row0, row1, col0, col1) = if near.0 < self.width - 1 && near.1 < self.height - 1 {
            (near.1 * self.width, (near.1 + 1) * self.width, near.0, near.0 + 1)
        } else {
            let row = |y: i32| pad.index(i64::from(y), self.height) * self.width;
            let column = |x: i32| pad.index(i64::from(x), self.width);
            (row(top), row(top + 1), column(left), column(left + 1))
        };
        // Four bytes in the 16-bit lanes of one word; a weight is at most 256, so that no lane runs over.
        let at = |i: usize| {
            let v = u64::from(u32::from_le_bytes(self.pixels[i]));
            let v = (v | v << 16) & 0x0000_FFFF_0000_FFFF;
            (v | v << 8) & 0x00FF_00FF_00FF_00FF
        };
        let above = at(row0 + col0) * (256 - dx) + at(row0 + col1) * dx;
        let below = at(row1 + col0) * (256 - dx) + at(row1 + col1) * dx;
        // Products of two weights and a byte have 24 bits: two lanes of 32 bits in each word.
        let half = |shift: u32| {
            let lanes = |v: u64| v >> shift & 0x0000_FFFF_0000_FFFF;
            lanes(above) * (256 - dy) + lanes(below) * dy
        };
        let (even, odd) = (half(0), half(16));
        let value = |v: u64| (v as u32 as i32) as f32 * (1.0 / (255.0 * 65536.0));
        [value(even), value(odd), value(even >> 32), value(odd >> 32)]
    }
}
