//! Which pixels are the lesion: the largest connected part of a mask, its holes filled; or all but its small parts.

use ::image::GrayImage;

/// Below this share of the photograph a region counts as none: a speck, no lesion.
pub const SMALLEST_AREA: f64 = 0.0005;
/// A part of a mask below this share of its largest part is stray: ink, a hair, another mole. On
/// half of HAM10000's val the shipped U-Net's mean IoU rises by 0.009 with it and filled holes.
pub const STRAY_SHARE: f64 = 0.25;
/// Fewer pixels than these have no shape to measure.
const FEWEST: usize = 30;

/// One connected region of a mask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Region {
    /// 0 and 255, of the photograph's size; only this region is 255.
    pub mask: GrayImage,
    /// Its pixels.
    pub area: u64,
    /// Left, top, width and height of its box.
    pub frame: [u32; 4],
    /// The mask's pixels that lie in other regions.
    pub elsewhere: u64,
    /// How many pixels of the photograph's edge it covers.
    pub on_edge: u32,
}

impl Region {
    /// The share of the mask that lies in other regions, 0 to below 1.
    #[must_use]
    pub fn elsewhere_share(&self) -> f64 {
        self.elsewhere as f64 / (self.area + self.elsewhere) as f64
    }

    /// The share of its box's outline that is the photograph's own edge: where it is large, the photograph cuts the
    /// lesion off.
    #[must_use]
    pub fn cut_off_share(&self) -> f64 {
        let [_, _, width, height] = self.frame;
        f64::from(self.on_edge) / (2.0 * (f64::from(width) + f64::from(height)))
    }

    /// Its box, wider by `margin` (a share of the box's longer side) on every side, within the photograph: left, top,
    /// width, height.
    #[must_use]
    pub fn crop(&self, margin: f64) -> [u32; 4] {
        let [left, top, width, height] = self.frame;
        let more = (margin.max(0.0) * f64::from(width.max(height))).round() as u32;
        let (x, y) = (left.saturating_sub(more), top.saturating_sub(more));
        let right = (left + width).saturating_add(more).min(self.mask.width());
        let bottom = (top + height).saturating_add(more).min(self.mask.height());
        [x, y, right - x, bottom - y]
    }
}

/// The largest region of a mask (0 and 255; pixels that share a side belong together) with its holes filled; nothing
/// where that is smaller than [`SMALLEST_AREA`] of the photograph.
#[must_use]
pub fn region(mask: &GrayImage) -> Option<Region> {
    let mut marks = Marks::of(mask);
    let (all, largest) = marks.measure();
    if largest < FEWEST || (largest as f64) < SMALLEST_AREA * mask.as_raw().len() as f64 {
        return None;
    }
    let mut missing = true;
    marks.keep(|size| size == largest && std::mem::take(&mut missing));
    let mask = marks.whole();
    let (mut left, mut top, mut right, mut bottom) = (u32::MAX, u32::MAX, 0, 0);
    let (mut area, mut on_edge) = (0, 0);
    for (x, y, _) in mask.enumerate_pixels().filter(|(_, _, pixel)| pixel.0[0] == 255) {
        (left, top, right, bottom) = (left.min(x), top.min(y), right.max(x), bottom.max(y));
        area += 1;
        on_edge += u32::from(x == 0) + u32::from(y == 0);
        on_edge += u32::from(x + 1 == mask.width()) + u32::from(y + 1 == mask.height());
    }
    let frame = [left, top, right - left + 1, bottom - top + 1];
    Some(Region { mask, area, frame, elsewhere: (all - largest) as u64, on_edge })
}

/// A mask (0 and 255; pixels that share a side belong together) without the parts that are smaller than
/// [`STRAY_SHARE`] of its largest, and with the holes of the others filled.
#[must_use]
pub fn tidy(mask: &GrayImage) -> GrayImage {
    let mut marks = Marks::of(mask);
    let (_, largest) = marks.measure();
    marks.keep(|size| size as f64 >= STRAY_SHARE * largest as f64);
    marks.whole()
}

/// No part's: a hole, until the photograph's edge is found to reach it.
const EMPTY: u8 = 0;
/// Of a part that was not looked at yet.
const FOUND: u8 = 1;
/// Of a part whose pixels are counted.
const COUNTED: u8 = 2;
/// Of a part that stays.
const KEPT: u8 = 3;
/// What the photograph's edge reaches without crossing a part.
const OUTSIDE: u8 = 4;

