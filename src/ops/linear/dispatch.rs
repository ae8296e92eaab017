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
    ($lower:ident, $direct:literal, $wide:literal) => {
        &[
            version($direct, &[ShaderInfo { path: $direct, fields: Params::FIELDS }], all_plain, |call| {
                $lower(call, $direct, false)
            }),
            version($wide, &[ShaderInfo { path: $wide, fields: Params::FIELDS }], whole_quads, |call| {
                $lower(call, $wide, true)
            }),
        ]
    };
}

pub(super) const FORWARD: &[Version] = versions!(forward, "linear/forward_1_direct", "linear/forward_2_wide");
pub(super) const BACKWARD_DATA: &[Version] =
    versions!(backward_data, "linear/backward_data_1_direct", "linear/backward_data_2_wide");
pub(super) const BACKWARD_WEIGHT: &[Version] =
    versions!(backward_weight, "linear/backward_weight_1_direct", "linear/backward_weight_2_wide");
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
    by_quads: bool,
    parts: &'a [Part],
    i: usize,
    o: usize,
    /// Invocations for every row; 0 where rows are summed.
    per_row: usize,
    /// Invocations where rows are summed.
    summed: usize,
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
            let continued = u32::from(self.per_row == 0 && batch.start > 0);
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
            let [x, y] = fold((batch.len() * self.per_row + self.summed).div_ceil(WG));
            let work = 2 * (batch.len() * self.i * self.o) as u64;
            let launch = Launch::new(self.shader, &params, bindings, [x, y, 1]).work(work);
            lowered.launches.push(if self.by_quads { wide(launch, call) } else { launch });
        }
        Ok(lowered)
    }
}

fn forward(call: &Call<'_>, shader: &'static str, by_quads: bool) -> Result<Lowered> {
    let (i, o) = (call.inputs[0].shape[1], call.inputs[1].shape[0]);
    let (weight, bias) = (Part::Whole(Slot::Input(1)), Part::Whole(Slot::Input(2)));
    let parts = &[Part::X(Slot::Input(0)), weight, bias, Part::Y(Slot::Output(0))];
    Rows { shader, by_quads, parts, i, o, per_row: o, summed: 0 }.lower(call)
}

fn backward_data(call: &Call<'_>, shader: &'static str, by_quads: bool) -> Result<Lowered> {
    let (i, o) = (call.outputs[0].shape[1], call.inputs[0].shape[1]);
    let parts = &[Part::Y(Slot::Input(0)), Part::Whole(Slot::Input(1)), Part::X(Slot::Output(0))];
    let per_row = if by_quads { i / 4 } else { i };
    Rows { shader, by_quads, parts, i, o, per_row, summed: 0 }.lower(call)
}

fn backward_weight(call: &Call<'_>, shader: &'static str, by_quads: bool) -> Result<Lowered> {
    let (i, o) = (call.inputs[0].shape[1], call.inputs[1].shape[1]);
    let parts = &[Part::X(Slot::Input(0)), Part::Y(Slot::Input(1)), Part::Whole(Slot::Output(0))];
    let summed = o * if by_quads { i / 4 } else { i };
    Rows { shader, by_quads, parts, i, o, per_row: 0, summed }.lower(call)
}

fn backward_bias(call: &Call<'_>, shader: &'static str) -> Result<Lowered> {
    let o = call.inputs[0].shape[1];
    let parts = &[Part::Y(Slot::Input(0)), Part::Whole(Slot::Output(0))];
    Rows { shader, by_quads: false, parts, i: 1, o, per_row: 0, summed: o }.lower(call)
}
