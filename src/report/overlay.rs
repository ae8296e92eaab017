//! The outline of a mask over its photograph.

use image::{GrayImage, Rgb, RgbImage};

use crate::error::{Error, Result};

/// The colour of an outline that nevus found: cyan, which no skin has.
pub const FOUND: [u8; 3] = [0, 229, 255];
/// The colour of a reference outline: yellow, which those who see few colours still tell from [`FOUND`].
pub const REFERENCE: [u8; 3] = [255, 214, 0];
/// How much of the photograph the dark edge beside the line hides.
const EDGE_OPACITY: f32 = 0.75;
/// Distances are kept in fifths of a pixel, as far as a byte goes.
const UNIT: f32 = 5.0;

/// A mask and the colour to outline it with.
#[derive(Debug, Clone, Copy)]
pub struct Outline<'a> {
    /// 0 and 255 (lesion), of the photograph's size.
    pub mask: &'a GrayImage,
    /// The colour of the line; its two edges are black.
    pub color: [u8; 3],
}

/// The photograph with the mask's outline on it: a bright line between dark edges, seen on dark and on light skin,
/// its width in proportion to the photograph. The frame's edge counts as the lesion's where the mask reaches it.
///
/// Fails where the mask has another size than the photograph.
pub fn overlay(photo: &RgbImage, mask: &GrayImage) -> Result<RgbImage> {
    outlines(photo, &[Outline { mask, color: FOUND }])
}

/// As [`overlay`], with the outline of a reference mask below the one that was found.
pub fn compare(photo: &RgbImage, mask: &GrayImage, reference: &GrayImage) -> Result<RgbImage> {
    outlines(photo, &[Outline { mask: reference, color: REFERENCE }, Outline { mask, color: FOUND }])
}

/// The photograph with several outlines, drawn in their order.
pub fn outlines(photo: &RgbImage, lines: &[Outline]) -> Result<RgbImage> {
    let (width, height) = photo.dimensions();
    if let Some(line) = lines.iter().find(|line| line.mask.dimensions() != (width, height)) {
        let (w, h) = line.mask.dimensions();
        let expected = format!("the photograph's height and width, {height}×{width}");
        return Err(Error::shape("overlay", "mask", expected, &[h as usize, w as usize]));
    }
    let mut result = photo.clone();
    for line in lines {
        draw(&mut result, line);
    }
    Ok(result)
}

/// Half the width of the bright line, and how far its dark edges reach.
fn radii(width: u32, height: u32) -> (f32, f32) {
    let side = width.max(height) as f32;
    let line = (side / 520.0).clamp(0.5, 20.0);
    (line, line + (side / 500.0).clamp(0.8, 16.0))
}

fn draw(image: &mut RgbImage, outline: &Outline) {
    let (line, edge) = radii(image.width(), image.height());
    let Some(part) = Part::around(outline.mask, edge.ceil() as u32 + 2) else { return };
    let mut distances = part.boundary(outline.mask);
    part.spread(&mut distances);
    for (at, distance) in distances.into_iter().enumerate() {
        let distance = f32::from(distance) / UNIT;
        let dark = EDGE_OPACITY * (edge + 0.5 - distance).clamp(0.0, 1.0);
        if dark <= 0.0 {
            continue;
        }
        let bright = (line + 0.5 - distance).clamp(0.0, 1.0);
        let (x, y) = (part.x + (at % part.width) as u32, part.y + (at / part.width) as u32);
        let Rgb(pixel) = image.get_pixel_mut(x, y);
        for (value, color) in pixel.iter_mut().zip(outline.color) {
            let ground = f32::from(*value) * (1.0 - dark);
            *value = (ground + bright * (f32::from(color) - ground)).round() as u8;
        }
    }
}

/// The part of an image that an outline touches.
struct Part {
    x: u32,
    y: u32,
    width: usize,
    height: usize,
}

impl Part {
    /// The mask's bounding box, wider by `margin` on each side; nothing where the mask is empty.
    fn around(mask: &GrayImage, margin: u32) -> Option<Self> {
        let (mut left, mut right, mut top, mut bottom) = (u32::MAX, 0, u32::MAX, 0);
        for (y, row) in (0..).zip(mask.rows()) {
            for (x, pixel) in (0..).zip(row) {
                if pixel.0[0] >= 128 {
                    (left, right, top, bottom) = (left.min(x), right.max(x), top.min(y), bottom.max(y));
                }
            }
        }
        if left > right {
            return None;
        }
        let (x, y) = (left.saturating_sub(margin), top.saturating_sub(margin));
        let width = (right.saturating_add(margin).min(mask.width() - 1) - x + 1) as usize;
        let height = (bottom.saturating_add(margin).min(mask.height() - 1) - y + 1) as usize;
        Some(Self { x, y, width, height })
    }

