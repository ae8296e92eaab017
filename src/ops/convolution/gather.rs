//! The implicit GEMM that writes an image: a convolution's forward and its data gradient.

use crate::error::Result;
use crate::gpu::gpu_params;
use crate::ops::{Binding, Call, Launch, Lowered, Slot, fold};

use super::parts::{PartSum, Parts, every};
use super::tile::phases;
use super::{Geometry, Side, Staging, Tile, bias_slot, flops, vars};

gpu_params! {
    /// The uniform block of `common/gather_gemm`.
    pub struct GatherParams {
        pixels: u32, ci4: u32, co: u32, h: u32, w: u32, oh: u32, ow: u32, kh: u32, kw: u32,
        scale_y: u32, scale_x: u32, shift_y: i32, shift_x: i32, step_y: i32, step_x: i32, div_y: i32, div_x: i32,
        x_base: u32, x_stride: u32, out_base: u32, out_stride: u32, co_tiles: u32, r_base: u32, r_stride: u32,
        co_first: u32, every_y: u32, every_x: u32, ci: u32, m_base: u32, m_stride: u32,
        part_units: u32, part_stride: u32,
    }
}

/// What a turn of the loop takes, for four input channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taps {
    /// `common/gather_gemm` or `common/staged_gemm`: one tap of all.
    Each,
    /// `common/gather_gemm`: so, in turns that larger instruction caches hold.
    Long,
    /// `common/staged_gemm`: so, the sum of an output shared out among workgroups; see [`Parts`].
    Shared,
    /// `common/row_gather_gemm`: the taps of a row, for so many pixels a lane, where [`Taps::makes_rows`].
    Rows(usize),
    /// `common/gather_gemm` or `common/staged_gemm`: the one tap of a workgroup; taps must not overlap.
    Apart,
    /// `common/gather_gemm`: so, and the channels of all taps are one after the other as if they were channels.
    Joined,
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
    staging: Staging,
    by: Taps,
) -> Result<Lowered> {
    let (from, to) = if writes == Side::Y { (g.x, g.y) } else { (g.y, g.x) };
    let mut lowered = Lowered::default();
    // Whether the channels that lie by four in the weight are those it writes.
    let swapped = g.weight_outer_y != (writes == Side::X);
    let taps = g.kernel[0] * g.kernel[1];
    let weight = call.whole(Slot::Input(1))?;
    let bias = bias_slot(call)?;
    // One tap that meets every pixel where it lies is a plain GEMM, as is each of several that do not overlap.
    let plain = g.kernel == [1, 1] && g.stride == [1, 1] && g.padding == [0, 0];
    let matrices = matches!(staging, Staging::Matrices { .. });
    let subpixel =
        matches!(by, Taps::Apart | Taps::Joined) || plain && matches!(by, Taps::Each | Taps::Long) && !matrices;
    let written: Vec<Slot> = std::iter::once(Slot::Output(0)).chain(call.extra_slots()).collect();
    let (rows, tile) = match by {
        Taps::Rows(pixels) => (true, Tile { pixels, ..Tile::image(to[0].min(16), staging, call.caps) }),
        Taps::Long => {
            let tile = Tile::long(g, writes, call.caps);
            // An image may be so large that fewer channels than that can be bound at a time.
            let fits = call.channel_runs(&written, tile.channels).is_ok();
            let fewer = Tile::image(to[0], staging, call.caps).channels;
            (false, if fits { tile } else { Tile { channels: fewer, ..tile } }.paired(from[0], flops(g, 1), call.caps))
        }
        _ => (false, Tile::image(to[0], staging, call.caps)),
    };
    let parts = if by == Taps::Shared { Parts::of(g, writes) } else { Parts::ONE };
    let mut partial = 0;
    let few = from[0].min(4) as i64;
    let step = |axis: usize| g.dilation[axis] as i32;
    let pad = |axis: usize| g.padding[axis] as i32;
    let forward = writes == Side::Y;
    let fractional = !forward && !subpixel && g.stride != [1, 1];
    let every = |axis: usize| if fractional { every(g, axis) } else { 1 };
    let taps_apart = if subpixel { taps } else { 1 };
    let [phases, plane] = if subpixel { [1, from[1] * from[2]] } else { phases(g, writes) };
    // Where one image is too large, its channels are written in runs of whole tiles.
    let runs = call.channel_runs(&written, tile.channels)?;
    let joined = by == Taps::Joined && runs.len() == 1;
    let all = taps * to[0].next_multiple_of(4);
    let (tile, taps_apart) = match joined {
        true => {
            let tile = Tile::image(all, staging, call.caps).filling(all, [g.n * plane, 1], flops(g, 1), call.caps);
            (tile.paired(from[0], flops(g, 1), call.caps), 1)
        }
        false => (tile, taps_apart),
    };
    for channels in runs {
        let co_tiles = if joined { all } else { channels.len() }.div_ceil(tile.channels);
        let run_sample = channels.len().next_multiple_of(4) * to[1] * to[2];
        // Channels are counted from the first of all, windows start at the first of the run.
        let skipped = (channels.start / 4 * to[1] * to[2]) as u32;
        let launches = call.on_channels(&written, &channels, |part| {
            let mut launches = Vec::new();
            for batch in parts.batches(part, run_sample)? {
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
                    ..GatherParams::default()
                };
                let each = tile.group_pixels();
                let tiles = match rows {
                    true => batch.len() * plane.div_ceil(each),
                    false => (batch.len() * plane).div_ceil(each) * phases,
                };
                let [gx, gy] = fold(tiles);
                let work = flops(g, batch.len()) * channels.len() as u64 / to[0] as u64;
                let finished = |launch: Launch| vars(launch, call, bias.is_some());
                let described = |launch: Launch| {
                    let launch = tile.vars(launch, call).work(work).var("fractional", fractional);
                    let launch = launch.var("subpixel", subpixel).var("batched", false).var("swapped", swapped);
                    let launch = launch.var("pixels", tile.pixels as i64).var("joined", joined);
                    match (rows, staging) {
                        (true, _) => launch.var("kw", g.kernel[1] as i64).var("quad", few),
                        (_, Staging::Workgroup) => launch.var("shared", parts.count > 1),
                        (_, Staging::Matrices { rows, .. }) => launch.var("rows", i64::from(rows)),
                        _ => launch.var("quad", few).var("fours", tile.fours as i64),
                    }
                };
                let mut ends: Vec<Binding> = bias.into_iter().chain(extras.bindings()).collect();
                ends.push(target.binding);
                if parts.count > 1 {
                    let sums = part.workspace(0, 0, parts.count * batch.len() * run_sample);
                    partial = partial.max(sums.len);
                    let sum = PartSum { parts, run: &channels, written: to, samples: batch.len(), target, extras };
                    let params = sum.unfinished(params, skipped);
                    let groups = [gx, gy, (co_tiles * parts.count) as u32];
                    let launch = Launch::new(shader, &params, vec![source.binding, weight, sums], groups);
                    launches.push(described(vars(launch, &Call { epilogue: None, ..*part }, false)));
                    launches.push(finished(sum.launch(call, sums, ends)));
                    continue;
                }
                let bindings = [source.binding, weight].into_iter().chain(ends).collect();
                let groups = [gx, gy, (co_tiles * taps_apart) as u32];
                launches.push(described(finished(Launch::new(shader, &params, bindings, groups))));
            }
            Ok(launches)
        })?;
        lowered.launches.extend(launches);
    }
    lowered.workspaces.extend((partial > 0).then_some(partial));
    Ok(lowered)
}
