//! Winograd's convolutions of 3×3 kernels with stride 1 as dispatches: images and weights are taken to (m + 2)² points,
//! where a convolution is one product a pair of channels, and back.
//!
//! Lavin and Gray 2016, "Fast Algorithms for Convolutional Neural Networks". The data gradient is a forward with the
//! kernel turned by half a turn; the weight's gradient runs the forward's steps backwards.

use std::ops::Range;

use crate::error::Result;
use crate::gpu::{Caps, DeviceType, ParamBlock, gpu_params};
use crate::ops::{Binding, Call, Derived, Launch, Lowered, ShaderInfo, Slot, Window, Worth, flat, fold};

use super::weight::turn_pixels;
use super::{GatherParams, Geometry, Lanes, Side, Staging, Tile, WG, WeightParams, bias_slot, flops, images, vars};

gpu_params! {
    /// The uniform block of the images' transforms: `common/winograd_tiles`.
    pub struct TileParams {
        first: u32, count: u32, tiles_x: u32, tiles: u32, c: u32, h: u32, w: u32, pad_y: i32, pad_x: i32,
        base: u32, stride: u32, r_base: u32, r_stride: u32, m_base: u32, m_stride: u32,
    }
}

gpu_params! {
    /// The uniform block of `conv2d/winograd_weight` and of `conv2d/winograd_weight_gradient`.
    pub struct WeightPointParams { len: u32, rows: u32, outers: u32 }
}

/// From an image to its points.
pub const INPUT: ShaderInfo = ShaderInfo { path: "conv2d/winograd_input", fields: TileParams::FIELDS };
/// From points to an image.
pub const OUTPUT: ShaderInfo = ShaderInfo { path: "conv2d/winograd_output", fields: TileParams::FIELDS };
/// From an output's gradient to its points.
pub const GRADIENT: ShaderInfo = ShaderInfo { path: "conv2d/winograd_gradient", fields: TileParams::FIELDS };
/// From a weight to its points.
pub const WEIGHT: ShaderInfo = ShaderInfo { path: "conv2d/winograd_weight", fields: WeightPointParams::FIELDS };
/// From a weight gradient's points to it.
pub const WEIGHT_GRADIENT: ShaderInfo =
    ShaderInfo { path: "conv2d/winograd_weight_gradient", fields: WeightPointParams::FIELDS };

/// Floats of one image's points in one round: what is written should still be near when it is read.
const ROUND: usize = 2 << 20;

/// Floating-point operations below which a convolution is done so soon that longer shaders take longer to compile than
/// thousands of runs would gain.
pub const LITTLE: u64 = 200_000_000;

/// What there is for one staging: m, and whether it is one dispatch. Of equals the first is taken.
const FORMS: [(usize, bool); 3] = [(2, false), (4, false), (4, true)];

/// What a version by Winograd's convolutions computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Computes {
    /// The image of one side.
    Image(Side),
    /// The weight's gradient.
    Weight,
}

/// F(m×m, 3×3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Winograd {
    /// Outputs of a tile in each direction, m: 2 or 4.
    pub m: usize,
    /// Where the products keep their operands.
    pub staging: Staging,
    /// Whether all is one dispatch: `common/fused_winograd`.
    pub fused: bool,
}

/// Tiles of one round.
struct Round {
    /// The samples that are bound.
    samples: Range<usize>,
    /// Tiles, counted from the first of these samples.
    tiles: Range<usize>,
}

/// Tiles of the longest of `rounds`.
fn longest(rounds: &[Round]) -> usize {
    rounds.iter().map(|round| round.tiles.len()).max().unwrap_or(0)
}

/// Of a weight whose panels have `rows` for each tap, and `outers` channels together.
fn weight_params(rows: usize, outers: usize) -> WeightPointParams {
    WeightPointParams { len: (rows * outers) as u32, rows: rows as u32, outers: outers as u32 }
}

impl Winograd {
    /// Whether it computes such a convolution.
    #[must_use]
    pub fn takes(g: &Geometry) -> bool {
        g.kernel == [3, 3] && g.stride == [1, 1] && g.dilation == [1, 1] && !g.weight_outer_y
    }

