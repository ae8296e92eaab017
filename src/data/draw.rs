//! Strokes, discs and rings with soft edges on three colour planes: hair, rulers, bubbles.

use super::rng::Rng;

/// Red, green and blue planes of one image, to draw on. Coordinates are pixels; (0.5, 0.5) is the first one's middle.
pub(super) struct Canvas<'a> {
    planes: &'a mut [f32],
    height: usize,
    width: usize,
    coverage: Vec<f32>,
    touched: Vec<usize>,
}

/// A quadratic Bézier curve of a width that may taper.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stroke {
    pub points: [[f32; 2]; 3],
    pub radius: f32,
    /// The radius at the end, as a share of the one at the start.
    pub taper: f32,
}

impl<'a> Canvas<'a> {
    pub(super) fn new(planes: &'a mut [f32], height: usize, width: usize) -> Self {
        Self { planes, height, width, coverage: vec![0.0; height * width], touched: Vec::new() }
    }

    /// Covers a ring (or, for `inner` = 0, a disc) whose edges are one pixel soft.
    pub(super) fn ring(&mut self, [x, y]: [f32; 2], inner: f32, outer: f32) {
        let thin = ((outer - inner.max(0.0)) * if inner > 0.0 { 1.0 } else { 2.0 }).min(1.0);
        let (rows, columns) = (span(y, outer, self.height), span(x, outer, self.width));
        for row in rows {
            let dy = row as f32 + 0.5 - y;
            for column in columns.clone() {
                let dx = column as f32 + 0.5 - x;
                let distance = (dx * dx + dy * dy).sqrt();
                let mut cover = (outer + 0.5 - distance).clamp(0.0, 1.0);
                if inner > 0.0 {
                    cover = cover.min((distance - inner + 0.5).clamp(0.0, 1.0));
                }
                self.cover(row * self.width + column, cover * thin);
            }
        }
    }

    /// Covers a curve.
    pub(super) fn stroke(&mut self, stroke: &Stroke) {
        let [a, b, c] = stroke.points;
        let length = distance(a, b) + distance(b, c);
        if !length.is_finite() {
            return;
        }
        let steps = (length / 0.6).ceil().clamp(1.0, 4096.0) as usize;
        for step in 0..=steps {
            let t = step as f32 / steps as f32;
            let [p, q, r] = [(1.0 - t) * (1.0 - t), 2.0 * t * (1.0 - t), t * t];
            let at = [p * a[0] + q * b[0] + r * c[0], p * a[1] + q * b[1] + r * c[1]];
            self.ring(at, 0.0, stroke.radius * (1.0 + t * (stroke.taper - 1.0)));
        }
    }

    fn cover(&mut self, at: usize, cover: f32) {
        if cover > 0.0 {
            if self.coverage[at] == 0.0 {
                self.touched.push(at);
            }
            self.coverage[at] = self.coverage[at].max(cover);
        }
    }

    /// Lays a colour on what was covered since the last call.
    pub(super) fn ink(&mut self, color: [f32; 3], opacity: f32) {
        let area = self.height * self.width;
        for &at in &self.touched {
            let alpha = self.coverage[at] * opacity;
            self.coverage[at] = 0.0;
            for (channel, color) in color.into_iter().enumerate() {
                let value = &mut self.planes[channel * area + at];
                *value += alpha * (color - *value);
            }
        }
        self.touched.clear();
    }

