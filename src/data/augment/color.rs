//! Changes of colour, light and sharpness on three planes.

use super::Augment;
use crate::data::rng::Rng;

const LUMA: [f32; 3] = [0.299, 0.587, 0.114];

/// A change of colour: a matrix, an offset, then an exponent.
pub(super) struct Recolor {
    matrix: [[f32; 3]; 3],
    offset: [f32; 3],
    exponent: Option<f32>,
}

impl Recolor {
    /// Draws exposure, contrast, saturation, hue, gains and gamma.
    pub(super) fn draw(config: &Augment, rng: &mut Rng) -> Self {
        let exposure = 1.0 + rng.around(config.brightness);
        let contrast = 1.0 + rng.around(config.contrast);
        let saturation = 1.0 + rng.around(config.saturation);
        let hue = rng.around(config.hue).to_radians();
        let gains = [(); 3].map(|()| 1.0 + rng.around(config.gain));
        let exponent = (1.0 + config.gamma).ln() * rng.around(1.0);
        let mut matrix = multiply(saturate(saturation), turn(hue));
        for row in &mut matrix {
            for (value, gain) in row.iter_mut().zip(gains) {
                *value *= gain * exposure * contrast;
            }
        }
        let offset = [0.5 * (1.0 - contrast); 3];
        Self { matrix, offset, exponent: (exponent != 0.0).then(|| exponent.exp()) }
    }

    /// Applies it; values come out in 0..=1 where an exponent is set.
    pub(super) fn apply(&self, planes: &mut [f32]) {
        let len = planes.len() / 3;
        let (red, rest) = planes.split_at_mut(len);
        let (green, blue) = rest.split_at_mut(len);
        let ([m0, m1, m2], offset) = (self.matrix, self.offset);
        for ((r, g), b) in red.iter_mut().zip(green).zip(blue) {
            let (x, y, z) = (*r, *g, *b);
            *r = m0[0] * x + m0[1] * y + m0[2] * z + offset[0];
            *g = m1[0] * x + m1[1] * y + m1[2] * z + offset[1];
            *b = m2[0] * x + m2[1] * y + m2[2] * z + offset[2];
        }
        if let Some(exponent) = self.exponent {
            curve(planes, exponent);
        }
    }
}

/// value^exponent through a table of 512 steps.
fn curve(planes: &mut [f32], exponent: f32) {
    const STEPS: u16 = 512;
    let table: Vec<f32> = (0..=STEPS + 1).map(|i| (f32::from(i) / f32::from(STEPS)).powf(exponent)).collect();
    for value in planes {
        let at = value.clamp(0.0, 1.0) * f32::from(STEPS);
        let low = at as usize;
        *value = table[low] + (at - low as f32) * (table[low + 1] - table[low]);
    }
}

fn saturate(s: f32) -> [[f32; 3]; 3] {
    let mut matrix = [LUMA.map(|l| (1.0 - s) * l); 3];
    for (i, row) in matrix.iter_mut().enumerate() {
        row[i] += s;
    }
    matrix
}

/// A rotation about the grey axis.
fn turn(angle: f32) -> [[f32; 3]; 3] {
    let (sin, cos) = angle.sin_cos();
    let (a, b) = ((1.0 - cos) / 3.0, sin / 3.0f32.sqrt());
    [[cos + a, a - b, a + b], [a + b, cos + a, a - b], [a - b, a + b, cos + a]]
}

fn multiply(a: [[f32; 3]; 3], b: [[f32; 3]; 3]) -> [[f32; 3]; 3] {
    a.map(|row| [0, 1, 2].map(|j| row[0] * b[0][j] + row[1] * b[1][j] + row[2] * b[2][j]))
}

/// Uneven light: a slope across the frame and a fall to its corners.
pub(super) fn shade(planes: &mut [f32], height: usize, width: usize, amount: f32, rng: &mut Rng) {
    let angle = rng.range(0.0, std::f32::consts::TAU);
    let slope = rng.around(amount);
    let fall = rng.range(-0.25 * amount, amount) * 0.5;
    let (sx, sy) = (slope * angle.cos(), slope * angle.sin());
    for plane in planes.chunks_exact_mut(height * width) {
        for (row, line) in plane.chunks_exact_mut(width).enumerate() {
            let y = (2 * row + 1) as f32 / height as f32 - 1.0;
            for (column, value) in line.iter_mut().enumerate() {
                let x = (2 * column + 1) as f32 / width as f32 - 1.0;
                *value *= 1.0 + sx * x + sy * y - fall * (x * x + y * y);
            }
        }
    }
}

/// A Gaussian blur, edges repeated.
pub(in crate::data) fn blur(planes: &mut [f32], height: usize, width: usize, sigma: f32) {
    let reach = ((2.5 * sigma).ceil() as usize).clamp(1, 24);
    let mut kernel: Vec<f32> = (0..=reach).map(|i| (-0.5 * (i as f32 / sigma).powi(2)).exp()).collect();
    let sum = kernel[0] + 2.0 * kernel[1..].iter().sum::<f32>();
    for weight in &mut kernel {
        *weight /= sum;
    }
    let mut line = vec![0.0; width + 2 * reach];
    let mut copy = vec![0.0; height * width];
    for plane in planes.chunks_exact_mut(height * width) {
        for (row, out) in plane.chunks_exact(width).zip(copy.chunks_exact_mut(width)) {
            line[reach..reach + width].copy_from_slice(row);
            line[..reach].fill(row[0]);
            line[reach + width..].fill(row[width - 1]);
            let middle = &line[reach..reach + width];
            out.iter_mut().zip(middle).for_each(|(o, m)| *o = kernel[0] * m);
            for (d, &k) in kernel.iter().enumerate().skip(1) {
                let (left, right) = (&line[reach - d..], &line[reach + d..]);
                out.iter_mut().zip(left).zip(right).for_each(|((o, l), r)| *o += k * (l + r));
            }
        }
        for (y, out) in plane.chunks_exact_mut(width).enumerate() {
            let row = |y: usize| &copy[y * width..(y + 1) * width];
            out.iter_mut().zip(row(y)).for_each(|(o, m)| *o = kernel[0] * m);
            for (d, &k) in kernel.iter().enumerate().skip(1) {
                let (above, below) = (row(y.saturating_sub(d)), row((y + d).min(height - 1)));
                out.iter_mut().zip(above).zip(below).for_each(|((o, a), b)| *o += k * (a + b));
            }
        }
    }
}

/// Noise of one deviation on every value.
pub(super) fn noise(planes: &mut [f32], deviation: f32, rng: &mut Rng) {
    for value in planes {
        *value += deviation * rng.normal();
    }
}
