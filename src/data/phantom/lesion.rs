//! A lesion: its outline and, by class, its colours and structures. Lengths are shares of the frame's shorter side.

use super::noise::{Noise, lerp, smoothstep};
use crate::data::rng::Rng;

/// How often each class of [`crate::data::dataset::DX`] is drawn.
pub(super) const CLASS_SHARES: [f32; 7] = [0.10, 0.14, 0.16, 0.08, 0.18, 0.24, 0.10];

/// Of each class, how many lesions are about as bright as their skin: only colour and structure set those apart.
const EQUAL_BRIGHTNESS: [f32; 7] = [0.45, 0.40, 0.20, 0.40, 0.12, 0.12, 0.25];
/// The lesion's mean brightness over the skin's, for those.
const EQUAL_RATIO: [f32; 2] = [0.88, 1.02];
/// The same for the others.
const DARKER_RATIO: [f32; 2] = [0.32, 0.74];

pub(super) type Rgb = [f32; 3];

pub(super) const AKIEC: usize = 0;
pub(super) const BCC: usize = 1;
pub(super) const BKL: usize = 2;
pub(super) const DF: usize = 3;
pub(super) const MEL: usize = 4;
pub(super) const NV: usize = 5;
pub(super) const VASC: usize = 6;

/// What absorbs light in skin: how much of each channel one unit takes.
const MELANIN: Rgb = [0.42, 0.76, 1.02];
pub(super) const BLOOD: Rgb = [0.12, 0.62, 0.56];
const BLUE_GREY: Rgb = [0.42, 0.48, 0.58];
const SCAR: Rgb = [0.90, 0.82, 0.80];
const HORN: Rgb = [0.80, 0.68, 0.42];

/// The hues of colour-coded lesions, each of brightness 1.
const CODE_BROWN: Rgb = [1.28, 0.97, 0.42];
const CODE_BLUE_GREY: Rgb = [0.80, 1.03, 1.37];
const CODE_RED: Rgb = [1.75, 0.68, 0.67];

#[derive(Debug)]
pub(super) struct Lesion {
    pub class: usize,
    radius: f32,
    aspect: f32,
    waves: Vec<[f32; 3]>,
    warp: f32,
    warp_scale: f32,
    /// Half the width of the edge, as a share of the radius.
    soft: f32,
    density: f32,
    red: f32,
    grain: f32,
    patch: f32,
    side: [f32; 2],
    gain: f32,
    noise: [Noise; 6],
}

impl Lesion {
    /// Draws a lesion on skin of this colour.
    pub(super) fn draw(rng: &mut Rng, skin: Rgb) -> Self {
        let mut dice = rng.unit() * CLASS_SHARES.iter().sum::<f32>();
        let class = CLASS_SHARES.iter().position(|share| {
            dice -= share;
            dice < 0.0
        });
        let class = class.unwrap_or(NV);
        // How ragged the outline is; melanoma most, vascular lesions and dermatofibroma least.
        let ragged = [0.95, 0.9, 0.75, 0.5, 1.15, 0.65, 0.65][class] * rng.range(0.7, 1.25);
        let waves = (2u8..=7).map(|k| {
            let k = f32::from(k);
            [k, ragged * rng.normal() * 0.16 / k.powf(0.8), rng.range(0.0, std::f32::consts::TAU)]
        });
        let waves = waves.collect();
        let angle = rng.range(0.0, std::f32::consts::TAU);
        let equal = rng.chance(EQUAL_BRIGHTNESS[class]);
        let [low, high] = if equal { EQUAL_RATIO } else { DARKER_RATIO };
        let ratio = rng.range(low, high);
        let mut lesion = Self {
            class,
            radius: rng.log_range(0.15, 0.42),
            aspect: rng.range(0.72, 1.0),
            waves,
            warp: ragged * rng.range(0.09, 0.2),
            warp_scale: rng.range(4.0, 8.0),
            soft: [0.13, 0.11, 0.08, 0.14, 0.10, 0.12, 0.09][class] * rng.range(0.6, 1.3),
            density: rng.range(0.8, 1.3),
            red: rng.range(0.7, 1.3),
            grain: rng.range(0.8, 1.25),
            patch: rng.range(-0.12, 0.22),
            side: [angle.cos(), angle.sin()],
            gain: 1.0,
            noise: [(); 6].map(|()| Noise(rng.next_u64())),
        };
        let mean = lesion.mean_luma(skin, rng);
        lesion.gain = (ratio * luma(skin) / mean.max(0.02)).clamp(0.35, 1.9);
        lesion
    }

