//! One pass of sampling, then colour, light, what lies over the skin, and sharpness.

use super::{Augment, Picture, color};
use crate::data::draw::Canvas;
use crate::data::resize::write_planes;
use crate::data::rng::{Rng, hash_text};
use crate::error::{Error, Result};

/// Above this many source pixels a step, a picture of half the size is sampled instead.
const COARSEST: f32 = 1.5;

/// From an output pixel to the source's.
struct Affine {
    xx: f32,
    xy: f32,
    yx: f32,
    yy: f32,
    x0: f32,
    y0: f32,
}

impl Augment {
    /// Writes an augmented sample: `image` takes 3 planes of height × width in 0..=1, `mask` one of 0 and 1.
    ///
    /// What happens depends on (seed, epoch, id) alone. A picture that is to stay as it is should already have the
    /// output's size; see [`Picture::resized`].
    pub fn apply(
        &self,
        picture: &Picture,
        (height, width): (usize, usize),
        (seed, epoch, id): (u64, u64, &str),
        image: &mut [f32],
        mask: &mut [f32],
    ) -> Result<()> {
        let area = height.saturating_mul(width);
        if area == 0 || image.len() != area.saturating_mul(3) || mask.len() != area {
            let got = [height, width, image.len(), mask.len()];
            return Err(Error::shape("augment", "output", "3 planes and 1 plane of height × width", &got));
        }
        if self.is_none() && (picture.height(), picture.width()) == (height, width) {
            write_planes(picture.pixels().as_flattened(), 4, image);
            mask.iter_mut().zip(picture.pixels()).for_each(|(m, p)| *m = f32::from(u8::from(p[3] >= 128)));
            return Ok(());
        }
        let id = hash_text(id);
        let rng = |stream: &str| Rng::new(seed, stream, &[epoch, id]);
        let affine = self.affine(picture, (height, width), &mut rng("augment/place"));
        resample(picture, &affine, self, (height, width), image, mask);
        color::Recolor::draw(self, &mut rng("augment/color")).apply(image);
        if self.shade > 0.0 {
            color::shade(image, height, width, self.shade, &mut rng("augment/shade"));
        }
        let mut dice = rng("augment/over");
        if dice.chance(self.hair_chance) && self.hairs > 0 {
            let mut rng = rng("augment/hair");
            let count = rng.count(1, self.hairs);
            Canvas::new(image, height, width).hairs(&mut rng, count, 1.0);
        }
        if dice.chance(self.ruler_chance) {
            Canvas::new(image, height, width).ruler(&mut rng("augment/ruler"));
        }
        if dice.chance(self.frame_chance) {
            frame(image, mask, (height, width), &mut rng("augment/frame"));
        }
        let mut rng = rng("augment/sharpness");
        if rng.chance(self.blur_chance) && self.blur > 0.0 {
            color::blur(image, height, width, rng.range(0.25, 1.0) * self.blur);
        }
        if rng.chance(self.noise_chance) && self.noise > 0.0 {
            let deviation = rng.unit() * self.noise;
            color::noise(image, deviation, &mut rng);
        }
        for value in image {
            *value = value.clamp(0.0, 1.0);
        }
        Ok(())
    }

    /// Rotation and magnification happen in the source's pixels, which are square; the output may be squashed.
    fn affine(&self, picture: &Picture, (height, width): (usize, usize), rng: &mut Rng) -> Affine {
        let (sin, cos) = rng.around(self.rotation).to_radians().sin_cos();
        let scale = rng.log_range(self.scale[0], self.scale[1]);
        let stretch = (rng.around(1.0) * self.stretch).exp();
        let (shift_x, shift_y) = (rng.around(self.shift), rng.around(self.shift));
        let (flip_x, flip_y) = (rng.chance(0.5) && self.flip, rng.chance(0.5) && self.flip);
        let (sw, sh) = (picture.width() as f32, picture.height() as f32);
        let (px, py) = (sw / width as f32, sh / height as f32);
        let fx = stretch.sqrt() / scale * if flip_x { -1.0 } else { 1.0 };
        let fy = 1.0 / (stretch.sqrt() * scale) * if flip_y { -1.0 } else { 1.0 };
        let (xx, xy) = (cos * fx * px, -sin * fx * py);
        let (yx, yy) = (sin * fy * px, cos * fy * py);
        let (cx, cy) = (0.5 * (width as f32 - 1.0), 0.5 * (height as f32 - 1.0));
        Affine {
            x0: 0.5 * (sw - 1.0) - shift_x * sw - xx * cx - xy * cy,
            y0: 0.5 * (sh - 1.0) - shift_y * sh - yx * cx - yy * cy,
            xx,
            xy,
            yx,
            yy,
        }
    }
}