    /// Whether it is expected to be faster than the plain GEMM, and than the others: `fixed` says that the weight's points
    /// are computed once for many calls. Then one sample's work decides, so that a photograph's result does not depend on how
    /// many are in its batch.
    #[must_use]
    pub fn worth(self, caps: &Caps, g: &Geometry, computes: Computes, fixed: bool) -> Worth {
        let within = |floats: usize| floats as u64 * 4 <= caps.max_binding;
        let image = |[c, h, w]: [usize; 3]| within(c.next_multiple_of(4) * h * w);
        let weight = within(self.points() * g.x[0].next_multiple_of(4) * g.y[0].next_multiple_of(4));
        if !(image(g.x) && image(g.y) && weight) {
            return Worth::Impossible;
        }
        // On a GPU the products in workgroup memory are expected to be the fastest, which F(4×4) alone has.
        let gpu = caps.adapter.device_type != DeviceType::Cpu;
        if gpu != (self.staging == Staging::Workgroup) || !self.able(caps, g, computes) {
            return Worth::Slower;
        }
        let samples = if fixed { 1 } else { g.n };
        let cost = |form: &Self| form.cost(caps, g, computes, samples, fixed);
        // What is not fused does not ask what is, which comes after it: so it is next in turn where that is avoided.
        let others = FORMS.map(|(m, fused)| Self { m, fused, ..self });
        let others = others.into_iter().filter(|form| !gpu && form.fused <= self.fused && form.able(caps, g, computes));
        let best = others.min_by(|a, b| cost(a).total_cmp(&cost(b))).is_none_or(|best| best == self);
        let own = cost(&self);
        let plain = 9.0 * (samples * g.y[1] * g.y[2] * g.x[0] * g.y[0]) as f64;
        let better = own < 0.9 * plain && best;
        if flops(g, samples) >= LITTLE && better { Worth::Faster } else { Worth::Slower }
    }

    /// Time, in products of two channels at a pixel and tap by the plain GEMM: of the products, of an image's way to
    /// the points or back, for each channel, and of the weight's, for each pair. Measured on two cores through a software
    /// driver, by addresses and without; other devices move memory faster still beside what they compute.
    fn cost(self, caps: &Caps, g: &Geometry, computes: Computes, samples: usize, fixed: bool) -> f64 {
        // The side that is cut into tiles is the one that is written.
        let (from, to) = if computes == Computes::Image(Side::X) { (g.y, g.x) } else { (g.x, g.y) };
        let [rows, columns] = self.tiles(to);
        let count = samples * rows * columns;
        let [image, weight] = match (self.m, caps.addresses) {
            (2, false) => [30.0, 20.0],
            (2, true) => [15.0, 12.0],
            (_, false) => [50.0, 37.0],
            (_, true) => [25.0, 20.0],
        };
        let together = match self.staging {
            Staging::Workgroup => Tile::new(g.y[0].max(g.x[0]), self.staging, caps).group_pixels(),
            _ => Lanes::of(caps).count(),
        };
        let [tiles, lanes] = [count, count.next_multiple_of(together)].map(|count| count as f64);
        let [x, y] = [g.x[0], g.y[0]].map(|channels| channels as f64);
        let derived = if fixed { 0.0 } else { self.points() as f64 * weight * x * y };
        if self.fused {
            return Self::fused_cost(caps, count, from[0], to[0]) + derived;
        }
        self.points() as f64 * (lanes * x * y + image * tiles * (x + y)) + derived
    }

    /// Whether there is such a version, and one dispatch is what it was measured for.
    fn able(self, caps: &Caps, g: &Geometry, computes: Computes) -> bool {
        let fuses = self.staging == Staging::Subgroup && computes != Computes::Weight;
        !self.fused || fuses && Self::holds_fused(caps, g)
    }

    fn points(self) -> usize {
        (self.m + 2) * (self.m + 2)
    }

    /// Rows and columns of tiles.
    pub(super) fn tiles(self, [_, h, w]: [usize; 3]) -> [usize; 2] {
        [h.div_ceil(self.m), w.div_ceil(self.m)]
    }

    fn launch<P: ParamBlock>(
        self,
        call: &Call<'_>,
        shader: &ShaderInfo,
        params: &P,
        bindings: Vec<Binding>,
        items: usize,
    ) -> Launch {
        let [gx, gy] = fold(items.div_ceil(WG));
        let launch = Launch::new(shader.path, params, bindings, [gx, gy, 1]);
        launch.var("m", self.m as i64).var("wide_u64", call.caps.wide_as_u64)
    }

