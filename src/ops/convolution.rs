//! What the rooms of convolutions and transposed convolutions share: the geometry of one convolution, and its three
//! computations as dispatches. `x` is the side with the larger image (a convolution's input, a transposed
//! convolution's output), `y` the other; a transposed convolution's forward is the data gradient, and the other way
//! round.

use crate::error::Result;
use crate::gpu::{ParamBlock, gpu_params};

use super::call::ALIGNMENT;
use super::{Binding, Call, Epilogue, Launch, Lowered, ShaderInfo, Slot, fold};

gpu_params! {
    /// The uniform block of the direct versions: `common/conv_direct`.
    pub struct DirectParams {
        n: u32, cx: u32, cy: u32, xh: u32, xw: u32, yh: u32, yw: u32, kh: u32, kw: u32,
        stride_y: u32, stride_x: u32, pad_y: u32, pad_x: u32, dil_y: u32, dil_x: u32,
        x_base: u32, x_stride: u32, y_base: u32, y_stride: u32, len: u32, r_base: u32, r_stride: u32,
    }
}

gpu_params! {
    /// The uniform block of `common/gather_gemm`.
    pub struct GatherParams {
        pixels: u32, ci4: u32, co: u32, h: u32, w: u32, oh: u32, ow: u32, kh: u32, kw: u32,
        scale_y: u32, scale_x: u32, shift_y: i32, shift_x: i32, step_y: i32, step_x: i32, div_y: i32, div_x: i32,
        x_base: u32, x_stride: u32, out_base: u32, out_stride: u32, co_tiles: u32, r_base: u32, r_stride: u32,
        co_first: u32, every_y: u32, every_x: u32,
    }
}

gpu_params! {
    /// The uniform block of `common/weight_gemm`.
    pub struct WeightParams {
        n: u32, s4: u32, s: u32, b: u32, h: u32, w: u32, oh: u32, ow: u32, kh: u32, kw: u32,
        stride_y: u32, stride_x: u32, pad_y: i32, pad_x: i32, dil_y: u32, dil_x: u32,
        s_base: u32, s_stride: u32, b_base: u32, b_stride: u32,
        samples: u32, rows: u32, row_splits: u32, split_floats4: u32, first_split: u32,
    }
}

gpu_params! {
    /// The uniform block of `conv2d/transpose_weight`.
    pub struct TransposeParams { taps: u32, a: u32, b: u32 }
}

gpu_params! {
    /// The uniform block of `conv2d/sum_splits`.
    pub struct SumParams { len4: u32, splits: u32, stride4: u32, continued: u32 }
}

/// The shader that exchanges a weight's channel dimensions.
pub const TRANSPOSE: ShaderInfo = ShaderInfo { path: "conv2d/transpose_weight", fields: TransposeParams::FIELDS };
/// The shader that adds the partial results of a split sum.
pub const SUM: ShaderInfo = ShaderInfo { path: "conv2d/sum_splits", fields: SumParams::FIELDS };

const WG: usize = 64;

/// One convolution, seen from either side.
#[derive(Debug, Clone, Copy)]
pub struct Geometry {
    /// Batch.
    pub n: usize,
    /// Channels, height and width of the x side.
    pub x: [usize; 3],
    /// Channels, height and width of the y side.
    pub y: [usize; 3],
    /// Height and width of the kernel.
    pub kernel: [usize; 2],
    /// Step of the kernel over x, vertical and horizontal.
    pub stride: [usize; 2],
    /// Zeros around x.
    pub padding: [usize; 2],
    /// Distance of two taps on x.
    pub dilation: [usize; 2],
    /// Whether the weight's outer channels in memory ([a/4] of four a) are the y side's, as a transposed
    /// convolution's are.
    pub weight_outer_y: bool,
}

/// Which side a computation writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The x side is written: a convolution's data gradient.
    X,
    /// The y side is written: a convolution's forward.
    Y,
}

fn vars(launch: Launch, call: &Call<'_>, bias: bool) -> Launch {
    let launch = launch.var("bias", bias).var("relu", call.epilogue.is_some_and(Epilogue::relu));
    launch.var("residual", call.residual().is_some())
}

/// The bindings' slots: image, weight, perhaps bias.
fn bias_slot(call: &Call<'_>) -> Result<Option<Binding>> {
    (call.own_inputs().len() > 2).then(|| call.whole(Slot::Input(2))).transpose()
}

