//! Skin, light, and what lies over both. Lengths are shares of the frame's shorter side.

use super::lesion::{BLOOD, Rgb, absorb, blend};
use super::noise::{Noise, lerp, smoothstep};
use crate::data::draw::{Canvas, Stroke};
use crate::data::rng::Rng;

/// How often each disturbance is drawn.
const HAIR: f32 = 0.5;
const RULER: f32 = 0.2;
const BUBBLES: f32 = 0.35;
const INK: f32 = 0.2;
const DARK_CORNERS: f32 = 0.35;
const SHADOWS: f32 = 0.6;
/// The most that light changes from one side to the other, and from the middle to the corners.
const SLOPE: f32 = 0.30;
const FALL: f32 = 0.30;

/// From very light to dark.
const TONES: [Rgb; 8] = [
    [0.89, 0.80, 0.82],
    [0.90, 0.76, 0.74],
    [0.87, 0.72, 0.68],
    [0.84, 0.66, 0.58],
    [0.78, 0.61, 0.52],
    [0.72, 0.53, 0.43],
    [0.60, 0.42, 0.32],
    [0.47, 0.32, 0.25],
];

/// Draws a skin's colour.
pub(super) fn tone(rng: &mut Rng) -> Rgb {
    // Squared: light skin is the more frequent in dermatoscopic archives.
    let place = rng.unit().powi(2) * (TONES.len() - 1) as f32;
    let low = (place as usize).min(TONES.len() - 2);
    let color = blend(TONES[low], TONES[low + 1], place - low as f32);
    color.map(|v| v * rng.range(0.96, 1.04))
}

/// The skin of one photograph: colour varies over it.
pub(super) struct Skin {
    pub color: Rgb,
    noise: [Noise; 4],
    flush: f32,
    lines: f32,
    rough: f32,
}

impl Skin {
    pub(super) fn draw(color: Rgb, rng: &mut Rng) -> Self {
        Self {
            color,
            noise: [(); 4].map(|()| Noise(rng.next_u64())),
            flush: rng.range(0.1, 0.7),
            lines: rng.range(0.0, 0.05),
            rough: rng.range(0.03, 0.12),
        }
    }

    pub(super) fn at(&self, x: f32, y: f32) -> Rgb {
        let flush = self.flush * (0.35 + self.noise[0].fbm(x * 4.0, y * 4.0, 4));
        let color = absorb(self.color, BLOOD, flush.max(0.0));
        let bend = 0.5 * self.noise[2].at(x * 14.0, y * 14.0);
        let (first, second, _) = self.noise[1].cells(x * 26.0 + bend, y * 26.0 - bend);
        let line = self.lines * (1.0 - smoothstep(0.0, 0.4, second - first));
        let rough = self.rough * self.noise[2].fbm(x * 17.0, y * 17.0, 2);
        let broad = 0.07 * self.noise[3].fbm(x * 1.7, y * 1.7, 3);
        color.map(|v| v * (1.0 + rough + broad - line))
    }
}

/// The light on one photograph: a slope, a fall to the corners, soft shadows without colour.
pub(super) struct Light {
    slope: [f32; 2],
    fall: f32,
    shadow: f32,
    noise: Noise,
    cast: Rgb,
}

impl Light {
    pub(super) fn draw(rng: &mut Rng) -> Self {
        let angle = rng.range(0.0, std::f32::consts::TAU);
        let slope = rng.range(0.0, SLOPE);
        Self {
            slope: [slope * angle.cos(), slope * angle.sin()],
            fall: rng.range(0.0, FALL),
            shadow: if rng.chance(SHADOWS) { rng.range(0.1, 0.3) } else { 0.0 },
            noise: Noise(rng.next_u64()),
            cast: [(); 3].map(|()| rng.range(0.91, 1.09)),
        }
    }

    /// (x, y) from the frame's middle.
    pub(super) fn at(&self, x: f32, y: f32) -> Rgb {
        let shadow = smoothstep(-0.15, 0.55, self.noise.at(x * 1.5, y * 1.5));
        let even = 1.05 + self.slope[0] * x + self.slope[1] * y - self.fall * (x * x + y * y);
        let light = even * (1.0 - self.shadow * shadow);
        self.cast.map(|c| c * light)
    }
}

