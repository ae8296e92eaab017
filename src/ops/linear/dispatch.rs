//! Bindings and workgroups. Where a batch is cut, the sums over it go on from run to run in the order of its rows.

use crate::error::Result;
use crate::gpu::{ParamBlock, gpu_params};
use crate::graph::{Layout, Op};
use crate::ops::flat::{WG, all_plain, version, wide};
use crate::ops::{Binding, Call, Launch, Layouts, Lowered, ShaderInfo, Slot, Version, fold};

gpu_params! {
    /// The uniform block of every shader of the room.
    pub struct Params { n: u32, i: u32, o: u32, x_base: u32, y_base: u32, continued: u32 }
}

macro_rules! versions {
    ($lower:ident, $direct:literal, $wide:literal, $tiled:literal, $tiles:path) => {
        &[
            version($direct, &[ShaderInfo { path: $direct, fields: Params::FIELDS }], all_plain, |call| {
                $lower(call, $direct, Work::Elements)
            }),
            version($wide, &[ShaderInfo { path: $wide, fields: Params::FIELDS }], whole_quads, |call| {
                $lower(call, $wide, Work::Quads)
            }),
            version($tiled, &[ShaderInfo { path: $tiled, fields: Params::FIELDS }], $tiles, |call| {
                $lower(call, $tiled, Work::Tiles)
            }),
        ]
    };
}

pub(super) const FORWARD: &[Version] =
    versions!(forward, "linear/forward_1_direct", "linear/forward_2_wide", "linear/forward_3_tiled", tiles);
pub(super) const BACKWARD_DATA: &[Version] = versions!(
    backward_data,
    "linear/backward_data_1_direct",
    "linear/backward_data_2_wide",
    "linear/backward_data_3_tiled",
    gradient_tiles
);
pub(super) const BACKWARD_WEIGHT: &[Version] = versions!(
    backward_weight,
    "linear/backward_weight_1_direct",
    "linear/backward_weight_2_wide",
    "linear/backward_weight_3_tiled",
    gradient_tiles
);
pub(super) const BACKWARD_BIAS: &[Version] = &[version(
    "linear/backward_bias_1_direct",
    &[ShaderInfo { path: "linear/backward_bias_1_direct", fields: Params::FIELDS }],
    all_plain,
    |call| backward_bias(call, "linear/backward_bias_1_direct"),
)];

/// Plain, where the rows of x are whole quads: they are the longest rows of the inputs or the output.
fn whole_quads(op: &dyn Op, inputs: &[&[usize]], outputs: &[&[usize]], offered: &[Layout]) -> Option<Layouts> {
    let i = match op.kernel() {
        "linear.forward" | "linear.backward_weight" => inputs[0][1],
        _ => outputs[0][1],
    };
    i.is_multiple_of(4).then(|| all_plain(op, inputs, outputs, offered)).flatten()
}

/// Workgroups that one axis may have, with four rows to each.
const ROWS: usize = 4 * 65_535;
/// The same, with a tile of columns to each.
const COLUMNS: usize = TILES * 65_535;

/// As [`whole_quads`], for no more rows and columns than one axis of workgroups has tiles.
fn tiles(op: &dyn Op, inputs: &[&[usize]], outputs: &[&[usize]], offered: &[Layout]) -> Option<Layouts> {
    let narrow = inputs.iter().chain(outputs).all(|shape| shape.iter().all(|&len| len <= COLUMNS));
    (inputs[0][0] <= ROWS && narrow).then(|| whole_quads(op, inputs, outputs, offered)).flatten()
}

/// As [`tiles`], where the rows of y's gradient are whole quads too.
fn gradient_tiles(op: &dyn Op, inputs: &[&[usize]], outputs: &[&[usize]], offered: &[Layout]) -> Option<Layouts> {
    let o = if op.kernel() == "linear.backward_weight" { inputs[1][1] } else { inputs[0][1] };
    (o.is_multiple_of(4) && o <= ROWS).then(|| tiles(op, inputs, outputs, offered)).flatten()
}

/// What an invocation computes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Work {
    /// A float.
    Elements,
    /// Four of a row.
    Quads,
    /// Four of each of some rows.
    Tiles,
}

/// How a call's invocations are laid out.
#[derive(Clone, Copy)]
enum Grid {
    /// So many for every row of the batch.
    PerRow(usize),
    /// So many, each of which sums over the batch.
    Summed(usize),
    /// So many workgroups for every tile of rows of the batch.
    PerTile(usize),
    /// Workgroups along both axes, which sum over the batch.
    SummedTiles([usize; 2]),
}

impl Grid {
    fn sums(self) -> bool {
        matches!(self, Self::Summed(_) | Self::SummedTiles(_))
    }

    fn workgroups(self, batch: usize) -> [u32; 2] {
        match self {
            Self::PerRow(each) => fold((batch * each).div_ceil(WG)),
            Self::Summed(all) => fold(all.div_ceil(WG)),
            Self::PerTile(each) => [each as u32, batch.div_ceil(tile_rows(batch)) as u32],
            Self::SummedTiles([x, y]) => [x as u32, y as u32],
        }
    }
}

