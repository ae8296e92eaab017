//! Results for people: outlines over photographs, contact sheets, charts as SVG, and one page that holds them all.
//!
//! Knows photographs and numbers; neither the GPU nor the command line.

#![allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    reason = "pixels and counts: far below 2^24, and float-to-integer casts saturate"
)]
#![allow(clippy::missing_errors_doc, reason = "errors are described by the sentence before")]

pub mod analysis;
pub mod classification;
pub mod curves;
pub mod document;
pub mod overlay;
pub mod page;
pub mod sheet;

pub use self::curves::{Legend, LineChart, Series, bar_chart, line_chart, pie_chart};
pub use self::document::Document;
pub use self::overlay::{Outline, compare, outlines, overlay};
pub use self::page::{Page, PageHead, SegmentEntry, SegmentFailure};
pub use self::sheet::{Sheet, SheetOptions};

use image::{GrayImage, Luma, RgbImage};

use crate::data::resize::{resize_grey, resize_photo};
use crate::error::Result;

/// The (width, height) of an image scaled into a box, its aspect kept; never larger than it is.
fn fit((width, height): (u32, u32), (max_width, max_height): (u32, u32)) -> (u32, u32) {
    let scale = (f64::from(max_width) / f64::from(width.max(1))).min(f64::from(max_height) / f64::from(height.max(1)));
    if scale >= 1.0 {
        return (width, height);
    }
    let to = |side: u32| ((f64::from(side) * scale).round() as u32).max(1);
    (to(width).min(max_width), to(height).min(max_height))
}

/// A photograph scaled into a box (width, height).
fn shrink_photo(photo: &RgbImage, within: (u32, u32)) -> Result<RgbImage> {
    let (width, height) = fit(photo.dimensions(), within);
    resize_photo(photo, height as usize, width as usize)
}

/// A mask at a size (width, height), again of 0 and 255 alone.
fn scale_mask(mask: &GrayImage, (width, height): (u32, u32)) -> Result<GrayImage> {
    let mut mask = resize_grey(mask, height as usize, width as usize)?;
    for Luma([value]) in mask.pixels_mut() {
        *value = if *value >= 128 { 255 } else { 0 };
    }
    Ok(mask)
}
