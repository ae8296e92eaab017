//! Winograd's convolution of a small number of channels in one dispatch, whose lanes keep what lies at the points.

use crate::error::Result;
use crate::gpu::{Caps, gpu_params};
use crate::ops::{Call, Launch, Lowered, Slot, fold};

use super::winograd::Winograd;
use super::{Geometry, Lanes, Side, bias_slot, flops, images, vars};

gpu_params! {
    /// The uniform block of `common/fused_winograd`.
    pub struct FusedParams {
        count: u32, tiles_x: u32, tiles: u32, ci: u32, co: u32, h: u32, w: u32, oh: u32, ow: u32, pad_y: i32, pad_x: i32,
        x_base: u32, x_stride: u32, out_base: u32, out_stride: u32, r_base: u32, r_stride: u32, m_base: u32, m_stride: u32,
    }
}

/// Output channels of a lane: for 8 a turn of the loop over input channels takes 64 KiB of a software driver's code.
const TILE: usize = 8;

impl Winograd {
    /// Whether the code of a turn fits the nearest instruction cache of the processor behind a software driver, and the channels
    /// are those for which [`Winograd::fused_cost`] was measured.
    pub(super) fn holds_fused(caps: &Caps, g: &Geometry) -> bool {
        let most = if Lanes::of(caps).is_wide() { 64 } else { 32 };
        let measured = g.x[0].max(g.y[0]) <= most;
        measured && caps.addresses && caps.instruction_cache.is_some_and(|bytes| bytes >= 64 << 10)
    }

    /// [`Winograd::cost`] of one dispatch for so many `tiles`, one a lane: of a turn, which four input channels take, and of the way
    /// back.
    pub(super) fn fused_cost(caps: &Caps, tiles: usize, from: usize, to: usize) -> f64 {
        let lanes = Lanes::of(caps);
        let [turn, back] = if lanes.is_wide() { [2250.0, 3700.0] } else { [2700.0, 4200.0] };
        (lanes.computed(tiles, 1) * to.div_ceil(TILE)) as f64 * (turn * from.div_ceil(4) as f64 + back)
    }

    /// The convolution that writes one side, in one dispatch a batch after the weight's.
    ///
    /// # Errors
    /// As [`Winograd::gather`].
    pub fn fused(self, call: &Call<'_>, shader: &'static str, g: &Geometry, writes: Side) -> Result<Lowered> {
        let forward = writes == Side::Y;
        let (from, to) = if forward { (g.x, g.y) } else { (g.y, g.x) };
        let pad = Self::padding(g, writes);
        let mut lowered = Lowered::default();
        let at_points = self.weight(call, g, writes, &mut lowered)?;
        let bias = bias_slot(call)?;
        let [rows, columns] = self.tiles(to);
        let lanes = Lanes::of(call.caps).count();
        for samples in call.batches(&images(call))? {
            let [source, target] = [Slot::Input(0), Slot::Output(0)].map(|slot| call.window(slot, &samples));
            let extras = call.extras(&samples);
            let count = samples.len() * rows * columns;
            let [r_base, r_stride, m_base, m_stride] = extras.quads();
            let params = FusedParams {
                count: count as u32,
                tiles_x: columns as u32,
                tiles: (rows * columns) as u32,
                ci: from[0] as u32,
                co: to[0] as u32,
                h: from[1] as u32,
                w: from[2] as u32,
                oh: to[1] as u32,
                ow: to[2] as u32,
                pad_y: pad[0],
                pad_x: pad[1],
                x_base: source.base / 4,
                x_stride: source.stride / 4,
                out_base: target.base / 4,
                out_stride: target.stride / 4,
                r_base,
                r_stride,
                m_base,
                m_stride,
            };
            let mut bindings = vec![source.binding, at_points];
            bindings.extend(bias);
            bindings.extend(extras.bindings());
            bindings.push(target.binding);
            let [gx, gy] = fold(count.div_ceil(lanes) * to[0].div_ceil(TILE));
            let launch = Launch::new(shader, &params, bindings, [gx, gy, 1]);
            let launch = vars(launch.work(flops(g, samples.len())), call, bias.is_some());
            let launch = launch.var("m", self.m as i64).var("wide_u64", call.caps.wide_as_u64);
            let launch = launch.var("lanes", lanes as i64).var("tile", TILE as i64);
            lowered.launches.push(launch.var("quad", from[0].min(4) as i64).var("swapped", !forward));
        }
        Ok(lowered)
    }
}
