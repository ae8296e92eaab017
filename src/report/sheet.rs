//! Contact sheets: many small pictures with a caption each on one image.

use font8x8::UnicodeFonts as _;
use image::{Rgb, RgbImage, imageops};

use super::{Outline, fit, outlines, scale_mask, shrink_photo};
use crate::error::{Error, Result};

const GROUND: Rgb<u8> = Rgb([250, 250, 248]);
const INK: Rgb<u8> = Rgb([34, 34, 34]);
const GAP: u32 = 8;
/// The most pixels of a sheet's side.
const MAX_SIDE: u32 = 30_000;

/// How a sheet is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SheetOptions {
    /// Tiles beside each other.
    pub columns: u32,
    /// The most pixels of a tile's width.
    pub tile_width: u32,
    /// The most pixels of a tile's height.
    pub tile_height: u32,
}

impl Default for SheetOptions {
    /// Four columns of tiles 240 wide and 180 high.
    fn default() -> Self {
        Self { columns: 4, tile_width: 240, tile_height: 180 }
    }
}

/// A sheet in the making: pictures are scaled down as they come, so that large ones are not kept.
#[derive(Debug)]
pub struct Sheet {
    options: SheetOptions,
    title: String,
    tiles: Vec<(RgbImage, String)>,
}

impl Sheet {
    /// A sheet without tiles. An empty title takes no room.
    ///
    /// Fails where a side of the layout is 0 or leads to a sheet of more than 30,000 pixels in width.
    pub fn new(title: impl Into<String>, options: SheetOptions) -> Result<Self> {
        let SheetOptions { columns, tile_width, tile_height } = options;
        let width = tile_width.checked_add(GAP).and_then(|w| w.checked_mul(columns));
        if columns == 0 || tile_width == 0 || tile_height == 0 || width.is_none_or(|w| w > MAX_SIDE) {
            let message = format!(
                "{columns} columns of {tile_height}×{tile_width}: expected 1 or more, in all at most {MAX_SIDE} pixels wide"
            );
            return Err(Error::parameter("sheet", message));
        }
        Ok(Self { options, title: title.into(), tiles: Vec::new() })
    }

    /// Adds a picture with its caption, of which what does not fit is cut off.
    ///
    /// Fails where the sheet would grow too high, or the picture has no pixel.
    pub fn add(&mut self, image: &RgbImage, caption: impl Into<String>) -> Result<()> {
        self.add_outlined(image, &[], caption)
    }

    /// As [`Sheet::add`], with outlines that are drawn at the tile's size, where they stay visible. Masks of another
    /// size than the picture are scaled to it.
    pub fn add_outlined(&mut self, image: &RgbImage, lines: &[Outline], caption: impl Into<String>) -> Result<()> {
        let rows = self.tiles.len() as u64 / u64::from(self.options.columns) + 1;
        if rows * u64::from(self.cell_height()) > MAX_SIDE.into() {
            return Err(Error::parameter("sheet", format!("{} tiles are as many as fit", self.tiles.len())));
        }
        let tile = shrink_photo(image, (self.options.tile_width, self.options.tile_height))?;
        let masks: Vec<_> = lines.iter().map(|l| scale_mask(l.mask, tile.dimensions())).collect::<Result<_>>()?;
        let lines: Vec<_> = masks.iter().zip(lines).map(|(mask, l)| Outline { mask, color: l.color }).collect();
        self.tiles.push((outlines(&tile, &lines)?, caption.into()));
        Ok(())
    }