    fn tile_params(self, window: Window, size: [usize; 3], pad: [i32; 2], tiles: &Range<usize>) -> TileParams {
        let [rows, columns] = self.tiles(size);
        TileParams {
            first: tiles.start as u32,
            count: tiles.len() as u32,
            tiles_x: columns as u32,
            tiles: (rows * columns) as u32,
            pad_y: pad[0],
            pad_x: pad[1],
            base: window.base / 4,
            stride: window.stride / 4,
            ..TileParams::default()
        }
    }

    /// The images of a call, as much of them at a time as one round holds of `channels`; no bit depends on it.
    fn rounds(self, call: &Call<'_>, slots: &[Slot], size: [usize; 3], channels: usize) -> Result<Vec<Round>> {
        let each = self.points() * channels.next_multiple_of(4);
        call.check(each)?;
        let limit = usize::try_from(call.caps.max_binding / 4).unwrap_or(usize::MAX);
        let most = (limit.min(ROUND) / each).max(1);
        let most = if most > WG { most / WG * WG } else { most };
        let [rows, columns] = self.tiles(size);
        let mut rounds = Vec::new();
        for samples in call.batches(slots)? {
            let all = samples.len() * rows * columns;
            for start in (0..all).step_by(most) {
                rounds.push(Round { samples: samples.clone(), tiles: start..(start + most).min(all) });
            }
        }
        Ok(rounds)
    }

    /// A workspace for the points of `channels` in the longest of `rounds`: its number and its floats.
    fn workspace(self, lowered: &mut Lowered, rounds: &[Round], channels: usize) -> usize {
        lowered.workspaces.push(self.points() * channels.next_multiple_of(4) * longest(rounds));
        lowered.workspaces.len() - 1
    }

    /// Zeros around the image that is read.
    pub(super) fn padding(g: &Geometry, writes: Side) -> [i32; 2] {
        g.padding.map(|pad| if writes == Side::Y { pad as i32 } else { 2 - pad as i32 })
    }

    /// The weight at the points, for the convolution that writes one side: what can be kept while the parameters stay.
    pub(super) fn weight(self, call: &Call<'_>, g: &Geometry, writes: Side, lowered: &mut Lowered) -> Result<Binding> {
        let forward = writes == Side::Y;
        let [rows, outers] = [g.x[0].div_ceil(4), g.y[0]];
        let floats = self.points() * rows * outers * 4;
        call.check(floats)?;
        let at_points = call.workspace(lowered.workspaces.len(), 0, floats);
        lowered.workspaces.push(floats);
        let bindings = vec![call.whole(Slot::Input(1))?, at_points];
        let launch = self.launch(call, &WEIGHT, &weight_params(rows, outers), bindings, rows * outers);
        lowered.launches.push(launch.var("flip", !forward).var("lanes", flat::lanes(call) as i64));
        lowered.derived = Derived { launches: lowered.launches.len(), workspaces: lowered.workspaces.len() };
        Ok(at_points)
    }

