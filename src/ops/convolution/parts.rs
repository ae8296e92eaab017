//! Sums of few pixels over many channels, shared out among workgroups: `common/staged_gemm` with `shared`, and the shader that
//! adds the parts.

use std::ops::Range;

use crate::error::Result;
use crate::gpu::{Caps, DeviceType, ParamBlock, gpu_params};
use crate::ops::{Binding, Call, Extras, Launch, ShaderInfo, Window, Worth, fold};

use super::{GatherParams, Geometry, Side, Tile, WG, images};

gpu_params! {
    /// The uniform block of `conv2d/sum_parts`.
    pub struct SumPartsParams {
        len: u32, parts: u32, part_stride: u32, plane: u32, sample: u32, co_first: u32, co: u32,
        out_base: u32, out_stride: u32, r_base: u32, r_stride: u32, m_base: u32, m_stride: u32,
    }
}

/// The shader that adds the parts of an image's sums.
pub const SUM_PARTS: ShaderInfo = ShaderInfo { path: "conv2d/sum_parts", fields: SumPartsParams::FIELDS };

/// How the sum of an output is shared out among workgroups, where one for each tile would leave a device idle. It depends on
/// the shapes of one sample alone, so that a photograph's result does not depend on how many are in its batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parts {
    /// How many parts.
    pub count: usize,
    /// Units of each, which are four input channels of a tap.
    pub units: usize,
}

impl Parts {
    /// The whole sum in one.
    pub const ONE: Self = Self { count: 1, units: 0 };
    /// Workgroups that fill a device.
    const GROUPS: usize = 128;
    /// Units below which a part costs more than it gains.
    const LEAST: usize = 16;
    /// Floats of the parts of one round: what is written should still be near when it is read.
    const ROUND: usize = 4 << 20;

    /// For what writes one side.
    #[must_use]
    pub fn of(g: &Geometry, writes: Side) -> Self {
        let units = units(g, writes);
        let count = (Self::GROUPS / groups(g, writes)).min(units / Self::LEAST).max(1);
        let units = units.div_ceil(count);
        Self { count, units }
    }

    /// What this is expected to gain: `fixed` as in [`Prospect`](crate::ops::Prospect).
    #[must_use]
    pub fn worth(self, caps: &Caps, g: &Geometry, writes: Side, fixed: bool) -> Worth {
        let to = if writes == Side::Y { g.y } else { g.x };
        let sample = to[0].next_multiple_of(4) * to[1] * to[2];
        if (self.count * sample) as u64 * 4 > caps.max_binding {
            return Worth::Impossible;
        }
        let few = fixed || g.n * groups(g, writes) < Self::GROUPS / 2;
        match few && self.count > 1 {
            true => staged_worth(caps, if writes == Side::Y { [g.x[0], g.y[0]] } else { [g.y[0], g.x[0]] }),
            false => Worth::Slower,
        }
    }

    /// The batch in runs whose images, and parts of `sample` floats each, the adapter can bind.
    pub(super) fn batches(self, call: &Call<'_>, sample: usize) -> Result<Vec<Range<usize>>> {
        let runs = call.batches(&images(call))?;
        if self.count == 1 {
            return Ok(runs);
        }
        call.check(self.count * sample)?;
        let limit = usize::try_from(call.caps.max_binding / 4).unwrap_or(usize::MAX);
        let most = (limit.min(Self::ROUND) / (self.count * sample)).max(1);
        let cut = |run: Range<usize>| run.clone().step_by(most).map(move |at| at..(at + most).min(run.end));
        Ok(runs.into_iter().flat_map(cut).collect())
    }
}

/// Workgroups of `common/staged_gemm` for one sample.
fn groups(g: &Geometry, writes: Side) -> usize {
    let to = if writes == Side::Y { g.y } else { g.x };
    let tile = Tile::staged(to[0]);
    (to[1] * to[2]).div_ceil(tile.group_pixels()) * to[0].div_ceil(tile.channels)
}

/// The most units that a pixel sums.
fn units(g: &Geometry, writes: Side) -> usize {
    let from = if writes == Side::Y { g.x } else { g.y };
    let taps = |axis: usize| match writes {
        Side::Y => g.kernel[axis],
        Side::X => g.kernel[axis].div_ceil(every(g, axis)),
    };
    taps(0) * taps(1) * from[0].div_ceil(4)
}

/// Taps from one to the next that a pixel of x meets: dilation * tap repeats after this many, modulo stride.
pub(super) fn every(g: &Geometry, axis: usize) -> usize {
    g.stride[axis] / gcd(g.stride[axis], g.dilation[axis])
}

/// What workgroup memory is expected to gain: much where many channels share what is loaded, on a device whose workgroup
/// memory is nearer than its other. `channels`: of what is read, and of what is written.
#[must_use]
pub fn staged_worth(caps: &Caps, channels: [usize; 2]) -> Worth {
    let many = channels[1] > 16 && channels[0] >= 8;
    if many && caps.adapter.device_type != DeviceType::Cpu { Worth::Faster } else { Worth::Slower }
}