/// A mask's pixels, one byte each for what is known of them: parts are flooded with the next mark as often as need be,
/// so that no list of parts or pixels is kept, however large the photograph and however many the parts.
struct Marks {
    size: (u32, u32),
    width: usize,
    marks: Vec<u8>,
    /// Runs whose neighbours are not looked at yet; empty between two floods.
    waiting: Vec<usize>,
}

impl Marks {
    fn of(mask: &GrayImage) -> Self {
        let marks = mask.as_raw().iter().map(|&value| if value < 128 { EMPTY } else { FOUND }).collect();
        Self { size: mask.dimensions(), width: mask.width() as usize, marks, waiting: Vec::new() }
    }

    /// Counts the pixels of all parts, and those of the largest.
    fn measure(&mut self) -> (usize, usize) {
        let (mut all, mut largest) = (0, 0);
        for at in 0..self.marks.len() {
            if self.marks[at] == FOUND {
                let size = self.flood(at, COUNTED);
                all += size;
                largest = largest.max(size);
            }
        }
        (all, largest)
    }

    /// Keeps the parts whose size is `wanted`, which is asked in the order of their first pixels.
    fn keep(&mut self, mut wanted: impl FnMut(usize) -> bool) {
        for at in 0..self.marks.len() {
            if self.marks[at] == COUNTED {
                let size = self.flood(at, KEPT);
                if !wanted(size) {
                    self.flood(at, EMPTY);
                }
            }
        }
    }

    /// The mask of what is kept, with its holes.
    fn whole(mut self) -> GrayImage {
        let (width, len) = (self.width, self.marks.len());
        let sides = (0..len).step_by(width.max(1)).flat_map(|row| [row, row + width - 1]);
        let ends = (0..width.min(len)).flat_map(|x| [x, len - width + x]);
        for at in sides.chain(ends) {
            if self.marks[at] == EMPTY {
                self.flood(at, OUTSIDE);
            }
        }
        let (across, down) = self.size;
        let mut whole = GrayImage::new(across, down);
        for (pixel, mark) in whole.iter_mut().zip(self.marks) {
            *pixel = if mark == OUTSIDE { 0 } else { 255 };
        }
        whole
    }