    /// The convolution that writes one side.
    ///
    /// # Errors
    /// [`Error::Plan`](crate::Error::Plan) where the weight's points, one image or one tile passes the adapter's limit.
    pub fn gather(self, call: &Call<'_>, shader: &'static str, g: &Geometry, writes: Side) -> Result<Lowered> {
        let forward = writes == Side::Y;
        let (from, to) = if forward { (g.x, g.y) } else { (g.y, g.x) };
        let pad = Self::padding(g, writes);
        let points = self.points();
        let [from4, to4] = [from[0], to[0]].map(|channels| channels.div_ceil(4));
        let mut lowered = Lowered::default();
        let at_points = self.weight(call, g, writes, &mut lowered)?;
        let bias = bias_slot(call)?;
        let tile = Tile::new(to[0], self.staging, call.caps);
        let rounds = self.rounds(call, &images(call), to, from[0].max(to[0]))?;
        let inputs = self.workspace(&mut lowered, &rounds, from[0]);
        let products = self.workspace(&mut lowered, &rounds, to[0]);
        for Round { samples, tiles } in &rounds {
            let [source, target] = [Slot::Input(0), Slot::Output(0)].map(|slot| call.window(slot, samples));
            let extras = call.extras(samples);
            let count = tiles.len();
            let input = call.workspace(inputs, 0, points * from4 * 4 * count);
            let product = call.workspace(products, 0, points * to4 * 4 * count);

            let mut params = self.tile_params(source, to, pad, tiles);
            (params.c, params.h, params.w) = (from[0] as u32, from[1] as u32, from[2] as u32);
            lowered.launches.push(self.launch(call, &INPUT, &params, vec![source.binding, input], count * from4));

            let tile = tile.filling(to[0], [count, points], flops(g, 1), call.caps);
            let tile = tile.paired(from[0], flops(g, 1), call.caps);
            let co_tiles = to[0].div_ceil(tile.channels);
            let params = GatherParams {
                pixels: count as u32,
                ci4: from4 as u32,
                co: to[0] as u32,
                h: 1,
                w: count as u32,
                oh: 1,
                ow: count as u32,
                kh: 1,
                kw: 1,
                x_stride: (from4 * count) as u32,
                out_stride: (to4 * count) as u32,
                co_tiles: co_tiles as u32,
                ci: from[0] as u32,
                ..GatherParams::default()
            };
            let [gx, gy] = fold(count.div_ceil(tile.group_pixels()));
            let bindings = vec![input, at_points, product];
            let launch = Launch::new(shader, &params, bindings, [gx, gy, (co_tiles * points) as u32])
                .work((2 * points * count * from[0] * to[0]) as u64);
            // The epilogue comes after the way back.
            let plain = Call { epilogue: None, ..*call };
            let launch = tile.vars(vars(launch, &plain, false), call);
            let launch =
                launch.var("fractional", false).var("subpixel", false).var("batched", true).var("joined", false);
            let launch = match self.staging {
                Staging::Workgroup => launch.var("shared", false),
                _ => launch.var("quad", from[0].min(4) as i64).var("fours", tile.fours as i64),
            };
            lowered.launches.push(launch.var("swapped", !forward).var("pixels", tile.pixels as i64));

            let mut params = self.tile_params(target, to, [0, 0], tiles);
            (params.c, params.h, params.w) = (to[0] as u32, to[1] as u32, to[2] as u32);
            [params.r_base, params.r_stride, params.m_base, params.m_stride] = extras.quads();
            let mut bindings = vec![product];
            bindings.extend(bias);
            bindings.extend(extras.bindings());
            bindings.push(target.binding);
            let launch = self.launch(call, &OUTPUT, &params, bindings, count * to4);
            lowered.launches.push(vars(launch, call, bias.is_some()));
        }
        Ok(lowered)
    }

