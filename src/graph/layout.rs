//! How a value lies in memory: as f32, or in the twin of a layout as 16-bit floats.

use std::borrow::Cow;

use half::f16;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// The order of a value's elements in its buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Layout {
    /// Row-major, as PyTorch has it; the last 16 bytes may hold anything beyond the last element.
    Plain,
    /// NC4HW4 for (n, c, h, w): elements of four channels, indexed \[n\]\[c/4\]\[y\]\[x\]; pad lanes are zero.
    C4,
    /// A convolution's weight (co, ci, kh, kw) in panels of [`PANEL`] co, each as \[kh\]\[kw\]\[ci/4\]\[co\] of four ci; pad
    /// lanes are zero.
    Oihw4,
    /// A transposed convolution's weight (ci, co, kh, kw) in panels of [`PANEL`] co, each as \[kh\]\[kw\]\[ci/4\]\[co\] of four
    /// ci; pad lanes are zero.
    Iohw4,
    /// [`Layout::C4`] in 16 bits; the last 8 bytes may hold anything beyond the last element, as in the next two.
    C4Half,
    /// [`Layout::Oihw4`] in 16 bits.
    Oihw4Half,
    /// [`Layout::Iohw4`] in 16 bits.
    Iohw4Half,
}

/// Outer channels that lie together in a convolution's weight, so that a GEMM that takes so many at once reads memory from
/// end to end; the last panel is as wide as what is left. `shaders/common/panels.wgsl` has it too.
pub const PANEL: usize = 32;

/// Where an element of a weight lies: channel `outer` of `outers`, of tap `tap` of `taps`, and `inner` of `inners`.
fn in_panel(outer: usize, outers: usize, tap: usize, taps: usize, inner: usize, inners: usize) -> usize {
    let panel = outer / PANEL * PANEL;
    let rows = inners.div_ceil(4);
    let row = tap * rows + inner / 4;
    (panel * taps * rows + row * PANEL.min(outers - panel) + outer - panel) * 4 + inner % 4
}

impl Layout {
    /// Refuses a shape that cannot have this layout.
    ///
    /// # Errors
    /// [`Error::Shape`].
    pub fn check(self, what: &str, shape: &[usize]) -> Result<()> {
        match self == Self::Plain || shape.len() == 4 {
            true => Ok(()),
            false => Err(Error::shape("layout", what, "four dimensions", shape)),
        }
    }

    /// The same order of elements in 32 bits.
    #[must_use]
    pub fn single(self) -> Self {
        match self {
            Self::C4Half => Self::C4,
            Self::Oihw4Half => Self::Oihw4,
            Self::Iohw4Half => Self::Iohw4,
            single => single,
        }
    }

    /// The same order of elements in 16 bits, where there is such a layout.
    #[must_use]
    pub fn half(self) -> Option<Self> {
        match self.single() {
            Self::C4 => Some(Self::C4Half),
            Self::Oihw4 => Some(Self::Oihw4Half),
            Self::Iohw4 => Some(Self::Iohw4Half),
            _ => None,
        }
    }

    /// Whether elements take 16 bits.
    #[must_use]
    pub fn is_half(self) -> bool {
        self != self.single()
    }

    /// Whether it is one of images by groups of four channels.
    #[must_use]
    pub fn is_image(self) -> bool {
        self.single() == Self::C4
    }

    /// How many elements lie in the place of one f32.
    #[must_use]
    pub fn per_float(self) -> usize {
        if self.is_half() { 2 } else { 1 }
    }

    /// The number of elements of a value of `shape`, pad lanes included.
    #[must_use]
    pub fn elements(self, shape: &[usize]) -> usize {
        match (self.single(), shape) {
            (Self::C4, &[n, c, h, w]) => n * c.next_multiple_of(4) * h * w,
            (Self::Oihw4, &[co, ci, kh, kw]) | (Self::Iohw4, &[ci, co, kh, kw]) => {
                co * ci.next_multiple_of(4) * kh * kw
            }
            _ => shape.iter().product(),
        }
    }

    /// The number of f32 in whose place a value of `shape` lies, a multiple of four.
    #[must_use]
    pub fn floats(self, shape: &[usize]) -> usize {
        self.elements(shape).div_ceil(self.per_float()).next_multiple_of(4)
    }

    /// For a four-dimensional shape, which of the elements in memory is the element (a, b, y, x).
    #[must_use]
    pub fn index(self, shape: [usize; 4], [a, b, y, x]: [usize; 4]) -> usize {
        let [da, db, dy, dx] = shape;
        match self.single() {
            Self::C4 => (((a * db.div_ceil(4) + b / 4) * dy + y) * dx + x) * 4 + b % 4,
            Self::Oihw4 => in_panel(a, da, y * dx + x, dy * dx, b, db),
            Self::Iohw4 => in_panel(b, db, y * dx + x, dy * dx, a, da),
            _ => ((a * db + b) * dy + y) * dx + x,
        }
    }

    /// Row-major values in this layout; the pad is filled with `pad`. In 16 bits, two values make the bits of a float.
    #[must_use]
    pub fn pack(self, shape: &[usize], values: &[f32], pad: f32) -> Vec<f32> {
        let mut packed = vec![pad; self.floats(shape) * self.per_float()];
        self.each(shape, |plain, at| packed[at] = values[plain]);
        if !self.is_half() {
            return packed;
        }
        let bits = |value: f32| u32::from(f16::from_f32(value).to_bits());
        packed.chunks_exact(2).map(|pair| f32::from_bits(bits(pair[0]) | bits(pair[1]) << 16)).collect()
    }

