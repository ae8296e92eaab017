//! What can be measured of a lesion without a network: its region, shape and colours on a photograph, and whether the
//! photograph is sharp and has colours.
//!
//! The letters are those of dermoscopy's ABCD rule (Stolz et al. 1994) as far as a mask and colours carry them:
//! asymmetry, border, colours, and a diameter where the scale is known. Figures, no scores: the rule's points need a
//! trained eye.

mod color;
mod focus;
mod region;
mod shape;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use self::color::{COLOR_SHARE, ColorShare, GREY, LesionColor, chroma, colors};
pub use self::focus::{FOCUS_SIDE, SHARP, focus};
pub use self::region::{Region, SMALLEST_AREA, STRAY_SHARE, region, tidy};
pub use self::shape::{asymmetry, border_irregularity, diameter};

use super::image::RgbImage;
use crate::error::{Error, Result};

/// Figures of one lesion.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measurements {
    /// The lesion's share of the photograph, 0 to 1.
    pub area_fraction: f64,
    /// See [`asymmetry`]: about the longer principal axis, then about the shorter one.
    pub asymmetry: [f64; 2],
    /// See [`border_irregularity`].
    pub border_irregularity: Option<f64>,
    /// The colours with their shares of the lesion, largest first; those from [`COLOR_SHARE`] up count.
    pub colors: Vec<ColorShare>,
    /// See [`diameter`], in pixels of the photograph.
    pub diameter_pixels: f64,
    /// The same in millimetres, where the scale is known.
    pub diameter_mm: Option<f64>,
}

impl Measurements {
    /// Measures a region of a photograph. `mm_per_pixel` is the photograph's scale, where it is known.
    ///
    /// Fails where the region is of another size than the photograph, or the scale is not above 0.
    pub fn of(photo: &RgbImage, region: &Region, mm_per_pixel: Option<f64>) -> Result<Self> {
        if let Some(scale) = mm_per_pixel.filter(|scale| !(scale.is_finite() && *scale > 0.0)) {
            return Err(Error::parameter("measure", format!("{scale} mm per pixel, expected a number above 0")));
        }
        let (width, height) = photo.dimensions();
        let diameter_pixels = diameter(region);
        Ok(Self {
            area_fraction: region.area as f64 / (f64::from(width) * f64::from(height)),
            asymmetry: asymmetry(region),
            border_irregularity: border_irregularity(region)?,
            colors: colors(photo, region)?,
            diameter_pixels,
            diameter_mm: mm_per_pixel.map(|scale| scale * diameter_pixels),
        })
    }

    /// How many colours count.
    #[must_use]
    pub fn color_count(&self) -> usize {
        self.colors.iter().filter(|color| color.share >= COLOR_SHARE).count()
    }
}