/// The images of a call that writes one: what it reads, what it writes, and what its epilogue adds.
fn images(call: &Call<'_>) -> Vec<Slot> {
    [Slot::Input(0), Slot::Output(0)].into_iter().chain(call.residual()).collect()
}

/// One invocation an element of the written side.
///
/// # Errors
/// [`Error::Plan`] where a weight or one image passes the adapter's limit.
pub fn direct(call: &Call<'_>, shader: &'static str, geometry: &Geometry, writes: Side) -> Result<Lowered> {
    let weight = call.whole(Slot::Input(1))?;
    let bias = bias_slot(call)?;
    let mut lowered = Lowered::default();
    for batch in call.batches(&images(call))? {
        let [from, to] = [Slot::Input(0), Slot::Output(0)].map(|slot| call.window(slot, &batch));
        let residual = call.residual().map(|slot| call.window(slot, &batch));
        let (x, y) = if writes == Side::Y { (from, to) } else { (to, from) };
        let g = geometry;
        let len = batch.len() * call.outputs[0].sample();
        let mut params = direct_params(g, batch.len(), [x.base, x.stride, y.base, y.stride], len);
        (params.r_base, params.r_stride) = residual.map_or((0, 0), |window| (window.base, window.stride));
        let mut bindings = vec![from.binding, weight];
        bindings.extend(bias);
        bindings.extend(residual.map(|window| window.binding));
        bindings.push(to.binding);
        let [gx, gy] = fold(len.div_ceil(WG));
        let launch = Launch::new(shader, &params, bindings, [gx, gy, 1]).work(flops(g, batch.len()) * 8);
        lowered.launches.push(vars(launch, call, bias.is_some()));
    }
    Ok(lowered)
}

/// One invocation an element of the weight's gradient; where the batch is cut, its sum goes on from run to run.
///
/// # Errors
/// [`Error::Plan`] where the weight or one image passes the adapter's limit.
pub fn direct_weight(
    call: &Call<'_>,
    shader: &'static str,
    g: &Geometry,
    x_slot: Slot,
    y_slot: Slot,
) -> Result<Lowered> {
    let len = call.outputs[0].floats();
    let [gx, gy] = fold(len.div_ceil(WG));
    let mut lowered = Lowered::default();
    for batch in call.batches(&[x_slot, y_slot])? {
        let (x, y) = (call.window(x_slot, &batch), call.window(y_slot, &batch));
        let params = direct_params(g, batch.len(), [x.base, x.stride, y.base, y.stride], len);
        let bindings = vec![x.binding, y.binding, call.whole(Slot::Output(0))?];
        let launch = Launch::new(shader, &params, bindings, [gx, gy, 1]).work(flops(g, batch.len()) * 8);
        lowered.launches.push(launch.var("continued", batch.start > 0));
    }
    Ok(lowered)
}

fn direct_params(g: &Geometry, n: usize, [x_base, x_stride, y_base, y_stride]: [u32; 4], len: usize) -> DirectParams {
    let [cx, xh, xw] = g.x.map(|v| v as u32);
    let [cy, yh, yw] = g.y.map(|v| v as u32);
    DirectParams {
        n: n as u32,
        cx,
        cy,
        xh,
        xw,
        yh,
        yw,
        kh: g.kernel[0] as u32,
        kw: g.kernel[1] as u32,
        stride_y: g.stride[0] as u32,
        stride_x: g.stride[1] as u32,
        pad_y: g.padding[0] as u32,
        pad_x: g.padding[1] as u32,
        dil_y: g.dilation[0] as u32,
        dil_x: g.dilation[1] as u32,
        x_base,
        x_stride,
        y_base,
        y_stride,
        len: len as u32,
        r_base: 0,
        r_stride: 0,
    }
}

