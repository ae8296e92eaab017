//! What of a photograph a classifier is shown: all of it, the lesion's surroundings, or the lesion alone.

use serde::{Deserialize, Serialize};

use super::augment::Picture;
use crate::error::{Error, Result};

/// What stands where the skin was taken away: the mean colour of ImageNet, which normalisation makes zero.
pub const GROUND: [u8; 3] = [124, 116, 104];

/// What of a photograph a network sees. All but the whole need a mask; where the mask is empty they show the whole.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum View {
    /// The photograph as it is.
    #[default]
    Whole,
    /// The lesion's box, wider by a margin on every side, then as wide or high as the network's proportions ask for.
    Crop {
        /// The margin, as a share of the box's longer side.
        margin: f32,
    },
    /// The photograph without what lies outside of the lesion.
    Masked,
}

impl View {
    /// The margin that a crop has where none is given.
    pub const MARGIN: f32 = 0.15;

    /// Refuses a margin out of range.
    ///
    /// # Errors
    /// [`Error::Parameter`].
    pub fn validate(&self) -> Result<()> {
        match *self {
            Self::Crop { margin } if !(0.0..=4.0).contains(&margin) => {
                Err(Error::parameter("view", format!("the crop's margin is {margin}, expected 0 to 4")))
            }
            _ => Ok(()),
        }
    }

    /// Whether it depends on a mask.
    #[must_use]
    pub const fn needs_mask(&self) -> bool {
        !matches!(self, Self::Whole)
    }

    /// Its name for people.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Whole => "whole image",
            Self::Crop { .. } => "lesion crop",
            Self::Masked => "background removed",
        }
    }

    /// What a network with an input of height × width is shown of a picture, at the picture's own resolution.
    #[must_use]
    pub fn of(&self, picture: Picture, (height, width): (usize, usize)) -> Picture {
        match *self {
            Self::Whole => picture,
            Self::Crop { margin } => match picture.lesion_box() {
                None => picture,
                Some(lesion) => {
                    let frame = [picture.width(), picture.height()];
                    let [left, top, across, down] = crop(lesion, frame, [width, height], margin);
                    picture.cropped(left, top, across, down)
                }
            },
            Self::Masked => picture.without_background(GROUND),
        }
    }
}

/// The part (left, top, width, height) of a frame that a lesion's box becomes.
fn crop([left, top, across, down]: [usize; 4], frame: [usize; 2], proportions: [usize; 2], margin: f32) -> [usize; 4] {
    let room = margin * across.max(down) as f32;
    let (mut w, mut h) = (across as f32 + 2.0 * room, down as f32 + 2.0 * room);
    let aspect = proportions[0].max(1) as f32 / proportions[1].max(1) as f32;
    (w, h) = (w.max(h * aspect), h.max(w / aspect));
    let side = |size: f32, start: usize, len: usize, frame: usize| {
        let size = (size.round() as usize).clamp(1, frame);
        let middle = start as f32 + 0.5 * len as f32;
        let first = (middle - 0.5 * size as f32).round().max(0.0) as usize;
        (first.min(frame - size), size)
    };
    let (x, w) = side(w, left, across, frame[0]);
    let (y, h) = side(h, top, down, frame[1]);
    [x, y, w, h]
}

#[cfg(test)]
mod tests {
    use ::image::{GrayImage, Luma, Rgb, RgbImage};

    use super::*;

    #[test]
    fn crops_by_hand() {
        // A box of 20×10 at (40, 30), margin 5 on each side: 30×20; twice as wide as high: 40×20 about (50, 35).
        assert_eq!(crop([40, 30, 20, 10], [200, 100], [2, 1], 0.25), [30, 25, 40, 20]);
        // At the frame's corner it is moved inside.
        assert_eq!(crop([0, 0, 20, 10], [200, 100], [2, 1], 0.25), [0, 0, 40, 20]);
        assert_eq!(crop([180, 90, 20, 10], [200, 100], [2, 1], 0.25), [160, 80, 40, 20]);
        // Larger than the frame: the frame.
        assert_eq!(crop([0, 0, 200, 100], [200, 100], [1, 1], 1.0), [0, 0, 200, 100]);
        assert_eq!(crop([7, 7, 1, 1], [9, 9], [1, 1], 0.0), [7, 7, 1, 1]);
    }

    fn picture(lesion: impl Fn(u32, u32) -> bool) -> Picture {
        let photo = RgbImage::from_fn(12, 8, |x, y| Rgb([x as u8, y as u8, 9]));
        let mask = GrayImage::from_fn(12, 8, |x, y| Luma([if lesion(x, y) { 255 } else { 0 }]));
        Picture::new(&photo, Some(&mask)).unwrap()
    }

    #[test]
    fn views_show_what_they_say() {
        let spot = |x: u32, y: u32| (4..6).contains(&x) && (3..5).contains(&y);
        assert_eq!(View::Whole.of(picture(spot), (8, 12)), picture(spot));
        let shown = View::Crop { margin: 0.5 }.of(picture(spot), (4, 4));
        assert_eq!((shown.width(), shown.height()), (4, 4));
        assert_eq!(shown.pixels()[0], [3, 2, 9, 0]);
        assert_eq!(shown.pixels()[5], [4, 3, 9, 255]);
        let alone = View::Masked.of(picture(spot), (8, 12));
        assert_eq!(alone.pixels()[0], [124, 116, 104, 0]);
        assert_eq!(alone.pixels()[3 * 12 + 5], [5, 3, 9, 255]);
        for view in [View::Crop { margin: 0.5 }, View::Masked] {
            assert_eq!(view.of(picture(|_, _| false), (4, 4)), picture(|_, _| false), "no lesion: the whole");
        }
        assert!(View::Crop { margin: -0.1 }.validate().is_err());
        let text = serde_json::to_string(&View::Crop { margin: 0.5 }).unwrap();
        assert_eq!(text, r#"{"kind":"crop","margin":0.5}"#);
        assert_eq!(serde_json::from_str::<View>(&text).unwrap(), View::Crop { margin: 0.5 });
    }
}