/// Spots that are no lesion: freckles and small moles, kept off the outline by `depth` (above 1 outside).
pub(super) fn freckles(
    planes: &mut [f32],
    (height, width): (usize, usize),
    rng: &mut Rng,
    depth: impl Fn(f32, f32) -> f32,
) {
    let side = height.min(width) as f32;
    let mut canvas = Canvas::new(planes, height, width);
    for _ in 0..rng.count(0, 9) {
        let [x, y] = [rng.unit() * width as f32, rng.unit() * height as f32];
        let radius = rng.log_range(0.007, 0.026);
        let shade = rng.range(0.2, 0.45);
        let opacity = rng.range(0.25, 0.7);
        let far = (0..8u8).all(|i| {
            let (sin, cos) = (f32::from(i) * std::f32::consts::FRAC_PI_4).sin_cos();
            depth(x / side + 2.0 * radius * cos, y / side + 2.0 * radius * sin) > 1.15
        });
        if far && depth(x / side, y / side) > 1.15 {
            for ring in 1..=4u8 {
                canvas.ring([x, y], 0.0, side * radius * f32::from(ring) * 0.3);
                canvas.ink([shade, shade * 0.65, shade * 0.45], opacity * 0.4);
            }
        }
    }
}

/// Hair, ruler, bubbles, ink and dark corners; what dark corners hide leaves the mask.
pub(super) fn over(planes: &mut [f32], mask: &mut [bool], (height, width): (usize, usize), rng: &mut Rng) {
    let (h, w) = (height as f32, width as f32);
    let side = h.min(w);
    let mut canvas = Canvas::new(planes, height, width);
    if rng.chance(INK) {
        ink(&mut canvas, (h, w), rng);
    }
    if rng.chance(BUBBLES) {
        for _ in 0..rng.count(1, 8) {
            let at = [rng.unit() * w, rng.unit() * h];
            let radius = side * rng.log_range(0.012, 0.07);
            canvas.ring(at, 0.0, radius);
            canvas.ink([0.95, 0.93, 0.92], rng.range(0.03, 0.15));
            canvas.ring(at, radius * 0.88, radius);
            canvas.ink([0.2, 0.15, 0.13], rng.range(0.1, 0.3));
            canvas.ring(at, radius * 0.75, radius * 0.87);
            canvas.ink([0.98, 0.97, 0.96], rng.range(0.25, 0.6));
            canvas.ring([at[0] - 0.4 * radius, at[1] - 0.4 * radius], 0.0, 0.16 * radius);
            canvas.ink([1.0; 3], 0.9);
        }
    }
    if rng.chance(HAIR) {
        let count = rng.log_range(2.0, 32.0) as usize;
        let thick = rng.range(0.6, 1.1);
        canvas.hairs(rng, count, thick);
    }
    if rng.chance(RULER) {
        canvas.ruler(rng);
    }
    if rng.chance(DARK_CORNERS) {
        corners(planes, mask, (height, width), rng);
    }
}

fn ink(canvas: &mut Canvas<'_>, (h, w): (f32, f32), rng: &mut Rng) {
    let side = h.min(w);
    for _ in 0..rng.count(1, 3) {
        // Surgeons mark beside the lesion: start in the outer part of the frame, run along its edge.
        let angle = rng.range(0.0, std::f32::consts::TAU);
        let middle = [0.5 * w + 0.46 * w * angle.cos(), 0.5 * h + 0.46 * h * angle.sin()];
        let reach = side * rng.range(0.06, 0.22);
        let turn = angle + std::f32::consts::FRAC_PI_2 + rng.around(0.5);
        let along = [reach * turn.cos(), reach * turn.sin()];
        let bend = [rng.around(0.05) * side, rng.around(0.05) * side];
        let points = [
            [middle[0] - along[0], middle[1] - along[1]],
            [middle[0] + bend[0], middle[1] + bend[1]],
            [middle[0] + along[0], middle[1] + along[1]],
        ];
        canvas.stroke(&Stroke { points, radius: side * rng.range(0.008, 0.022), taper: rng.range(0.6, 1.2) });
        let shade = rng.range(0.8, 1.2);
        canvas.ink([0.27 * shade, 0.16 * shade, 0.42 * shade], rng.range(0.55, 0.9));
    }
}

fn corners(planes: &mut [f32], mask: &mut [bool], (height, width): (usize, usize), rng: &mut Rng) {
    let (h, w) = (height as f32, width as f32);
    let corner = 0.5 * h.hypot(w);
    let radius = corner * rng.range(0.82, 1.0);
    let soft = corner * rng.range(0.01, 0.10);
    let dark = rng.range(0.01, 0.12);
    let [cx, cy] = [0.5 * w + rng.around(0.03) * w, 0.5 * h + rng.around(0.03) * h];
    let area = height * width;
    for row in 0..height {
        for column in 0..width {
            let distance = (column as f32 + 0.5 - cx).hypot(row as f32 + 0.5 - cy);
            let hidden = smoothstep(radius - soft, radius + soft, distance);
            let at = row * width + column;
            for channel in 0..3 {
                let value = &mut planes[channel * area + at];
                *value = lerp(*value, dark, hidden);
            }
            mask[at] &= hidden < 0.5;
        }
    }
}