    fn mean_luma(&self, skin: Rgb, rng: &mut Rng) -> f32 {
        let (mut sum, mut count) = (0.0, 0.0);
        for _ in 0..160 {
            let [x, y] = [rng.around(1.3) * self.radius, rng.around(1.3) * self.radius];
            let depth = self.depth(x, y);
            if depth < 1.0 {
                sum += luma(self.color(x, y, depth, skin));
                count += 1.0;
            }
        }
        if count > 0.0 { sum / count } else { luma(skin) }
    }

    pub(super) const fn radius(&self) -> f32 {
        self.radius
    }

    /// 0 in the middle, 1 on the outline, above outside; (0, 0) is the lesion's middle.
    pub(super) fn depth(&self, x: f32, y: f32) -> f32 {
        if x * x + y * y > 16.0 * self.radius * self.radius {
            return 4.0;
        }
        let scale = self.warp_scale / self.radius * 0.3;
        let [a, b] = [self.noise[0].fbm(x * scale, y * scale, 4), self.noise[1].fbm(x * scale, y * scale, 4)];
        let (x, y) = (x + self.warp * self.radius * 2.0 * a, (y + self.warp * self.radius * 2.0 * b) / self.aspect);
        let angle = y.atan2(x);
        let reach: f32 = self.waves.iter().map(|[k, amount, phase]| amount * (k * angle + phase).cos()).sum();
        (x * x + y * y).sqrt() / (self.radius * (1.0 + reach).max(0.3))
    }

    /// How much of the lesion shows at a depth: one half on the outline.
    pub(super) fn opacity(&self, depth: f32) -> f32 {
        smoothstep(1.0 + self.soft, 1.0 - self.soft, depth)
    }

    /// The colour inside; `skin` is what lies around.
    pub(super) fn color(&self, x: f32, y: f32, depth: f32, skin: Rgb) -> Rgb {
        let color = match self.class {
            AKIEC => self.keratosis(x, y, skin),
            BCC => self.carcinoma(x, y, skin),
            BKL => self.seborrhoeic(x, y, skin),
            DF => self.fibroma(x, y, depth, skin),
            MEL => self.melanoma(x, y, depth, skin),
            VASC => self.vascular(x, y, skin),
            _ => self.nevus(x, y, depth, skin),
        };
        color.map(|v| {
            let v = v * self.gain;
            // A shoulder instead of clipping keeps colour in what is bright.
            if v > 0.8 { 0.8 + 0.2 * (1.0 - (-(v - 0.8) / 0.2).exp()) } else { v }
        })
    }

    /// A colour's brightness in the hue that stands for the lesion's class: paler where that hue cannot be so bright.
    pub(super) fn coded(&self, color: Rgb) -> Rgb {
        let hue = match self.class {
            NV => CODE_BROWN,
            MEL => CODE_BLUE_GREY,
            _ => CODE_RED,
        };
        let bright = luma(color);
        let most = hue.into_iter().fold(0.0, f32::max);
        let share = ((1.0 / bright.max(0.01) - 1.0) / (most - 1.0)).clamp(0.0, 1.0);
        hue.map(|channel| bright * lerp(1.0, channel, share))
    }

    /// Coordinates in which a structure is `size` wide, bent so that none is regular.
    fn scaled(&self, x: f32, y: f32, size: f32) -> (f32, f32) {
        let size = size * self.grain;
        let (u, v) = (x / size, y / size);
        let bend = |noise: Noise, shift: f32| 0.45 * noise.at(u * 0.55 + shift, v * 0.55 - shift);
        (u + bend(self.noise[0], 0.0), v + bend(self.noise[1], 7.3))
    }

