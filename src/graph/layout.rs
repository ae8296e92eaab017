//! How a value lies in memory. Values are f32 throughout.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// The order of a value's elements in its buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Layout {
    /// Row-major, as PyTorch has it; the last 16 bytes may hold anything beyond the last element.
    Plain,
    /// NC4HW4 for (n, c, h, w): elements of four channels, indexed \[n\]\[c/4\]\[y\]\[x\]; pad lanes are zero.
    C4,
    /// A convolution's weight (co, ci, kh, kw) as \[kh\]\[kw\]\[ci/4\]\[co\] of four ci; pad lanes are zero.
    Oihw4,
    /// A transposed convolution's weight (ci, co, kh, kw) as \[kh\]\[kw\]\[ci/4\]\[co\] of four ci; pad lanes are zero.
    Iohw4,
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

    /// The number of floats a value of `shape` takes, a multiple of four.
    #[must_use]
    pub fn floats(self, shape: &[usize]) -> usize {
        match (self, shape) {
            (Self::C4, &[n, c, h, w]) => n * c.next_multiple_of(4) * h * w,
            (Self::Oihw4, &[co, ci, kh, kw]) | (Self::Iohw4, &[ci, co, kh, kw]) => {
                co * ci.next_multiple_of(4) * kh * kw
            }
            _ => shape.iter().product::<usize>().next_multiple_of(4),
        }
    }

    /// For a four-dimensional shape, the place in memory of the element (a, b, y, x).
    #[must_use]
    pub fn index(self, shape: [usize; 4], [a, b, y, x]: [usize; 4]) -> usize {
        let [da, db, dy, dx] = shape;
        match self {
            Self::Plain => ((a * db + b) * dy + y) * dx + x,
            Self::C4 => (((a * db.div_ceil(4) + b / 4) * dy + y) * dx + x) * 4 + b % 4,
            Self::Oihw4 => (((y * dx + x) * db.div_ceil(4) + b / 4) * da + a) * 4 + b % 4,
            Self::Iohw4 => (((y * dx + x) * da.div_ceil(4) + a / 4) * db + b) * 4 + a % 4,
        }
    }

    /// Row-major values in this layout; the pad is filled with `pad`.
    #[must_use]
    pub fn pack(self, shape: &[usize], values: &[f32], pad: f32) -> Vec<f32> {
        let mut packed = vec![pad; self.floats(shape)];
        self.each(shape, |plain, at| packed[at] = values[plain]);
        packed
    }

    /// The row-major values of a packed buffer.
    #[must_use]
    pub fn unpack(self, shape: &[usize], packed: &[f32]) -> Vec<f32> {
        let mut values = vec![0.0; shape.iter().product()];
        self.each(shape, |plain, at| values[plain] = packed[at]);
        values
    }

    /// Which floats of a packed buffer are pad.
    #[must_use]
    pub fn pad_places(self, shape: &[usize]) -> Vec<usize> {
        let mut is_pad = vec![true; self.floats(shape)];
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
        let shape = [3, 5, 2, 7];
        let values: Vec<f32> = (0u16..210).map(f32::from).collect();
        for layout in [Layout::Plain, Layout::C4, Layout::Oihw4, Layout::Iohw4] {
            let packed = layout.pack(&shape, &values, -1.0);
            assert_eq!(layout.unpack(&shape, &packed), values, "{layout:?}");
            let pads = packed.iter().filter(|&&v| v == -1.0).count();
            assert_eq!(pads, layout.pad_places(&shape).len(), "{layout:?}");
            assert_eq!(packed.len(), values.len() + pads, "{layout:?}");
        }
    }

    #[test]
    fn c4_by_hand() {
        assert_eq!(
            Layout::C4.pack(&[1, 5, 1, 2], &[0., 1., 10., 11., 20., 21., 30., 31., 40., 41.], 0.0),
            [0., 10., 20., 30., 1., 11., 21., 31., 40., 0., 0., 0., 41., 0., 0., 0.]
        );
    }
}
