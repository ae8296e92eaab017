//! The implicit GEMM that writes an image: a convolution's forward and its data gradient.

use crate::error::Result;
use crate::gpu::gpu_params;
use crate::ops::{Call, Launch, Lowered, Slot, fold};

use super::{Geometry, Side, Tile, bias_slot, flops, images, vars};

gpu_params! {
    /// The uniform block of `common/gather_gemm`.
    pub struct GatherParams {
        pixels: u32, ci4: u32, co: u32, h: u32, w: u32, oh: u32, ow: u32, kh: u32, kw: u32,
        scale_y: u32, scale_x: u32, shift_y: i32, shift_x: i32, step_y: i32, step_x: i32, div_y: i32, div_x: i32,
        x_base: u32, x_stride: u32, out_base: u32, out_stride: u32, co_tiles: u32, r_base: u32, r_stride: u32,
        co_first: u32, every_y: u32, every_x: u32, ci: u32, m_base: u32, m_stride: u32,
    }
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// What a turn of the loop takes, for four input channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taps {
    /// `common/gather_gemm`: one tap of all.
    Each,
    /// `common/row_gather_gemm`: the taps of a row, for so many pixels a lane, where [`Taps::makes_rows`].
    Rows(usize),
    /// `common/gather_gemm`: the one tap of a workgroup; taps must not overlap.
    Apart,
}

impl Taps {
    /// Whether pixel i of what is written meets the pixels around i of what is read, so that lanes can exchange them.
    #[must_use]
    pub fn makes_rows(g: &Geometry) -> bool {
        let plain = g.stride == [1, 1] && g.dilation[1] == 1 && !g.weight_outer_y;
        plain && g.kernel[1] == 3 && g.padding[1] == 1
    }
}

/// The implicit GEMM that writes one side.
///
/// # Errors
/// [`Error::Plan`] where a weight or one image passes the adapter's limit.
pub fn gather(
    call: &Call<'_>,
    shader: &'static str,
    g: &Geometry,
    writes: Side,
    broadcast: bool,
    by: Taps,
) -> Result<Lowered> {
    let (from, to) = if writes == Side::Y { (g.x, g.y) } else { (g.y, g.x) };
    let mut lowered = Lowered::default();
    // Whether the channels that lie by four in the weight are those it writes.
    let swapped = g.weight_outer_y != (writes == Side::X);
    let taps = g.kernel[0] * g.kernel[1];
    let weight = call.whole(Slot::Input(1))?;
    let bias = bias_slot(call)?;
    let subpixel = by == Taps::Apart;
    let (rows, tile) = match by {
        Taps::Rows(pixels) => (true, Tile { pixels, ..Tile::new(to[0].min(16), broadcast) }),
        _ => (false, Tile::new(to[0], broadcast)),
    };
    let written: Vec<Slot> = std::iter::once(Slot::Output(0)).chain(call.extra_slots()).collect();
    let step = |axis: usize| g.dilation[axis] as i32;
    let pad = |axis: usize| g.padding[axis] as i32;
    let forward = writes == Side::Y;
    let fractional = !forward && !subpixel && g.stride != [1, 1];
    // Pixels that are stride apart meet the same taps: dilation * tap repeats after this many, modulo stride.
    let every = |axis: usize| if fractional { g.stride[axis] / gcd(g.stride[axis], g.dilation[axis]) } else { 1 };
    let taps_apart = if subpixel { taps } else { 1 };
    let [phases, plane] = match (subpixel, fractional) {
        (true, _) => [1, from[1] * from[2]],
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
                let extras = part.extras(&batch);
                let [r_base, r_stride, m_base, m_stride] = extras.quads();
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
                    r_base: r_base.wrapping_sub(skipped),
                    r_stride,
                    co_first: channels.start as u32,
                    every_y: every(0) as u32,
                    every_x: every(1) as u32,
                    ci: from[0] as u32,
                    m_base: m_base.wrapping_sub(skipped),
                    m_stride,
                };
                let mut bindings = vec![source.binding, weight];
                bindings.extend(bias);
                bindings.extend(extras.bindings());
                bindings.push(target.binding);
                let each = tile.lanes * tile.pixels;
                let tiles = match rows {
                    true => batch.len() * plane.div_ceil(each),
                    false => (batch.len() * plane).div_ceil(each) * phases,
                };
                let [gx, gy] = fold(tiles);
                let launch = Launch::new(shader, &params, bindings, [gx, gy, (co_tiles * taps_apart) as u32])
                    .work(flops(g, batch.len()) * channels.len() as u64 / to[0] as u64);
                let launch = tile.vars(vars(launch, call, bias.is_some()), call);
                let launch = launch.var("fractional", fractional).var("subpixel", subpixel).var("batched", false);
                let launch = launch.var("swapped", swapped).var("pixels", tile.pixels as i64);
                launches.push(if rows { launch.var("kw", g.kernel[1] as i64) } else { launch });
            }
            Ok(launches)
        })?;
        lowered.launches.extend(launches);
    }
    Ok(lowered)
}