/// Rows of the batch in a tile.
fn tile_rows(batch: usize) -> usize {
    match batch {
        1 => 1,
        2 => 2,
        _ => 4,
    }
}

/// Floats of a row that a workgroup of tiles computes.
const TILES: usize = 32;

/// A binding of a call.
enum Part {
    /// The rows of x, or of its gradient.
    X(Slot),
    /// The rows of y, or of its gradient.
    Y(Slot),
    /// The whole of an operand without a batch.
    Whole(Slot),
}

/// What a call's dispatches have in common.
struct Rows<'a> {
    shader: &'static str,
    work: Work,
    parts: &'a [Part],
    i: usize,
    o: usize,
    grid: Grid,
}

impl Rows<'_> {
    /// One dispatch for each run of rows that keeps to the adapter's limit.
    fn lower(&self, call: &Call<'_>) -> Result<Lowered> {
        let batched = self.parts.iter().filter_map(|part| match part {
            Part::X(slot) | Part::Y(slot) => Some(*slot),
            Part::Whole(_) => None,
        });
        let mut lowered = Lowered::default();
        for batch in call.batches(&batched.collect::<Vec<_>>())? {
            let continued = u32::from(self.grid.sums() && batch.start > 0);
            let (i, o) = (self.i as u32, self.o as u32);
            let mut params = Params { n: batch.len() as u32, i, o, continued, ..Params::default() };
            let mut bindings: Vec<Binding> = Vec::with_capacity(self.parts.len());
            for part in self.parts {
                bindings.push(match *part {
                    Part::Whole(slot) => call.whole(slot)?,
                    Part::X(slot) => {
                        let window = call.window(slot, &batch);
                        params.x_base = window.base;
                        window.binding
                    }
                    Part::Y(slot) => {
                        let window = call.window(slot, &batch);
                        params.y_base = window.base;
                        window.binding
                    }
                });
            }
            let [x, y] = self.grid.workgroups(batch.len());
            let work = 2 * (batch.len() * self.i * self.o) as u64;
            let launch = Launch::new(self.shader, &params, bindings, [x, y, 1]).work(work);
            let launch = match self.grid {
                Grid::PerTile(_) => launch.var("rows", tile_rows(batch.len()) as i64),
                _ => launch,
            };
            lowered.launches.push(if self.work == Work::Elements { launch } else { wide(launch, call) });
        }
        Ok(lowered)
    }
}

fn forward(call: &Call<'_>, shader: &'static str, work: Work) -> Result<Lowered> {
    let (i, o) = (call.inputs[0].shape[1], call.inputs[1].shape[0]);
    let (weight, bias) = (Part::Whole(Slot::Input(1)), Part::Whole(Slot::Input(2)));
    let parts = &[Part::X(Slot::Input(0)), weight, bias, Part::Y(Slot::Output(0))];
    let grid = match work {
        Work::Elements | Work::Quads => Grid::PerRow(o),
        Work::Tiles => Grid::PerTile(o.div_ceil(TILES)),
    };
    Rows { shader, work, parts, i, o, grid }.lower(call)
}

fn backward_data(call: &Call<'_>, shader: &'static str, work: Work) -> Result<Lowered> {
    let (i, o) = (call.outputs[0].shape[1], call.inputs[0].shape[1]);
    let parts = &[Part::Y(Slot::Input(0)), Part::Whole(Slot::Input(1)), Part::X(Slot::Output(0))];
    let grid = match work {
        Work::Elements => Grid::PerRow(i),
        Work::Quads => Grid::PerRow(i / 4),
        Work::Tiles => Grid::PerTile(i.div_ceil(TILES)),
    };
    Rows { shader, work, parts, i, o, grid }.lower(call)
}

fn backward_weight(call: &Call<'_>, shader: &'static str, work: Work) -> Result<Lowered> {
    let (i, o) = (call.inputs[0].shape[1], call.inputs[1].shape[1]);
    let parts = &[Part::X(Slot::Input(0)), Part::Y(Slot::Input(1)), Part::Whole(Slot::Output(0))];
    let grid = match work {
        Work::Elements => Grid::Summed(o * i),
        Work::Quads => Grid::Summed(o * i / 4),
        Work::Tiles => Grid::SummedTiles([(i / 4).div_ceil(WG), o / 4]),
    };
    Rows { shader, work, parts, i, o, grid }.lower(call)
}

fn backward_bias(call: &Call<'_>, shader: &'static str) -> Result<Lowered> {
    let o = call.inputs[0].shape[1];
    let parts = &[Part::Y(Slot::Input(0)), Part::Whole(Slot::Output(0))];
    Rows { shader, work: Work::Elements, parts, i: 1, o, grid: Grid::Summed(o) }.lower(call)
}