    /// The weight's gradient from x and the output's gradient.
    ///
    /// # Errors
    /// [`Error::Plan`](crate::Error::Plan) where the weight's points, one image or one tile passes the adapter's limit.
    pub fn weight_gradient(self, call: &Call<'_>, shader: &'static str, g: &Geometry) -> Result<Lowered> {
        let [x_slot, y_slot] = [Slot::Input(0), Slot::Input(1)];
        let points = self.points();
        let [x4, y4] = [g.x[0], g.y[0]].map(|channels| channels.div_ceil(4));
        let quads = x4 * g.y[0];
        call.check(points * quads * 4)?;
        let tile = Tile::new(g.y[0], self.staging, call.caps).with_long_columns(x4, call.caps);
        let rounds = self.rounds(call, &[x_slot, y_slot], g.y, g.x[0].max(g.y[0]))?;
        let mut lowered = Lowered::default();
        lowered.workspaces.push(points * quads * 4);
        let at_points = call.workspace(0, 0, points * quads * 4);
        let inputs = self.workspace(&mut lowered, &rounds, g.x[0]);
        let gradients = self.workspace(&mut lowered, &rounds, g.y[0]);
        let pixels = turn_pixels(longest(&rounds), call.caps);
        for (at, Round { samples, tiles }) in rounds.iter().enumerate() {
            let [x, y] = [x_slot, y_slot].map(|slot| call.window(slot, samples));
            let count = tiles.len();
            let input = call.workspace(inputs, 0, points * x4 * 4 * count);
            let gradient = call.workspace(gradients, 0, points * y4 * 4 * count);

            let mut params = self.tile_params(x, g.y, g.padding.map(|pad| pad as i32), tiles);
            (params.c, params.h, params.w) = (g.x[0] as u32, g.x[1] as u32, g.x[2] as u32);
            lowered.launches.push(self.launch(call, &INPUT, &params, vec![x.binding, input], count * x4));

            let mut params = self.tile_params(y, g.y, [0, 0], tiles);
            (params.c, params.h, params.w) = (g.y[0] as u32, g.y[1] as u32, g.y[2] as u32);
            lowered.launches.push(self.launch(call, &GRADIENT, &params, vec![y.binding, gradient], count * y4));

            // Every point is a sample of one row whose sum is a split of its own.
            let params = WeightParams {
                n: points as u32,
                s4: x4 as u32,
                s: g.x[0] as u32,
                b: g.y[0] as u32,
                h: 1,
                w: count as u32,
                oh: 1,
                ow: count as u32,
                kh: 1,
                kw: 1,
                stride_y: 1,
                stride_x: 1,
                dil_y: 1,
                dil_x: 1,
                s_stride: (x4 * count) as u32,
                b_stride: (y4 * count) as u32,
                samples: 1,
                rows: 1,
                row_splits: 1,
                split_floats4: quads as u32,
                ..WeightParams::default()
            };
            let [columns, channels] = tile.weight_group();
            let workgroups = [x4.div_ceil(columns) as u32, g.y[0].div_ceil(channels) as u32, points as u32];
            let launch = Launch::new(shader, &params, vec![input, gradient, at_points], workgroups)
                .work((2 * points * count * g.x[0] * g.y[0]) as u64);
            let launch = tile.vars(launch, call).var("columns", tile.columns as i64);
            let launch = launch.var("pixels", pixels as i64);
            lowered.launches.push(launch.var("continued", at > 0).var("transposed", false));
        }
        let params = weight_params(x4, g.y[0]);
        let bindings = vec![at_points, call.whole(Slot::Output(0))?];
        let launch = self.launch(call, &WEIGHT_GRADIENT, &params, bindings, quads);
        lowered.launches.push(launch.var("lanes", flat::lanes(call) as i64));
        Ok(lowered)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn geometry(x: usize, y: usize, side: usize) -> Geometry {
        Geometry {
            n: 1,
            x: [x, side, side],
            y: [y, side, side],
            kernel: [3, 3],
            stride: [1, 1],
            padding: [1, 1],
            dilation: [1, 1],
            weight_outer_y: false,
        }
    }

    fn caps(addresses: bool, instruction_cache: u32) -> Caps {
        let mut caps = Caps::for_tests(Some(8), true);
        caps.addresses = addresses;
        caps.instruction_cache = Some(instruction_cache);
        caps
    }

    /// What is expected to be the fastest: m and whether it is fused, if it is any of these.
    fn taken(caps: &Caps, g: &Geometry, computes: Computes) -> Option<(usize, bool)> {
        let worth = |&(m, fused): &(usize, bool)| {
            let form = Winograd { m, staging: Staging::Subgroup, fused };
            form.worth(caps, g, computes, true) == Worth::Faster
        };
        // The last is the one that a plan takes.
        FORMS.into_iter().rfind(worth)
    }

    #[test]
    fn one_form_is_taken_by_what_it_costs() {
        let (forward, data) = (Computes::Image(Side::Y), Computes::Image(Side::X));
        let large = caps(true, 64 << 10);
        let of = |caps: &Caps, computes| [16, 32, 64].map(|c| taken(caps, &geometry(c, c, 224), computes));
        let (four, fused) = (Some((4, false)), Some((4, true)));
        assert_eq!(of(&large, forward), [fused, four, four]);
        assert_eq!(of(&large, data), [fused, four, four]);
        assert_eq!(of(&large, Computes::Weight), [None, four, four], "nothing fused");
        assert_eq!(of(&caps(true, 32 << 10), forward), [None, four, four], "a smaller cache");
        assert_eq!(of(&caps(false, 64 << 10), forward), [None, None, four], "without addresses");
        let wide = geometry(32, 16, 224);
        assert_eq!([forward, data].map(|computes| taken(&large, &wide, computes)), [fused; 2]);
        assert_eq!(taken(&large, &geometry(16, 16, 112), forward), None, "little work");
        let second = Winograd { m: 4, staging: Staging::Subgroup, fused: false };
        assert_eq!(second.worth(&large, &wide, forward, true), Worth::Faster, "where one dispatch is avoided");
        assert_eq!(taken(&large, &geometry(64, 16, 224), forward), four, "more channels than measured");
        assert_eq!(taken(&large, &geometry(512, 512, 7), forward), Some((2, false)), "few tiles");
        let mut wide = caps(true, 64 << 10);
        wide.subgroup_exact = Some(16);
        assert_eq!(of(&wide, forward), [fused, fused, four], "lanes that do twice as much");
    }
}