    /// The row-major values of a packed buffer.
    #[must_use]
    pub fn unpack(self, shape: &[usize], packed: &[f32]) -> Vec<f32> {
        let packed = self.spread(packed);
        let mut values = vec![0.0; shape.iter().product()];
        self.each(shape, |plain, at| values[plain] = packed[at]);
        values
    }

    /// The elements of a packed buffer in their order, each as f32.
    #[must_use]
    pub fn spread(self, packed: &[f32]) -> Cow<'_, [f32]> {
        if !self.is_half() {
            return Cow::Borrowed(packed);
        }
        let pair = |word: &f32| [word.to_bits(), word.to_bits() >> 16].map(|bits| f16::from_bits(bits as u16).to_f32());
        Cow::Owned(packed.iter().flat_map(pair).collect())
    }

    /// What is left of a value that is stored so.
    #[must_use]
    pub fn rounded(self, value: f32) -> f32 {
        if self.is_half() { f16::from_f32(value).to_f32() } else { value }
    }

    /// Which elements of a packed buffer are pad lanes, or behind the last where those must be zero too.
    #[must_use]
    pub fn pad_places(self, shape: &[usize]) -> Vec<usize> {
        let all = if self.is_half() { self.elements(shape) } else { self.floats(shape) };
        let mut is_pad = vec![true; all];
        self.each(shape, |_, at| is_pad[at] = false);
        is_pad.iter().enumerate().filter(|&(_, &pad)| pad).map(|(at, _)| at).collect()
    }

    fn each(self, shape: &[usize], mut visit: impl FnMut(usize, usize)) {
        let dims: [usize; 4] = match (self, shape) {
            (Self::Plain, _) => return (0..shape.iter().product()).for_each(|at| visit(at, at)),
            (_, &[a, b, y, x]) => [a, b, y, x],
            _ => return,
        };
        let mut plain = 0;
        for a in 0..dims[0] {
            for b in 0..dims[1] {
                for y in 0..dims[2] {
                    for x in 0..dims[3] {
                        visit(plain, self.index(dims, [a, b, y, x]));
                        plain += 1;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packing_is_undone_by_unpacking_and_uses_every_place_once() {
        for shape in [[3, 5, 2, 7], [70, 33, 1, 2]] {
            let values: Vec<f32> = (0..shape.iter().product::<usize>() as u16).map(f32::from).collect();
            for layout in [Layout::Plain, Layout::C4, Layout::Oihw4, Layout::Iohw4] {
                let packed = layout.pack(&shape, &values, -1.0);
                assert_eq!(layout.unpack(&shape, &packed), values, "{layout:?}");
                let pads = packed.iter().filter(|&&v| v == -1.0).count();
                assert_eq!(pads, layout.pad_places(&shape).len(), "{layout:?}");
                assert_eq!(packed.len(), values.len() + pads, "{layout:?}");
            }
        }
    }

    #[test]
    fn in_16_bits_a_value_takes_half_the_room_and_is_rounded() {
        let shape = [3, 5, 2, 7];
        let values: Vec<f32> = (0u16..210).map(|v| f32::from(v) + 0.1).collect();
        for single in [Layout::C4, Layout::Oihw4, Layout::Iohw4] {
            let half = single.half().unwrap();
            assert_eq!((half.single(), half.half(), half.is_half()), (single, Some(half), true));
            let packed = half.pack(&shape, &values, 0.0);
            assert_eq!(packed.len() * 2, single.pack(&shape, &values, 0.0).len(), "{half:?}");
            let rounded: Vec<f32> = values.iter().map(|&value| half.rounded(value)).collect();
            assert_eq!(half.unpack(&shape, &packed), rounded, "{half:?}");
            assert_eq!(half.pad_places(&shape), single.pad_places(&shape), "{half:?}");
        }
        assert_eq!(Layout::Plain.half(), None);
        assert_eq!((Layout::C4Half.rounded(0.1), Layout::C4.rounded(0.1)), (0.099_975_586, 0.1));
    }

    #[test]
    fn a_value_in_16_bits_is_rounded_up_to_16_bytes() {
        assert_eq!([1, 2, 3].map(|n| Layout::C4Half.floats(&[n, 3, 1, 1])), [4, 4, 8]);
        // 1, 2 and 3 with a pad lane: 0x3c00, 0x4000, 0x4200, 0.
        let packed = Layout::C4Half.pack(&[1, 3, 1, 1], &[1.0, 2.0, 3.0], 0.0);
        assert_eq!(packed.iter().map(|word| word.to_bits()).collect::<Vec<_>>(), [0x4000_3c00, 0x4200, 0, 0]);
    }

    #[test]
    fn a_weights_panels_follow_each_other() {
        // Two taps of eight channels in, 35 out: a panel of 32 and one of 3, each of four rows.
        let place = |co, ci, tap| Layout::Oihw4.index([35, 8, 1, 2], [co, ci, 0, tap]) / 4;
        assert_eq!([place(0, 0, 0), place(1, 3, 0), place(0, 4, 0), place(0, 0, 1)], [0, 1, 32, 64]);
        assert_eq!([place(31, 7, 1), place(32, 0, 0), place(33, 4, 0), place(34, 7, 1)], [127, 128, 132, 139]);
        let transposed = Layout::Iohw4.index([8, 35, 1, 2], [5, 33, 0, 1]);
        assert_eq!(transposed, Layout::Oihw4.index([35, 8, 1, 2], [33, 5, 0, 1]));
    }

    #[test]
    fn c4_by_hand() {
        assert_eq!(
            Layout::C4.pack(&[1, 5, 1, 2], &[0., 1., 10., 11., 20., 21., 30., 31., 40., 41.], 0.0),
            [0., 10., 20., 30., 1., 11., 21., 31., 40., 0., 0., 0., 41., 0., 0., 0.]
        );
    }
}