/// [`staged_worth`] of a weight gradient, whose workgroups take 64 channels of y: `channels` of x and of y.
#[must_use]
pub fn staged_weight_worth(caps: &Caps, channels: [usize; 2]) -> Worth {
    if channels[1] > 32 { staged_worth(caps, channels) } else { Worth::Slower }
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// The parts of one dispatch, and where their sum goes.
pub(super) struct PartSum<'a> {
    pub parts: Parts,
    /// The channels that are written.
    pub run: &'a Range<usize>,
    /// Channels, height and width of the whole image.
    pub written: [usize; 3],
    pub samples: usize,
    pub target: Window,
    pub extras: Extras,
}

impl PartSum<'_> {
    /// Floats of one sample's run of channels.
    fn sample(&self) -> usize {
        self.run.len().next_multiple_of(4) * self.written[1] * self.written[2]
    }

    /// The parameters of what computes the parts; channels are counted from `skipped` quads before the run.
    pub(super) fn unfinished(&self, params: GatherParams, skipped: u32) -> GatherParams {
        GatherParams {
            out_base: 0u32.wrapping_sub(skipped),
            out_stride: (self.sample() / 4) as u32,
            part_units: self.parts.units as u32,
            part_stride: (self.samples * self.sample() / 4) as u32,
            ..params
        }
    }

    /// The launch that adds the parts; `ends`: bias, what the epilogue reads, and the image.
    pub(super) fn launch(&self, call: &Call<'_>, sums: Binding, ends: Vec<Binding>) -> Launch {
        let len = self.samples * self.sample() / 4;
        let [r_base, r_stride, m_base, m_stride] = self.extras.quads();
        let params = SumPartsParams {
            len: len as u32,
            parts: self.parts.count as u32,
            part_stride: len as u32,
            plane: (self.written[1] * self.written[2]) as u32,
            sample: (self.sample() / 4) as u32,
            co_first: self.run.start as u32,
            co: self.written[0] as u32,
            out_base: self.target.base / 4,
            out_stride: self.target.stride / 4,
            r_base,
            r_stride,
            m_base,
            m_stride,
        };
        let [gx, gy] = fold(len.div_ceil(WG));
        let bindings = std::iter::once(sums).chain(ends).collect();
        Launch::new(SUM_PARTS.path, &params, bindings, [gx, gy, 1]).var("wide_u64", call.caps.wide_as_u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn square(n: usize, channels: [usize; 2], size: usize, stride: usize) -> Geometry {
        let [x, y] = [[channels[0], size, size], [channels[1], size / stride, size / stride]];
        let [kernel, padding, dilation] = [[3; 2], [1; 2], [1; 2]];
        Geometry { n, x, y, kernel, stride: [stride; 2], padding, dilation, weight_outer_y: false }
    }

    #[test]
    fn small_images_are_shared_out_and_large_ones_are_not() {
        let last = Parts::of(&square(1, [512, 512], 7, 1), Side::Y);
        assert_eq!(last, Parts { count: 16, units: 72 }, "8 tiles of 9 · 128 units");
        assert_eq!(Parts::of(&square(32, [512, 512], 7, 1), Side::Y), last, "whatever the batch");
        assert_eq!(Parts::of(&square(1, [64, 64], 112, 1), Side::Y).count, 1, "tiles enough");
        assert_eq!(Parts::of(&square(1, [4, 64], 8, 1), Side::Y).count, 1, "too little to share");
        // Of nine taps a pixel of x meets four at most, one phase of four.
        let strided = Parts::of(&square(1, [256, 512], 14, 2), Side::X);
        assert!(strided.count > 1 && strided.count * strided.units >= 4 * 128, "{strided:?}");
    }

    #[test]
    fn what_would_not_fit_is_impossible_and_a_processor_gains_nothing() {
        let g = square(1, [512, 512], 7, 1);
        let worth = |caps: &Caps, g: &Geometry, fixed| Parts::of(g, Side::Y).worth(caps, g, Side::Y, fixed);
        let gpu = Caps::for_tests(None, false);
        let mut small = gpu.clone();
        small.max_binding = 1 << 20;
        assert_eq!(worth(&gpu, &g, true), Worth::Faster);
        assert_eq!(worth(&gpu, &square(64, [512, 512], 7, 1), false), Worth::Slower, "a batch fills the device");
        assert_eq!(worth(&gpu, &square(64, [512, 512], 7, 1), true), Worth::Faster, "one sample decides");
        assert_eq!(worth(&small, &g, true), Worth::Impossible);
        assert_eq!(worth(&Caps::for_tests(Some(8), true), &g, true), Worth::Slower);
    }
}