    /// Gives the mark `to`, another than its own, to the pixel at `start` and to all of its mark that it reaches over
    /// shared sides; how many those are. Goes from run to run of a row, so that few places wait.
    fn flood(&mut self, start: usize, to: u8) -> usize {
        let Self { width, ref mut marks, ref mut waiting, .. } = *self;
        let from = marks[start];
        let mut count = 0;
        waiting.push(start);
        while let Some(at) = waiting.pop() {
            if marks[at] != from {
                continue;
            }
            let row = at / width * width;
            let left = marks[row..at].iter().rposition(|mark| *mark != from).map_or(row, |before| row + before + 1);
            let right =
                marks[at..row + width].iter().position(|mark| *mark != from).map_or(row + width, |end| at + end);
            marks[left..right].fill(to);
            count += right - left;
            let above = (row > 0).then(|| left - width..right - width);
            let below = (row + width < marks.len()).then(|| left + width..right + width);
            for beside in above.into_iter().chain(below) {
                let mut inside = false;
                for there in beside {
                    let same = marks[there] == from;
                    if same && !inside {
                        waiting.push(there);
                    }
                    inside = same;
                }
            }
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use ::image::Luma;

    use super::*;
    use crate::data::rng::Rng;

    fn drawn(width: u32, height: u32, mut inside: impl FnMut(u32, u32) -> bool) -> GrayImage {
        GrayImage::from_fn(width, height, |x, y| Luma([if inside(x, y) { 255 } else { 0 }]))
    }

    /// For every pixel that is `inside`, the first pixel it is connected with: neighbours agree on the smaller one until
    /// nothing changes.
    fn firsts(width: usize, inside: &[bool]) -> Vec<usize> {
        let mut firsts: Vec<usize> = (0..inside.len()).collect();
        loop {
            let before = firsts.clone();
            for at in 0..inside.len() {
                let right = !(at + 1).is_multiple_of(width);
                let below = at + width < inside.len();
                for there in [right.then_some(at + 1), below.then_some(at + width)].into_iter().flatten() {
                    if inside[at] && inside[there] {
                        let first = firsts[at].min(firsts[there]);
                        (firsts[at], firsts[there]) = (first, first);
                    }
                }
            }
            if firsts == before {
                return firsts;
            }
        }
    }

    /// What [`tidy`] leaves or, of the largest part alone, [`region`], by the plainest means.
    fn plain(mask: &GrayImage, largest_alone: bool) -> GrayImage {
        let (width, len) = (mask.width() as usize, mask.as_raw().len());
        let lesion: Vec<bool> = mask.as_raw().iter().map(|&value| value >= 128).collect();
        let part = firsts(width, &lesion);
        let mut sizes = vec![0usize; len];
        (0..len).filter(|&at| lesion[at]).for_each(|at| sizes[part[at]] += 1);
        let largest = sizes.iter().copied().max().unwrap_or(0);
        let first = sizes.iter().position(|&size| size == largest);
        let kept = |at: usize| match largest_alone {
            true => Some(part[at]) == first,
            false => sizes[part[at]] as f64 >= STRAY_SHARE * largest as f64,
        };
        let empty: Vec<bool> = (0..len).map(|at| !(lesion[at] && kept(at))).collect();
        let gap = firsts(width, &empty);
        let edge = |at: usize| (at % width).min((at + 1) % width) == 0 || at < width || at + width >= len;
        let outside: Vec<usize> = (0..len).filter(|&at| empty[at] && edge(at)).map(|at| gap[at]).collect();
        drawn(mask.width(), mask.height(), |x, y| {
            let at = y as usize * width + x as usize;
            !(empty[at] && outside.contains(&gap[at]))
        })
    }

    #[test]
    fn scattered_masks_give_what_the_plainest_means_give() {
        let mut regions = 0;
        for number in 0..60u8 {
            let mut rng = Rng::new(u64::from(number), "test/scattered", &[]);
            let density = 0.25 + 0.15 * f32::from(number % 5);
            let [width, height] = [[17, 13], [1, 40], [40, 1], [23, 9]][usize::from(number % 4)];
            let mask = drawn(width, height, |_, _| rng.chance(density));
            assert_eq!(tidy(&mask), plain(&mask, false), "{number}");
            if let Some(found) = region(&mask) {
                regions += 1;
                assert_eq!(found.mask, plain(&mask, true), "{number}");
            }
        }
        assert!(regions >= 10, "{regions} regions");
        for empty in [GrayImage::new(0, 0), GrayImage::new(5, 0), GrayImage::new(0, 5)] {
            assert_eq!((tidy(&empty), region(&empty)), (empty.clone(), None));
        }
    }

    /// Of the specks alone there are four hundred thousand parts.
    #[test]
    fn twelve_megapixels_with_many_parts() {
        let from_middle = |x: u32, y: u32| (f64::from(x) - 1200.0).hypot(f64::from(y) - 1500.0);
        let disc = |x: u32, y: u32| from_middle(x, y) < 900.0;
        let ring = |x: u32, y: u32| disc(x, y) && from_middle(x, y) >= 300.0;
        let comb = |x: u32, y: u32| {
            (2400..3900).contains(&x) && (300..2700).contains(&y) && (y < 310 || (x / 3).is_multiple_of(2))
        };
        let specks = |x: u32, y: u32| y >= 2800 && (x + y).is_multiple_of(2);
        let mask = drawn(4000, 3000, |x, y| ring(x, y) || comb(x, y) || specks(x, y));
        let discs = drawn(4000, 3000, disc);
        let both = drawn(4000, 3000, |x, y| disc(x, y) || comb(x, y));
        // Not by assert_eq, which would print them.
        assert!(tidy(&mask) == both);
        let found = region(&mask).unwrap();
        assert!(found.mask == discs);
        let count = |mask: &GrayImage| mask.iter().filter(|value| **value == 255).count() as u64;
        assert_eq!(found.area, count(&discs));
        assert_eq!(found.elsewhere, count(&both) - count(&discs) + 200 * 4000 / 2);
        assert_eq!((found.frame, found.on_edge), ([301, 601, 1799, 1799], 0));
    }
}
