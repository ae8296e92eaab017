//! Noise over the plane, from a hash of the lattice: smooth, and in cells.

use crate::data::rng::mix;

/// A field of noise; equal keys give equal fields.
#[derive(Debug, Clone, Copy)]
pub(super) struct Noise(pub u64);

impl Noise {
    fn hash(self, x: i32, y: i32) -> u64 {
        mix(self.0 ^ (u64::from(x.cast_unsigned()) << 32 | u64::from(y.cast_unsigned())))
    }

    /// Smooth noise of one octave, -1..=1, features about one unit wide.
    pub(super) fn at(self, x: f32, y: f32) -> f32 {
        let (left, top) = (x.floor(), y.floor());
        let (dx, dy) = (x - left, y - top);
        let (left, top) = (left as i32, top as i32);
        let value = |i: i32, j: i32| {
            let hash = self.hash(left.wrapping_add(i), top.wrapping_add(j));
            let (gx, gy) = ((hash & 0xFFFF) as f32 / 32767.5 - 1.0, (hash >> 16 & 0xFFFF) as f32 / 32767.5 - 1.0);
            gx * (dx - i as f32) + gy * (dy - j as f32)
        };
        let (u, v) = (fade(dx), fade(dy));
        let (above, below) = (lerp(value(0, 0), value(1, 0), u), lerp(value(0, 1), value(1, 1), u));
        (lerp(above, below, v) * 1.5).clamp(-1.0, 1.0)
    }

    /// Octaves of [`Noise::at`], each half as wide and half as strong.
    pub(super) fn fbm(self, x: f32, y: f32, octaves: u32) -> f32 {
        let (mut sum, mut weight, mut scale, mut all) = (0.0, 1.0, 1.0, 0.0);
        for octave in 0..octaves {
            sum += weight * Self(self.0.wrapping_add(u64::from(octave))).at(x * scale, y * scale);
            all += weight;
            weight *= 0.5;
            scale *= 2.03;
        }
        sum / all
    }

    /// Distances to the nearest and second nearest of points scattered one to a unit square, and the nearest one's
    /// number in 0..1.
    pub(super) fn cells(self, x: f32, y: f32) -> (f32, f32, f32) {
        let (left, top) = (x.floor() as i32, y.floor() as i32);
        let (mut first, mut second, mut number) = (f32::MAX, f32::MAX, 0.0);
        for j in -1..=1 {
            for i in -1..=1 {
                let (column, row) = (left.wrapping_add(i), top.wrapping_add(j));
                let hash = self.hash(column, row);
                let px = column as f32 + 0.15 + 0.7 * ((hash & 0xFFFF) as f32 / 65536.0);
                let py = row as f32 + 0.15 + 0.7 * ((hash >> 16 & 0xFFFF) as f32 / 65536.0);
                let distance = ((px - x) * (px - x) + (py - y) * (py - y)).sqrt();
                if distance < first {
                    second = first;
                    first = distance;
                    number = (hash >> 40) as f32 / 16_777_216.0;
                } else if distance < second {
                    second = distance;
                }
            }
        }
        (first, second, number)
    }
}

fn fade(t: f32) -> f32 {
    t * t * t * (t * (t * 6.0 - 15.0) + 10.0)
}

/// Between `a` (t = 0) and `b` (t = 1).
pub(super) fn lerp(a: f32, b: f32, t: f32) -> f32 {
    a + t * (b - a)
}

/// 0 below `low`, 1 above `high`, smooth between.
pub(super) fn smoothstep(low: f32, high: f32, x: f32) -> f32 {
    let t = ((x - low) / (high - low)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}