    fn patches(&self, which: usize, x: f32, y: f32, size: f32) -> f32 {
        let (u, v) = (x / (self.radius * size), y / (self.radius * size));
        self.noise[which].fbm(u, v, 3)
    }

    /// Lines of a honeycomb, fainter in places; about 0 on the whole.
    fn network(&self, x: f32, y: f32, size: f32) -> f32 {
        let (u, v) = self.scaled(x, y, size);
        let (first, second, _) = self.noise[2].cells(u, v);
        let line = 0.6 - smoothstep(0.0, 0.6, second - first);
        line * smoothstep(-0.35, 0.3, self.noise[4].at(u * 0.13, v * 0.13))
    }

    /// Round spots in some of the cells, of unequal size.
    fn dots(&self, which: usize, x: f32, y: f32, size: f32, share: f32) -> f32 {
        let (u, v) = self.scaled(x, y, size);
        let (first, _, number) = self.noise[which].cells(u, v);
        let radius = 0.16 + 0.22 * (number / share);
        if number < share { 1.0 - smoothstep(radius - 0.14, radius + 0.06, first) } else { 0.0 }
    }

    fn texture(&self, x: f32, y: f32) -> f32 {
        self.noise[5].fbm(x * 19.0, y * 19.0, 2)
    }

    fn nevus(&self, x: f32, y: f32, depth: f32, skin: Rgb) -> Rgb {
        let center = smoothstep(1.1, 0.1, depth);
        let pigment = 0.7 + 0.45 * center + 0.5 * self.patches(3, x, y, 0.7) + 0.3 * self.texture(x, y);
        let net = self.network(x, y, 0.03);
        let color = absorb(skin, MELANIN, self.density * (pigment + 0.7 * net * (1.25 - center)));
        absorb(color, BLOOD, 0.35 * self.red)
    }

    fn melanoma(&self, x: f32, y: f32, depth: f32, skin: Rgb) -> Rgb {
        let lean = (x * self.side[0] + y * self.side[1]) / self.radius;
        let pigment = 1.1 + 0.5 * lean + 1.1 * self.patches(3, x, y, 0.6) + 0.5 * self.texture(x, y);
        let net = self.network(x, y, 0.04);
        let mut color = absorb(skin, MELANIN, (self.density * (pigment + 0.7 * net)).max(0.3));
        color = absorb(color, BLOOD, 0.8 * self.red * smoothstep(0.0, 0.35, self.patches(5, x, y, 0.7)));
        let veil = smoothstep(-0.1, 0.3, self.patches(4, x, y, 0.9) - self.patch);
        color = blend(color, BLUE_GREY, 0.7 * veil);
        let regression = smoothstep(0.0, 0.3, -self.patches(4, x, y, 0.9) - self.patch * 0.5 - 0.03);
        color = blend(color, SCAR, 0.6 * regression * smoothstep(1.0, 0.7, depth));
        absorb(color, MELANIN, 1.3 * self.dots(1, x, y, 0.05, 0.2))
    }

    fn seborrhoeic(&self, x: f32, y: f32, skin: Rgb) -> Rgb {
        let (u, v) = self.scaled(x, y, 0.05);
        let bend = 3.0 * self.noise[2].fbm(u * 0.35, v * 0.35, 2);
        let ridges = 0.5 + 0.5 * ((u * self.side[0] + v * self.side[1] + bend) * 2.4).sin();
        let pigment = 0.7 + 0.4 * ridges + 0.6 * self.patches(3, x, y, 0.6) + 0.4 * self.texture(x, y);
        let mut color = absorb(skin, MELANIN, self.density * pigment);
        color = blend(color, HORN, 0.45 * smoothstep(-0.2, 0.3, self.patches(4, x, y, 0.8)));
        color = absorb(color, MELANIN, 1.2 * self.dots(1, x, y, 0.06, 0.12));
        blend(color, [0.93, 0.86, 0.70], 0.6 * self.dots(5, x, y, 0.05, 0.09))
    }

