//! What the rooms of convolutions and transposed convolutions share: the geometry of one convolution, and its three
//! computations as dispatches. `x` is the side with the larger image (a convolution's input, a transposed
//! convolution's output), `y` the other; a transposed convolution's forward is the data gradient, and the other way
//! round.

use crate::error::Result;
use crate::gpu::gpu_params;

use super::{Binding, Call, Launch, Lowered, Slot, fold};

mod fused;
mod gather;
mod parts;
mod tile;
mod weight;
mod winograd;

pub use fused::FusedParams;
pub use gather::{GatherParams, Taps, gather};
pub use parts::{Parts, SUM_PARTS, staged_weight_worth, staged_worth};
pub use tile::{LARGE_TILES_FROM, Lanes, Staging, Tile, holds_long_turns, long_weight_worth, long_worth};
pub use weight::{Columns, SUM, WeightParams, weight_gradient};
pub use winograd::{Computes, GRADIENT, INPUT, LITTLE, OUTPUT, WEIGHT, WEIGHT_GRADIENT, Winograd};

gpu_params! {
    /// The uniform block of the direct versions: `common/conv_direct`.
    pub struct DirectParams {
        n: u32, cx: u32, cy: u32, xh: u32, xw: u32, yh: u32, yw: u32, kh: u32, kw: u32,
        stride_y: u32, stride_x: u32, pad_y: u32, pad_x: u32, dil_y: u32, dil_x: u32,
        x_base: u32, x_stride: u32, y_base: u32, y_stride: u32, len: u32,
        r_base: u32, r_stride: u32, m_base: u32, m_stride: u32,
    }
}

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
    launch.var("bias", bias).epilogue(call)
}

/// The bindings' slots: image, weight, perhaps bias.
fn bias_slot(call: &Call<'_>) -> Result<Option<Binding>> {
    (call.own_inputs().len() > 2).then(|| call.whole(Slot::Input(2))).transpose()
}

/// The images of a call that writes one: what it reads, what it writes, and what its epilogue reads.
fn images(call: &Call<'_>) -> Vec<Slot> {
    [Slot::Input(0), Slot::Output(0)].into_iter().chain(call.extra_slots()).collect()
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
        let extras = call.extras(&batch);
        let (x, y) = if writes == Side::Y { (from, to) } else { (to, from) };
        let g = geometry;
        let len = batch.len() * call.outputs[0].sample();
        let mut params = direct_params(g, batch.len(), [x.base, x.stride, y.base, y.stride], len);
        [params.r_base, params.r_stride, params.m_base, params.m_stride] = extras.floats();
        let mut bindings = vec![from.binding, weight];
        bindings.extend(bias);
        bindings.extend(extras.bindings());
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
        ..DirectParams::default()
    }
}

/// Floating-point operations of each of the three computations, for `n` samples.
#[must_use]
pub fn flops(g: &Geometry, n: usize) -> u64 {
    let taps = (g.kernel[0] * g.kernel[1]) as u64;
    2 * n as u64 * taps * (g.x[0] * g.y[0]) as u64 * (g.y[1] * g.y[2]) as u64
}
