//! A heat map over the picture it explains.

use image::{Rgb, RgbImage};
use plotters::style::colors::colormaps::ViridisRGB;

use crate::data::resize::resize_maps;
use crate::error::{Error, Result};
use crate::tensor::Tensor;

/// How much of the picture the hottest place hides.
const OPACITY: f32 = 0.65;

/// Whether a map is zero everywhere: there is nothing to show.
#[must_use]
pub fn is_flat(map: &Tensor) -> bool {
    map.data().iter().all(|value| *value <= 0.0)
}

/// A picture below a map (1, 1, h, w) of values from 0 up, enlarged to it: from purple (little) to yellow (the map's
/// highest value), where the map is 0 the picture as it is.
///
/// Fails where the map has another shape or a value that is not finite.
pub fn heat(picture: &RgbImage, map: &Tensor) -> Result<RgbImage> {
    let &[1, 1, _, _] = map.shape() else {
        return Err(Error::shape("heat", "map", "(1, 1, h, w)", map.shape()));
    };
    if map.data().iter().any(|value| !value.is_finite()) {
        return Err(Error::parameter("heat", "the map holds a value that is not finite"));
    }
    let map = resize_maps(map, picture.height() as usize, picture.width() as usize)?;
    let highest = map.data().iter().fold(0f32, |a, b| a.max(*b));
    let mut result = picture.clone();
    for (Rgb(pixel), value) in result.pixels_mut().zip(map.data()) {
        let warmth = if highest > 0.0 { (value / highest).clamp(0.0, 1.0) } else { 0.0 };
        let color = ViridisRGB::get_color(warmth);
        // The square root lets the lower half of the scale be seen.
        let share = OPACITY * warmth.sqrt();
        for (channel, color) in pixel.iter_mut().zip([color.0, color.1, color.2]) {
            *channel = (f32::from(*channel) * (1.0 - share) + f32::from(color) * share).round() as u8;
        }
    }
    Ok(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hottest_place_is_yellow_and_cold_ones_stay() {
        let picture = RgbImage::from_pixel(40, 20, Rgb([100; 3]));
        let mut values = vec![0.0; 8];
        values[7] = 3.0;
        let map = Tensor::new([1, 1, 2, 4], values).unwrap();
        let drawn = heat(&picture, &map).unwrap();
        assert_eq!(drawn.get_pixel(0, 0).0, [100; 3]);
        let [red, green, blue] = drawn.get_pixel(39, 19).0;
        assert!(red > 150 && green > 150 && blue < 80, "{red} {green} {blue}");
        assert!(!is_flat(&map));
        let flat = Tensor::zeros([1, 1, 2, 4]);
        assert!(is_flat(&flat) && heat(&picture, &flat).unwrap() == picture);
    }

    #[test]
    fn other_maps_are_refused() {
        let picture = RgbImage::new(4, 4);
        assert!(heat(&picture, &Tensor::zeros([1, 2, 2, 2])).is_err());
        assert!(heat(&picture, &Tensor::full([1, 1, 2, 2], f32::NAN)).is_err());
    }
}
