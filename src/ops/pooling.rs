//! What the rooms of the pools share: the rule of their windows, and their uniform block.

use crate::error::{Error, Result};
use crate::gpu::gpu_params;

use super::checks::check_pairs;
use super::{Extras, Window};

gpu_params! {
    /// The uniform block of `common/pool`.
    pub struct PoolParams {
        c: u32, h: u32, w: u32, oh: u32, ow: u32, kh: u32, kw: u32,
        stride_y: u32, stride_x: u32, pad_y: u32, pad_x: u32, len: u32,
        x_base: u32, x_stride: u32, y_base: u32, y_stride: u32, z_base: u32, z_stride: u32,
        r_base: u32, r_stride: u32, m_base: u32, m_stride: u32,
    }
}

impl PoolParams {
    /// The block with what an epilogue reads.
    #[must_use]
    pub fn with(self, extras: &Extras) -> Self {
        let [r_base, r_stride, m_base, m_stride] = extras.floats();
        Self { r_base, r_stride, m_base, m_stride, ..self }
    }
}

/// The windows of a pool; every pair is vertical, horizontal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Windows {
    /// Size of a window.
    pub kernel: [usize; 2],
    /// From one window to the next.
    pub stride: [usize; 2],
    /// Pixels around the image.
    pub padding: [usize; 2],
}

impl Windows {
    /// Refuses numbers that no pool can have.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a kernel or stride of 0, a number above 65,535, and a padding of more than half the
    /// kernel, which would leave windows without a pixel.
    pub fn check(&self, op: &str) -> Result<()> {
        check_pairs(op, &[("kernel", self.kernel, 1), ("stride", self.stride, 1), ("padding", self.padding, 0)])?;
        if (0..2).any(|axis| self.padding[axis] > self.kernel[axis] / 2) {
            let message =
                format!("padding is {:?}, expected at most half of the kernel {:?}", self.padding, self.kernel);
            return Err(Error::parameter(op, message));
        }
        Ok(())
    }

    /// Height and width of the pooled image.
    ///
    /// # Errors
    /// Those of [`Windows::check`]; [`Error::Parameter`] where the kernel is larger than the padded image.
    pub fn out_size(&self, op: &str, size: [usize; 2]) -> Result<[usize; 2]> {
        self.check(op)?;
        let mut out = [0; 2];
        for (axis, name) in ["height", "width"].into_iter().enumerate() {
            let padded = size[axis] + 2 * self.padding[axis];
            if self.kernel[axis] > padded {
                let message = format!("kernel {name} is {}, but the padded input has only {padded}", self.kernel[axis]);
                return Err(Error::parameter(op, message));
            }
            out[axis] = (padded - self.kernel[axis]) / self.stride[axis] + 1;
        }
        Ok(out)
    }

    /// Whether no pixel is in two windows.
    #[must_use]
    pub fn disjoint(&self) -> bool {
        (0..2).all(|axis| self.kernel[axis] <= self.stride[axis])
    }

    /// Calls `visit(oy, ox, pixels)` for every window, its pixels inside the image in row-major order.
    pub fn each(&self, [h, w]: [usize; 2], [oh, ow]: [usize; 2], mut visit: impl FnMut(usize, usize, &[[usize; 2]])) {
        for oy in 0..oh {
            for ox in 0..ow {
                let mut pixels = Vec::new();
                for ky in 0..self.kernel[0] {
                    for kx in 0..self.kernel[1] {
                        let y = (oy * self.stride[0] + ky).wrapping_sub(self.padding[0]);
                        let x = (ox * self.stride[1] + kx).wrapping_sub(self.padding[1]);
                        if y < h && x < w {
                            pixels.push([y, x]);
                        }
                    }
                }
                visit(oy, ox, &pixels);
            }
        }
    }

    /// The uniform block for an image (n, c, h, w), its pooled size, and the windows of x, y and z.
    #[must_use]
    pub fn params(&self, x: &[usize], [oh, ow]: [usize; 2], at: [Option<&Window>; 3], len: u32) -> PoolParams {
        let [x_at, y_at, z_at] = at.map(|window| window.map_or([0, 0], |window| [window.base, window.stride]));
        PoolParams {
            c: x[1] as u32,
            h: x[2] as u32,
            w: x[3] as u32,
            oh: oh as u32,
            ow: ow as u32,
            kh: self.kernel[0] as u32,
            kw: self.kernel[1] as u32,
            stride_y: self.stride[0] as u32,
            stride_x: self.stride[1] as u32,
            pad_y: self.padding[0] as u32,
            pad_x: self.padding[1] as u32,
            len,
            x_base: x_at[0],
            x_stride: x_at[1],
            y_base: y_at[0],
            y_stride: y_at[1],
            z_base: z_at[0],
            z_stride: z_at[1],
            ..PoolParams::default()
        }
    }
}