    /// How many tiles there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tiles.len()
    }

    /// Whether there is no tile.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tiles.is_empty()
    }

    fn scale(&self) -> u32 {
        (self.options.tile_width / 240).clamp(1, 4)
    }

    fn cell_height(&self) -> u32 {
        self.options.tile_height.saturating_add(GAP + 14 * self.scale())
    }

    /// The sheet as one picture.
    #[must_use]
    pub fn finish(&self) -> RgbImage {
        let SheetOptions { columns, tile_width, tile_height } = self.options;
        let tiles = self.tiles.len() as u32;
        let across = columns.min(tiles.max(1));
        let (scale, head) = (self.scale(), if self.title.is_empty() { 0 } else { 24 * self.scale() });
        let width = GAP + across * (tile_width + GAP);
        let height = GAP + head + tiles.div_ceil(columns) * self.cell_height();
        let mut sheet = RgbImage::from_pixel(width, height, GROUND);
        if head > 0 {
            write(&mut sheet, (GAP, GAP), 2 * scale, width - 2 * GAP, &self.title);
        }
        for (at, (tile, caption)) in (0..).zip(&self.tiles) {
            let (x, y) = (GAP + at % columns * (tile_width + GAP), GAP + head + at / columns * self.cell_height());
            let (w, h) = fit(tile.dimensions(), (tile_width, tile_height));
            let (left, top) = (x + (tile_width - w) / 2, y + (tile_height - h) / 2);
            imageops::replace(&mut sheet, tile, left.into(), top.into());
            write(&mut sheet, (x, y + tile_height + 3 * scale), scale, tile_width, caption);
        }
        sheet
    }
}

/// Writes one line of text, each character 8×8 pixels times `scale`, cut off after `room` pixels.
fn write(sheet: &mut RgbImage, (x, y): (u32, u32), scale: u32, room: u32, text: &str) {
    let fits = (room / (8 * scale)) as usize;
    let mut shown: Vec<char> = text.chars().take(fits + 1).collect();
    if shown.len() > fits {
        shown.truncate(fits.saturating_sub(2));
        shown.extend(std::iter::repeat_n('.', fits.min(2)));
    }
    for (place, letter) in (0..).zip(shown) {
        let glyph = glyph(letter);
        for (row, bits) in (0..).zip(glyph) {
            for column in (0..8).filter(|column| bits >> column & 1 == 1) {
                let (left, top) = (x + (place * 8 + column) * scale, y + row * scale);
                for (dx, dy) in (0..scale).flat_map(|dx| (0..scale).map(move |dy| (dx, dy))) {
                    if let Some(pixel) = sheet.get_pixel_mut_checked(left + dx, top + dy) {
                        *pixel = INK;
                    }
                }
            }
        }
    }
}

fn glyph(letter: char) -> [u8; 8] {
    let known = font8x8::BASIC_FONTS.get(letter).or_else(|| font8x8::LATIN_FONTS.get(letter));
    known.or_else(|| font8x8::GREEK_FONTS.get(letter)).or_else(|| font8x8::BASIC_FONTS.get('?')).unwrap_or([0; 8])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_stand_in_rows_and_keep_their_aspect() {
        let options = SheetOptions { columns: 3, tile_width: 50, tile_height: 40 };
        let mut sheet = Sheet::new("", options).unwrap();
        for _ in 0..4 {
            sheet.add(&RgbImage::from_pixel(200, 80, Rgb([255, 0, 0])), "a caption that is far too long").unwrap();
        }
        let drawn = sheet.finish();
        assert_eq!(drawn.dimensions(), (8 + 3 * 58, 8 + 2 * 62));
        assert_eq!(drawn.pixels().filter(|p| p.0 == [255, 0, 0]).count(), 4 * 50 * 20);
        assert!(drawn.pixels().any(|p| *p == INK));
    }

    #[test]
    fn odd_sheets_are_refused_or_drawn() {
        assert!(Sheet::new("", SheetOptions { columns: 0, ..SheetOptions::default() }).is_err());
        assert!(Sheet::new("", SheetOptions { tile_width: u32::MAX, ..SheetOptions::default() }).is_err());
        let mut sheet = Sheet::new("título", SheetOptions { columns: 1, tile_width: 3, tile_height: 30_000 }).unwrap();
        assert!(sheet.add(&RgbImage::new(1, 1), "x").is_err());
        let mut small = Sheet::new("τ 漢", SheetOptions { columns: 2, tile_width: 9, tile_height: 9 }).unwrap();
        assert!(small.add(&RgbImage::new(0, 0), "x").is_err());
        small.add(&RgbImage::new(1, 1), "漢字").unwrap();
        assert_eq!(small.finish().width(), 25);
        let _ = sheet.finish();
    }
}