    /// 0 on the mask's outermost pixels, 255 elsewhere.
    fn boundary(&self, mask: &GrayImage) -> Vec<u8> {
        let (width, height) = mask.dimensions();
        let inside = |x: u32, y: u32| x < width && y < height && mask.get_pixel(x, y).0[0] >= 128;
        let mut seeds = Vec::with_capacity(self.width * self.height);
        for y in (self.y..).take(self.height) {
            for x in (self.x..).take(self.width) {
                // Left of the first pixel wraps to a coordinate that is outside as well.
                let within = inside(x.wrapping_sub(1), y)
                    && inside(x + 1, y)
                    && inside(x, y.wrapping_sub(1))
                    && inside(x, y + 1);
                seeds.push(if inside(x, y) && !within { 0 } else { 255 });
            }
        }
        seeds
    }

    /// Each pixel's distance to the nearest 0, in fifths of a pixel: the 5-7-11 chamfer distance, at most 2 % off.
    fn spread(&self, map: &mut [u8]) {
        const BEFORE: [(isize, isize, u8); 8] =
            [(-1, 0, 5), (-1, -1, 7), (0, -1, 5), (1, -1, 7), (-2, -1, 11), (2, -1, 11), (-1, -2, 11), (1, -2, 11)];
        let (width, height) = (self.width.cast_signed(), self.height.cast_signed());
        let mut pass = |at: usize, sign: isize| {
            let (x, y) = ((at % self.width).cast_signed(), (at / self.width).cast_signed());
            let mut best = map[at];
            for (dx, dy, step) in BEFORE {
                let (x, y) = (x + sign * dx, y + sign * dy);
                if (0..width).contains(&x) && (0..height).contains(&y) {
                    best = best.min(map[(y * width + x).cast_unsigned()].saturating_add(step));
                }
            }
            map[at] = best;
        };
        let len = self.width * self.height;
        (0..len).for_each(|at| pass(at, 1));
        (0..len).rev().for_each(|at| pass(at, -1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Luma;

    fn disc(width: u32, height: u32, x: f32, y: f32, radius: f32) -> GrayImage {
        GrayImage::from_fn(width, height, |c, r| {
            let (dx, dy) = (c as f32 + 0.5 - x, r as f32 + 0.5 - y);
            Luma([if dx * dx + dy * dy < radius * radius { 255 } else { 0 }])
        })
    }

    #[test]
    fn the_line_lies_on_the_border_and_nowhere_else() {
        for ground in [0, 90, 255] {
            let photo = RgbImage::from_pixel(300, 200, Rgb([ground; 3]));
            let drawn = overlay(&photo, &disc(300, 200, 150.0, 100.0, 60.0)).unwrap();
            for (x, y, pixel) in drawn.enumerate_pixels() {
                let (dx, dy) = (x as f32 + 0.5 - 150.0, y as f32 + 0.5 - 100.0);
                let off = ((dx * dx + dy * dy).sqrt() - 59.5).abs();
                assert!(off < 4.0 || pixel.0 == [ground; 3], "{x} {y} {pixel:?}");
            }
            assert_eq!(drawn.get_pixel(150, 40).0, FOUND);
        }
    }

    #[test]
    fn lines_grow_with_the_photograph() {
        let share = |side: u32| {
            let photo = RgbImage::new(side, side);
            let half = side as f32 / 2.0;
            let drawn = overlay(&photo, &disc(side, side, half, half, half / 2.0)).unwrap();
            drawn.pixels().filter(|p| p.0 != [0; 3]).count() as f64 / f64::from(side * side)
        };
        let (small, large) = (share(500), share(2000));
        assert!(large > 0.6 * small && large < 1.4 * small, "{small} {large}");
    }

    #[test]
    fn empty_full_tiny_and_torn_masks() {
        let photo = RgbImage::from_pixel(40, 30, Rgb([200, 150, 120]));
        assert_eq!(overlay(&photo, &GrayImage::new(40, 30)).unwrap(), photo);
        let full = overlay(&photo, &GrayImage::from_pixel(40, 30, Luma([255]))).unwrap();
        assert_eq!(full.get_pixel(0, 0).0, FOUND);
        assert_eq!(full.get_pixel(20, 15), photo.get_pixel(20, 15));
        let one = RgbImage::new(1, 1);
        overlay(&one, &GrayImage::from_pixel(1, 1, Luma([255]))).unwrap();
        let torn = GrayImage::from_fn(40, 30, |x, y| Luma([if (x + y) % 2 == 0 { 255 } else { 0 }]));
        overlay(&photo, &torn).unwrap();
        assert_eq!(overlay(&RgbImage::new(0, 0), &GrayImage::new(0, 0)).unwrap().len(), 0);
    }

    #[test]
    fn a_mask_of_another_size_is_refused_with_both_sizes() {
        let error = overlay(&RgbImage::new(4, 3), &GrayImage::new(3, 4)).unwrap_err().to_string();
        assert!(error.contains("3×4") && error.contains("[4, 3]"), "{error}");
    }

    #[test]
    fn both_outlines_of_a_comparison_show() {
        let photo = RgbImage::new(200, 200);
        let drawn = compare(&photo, &disc(200, 200, 80.0, 100.0, 50.0), &disc(200, 200, 120.0, 100.0, 50.0)).unwrap();
        for color in [FOUND, REFERENCE] {
            assert!(drawn.pixels().filter(|p| p.0 == color).count() > 100);
        }
    }
}
