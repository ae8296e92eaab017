//! Augmentation: what a photograph might also have looked like, its mask moved alike.

mod apply;
mod color;
mod picture;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub(super) use self::color::blur;
pub use self::picture::Picture;
use super::resize::Pad;
use crate::error::{Error, Result};

/// How strongly photographs are changed. Every amount is the most that may happen; what happens to a sample is drawn
/// from (seed, epoch, sample) alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Augment {
    /// Whether to mirror, with even chances, left to right and top to bottom.
    pub flip: bool,
    /// Rotation to either side, degrees; 180 is any rotation.
    pub rotation: f32,
    /// The least and the greatest magnification; half of the draws lie below their geometric mean.
    pub scale: [f32; 2],
    /// Stretch of one axis against the other: 0.1 is up to 10 % either way.
    pub stretch: f32,
    /// Shift either way, as a share of the frame's height and width.
    pub shift: f32,
    /// What stands beyond the photograph's edge, in image and mask.
    pub pad: Pad,
    /// Exposure: 0.2 is a factor of 0.8 to 1.2.
    pub brightness: f32,
    /// Contrast about middle grey, likewise.
    pub contrast: f32,
    /// Saturation, likewise.
    pub saturation: f32,
    /// Turn of the hue to either side, degrees.
    pub hue: f32,
    /// Gain of each channel on its own (white balance), likewise.
    pub gain: f32,
    /// Exponent of the values: 0.3 is 1/1.3 to 1.3.
    pub gamma: f32,
    /// Uneven light: the change from the middle of the frame to its edge.
    pub shade: f32,
    /// How often a photograph is blurred.
    pub blur_chance: f32,
    /// The greatest deviation of the blur, in pixels of the output.
    pub blur: f32,
    /// How often noise is added.
    pub noise_chance: f32,
    /// The greatest deviation of the noise, of a range of 1.
    pub noise: f32,
    /// How often hair is drawn over the image.
    pub hair_chance: f32,
    /// The most hairs.
    pub hairs: usize,
    /// How often a ruler's marks are drawn over the image.
    pub ruler_chance: f32,
    /// How often dark corners or black borders are laid over the image; what they hide leaves the mask.
    pub frame_chance: f32,
}

impl Default for Augment {
    /// Strong: for photographs of clinics that were not trained on.
    fn default() -> Self {
        Self {
            flip: true,
            rotation: 180.0,
            scale: [0.6, 1.6],
            stretch: 0.1,
            shift: 0.12,
            pad: Pad::Reflect,
            brightness: 0.25,
            contrast: 0.25,
            saturation: 0.3,
            hue: 12.0,
            gain: 0.1,
            gamma: 0.3,
            shade: 0.25,
            blur_chance: 0.2,
            blur: 1.2,
            noise_chance: 0.2,
            noise: 0.03,
            hair_chance: 0.3,
            hairs: 24,
            ruler_chance: 0.08,
            frame_chance: 0.15,
        }
    }
}

impl Augment {
    /// For telling lesions apart: any rotation, a little scale and shift, and colour so little changed that what it
    /// says of the lesion stays.
    #[must_use]
    pub const fn classification() -> Self {
        Self {
            flip: true,
            rotation: 180.0,
            scale: [0.85, 1.3],
            stretch: 0.06,
            shift: 0.06,
            brightness: 0.15,
            contrast: 0.15,
            saturation: 0.15,
            hue: 4.0,
            gain: 0.05,
            gamma: 0.15,
            shade: 0.1,
            blur_chance: 0.15,
            blur: 0.8,
            noise_chance: 0.1,
            noise: 0.02,
            hair_chance: 0.15,
            hairs: 12,
            ruler_chance: 0.03,
            frame_chance: 0.05,
            ..Self::none()
        }
    }

    /// Nothing changes: photographs are only resized.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            flip: false,
            rotation: 0.0,
            scale: [1.0, 1.0],
            stretch: 0.0,
            shift: 0.0,
            pad: Pad::Reflect,
            brightness: 0.0,
            contrast: 0.0,
            saturation: 0.0,
            hue: 0.0,
            gain: 0.0,
            gamma: 0.0,
            shade: 0.0,
            blur_chance: 0.0,
            blur: 0.0,
            noise_chance: 0.0,
            noise: 0.0,
            hair_chance: 0.0,
            hairs: 0,
            ruler_chance: 0.0,
            frame_chance: 0.0,
        }
    }

    /// Whether this is [`Augment::none`].
    #[must_use]
    pub fn is_none(&self) -> bool {
        Self { pad: Pad::Reflect, ..self.clone() } == Self::none()
    }

    /// Refuses amounts out of range, by name.
    pub fn validate(&self) -> Result<()> {
        let ranges = [
            ("rotation", self.rotation, 0.0, 180.0),
            ("scale[0]", self.scale[0], 0.1, 10.0),
            ("scale[1]", self.scale[1], self.scale[0], 10.0),
            ("stretch", self.stretch, 0.0, 0.9),
            ("shift", self.shift, 0.0, 1.0),
            ("brightness", self.brightness, 0.0, 0.95),
            ("contrast", self.contrast, 0.0, 0.95),
            ("saturation", self.saturation, 0.0, 1.0),
            ("hue", self.hue, 0.0, 180.0),
            ("gain", self.gain, 0.0, 0.95),
            ("gamma", self.gamma, 0.0, 4.0),
            ("shade", self.shade, 0.0, 1.0),
            ("blur_chance", self.blur_chance, 0.0, 1.0),
            ("blur", self.blur, 0.0, 10.0),
            ("noise_chance", self.noise_chance, 0.0, 1.0),
            ("noise", self.noise, 0.0, 1.0),
            ("hair_chance", self.hair_chance, 0.0, 1.0),
            ("hairs", self.hairs.min(1 << 20) as f32, 0.0, 1000.0),
            ("ruler_chance", self.ruler_chance, 0.0, 1.0),
            ("frame_chance", self.frame_chance, 0.0, 1.0),
        ];
        for (name, value, low, high) in ranges {
            // Written so that NaN is refused.
            if !(value >= low && value <= high) {
                let message = format!("{name} is {value}, expected {low} to {high}");
                return Err(Error::parameter("augment", message));
            }
        }
        Ok(())
    }
}
