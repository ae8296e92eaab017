//! Asymmetry, border and diameter of a region.

use ::image::imageops;
use contour::ContourBuilder;

use super::Region;
use crate::data::augment::blur;
use crate::data::resize::resize_grey;
use crate::error::{Error, Result};

/// The border is measured where the region's longer side has this many pixels, whatever the photograph's size.
const SIDE: f64 = 192.0;
/// A small region is enlarged no further than this: beyond, its pixels' corners would count as border.
const ENLARGED: f64 = 2.0;
/// The border is smoothed over these many of those pixels (a Gaussian's deviation): 1.3 % of the longer side, so that
/// neither the pixels' corners nor a network's grid count as border.
const SMOOTHING: f32 = 2.5;
/// Pixels around the region, which smoothing reaches.
const MARGIN: u32 = 10;

/// How much of the region does not lie on itself when it is mirrored, about the longer principal axis of its pixels
/// and about the shorter one: the pixels whose mirror image falls outside, as a share of all. 0 is a mirror image; a
/// half disc has 0 about one axis and 0.19 about the other. Both axes go through the centroid. Of a region without a
/// longest direction, such as a disc, the axes are the photograph's.
#[must_use]
pub fn asymmetry(region: &Region) -> [f64; 2] {
    let places: Vec<(f64, f64)> = region
        .mask
        .enumerate_pixels()
        .filter(|(_, _, pixel)| pixel.0[0] == 255)
        .map(|(x, y, _)| (f64::from(x), f64::from(y)))
        .collect();
    let count = places.len() as f64;
    let (x0, y0) = places.iter().fold((0.0, 0.0), |(a, b), (x, y)| (a + x / count, b + y / count));
    let (mut xx, mut xy, mut yy) = (0.0, 0.0, 0.0);
    for (x, y) in &places {
        let (dx, dy) = (x - x0, y - y0);
        (xx, xy, yy) = (xx + dx * dx / count, xy + dx * dy / count, yy + dy * dy / count);
    }
    let round = ((xx - yy).powi(2) + 4.0 * xy * xy).sqrt() < 0.01 * (xx + yy);
    let angle = if round { 0.0 } else { 0.5 * (2.0 * xy).atan2(xx - yy) };
    [angle, angle + std::f64::consts::FRAC_PI_2].map(|axis| {
        let (sin, cos) = (2.0 * axis).sin_cos();
        let lost = places.iter().filter(|(x, y)| {
            let (dx, dy) = (x - x0, y - y0);
            let (x, y) = ((x0 + cos * dx + sin * dy).round(), (y0 + sin * dx - cos * dy).round());
            let pixel = (x >= 0.0 && y >= 0.0).then(|| region.mask.get_pixel_checked(x as u32, y as u32)).flatten();
            pixel.is_none_or(|pixel| pixel.0[0] != 255)
        });
        lost.count() as f64 / count
    })
}

/// Perimeter² / (4π · area) of the smoothed outline: 1 for a circle, 1.27 for a square, more the more the border is
/// notched or drawn out. It is the reciprocal of the isoperimetric quotient, known as compactness index where borders
/// of lesions are measured (reviewed by Lee, McLean, Atkins: Irregularity index, Medical Image Analysis 7, 2003).
///
/// Where the photograph cuts the lesion off, the cut counts as border. `None` where the region is so thin that nothing is
/// left of it once smoothed.
pub fn border_irregularity(region: &Region) -> Result<Option<f64>> {
    let Some(ring) = outline(region)? else { return Ok(None) };
    let next = ring.iter().cycle().skip(1);
    let (mut length, mut area) = (0.0, 0.0);
    for ((x0, y0), (x1, y1)) in ring.iter().zip(next) {
        length += (x1 - x0).hypot(y1 - y0);
        area += 0.5 * (x0 * y1 - x1 * y0);
    }
    let area: f64 = f64::abs(area);
    Ok((area > 0.0).then(|| length * length / (4.0 * std::f64::consts::PI * area)))
}

/// The longest ring of the smoothed region's outline, at the scale of [`SIDE`]; `None` where nothing is left.
fn outline(region: &Region) -> Result<Option<Vec<(f64, f64)>>> {
    let [left, top, width, height] = region.frame;
    let scale = (SIDE / f64::from(width.max(height))).min(ENLARGED);
    let scaled = |side: u32| ((f64::from(side) * scale).round() as u32).max(1);
    let (w, h) = (scaled(width), scaled(height));
    let cut = imageops::crop_imm(&region.mask, left, top, width, height).to_image();
    let cut = resize_grey(&cut, h as usize, w as usize)?;
    let (wide, high) = ((w + 2 * MARGIN) as usize, (h + 2 * MARGIN) as usize);
    let mut plane = vec![0f32; wide * high];
    for (x, y, pixel) in cut.enumerate_pixels() {
        let at = (y + MARGIN) as usize * wide + (x + MARGIN) as usize;
        plane[at] = f32::from(pixel.0[0]) / 255.0;
    }
    blur(&mut plane, high, wide, SMOOTHING);
    let values: Vec<f64> = plane.into_iter().map(f64::from).collect();
    let lines = ContourBuilder::new(wide, high, true)
        .lines(&values, &[0.5])
        .map_err(|error| Error::parameter("border_irregularity", error.to_string()))?;
    let rings = lines.iter().flat_map(|line| line.geometry().iter());
    let longest = rings.max_by_key(|ring| ring.0.len());
    Ok(longest.map(|ring| ring.0.iter().map(|place| (place.x, place.y)).collect()))
}

/// The greatest distance between two points of the region, in pixels.
#[must_use]
pub fn diameter(region: &Region) -> f64 {
    // The corners of each row's first and last pixel hold every corner of the convex hull.
    let mut corners = Vec::new();
    for (y, row) in region.mask.rows().enumerate() {
        let mut inside = row.enumerate().filter(|(_, pixel)| pixel.0[0] == 255).map(|(x, _)| x);
        let Some(first) = inside.next() else { continue };
        let last = inside.next_back().unwrap_or(first) + 1;
        corners.extend([(first, y), (first, y + 1), (last, y), (last, y + 1)].map(|(x, y)| (x as f64, y as f64)));
    }
    corners.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let mut hull = half_hull(corners.iter().copied());
    hull.extend(half_hull(corners.iter().rev().copied()));
    let distances = hull.iter().flat_map(|a| hull.iter().map(|b| (a.0 - b.0).hypot(a.1 - b.1)));
    distances.fold(0.0, f64::max)
}

/// One side of the convex hull of points in order (Andrew's monotone chain).
fn half_hull(points: impl Iterator<Item = (f64, f64)>) -> Vec<(f64, f64)> {
    let mut hull: Vec<(f64, f64)> = Vec::new();
    for point in points {
        while let [.., a, b] = hull.as_slice() {
            if (b.0 - a.0) * (point.1 - a.1) - (b.1 - a.1) * (point.0 - a.0) > 0.0 {
                break;
            }
            hull.pop();
        }
        hull.push(point);
    }
    hull
}