impl Affine {
    /// The longest step in the source for one pixel of the output.
    fn step(&self) -> f32 {
        self.xx.hypot(self.yx).max(self.xy.hypot(self.yy))
    }

    /// The same place in a picture of half the size, whose pixel centres lie at (x - 0.5) / 2.
    fn halved(&self) -> Self {
        Self {
            xx: 0.5 * self.xx,
            xy: 0.5 * self.xy,
            yx: 0.5 * self.yx,
            yy: 0.5 * self.yy,
            x0: 0.5 * (self.x0 - 0.5),
            y0: 0.5 * (self.y0 - 0.5),
        }
    }
}

fn resample(
    picture: &Picture,
    affine: &Affine,
    config: &Augment,
    (height, width): (usize, usize),
    image: &mut [f32],
    mask: &mut [f32],
) {
    if affine.step() > COARSEST && picture.height().min(picture.width()) > 1 {
        return resample(&picture.halved(), &affine.halved(), config, (height, width), image, mask);
    }
    let (red, rest) = image.split_at_mut(height * width);
    let (green, blue) = rest.split_at_mut(height * width);
    for row in 0..height {
        let (x0, y0) = (affine.x0 + affine.xy * row as f32, affine.y0 + affine.yy * row as f32);
        let line = row * width..(row + 1) * width;
        let outputs = red[line.clone()].iter_mut().zip(&mut green[line.clone()]);
        let outputs = outputs.zip(&mut blue[line.clone()]).zip(&mut mask[line]);
        for (column, (((r, g), b), m)) in outputs.enumerate() {
            let (x, y) = (x0 + affine.xx * column as f32, y0 + affine.yx * column as f32);
            let [red, green, blue, lesion] = picture.sample(x, y, config.pad);
            *r = red;
            *g = green;
            *b = blue;
            *m = f32::from(u8::from(lesion >= 0.5));
        }
    }
}

/// Black corners of a round opening, or black borders.
fn frame(image: &mut [f32], mask: &mut [f32], (height, width): (usize, usize), rng: &mut Rng) {
    let round = rng.chance(0.65);
    let radius = rng.range(0.78, 1.2);
    let (cx, cy) = (rng.around(0.08), rng.around(0.08));
    let soft = rng.range(0.01, 0.15);
    let sides = [(); 4].map(|()| if rng.chance(0.5) { rng.range(0.0, 0.12) } else { 0.0 });
    let dark = rng.range(0.0, 0.12);
    let aspect = width as f32 / height as f32;
    let area = height * width;
    for row in 0..height {
        let v = (row as f32 + 0.5) / height as f32;
        for column in 0..width {
            let u = (column as f32 + 0.5) / width as f32;
            let hidden = if round {
                let (x, y) = ((2.0 * u - 1.0 - cx) * aspect, 2.0 * v - 1.0 - cy);
                // The opening is measured in half widths of the frame, so that it cuts corners, not the middle.
                ((x.hypot(y) / aspect.max(1.0) - radius) / soft + 0.5).clamp(0.0, 1.0)
            } else {
                let inside = u > sides[0] && 1.0 - u > sides[1] && v > sides[2] && 1.0 - v > sides[3];
                if inside { 0.0 } else { 1.0 }
            };
            if hidden > 0.0 {
                let at = row * width + column;
                for channel in 0..3 {
                    let value = &mut image[channel * area + at];
                    *value += hidden * (dark - *value);
                }
                if hidden > 0.5 {
                    mask[at] = 0.0;
                }
            }
        }
    }
}
