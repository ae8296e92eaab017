//! The colours of a lesion, by the six names of dermoscopy's ABCD rule.

use ::image::Rgb;
use serde::{Deserialize, Serialize};

use super::Region;
use crate::data::image::RgbImage;
use crate::error::{Error, Result};

/// From this share of the lesion on a colour counts.
pub const COLOR_SHARE: f64 = 0.05;
/// Skin that every photograph's skin is tinted to before colours are told apart (sRGB).
const REFERENCE_SKIN: [u8; 3] = [225, 172, 150];
/// Pixels outside of the lesion that are darker are no skin but the dark corners of a dermatoscope (sum of sRGB).
const DARK: u16 = 150;
/// Fewer pixels of skin than these say nothing of its colour.
const LEAST_SKIN: usize = 200;

/// Below this [`chroma`] a photograph counts as grey. Of 601 photographs of HAM10000 the least has 33.
pub const GREY: u8 = 12;

/// A colour that the ABCD rule of dermoscopy counts (Stolz et al. 1994: white, red, light brown, dark brown,
/// blue-grey, black).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LesionColor {
    /// Lighter than the skin around it.
    White,
    /// Red.
    Red,
    /// Light brown.
    LightBrown,
    /// Dark brown.
    DarkBrown,
    /// Blue-grey.
    BlueGrey,
    /// Black.
    Black,
}

impl LesionColor {
    /// All six.
    pub const ALL: [Self; 6] = [Self::White, Self::Red, Self::LightBrown, Self::DarkBrown, Self::BlueGrey, Self::Black];

    /// The sRGB value that stands for it. The rule names colours without values; these are nevus's, chosen so that
    /// on HAM10000 nevi are mostly brown and vascular lesions mostly red.
    #[must_use]
    pub const fn reference(self) -> [u8; 3] {
        match self {
            Self::White => [240, 235, 230],
            Self::Red => [190, 65, 60],
            Self::LightBrown => [185, 125, 88],
            Self::DarkBrown => [102, 64, 45],
            Self::BlueGrey => [108, 112, 122],
            Self::Black => [35, 28, 28],
        }
    }
}

/// A colour and its share of the lesion.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ColorShare {
    /// The colour.
    pub color: LesionColor,
    /// Its share of the lesion's pixels, 0 to 1.
    pub share: f64,
}

/// How far a photograph's colours lie from grey: the difference of the largest and the smallest channel, 0 to 255, that one
/// pixel in a hundred passes.
#[must_use]
pub fn chroma(photo: &RgbImage) -> u8 {
    let mut counts = [0u64; 256];
    for Rgb(pixel) in photo.pixels() {
        let (low, high) = pixel.iter().fold((u8::MAX, 0), |(low, high), &value| (low.min(value), high.max(value)));
        counts[usize::from(high.saturating_sub(low))] += 1;
    }
    let most = u64::from(photo.width()) * u64::from(photo.height()) / 100;
    let mut above = 0;
    let passed = |count: &u64| {
        above += count;
        above > most
    };
    (0..=u8::MAX).rev().zip(counts.iter().rev().map(passed)).find(|(_, passed)| *passed).map_or(0, |(value, _)| value)
}

/// The colours of a region, largest share first; what is nearest to the skin around it is none of them, so shares may
/// add up to less than 1.
///
/// Every pixel gets the nearest of the six reference colours and the skin's own, by distance in CIELAB. Before that the
/// photograph is tinted, channel by channel and at constant luminance, so that the median colour of the skin outside
/// the region has a reference skin's hue: cameras and lights differ by more than the colours do. Without enough skin
/// in the photograph colours are taken as they are. A grey photograph (see [`GREY`]) has none.
///
/// Fails where the region is of another size than the photograph.
pub fn colors(photo: &RgbImage, region: &Region) -> Result<Vec<ColorShare>> {
    if region.mask.dimensions() != photo.dimensions() {
        let (width, height) = photo.dimensions();
        let expected = format!("the photograph's height and width, {height}×{width}");
        let got = [region.mask.height() as usize, region.mask.width() as usize];
        return Err(Error::shape("colors", "mask", expected, &got));
    }
    if chroma(photo) < GREY {
        return Ok(Vec::new());
    }
    let skin = skin(photo, region);
    let gains = skin.map_or([1.0; 3], tint);
    let mut references: Vec<[f64; 3]> = LesionColor::ALL.iter().map(|c| lab(linear(c.reference()))).collect();
    references.extend(skin.map(|skin| lab(tinted(skin, gains))));
    let mut counts = [0u64; LesionColor::ALL.len() + 1];
    for (pixel, mask) in photo.pixels().zip(region.mask.as_raw()) {
        if *mask != 255 {
            continue;
        }
        let here = lab(tinted(pixel.0, gains));
        let distance = |to: &[f64; 3]| (0..3).map(|c| (here[c] - to[c]).powi(2)).sum::<f64>();
        let nearest =
            (0..references.len()).min_by(|&a, &b| distance(&references[a]).total_cmp(&distance(&references[b])));
        counts[nearest.unwrap_or(0)] += 1;
    }
    let share = |count: u64| count as f64 / region.area as f64;
    let mut shares: Vec<ColorShare> =
        LesionColor::ALL.iter().zip(counts).map(|(&color, count)| ColorShare { color, share: share(count) }).collect();
    shares.retain(|color| color.share > 0.0);
    shares.sort_by(|a, b| b.share.total_cmp(&a.share));
    Ok(shares)
}

