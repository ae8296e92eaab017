//! The GEMM over all pixels that gives a weight's gradient.

use crate::error::Result;
use crate::gpu::{Caps, ParamBlock, gpu_params};
use crate::ops::call::ALIGNMENT;
use crate::ops::{Call, Launch, Lowered, ShaderInfo, Slot, fold};

use super::tile::LONG_COLUMNS;
use super::{Geometry, Lanes, Staging, Tile, WG, flops};

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
    /// The uniform block of `conv2d/sum_splits`.
    pub struct SumParams { len4: u32, splits: u32, stride4: u32, continued: u32 }
}

/// The shader that adds the partial results of a split sum.
pub const SUM: ShaderInfo = ShaderInfo { path: "conv2d/sum_splits", fields: SumParams::FIELDS };

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

/// What a lane holds of the weight's gradient, for four channels of x.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Columns {
    /// `common/weight_gemm` or `common/staged_weight_gemm`: one tap.
    Taps,
    /// `common/weight_gemm`: [`LONG_COLUMNS`], whose turns only larger instruction caches hold.
    Long,
    /// `common/row_weight_gemm`: the taps of a row, where [`Columns::takes_rows`].
    Rows,
}

impl Columns {
    /// Whether the taps of a row read neighbours, few enough of them.
    #[must_use]
    pub fn takes_rows(g: &Geometry) -> bool {
        (2..=7).contains(&g.kernel[1]) && g.dilation[1] == 1 && g.stride[1] <= 2 && !g.weight_outer_y
    }
}

/// Pixels are summed four or eight at a time, and but in workgroup memory none of these cross a row's end. Where every pixel
/// meets its own alone, an image is taken as other rows of as many pixels, of which less is left over.
fn rows_by_four(g: &Geometry) -> Geometry {
    let pointwise = g.kernel == [1, 1] && g.stride == [1, 1] && g.padding == [0, 0];
    let pixels = g.y[1] * g.y[2];
    if !pointwise || g.y[2].is_multiple_of(4) {
        return *g;
    }
    let Some(width) = (16..pixels).step_by(4).find(|&width| pixels.is_multiple_of(width)) else { return *g };
    let [x, y] = [g.x[0], g.y[0]].map(|channels| [channels, pixels / width, width]);
    Geometry { x, y, ..*g }
}

/// Pixels of a turn over rows of `count`: eight where loads by address of eight lanes leave room for their code (26 KiB by rows
/// of taps) and few of them are none. Sums are then copied and masked half as often.
pub(super) fn turn_pixels(count: usize, caps: &Caps) -> usize {
    let [short, long] = [4, 8].map(|turn| count.next_multiple_of(turn));
    if caps.addresses && !Lanes::of(caps).is_wide() && 20 * long <= 21 * short { 8 } else { 4 }
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
    staging: Staging,
    columns: Columns,
) -> Result<Lowered> {
    let g = &rows_by_four(g);
    let rows = columns == Columns::Rows;
    let tile =
        if rows { Tile::row_columns(g.kernel[1], staging, call.caps) } else { Tile::new(g.y[0], staging, call.caps) };
    let usual = if staging == Staging::Subgroup { Tile { lanes: Lanes::SPLITTING, ..tile } } else { tile };
    let tile = if columns == Columns::Long { Tile { columns: LONG_COLUMNS, ..tile } } else { tile };
    let s4 = g.x[0].div_ceil(4);
    let in_all = s4 * g.kernel[0] * if rows { 1 } else { g.kernel[1] };
    let tiles = |of: Tile| {
        let [columns, channels] = of.weight_group();
        [in_all.div_ceil(columns), g.y[0].div_ceil(channels)]
    };
    // Splits, and so every bit, are those of the usual tile, whatever a subgroup has of lanes.
    let split = Split::new(tiles(usual).iter().product(), g.n, g.y[1]);
    let tiles = tiles(tile);
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
        let launch = launch.var("pixels", turn_pixels(g.y[2], call.caps) as i64);
        lowered.launches.push(match rows {
            true => {
                launch.var("kw", g.kernel[1] as i64).var("stride", g.stride[1] as i64).var("quad", g.x[0].min(4) as i64)
            }
            false => launch.var("transposed", g.weight_outer_y).var("columns", tile.columns as i64),
        });
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