    /// Draws `count` hairs that lie more or less alike, dark or light, `thick` times as wide as is usual.
    pub(super) fn hairs(&mut self, rng: &mut Rng, count: usize, thick: f32) {
        let (height, width) = (self.height as f32, self.width as f32);
        let side = height.min(width);
        let light = rng.chance(0.2);
        let grain = rng.range(0.0, std::f32::consts::TAU);
        let spread = rng.range(0.2, 1.2);
        // A hair is about 0.07 mm wide, a dermatoscope's frame about 15 mm high.
        let radius = thick * side * rng.range(0.0025, 0.0065);
        for _ in 0..count {
            let angle = grain + rng.normal() * spread * 0.5;
            let length = side * rng.range(0.25, 1.1);
            let start = [rng.range(-0.1, 1.1) * width, rng.range(-0.1, 1.1) * height];
            let along = [angle.cos() * length, angle.sin() * length];
            let bend = rng.normal() * 0.12;
            let middle = [start[0] + 0.5 * along[0] - bend * along[1], start[1] + 0.5 * along[1] + bend * along[0]];
            let end = [start[0] + along[0], start[1] + along[1]];
            let radius = (radius * rng.range(0.7, 1.3)).max(0.3);
            self.stroke(&Stroke { points: [start, middle, end], radius, taper: rng.range(0.2, 0.8) });
            let color = if light {
                let shade = rng.range(0.7, 0.92);
                [shade, shade * rng.range(0.9, 0.98), shade * rng.range(0.75, 0.92)]
            } else {
                let shade = rng.range(0.04, 0.3);
                [shade, shade * rng.range(0.7, 0.9), shade * rng.range(0.5, 0.8)]
            };
            self.ink(color, rng.range(0.5, 0.95));
        }
    }

    /// Draws a ruler's marks along a line near one side.
    pub(super) fn ruler(&mut self, rng: &mut Rng) {
        let (height, width) = (self.height as f32, self.width as f32);
        let side = height.min(width);
        let radius = (side * rng.range(0.003, 0.006)).max(0.35);
        let tilt = rng.around(0.15) + if rng.chance(0.5) { std::f32::consts::FRAC_PI_2 } else { 0.0 };
        let (along, across) = ([tilt.cos(), tilt.sin()], [-tilt.sin(), tilt.cos()]);
        let offset = rng.range(0.3, 0.47) * if rng.chance(0.5) { 1.0 } else { -1.0 };
        let reach = if tilt.cos().abs() > 0.7 { height } else { width };
        let middle = [0.5 * width + offset * reach * across[0], 0.5 * height + offset * reach * across[1]];
        let point =
            |a: f32, b: f32| [middle[0] + a * along[0] + b * across[0], middle[1] + a * along[1] + b * across[1]];
        let (step, tall) = (side * rng.range(0.05, 0.12), side * rng.range(0.025, 0.06));
        let line = |from: [f32; 2], to: [f32; 2]| Stroke {
            points: [from, [0.5 * (from[0] + to[0]), 0.5 * (from[1] + to[1])], to],
            radius,
            taper: 1.0,
        };
        if rng.chance(0.5) {
            self.stroke(&line(point(-2.0 * side, 0.0), point(2.0 * side, 0.0)));
        }
        for i in -20i16..=20 {
            let tall = if i % 5 == 0 { 1.8 * tall } else { tall };
            self.stroke(&line(point(f32::from(i) * step, 0.0), point(f32::from(i) * step, tall)));
        }
        let shade = rng.range(0.02, 0.25);
        self.ink([shade, shade, shade], rng.range(0.6, 0.95));
    }
}

fn distance(a: [f32; 2], b: [f32; 2]) -> f32 {
    (a[0] - b[0]).hypot(a[1] - b[1])
}

/// The pixels that a disc may touch on one axis.
fn span(middle: f32, radius: f32, size: usize) -> std::ops::Range<usize> {
    let low = (middle - radius - 1.0).floor().clamp(0.0, size as f32) as usize;
    let high = (middle + radius + 1.0).ceil().clamp(0.0, size as f32) as usize;
    low..high.max(low)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drawing_stays_inside_and_leaves_the_rest() {
        let mut planes = vec![0.5f32; 3 * 9 * 7];
        let mut canvas = Canvas::new(&mut planes, 9, 7);
        canvas.stroke(&Stroke { points: [[-50.0, 4.5], [3.0, 4.5], [90.0, 4.5]], radius: 1.0, taper: 1.0 });
        canvas.ink([1.0, 0.0, 0.5], 1.0);
        canvas.ring([f32::NAN, 1.0], 0.0, 2.0);
        canvas.ring([1e9, -1e9], 1.0, 2.0);
        canvas.ink([0.0; 3], 1.0);
        assert!((planes[4 * 7 + 3] - 1.0).abs() < 1e-6, "red where the stroke is");
        assert!(planes[63 + 4 * 7 + 3].abs() < 1e-6, "no green there");
        assert!((planes[3] - 0.5).abs() < 1e-6, "untouched elsewhere");
    }
}
