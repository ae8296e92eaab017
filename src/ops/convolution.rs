//! What the rooms of convolutions and transposed convolutions share: the geometry of one convolution, and its three
//! computations as dispatches. `x` is the side with the larger image (a convolution's input, a transposed
//! convolution's output), `y` the other; a transposed convolution's forward is the data gradient, and the other way
//! round.

use crate::error::{Error, Result};
use crate::gpu::{ParamBlock, gpu_params};

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
    pub struct SumParams { len4: u32, splits: u32 }
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

/// One invocation an element of the weight's gradient; x and y are the first two inputs in the order of `x_first`.
///
/// # Errors
/// [`Error::Plan`] where an operand passes the adapter's limit.
pub fn direct_weight(
    call: &Call<'_>,
    shader: &'static str,
    g: &Geometry,
    x_slot: Slot,
    y_slot: Slot,
) -> Result<Lowered> {
    let all = 0..g.n;
    let (x, y) = (call.window(x_slot, &all), call.window(y_slot, &all));
    call.check(x.binding.len)?;
    call.check(y.binding.len)?;
    let len = call.outputs[0].floats();
    let params = direct_params(g, g.n, [x.base, x.stride, y.base, y.stride], len);
    let [gx, gy] = fold(len.div_ceil(WG));
    let bindings = vec![x.binding, y.binding, call.whole(Slot::Output(0))?];
    let launch = Launch::new(shader, &params, bindings, [gx, gy, 1]).work(flops(g, g.n) * 8);
    Ok(Lowered { workspaces: vec![], launches: vec![launch] })
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
    let co_tiles = to[0].div_ceil(tile.channels);
    let step = |axis: usize| g.dilation[axis] as i32;
    let pad = |axis: usize| g.padding[axis] as i32;
    for batch in call.batches(&images(call))? {
        let [source, target] = [Slot::Input(0), Slot::Output(0)].map(|slot| call.window(slot, &batch));
        let residual = call.residual().map(|slot| call.window(slot, &batch));
        let pixels = batch.len() * if subpixel { from[1] * from[2] } else { to[1] * to[2] };
        let forward = writes == Side::Y;
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
            out_base: target.base / 4,
            out_stride: target.stride / 4,
            co_tiles: co_tiles as u32,
            r_base: residual.map_or(0, |window| window.base / 4),
            r_stride: residual.map_or(0, |window| window.stride / 4),
        };
        let mut bindings = vec![source.binding, weight];
        bindings.extend(bias);
        bindings.extend(residual.map(|window| window.binding));
        bindings.push(target.binding);
        let [gx, gy] = fold(pixels.div_ceil(tile.lanes * tile.pixels));
        let layers = co_tiles * if subpixel { taps } else { 1 };
        let launch = Launch::new(shader, &params, bindings, [gx, gy, layers as u32]).work(flops(g, batch.len()));
        let fractional = !forward && !subpixel && g.stride != [1, 1];
        let launch = tile.vars(vars(launch, call, bias.is_some()), call);
        let launch = launch.var("fractional", fractional).var("subpixel", subpixel);
        lowered.launches.push(launch.var("pixels", tile.pixels as i64));
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
/// [`Error::Plan`] where the samples of one split pass the adapter's limit.
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
    let split_bytes = split.count * floats;
    call.check(split_bytes)?;
    let partial = split.count > 1;
    if partial {
        lowered.workspaces.push(split_bytes);
    }
    // Cut only between splits, so that every split's sum stays what it is.
    for batch in aligned_batches(call, [x_slot, y_slot], split.samples)? {
        let (x, y) = (call.window(x_slot, &batch), call.window(y_slot, &batch));
        let first = batch.start / split.samples * split.row_splits;
        let count = batch.len().div_ceil(split.samples) * split.row_splits;
        let out = match partial {
            true => call.workspace(0, 0, split_bytes),
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
            split_floats4: (floats / 4) as u32,
            first_split: first as u32,
        };
        let workgroups = [tiles[0] as u32, tiles[1] as u32, count as u32];
        let launch = Launch::new(shader, &params, vec![x.binding, y.binding, out], workgroups);
        let launch = tile.vars(launch.work(flops(g, batch.len())), call);
        lowered.launches.push(launch.var("transposed", g.weight_outer_y));
    }
    if partial {
        let params = SumParams { len4: (floats / 4) as u32, splits: split.count as u32 };
        let [gx, gy] = fold((floats / 4).div_ceil(WG));
        let bindings = vec![call.workspace(0, 0, split_bytes), call.whole(Slot::Output(0))?];
        let launch = Launch::new(SUM.path, &params, bindings, [gx, gy, 1]);
        lowered.launches.push(launch.var("wide_u64", call.caps.wide_as_u64));
    }
    Ok(lowered)
}

fn aligned_batches(call: &Call<'_>, slots: [Slot; 2], samples: usize) -> Result<Vec<std::ops::Range<usize>>> {
    let runs = call.batches(&slots)?;
    let n = runs.last().map_or(0, |run| run.end);
    let most = runs.first().map_or(n, ExactSizeIterator::len);
    if most == n {
        return Ok(runs);
    }
    let most = most / samples * samples;
    if most == 0 {
        return Err(Error::Plan {
            message: format!(
                "{}: {samples} samples of one partial sum pass the adapter's binding limit",
                call.op.kernel()
            ),
            hint: "a smaller --size, or --micro-batch".into(),
        });
    }
    Ok((0..n).step_by(most).map(|at| at..(at + most).min(n)).collect())
}