/// Floating-point operations of each of the three computations, for `n` samples.
#[must_use]
pub fn flops(g: &Geometry, n: usize) -> u64 {
    let taps = (g.kernel[0] * g.kernel[1]) as u64;
    2 * n as u64 * taps * (g.x[0] * g.y[0]) as u64 * (g.y[1] * g.y[2]) as u64
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// How a register tile is shared out, for an adapter.
#[derive(Debug, Clone, Copy)]
pub struct Tile {
    /// Invocations of a workgroup.
    pub lanes: usize,
    /// Output channels.
    pub channels: usize,
    /// Pixels of a lane.
    pub pixels: usize,
    /// Whether weights are broadcast in a subgroup of `lanes`.
    pub broadcast: bool,
}

/// The lanes of a subgroup that the broadcasting tiles are written for.
pub const SUBGROUP: u32 = 8;

impl Tile {
    /// The tile for `channels` channels to broadcast.
    #[must_use]
    pub fn new(channels: usize, broadcast: bool) -> Self {
        let (lanes, most) = if broadcast { (SUBGROUP as usize, 32) } else { (64, 16) };
        let channels = [8, 16, 32].into_iter().find(|&tile| tile >= channels.min(most)).unwrap_or(most);
        let pixels = match (broadcast, channels) {
            (true, 32) => 4,
            (true, _) => 8,
            (false, _) => 4,
        };
        Self { lanes, channels, pixels, broadcast }
    }

    fn vars(self, launch: Launch, call: &Call<'_>) -> Launch {
        let number = |v: usize| i64::try_from(v).unwrap_or(i64::MAX);
        launch
            .var("lanes", number(self.lanes))
            .var("tile", number(self.channels))
            .var("broadcast", self.broadcast)
            .var("wide_u64", call.caps.wide_as_u64)
    }
}

/// The implicit GEMM that writes one side. `subpixel` needs taps that do not overlap.
///
/// # Errors
/// [`Error::Plan`] where a weight or one image passes the adapter's limit.
pub fn gather(
    call: &Call<'_>,
    shader: &'static str,
    g: &Geometry,
    writes: Side,
    broadcast: bool,
    subpixel: bool,
) -> Result<Lowered> {
    let (from, to) = if writes == Side::Y { (g.x, g.y) } else { (g.y, g.x) };
    let mut lowered = Lowered::default();
    // The GEMM reads weights by four of the channels it sums over.
    let outer_is_from = g.weight_outer_y == (writes == Side::X);
    let taps = g.kernel[0] * g.kernel[1];
    let weight = match outer_is_from {
        true => call.whole(Slot::Input(1))?,
        false => {
            let floats = taps * from[0].next_multiple_of(4) * to[0];
            call.check(floats)?;
            lowered.workspaces.push(floats);
            let transposed = call.workspace(0, 0, floats);
            let params = TransposeParams { taps: taps as u32, a: to[0] as u32, b: from[0] as u32 };
            let [gx, gy] = fold((floats / 4).div_ceil(WG));
            let bindings = vec![call.whole(Slot::Input(1))?, transposed];
            lowered.launches.push(Launch::new(TRANSPOSE.path, &params, bindings, [gx, gy, 1]));
            transposed
        }
    };
    let bias = bias_slot(call)?;
    let tile = Tile::new(to[0], broadcast);
    let written: Vec<Slot> = std::iter::once(Slot::Output(0)).chain(call.residual()).collect();
    let step = |axis: usize| g.dilation[axis] as i32;
    let pad = |axis: usize| g.padding[axis] as i32;
    let forward = writes == Side::Y;
    let fractional = !forward && !subpixel && g.stride != [1, 1];
    // Pixels that are stride apart meet the same taps: dilation * tap repeats after this many, modulo stride.
    let every = |axis: usize| if fractional { g.stride[axis] / gcd(g.stride[axis], g.dilation[axis]) } else { 1 };
    let [layers, plane] = match (subpixel, fractional) {
        (true, _) => [taps, from[1] * from[2]],
        (_, true) => [g.stride[0] * g.stride[1], to[1].div_ceil(g.stride[0]) * to[2].div_ceil(g.stride[1])],
        _ => [1, to[1] * to[2]],
    };
    // Where one image is too large, its channels are written in runs of whole tiles.
    for channels in call.channel_runs(&written, tile.channels)? {
        let co_tiles = channels.len().div_ceil(tile.channels);
        // Channels are counted from the first of all, windows start at the first of the run.
        let skipped = (channels.start / 4 * to[1] * to[2]) as u32;
        let launches = call.on_channels(&written, &channels, |part| {
            let mut launches = Vec::new();
            for batch in part.batches(&images(part))? {
                let [source, target] = [Slot::Input(0), Slot::Output(0)].map(|slot| part.window(slot, &batch));
                let residual = part.residual().map(|slot| part.window(slot, &batch));
                let pixels = batch.len() * if subpixel { from[1] * from[2] } else { to[1] * to[2] };
                let params = GatherParams {
                    pixels: pixels as u32,
                    ci4: from[0].div_ceil(4) as u32,
                    co: to[0] as u32,
                    h: from[1] as u32,
                    w: from[2] as u32,
                    oh: to[1] as u32,
                    ow: to[2] as u32,
                    kh: g.kernel[0] as u32,
                    kw: g.kernel[1] as u32,
                    scale_y: if forward { g.stride[0] as u32 } else { 1 },
                    scale_x: if forward { g.stride[1] as u32 } else { 1 },
                    shift_y: if forward { -pad(0) } else { pad(0) },
                    shift_x: if forward { -pad(1) } else { pad(1) },
                    step_y: if forward { step(0) } else { -step(0) },
                    step_x: if forward { step(1) } else { -step(1) },
                    div_y: if forward { 1 } else { g.stride[0] as i32 },
                    div_x: if forward { 1 } else { g.stride[1] as i32 },
                    x_base: source.base / 4,
                    x_stride: source.stride / 4,
                    out_base: (target.base / 4).wrapping_sub(skipped),
                    out_stride: target.stride / 4,
                    co_tiles: co_tiles as u32,
                    r_base: residual.map_or(0, |window| (window.base / 4).wrapping_sub(skipped)),
                    r_stride: residual.map_or(0, |window| window.stride / 4),
                    co_first: channels.start as u32,
                    every_y: every(0) as u32,
                    every_x: every(1) as u32,
                };
                let mut bindings = vec![source.binding, weight];
                bindings.extend(bias);
                bindings.extend(residual.map(|window| window.binding));
                bindings.push(target.binding);
                let [gx, gy] = fold((batch.len() * plane).div_ceil(tile.lanes * tile.pixels));
                let launch = Launch::new(shader, &params, bindings, [gx, gy, (co_tiles * layers) as u32])
                    .work(flops(g, batch.len()) * channels.len() as u64 / to[0] as u64);
                let launch = tile.vars(vars(launch, call, bias.is_some()), call);
                let launch = launch.var("fractional", fractional).var("subpixel", subpixel);
                launches.push(launch.var("pixels", tile.pixels as i64));
            }
            Ok(launches)
        })?;
        lowered.launches.extend(launches);
    }
    Ok(lowered)
}

/// How the sum over all pixels is split: whole samples, or rows of one. It depends on shapes alone.
struct Split {
    samples: usize,
    rows: usize,
    row_splits: usize,
    count: usize,
}

impl Split {
    /// Enough parts that `tiles` workgroups a part fill a device.
    fn new(tiles: usize, n: usize, rows: usize) -> Self {
        let wanted = 256usize.div_ceil(tiles).min(64);
        if wanted <= n {
            let samples = n.div_ceil(wanted);
            return Self { samples, rows, row_splits: 1, count: n.div_ceil(samples) };
        }
        let rows_each = rows.div_ceil(wanted.div_ceil(n).min(rows));
        let row_splits = rows.div_ceil(rows_each);
        Self { samples: 1, rows: rows_each, row_splits, count: n * row_splits }
    }
}

/// The GEMM over all pixels that gives the weight's gradient.
///
/// # Errors
/// [`Error::Plan`] where one sample or the weight passes the adapter's limit.
pub fn weight_gradient(
    call: &Call<'_>,
    shader: &'static str,
    g: &Geometry,
    [x_slot, y_slot]: [Slot; 2],
    broadcast: bool,
) -> Result<Lowered> {
    let taps = g.kernel[0] * g.kernel[1];
    let tile = Tile::new(g.y[0], broadcast);
    let s4 = g.x[0].div_ceil(4);
    let tiles = [(taps * s4).div_ceil(tile.lanes), g.y[0].div_ceil(tile.channels)];
    let split = Split::new(tiles[0] * tiles[1], g.n, g.y[1]);
    let floats = call.outputs[0].floats();
    let mut lowered = Lowered::default();
    let partial = split.count > 1;
    // Partial results start where a binding can.
    let each = if partial { floats.next_multiple_of(ALIGNMENT) } else { floats };
    call.check(each)?;
    if partial {
        lowered.workspaces.push(split.count * each);
    }
    for run in split.runs(call, [x_slot, y_slot], each)? {
        let batch = &run.samples;
        let (x, y) = (call.window(x_slot, batch), call.window(y_slot, batch));
        let out = match partial {
            true => call.workspace(0, run.splits.start * each, run.splits.len() * each),
            false => call.whole(Slot::Output(0))?,
        };
        let params = WeightParams {
            n: batch.len() as u32,
            s4: s4 as u32,
            s: g.x[0] as u32,
            b: g.y[0] as u32,
            h: g.x[1] as u32,
            w: g.x[2] as u32,
            oh: g.y[1] as u32,
            ow: g.y[2] as u32,
            kh: g.kernel[0] as u32,
            kw: g.kernel[1] as u32,
            stride_y: g.stride[0] as u32,
            stride_x: g.stride[1] as u32,
            pad_y: g.padding[0] as i32,
            pad_x: g.padding[1] as i32,
            dil_y: g.dilation[0] as u32,
            dil_x: g.dilation[1] as u32,
            s_base: x.base / 4,
            s_stride: x.stride / 4,
            b_base: y.base / 4,
            b_stride: y.stride / 4,
            samples: split.samples as u32,
            rows: split.rows as u32,
            row_splits: split.row_splits as u32,
            split_floats4: (each / 4) as u32,
            first_split: run.first as u32,
        };
        let workgroups = [tiles[0] as u32, tiles[1] as u32, run.splits.len() as u32];
        let launch = Launch::new(shader, &params, vec![x.binding, y.binding, out], workgroups);
        let launch = tile.vars(launch.work(flops(g, batch.len())), call).var("continued", run.continued);
        lowered.launches.push(launch.var("transposed", g.weight_outer_y));
    }
    if partial {
        let most = usize::try_from(call.caps.max_binding / 4).unwrap_or(usize::MAX) / each;
        for first in (0..split.count).step_by(most) {
            let splits = most.min(split.count - first);
            let params = SumParams {
                len4: (floats / 4) as u32,
                splits: splits as u32,
                stride4: (each / 4) as u32,
                continued: u32::from(first > 0),
            };
            let [gx, gy] = fold((floats / 4).div_ceil(WG));
            let bindings = vec![call.workspace(0, first * each, splits * each), call.whole(Slot::Output(0))?];
            let launch = Launch::new(SUM.path, &params, bindings, [gx, gy, 1]);
            lowered.launches.push(launch.var("wide_u64", call.caps.wide_as_u64));
        }
    }
    Ok(lowered)
}

/// What one dispatch sums.
struct Run {
    samples: std::ops::Range<usize>,
    /// Into which splits of all.
    splits: std::ops::Range<usize>,
    /// The first of them, counted from the first of its samples.
    first: usize,
    /// Whether the split was begun by the dispatch before.
    continued: bool,
}

impl Split {
    /// The dispatches of the images that the adapter can bind, and of partial results of `each` floats. Every split's
    /// sum stays what it is: cut between splits, or else carried on in the order of the samples.
    fn runs(&self, call: &Call<'_>, slots: [Slot; 2], each: usize) -> Result<Vec<Run>> {
        let batches = call.batches(&slots)?;
        let n = batches.last().map_or(0, |run| run.end);
        let most = batches.first().map_or(n, ExactSizeIterator::len);
        let bound = usize::try_from(call.caps.max_binding / 4).unwrap_or(usize::MAX) / each;
        let whole = (most / self.samples).min(bound / self.row_splits) * self.samples;
        if whole > 0 {
            let run = |at: usize| {
                let samples = at..(at + whole).min(n);
                let first = at / self.samples * self.row_splits;
                let splits = first..first + samples.len().div_ceil(self.samples) * self.row_splits;
                Run { samples, splits, first: 0, continued: false }
            };
            return Ok((0..n).step_by(whole).map(run).collect());
        }
        let mut runs = Vec::new();
        if self.row_splits > 1 {
            for sample in 0..n {
                for first in (0..self.row_splits).step_by(bound) {
                    let end = (first + bound).min(self.row_splits);
                    let at = sample * self.row_splits;
                    runs.push(Run {
                        samples: sample..sample + 1,
                        splits: at + first..at + end,
                        first,
                        continued: false,
                    });
                }
            }
            return Ok(runs);
        }
        for split in 0..self.count {
            let (start, end) = (split * self.samples, ((split + 1) * self.samples).min(n));
            for at in (start..end).step_by(most) {
                let samples = at..(at + most).min(end);
                runs.push(Run { samples, splits: split..split + 1, first: 0, continued: at > start });
            }
        }
        Ok(runs)
    }
}