/// The median colour, channel by channel, outside of the region.
fn skin(photo: &RgbImage, region: &Region) -> Option<[u8; 3]> {
    let mut histograms = [[0usize; 256]; 3];
    let mut count = 0;
    for (pixel, mask) in photo.pixels().zip(region.mask.as_raw()) {
        if *mask == 0 && pixel.0.iter().map(|&v| u16::from(v)).sum::<u16>() > DARK {
            count += 1;
            for (histogram, value) in histograms.iter_mut().zip(pixel.0) {
                histogram[usize::from(value)] += 1;
            }
        }
    }
    let median = |histogram: [usize; 256]| {
        let mut below = 0;
        let reached = histogram.iter().position(|bin| {
            below += bin;
            2 * below >= count
        });
        reached.and_then(|value| u8::try_from(value).ok()).unwrap_or(u8::MAX)
    };
    (count >= LEAST_SKIN).then(|| histograms.map(median))
}

/// Factors for linear channels that give this skin the reference's hue and leave its luminance.
fn tint(skin: [u8; 3]) -> [f64; 3] {
    let (from, to) = (linear(skin), linear(REFERENCE_SKIN));
    let gains = [0, 1, 2].map(|c| to[c] / from[c].max(1e-3));
    let after = [0, 1, 2].map(|c| from[c] * gains[c]);
    let keep = luminance(from) / luminance(after);
    gains.map(|gain| gain * keep)
}

fn tinted(pixel: [u8; 3], gains: [f64; 3]) -> [f64; 3] {
    let linear = linear(pixel);
    [0, 1, 2].map(|c| (linear[c] * gains[c]).min(1.0))
}

fn luminance([red, green, blue]: [f64; 3]) -> f64 {
    0.212_672_9 * red + 0.715_152_2 * green + 0.072_175 * blue
}

/// sRGB to linear light, 0 to 1.
fn linear(pixel: [u8; 3]) -> [f64; 3] {
    pixel.map(|value| {
        let value = f64::from(value) / 255.0;
        if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    })
}

/// Linear sRGB to CIELAB under D65.
fn lab([red, green, blue]: [f64; 3]) -> [f64; 3] {
    let x = (0.412_456_4 * red + 0.357_576_1 * green + 0.180_437_5 * blue) / 0.950_47;
    let y = luminance([red, green, blue]);
    let z = (0.019_333_9 * red + 0.119_192 * green + 0.950_304_1 * blue) / 1.088_83;
    let [x, y, z] =
        [x, y, z].map(|v| if v > 216.0 / 24_389.0 { v.cbrt() } else { (24_389.0 / 27.0 * v + 16.0) / 116.0 });
    [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lab_of_known_colors() {
        // sRGB red under D65, as in every table of CIELAB.
        for (rgb, wanted) in [([255, 0, 0], [53.24, 80.09, 67.20]), ([255; 3], [100.0, 0.0, 0.0]), ([0; 3], [0.0; 3])] {
            let got = lab(linear(rgb));
            assert!(got.iter().zip(wanted).all(|(a, b): (&f64, f64)| (a - b).abs() < 0.02), "{rgb:?} {got:?}");
        }
    }

    #[test]
    fn tinting_gives_the_reference_hue_and_keeps_the_luminance() {
        let skin = [200, 140, 150];
        let (before, after) = (linear(skin), tinted(skin, tint(skin)));
        assert!((luminance(before) - luminance(after)).abs() < 1e-9);
        let wanted = linear(REFERENCE_SKIN);
        assert!((after[0] / after[2] - wanted[0] / wanted[2]).abs() < 1e-9, "{after:?}");
    }
}
