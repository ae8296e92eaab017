//! Synthetic photographs of skin lesions with exact masks and class labels.
//!
//! Labels are the seven of HAM10000, each with its own look: nevi have a honeycomb network and a darker middle,
//! melanomas a ragged outline, several colours, veil and regression, keratoses ridges with pale and dark dots, basal
//! cell carcinomas vessels and blue-grey nests, actinic keratoses red skin with pale follicles, dermatofibromas a
//! pale scar in a brown rim, vascular lesions red and purple lacunae.
//!
//! About a quarter of the lesions are as bright as the skin they lie on, many are so in parts, light falls unevenly,
//! and hair, ink, shadows and dark corners are darker than most lesions: a threshold on brightness fails (a test holds
//! its mean `IoU`, with the best threshold for every image, below 0.75), while colour and structure show each outline.
//!
//! [`Coloring::ByClass`] makes classes easy to tell, by hue alone: what a classifier must learn from few photographs.

mod lesion;
mod noise;
mod skin;
#[cfg(test)]
mod tests;
mod write;

use ::image::{GrayImage, Luma, Rgb, RgbImage};

use self::lesion::{Lesion, blend};
use self::skin::{Light, Skin};
pub use self::write::{PhantomOptions, write_phantoms};
use super::augment::blur as soften;
use super::dataset::DX;
use super::rng::Rng;
use crate::error::{Error, Result};

/// Of each three photographs, how often the first two show the same lesion.
const SECOND_PHOTOGRAPH: f32 = 0.6;
/// The number of the first phantom: above all that the ISIC archive has given out.
const FIRST_NUMBER: u64 = 9_000_000;

/// A synthetic photograph.
#[derive(Debug, Clone, PartialEq)]
pub struct Phantom {
    /// The photograph.
    pub image: RgbImage,
    /// Its mask: 255 where the lesion is, 0 elsewhere.
    pub mask: GrayImage,
    /// The diagnosis, one of [`DX`].
    pub class: &'static str,
}

/// Where lesions have their colours from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Coloring {
    /// From what absorbs light in skin, as the diagnosis has it.
    #[default]
    Natural,
    /// From a code: nevi are brown, melanomas blue-grey, all others red. Brightness, structure, outline and everything
    /// around the lesion are those of [`Coloring::Natural`].
    ByClass,
}

/// The lesion that photograph `index` shows, named by the first photograph of it.
#[must_use]
pub fn lesion_of(seed: u64, index: u64) -> u64 {
    let group = index / 3;
    let twice = Rng::new(seed, "phantom/twice", &[group]).chance(SECOND_PHOTOGRAPH);
    if index % 3 == 1 && twice { index - 1 } else { index }
}

/// The id of photograph `index`.
#[must_use]
pub fn image_id(index: u64) -> String {
    format!("ISIC_{:07}", FIRST_NUMBER + index)
}

/// Draws photograph `index` at a size; it depends on the seed, the index and the size alone.
pub fn phantom(seed: u64, index: u64, height: usize, width: usize) -> Result<Phantom> {
    colored_phantom(Coloring::Natural, seed, index, height, width)
}

/// Draws photograph `index` at a size as [`phantom`] does, its lesion in other colours.
pub fn colored_phantom(coloring: Coloring, seed: u64, index: u64, height: usize, width: usize) -> Result<Phantom> {
    if !(8..=8192).contains(&height) || !(8..=8192).contains(&width) {
        return Err(Error::shape("phantom", "size", "height and width from 8 to 8192", &[height, width]));
    }
    let mut of_lesion = Rng::new(seed, "phantom/lesion", &[lesion_of(seed, index)]);
    let tone = skin::tone(&mut of_lesion);
    let lesion = Lesion::draw(&mut of_lesion, tone);
    let mut view = Rng::new(seed, "phantom/view", &[index]);
    let skin = Skin::draw(tone, &mut view);
    let light = Light::draw(&mut view);
    let place = Place::draw(&lesion, (height, width), &mut view);

    let side = height.min(width) as f32;
    let area = height * width;
    let mut planes = vec![0.0f32; 3 * area];
    let mut mask = vec![false; area];
    for row in 0..height {
        for column in 0..width {
            let (x, y) = ((column as f32 + 0.5) / side, (row as f32 + 0.5) / side);
            let (u, v) = place.inside(x, y);
            let depth = lesion.depth(u, v);
            let mut color = skin.at(x, y);
            let opacity = lesion.opacity(depth);
            if opacity > 0.0 {
                // Skin's own unevenness shows through.
                let local = [0, 1, 2].map(|c| 0.5 * (skin.color[c] + color[c]));
                let natural = lesion.color(u, v, depth, local);
                let inside = match coloring {
                    Coloring::Natural => natural,
                    Coloring::ByClass => lesion.coded(natural),
                };
                color = blend(color, inside, opacity);
            }
            let at = row * width + column;
            mask[at] = depth < 1.0;
            for (channel, value) in color.into_iter().enumerate() {
                planes[channel * area + at] = value;
            }
        }
    }
    skin::freckles(&mut planes, (height, width), &mut view, |x, y| {
        let (u, v) = place.inside(x, y);
        lesion.depth(u, v)
    });
    for row in 0..height {
        for column in 0..width {
            let (x, y) = ((column as f32 + 0.5) / side, (row as f32 + 0.5) / side);
            let light = light.at(x - 0.5 * width as f32 / side, y - 0.5 * height as f32 / side);
            for (channel, light) in light.into_iter().enumerate() {
                planes[channel * area + row * width + column] *= light;
            }
        }
    }
    // A lens never draws a structure as sharp as it is.
    let blur = side * view.range(0.0025, 0.006);
    soften(&mut planes, height, width, blur);
    skin::over(&mut planes, &mut mask, (height, width), &mut view);

    soften(&mut planes, height, width, 0.35 * blur);
    let grain = view.range(0.002, 0.012);
    let byte = |value: f32| (value.clamp(0.0, 1.0) * 255.0).round() as u8;
    let image = RgbImage::from_fn(width as u32, height as u32, |x, y| {
        let at = y as usize * width + x as usize;
        Rgb([0, 1, 2].map(|c| byte(planes[c * area + at] + grain * view.normal())))
    });
    let mask = GrayImage::from_fn(width as u32, height as u32, |x, y| {
        Luma([if mask[y as usize * width + x as usize] { 255 } else { 0 }])
    });
    Ok(Phantom { image, mask, class: DX[lesion.class] })
}

/// Where and how the lesion lies in the frame.
struct Place {
    x: f32,
    y: f32,
    sin: f32,
    cos: f32,
    scale: f32,
}

impl Place {
    fn draw(lesion: &Lesion, (height, width): (usize, usize), rng: &mut Rng) -> Self {
        let side = height.min(width) as f32;
        let (sin, cos) = rng.range(0.0, std::f32::consts::TAU).sin_cos();
        let scale = rng.range(0.85, 1.15);
        // Small lesions may lie further from the middle.
        let room = (0.48 - lesion.radius() * scale).clamp(0.03, 0.16);
        Self {
            x: 0.5 * width as f32 / side + rng.around(room) * width as f32 / side,
            y: 0.5 * height as f32 / side + rng.around(room) * height as f32 / side,
            sin,
            cos,
            scale,
        }
    }

    /// From the frame to the lesion's own coordinates.
    fn inside(&self, x: f32, y: f32) -> (f32, f32) {
        let (x, y) = ((x - self.x) / self.scale, (y - self.y) / self.scale);
        (self.cos * x + self.sin * y, self.cos * y - self.sin * x)
    }
}