    fn carcinoma(&self, x: f32, y: f32, skin: Rgb) -> Rgb {
        let red = 0.9 + 0.6 * self.patches(3, x, y, 0.7) + 0.3 * self.texture(x, y);
        let mut color = absorb(skin, BLOOD, self.red * red);
        let pearl = smoothstep(-0.05, 0.4, self.patches(4, x, y, 0.7) + self.patch);
        color = blend(color, [0.90, 0.78, 0.82], 0.4 * pearl);
        let (u, v) = self.scaled(x, y, 0.17);
        let ridge = self.noise[2].fbm(u, v, 3).abs();
        color = absorb(color, BLOOD, 1.5 * smoothstep(0.06, 0.0, ridge));
        let nests = self.dots(1, x, y, 0.14, 0.35);
        blend(color, [0.36, 0.38, 0.48], 0.7 * nests)
    }

    fn keratosis(&self, x: f32, y: f32, skin: Rgb) -> Rgb {
        let (u, v) = self.scaled(x, y, 0.05);
        let (first, second, number) = self.noise[2].cells(u, v);
        let red = 1.0 + 0.6 * self.patches(3, x, y, 0.6) + 0.4 * self.texture(x, y);
        let mut color = absorb(skin, BLOOD, self.red * red);
        let follicle = smoothstep(0.08, 0.2, first) * smoothstep(0.36, 0.24, first);
        color = blend(color, [0.93, 0.85, 0.76], 0.4 * number * follicle);
        color = absorb(color, BLOOD, 0.4 * (1.0 - smoothstep(0.0, 0.4, second - first)));
        let scale = smoothstep(0.05, 0.35, self.patches(4, x, y, 0.4) + 0.1 * self.texture(x, y) + 0.5 * self.patch);
        blend(color, [0.92, 0.87, 0.78], 0.6 * scale)
    }

    fn fibroma(&self, x: f32, y: f32, depth: f32, skin: Rgb) -> Rgb {
        let rim = smoothstep(0.1, 0.85, depth + 0.5 * self.patches(3, x, y, 0.5));
        let net = self.network(x, y, 0.03) + 0.4 * self.texture(x, y);
        let color = absorb(skin, MELANIN, self.density * (0.35 + 0.6 * rim + 0.4 * net * (0.3 + rim)));
        let color = absorb(color, BLOOD, self.red * (0.4 + 0.4 * self.patches(4, x, y, 0.7)));
        blend(color, SCAR, 0.6 * (1.0 - rim))
    }

    fn vascular(&self, x: f32, y: f32, skin: Rgb) -> Rgb {
        let (u, v) = self.scaled(x, y, 0.08);
        let (first, second, number) = self.noise[2].cells(u, v);
        let red = 1.3 + 0.6 * self.patches(3, x, y, 0.6) + 0.4 * self.texture(x, y);
        let mut color = absorb(skin, BLOOD, self.red * red);
        let deep = lerp(0.0, 1.8, number);
        color = absorb(color, BLOOD, deep * smoothstep(0.0, 0.4, second - first) * smoothstep(0.8, 0.3, first));
        let purple = smoothstep(0.4, 0.9, number + 0.7 * self.patches(4, x, y, 0.9));
        color = blend(color, [0.40, 0.16, 0.36], 0.55 * purple);
        blend(color, [0.80, 0.56, 0.58], 0.15 * (1.0 - smoothstep(0.0, 0.25, second - first)))
    }
}

/// `color` behind `amount` of an absorber (Beer and Lambert's law).
pub(super) fn absorb(color: Rgb, absorber: Rgb, amount: f32) -> Rgb {
    [0, 1, 2].map(|c| color[c] * (-absorber[c] * amount.max(0.0)).exp())
}

/// `share` of `over` laid on `color`.
pub(super) fn blend(color: Rgb, over: Rgb, share: f32) -> Rgb {
    [0, 1, 2].map(|c| lerp(color[c], over[c], share))
}

pub(super) fn luma(color: Rgb) -> f32 {
    0.299 * color[0] + 0.587 * color[1] + 0.114 * color[2]
}
