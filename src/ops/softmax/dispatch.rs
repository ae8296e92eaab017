//! Bindings and workgroups: an invocation or a workgroup for every row.

use crate::error::Result;
use crate::gpu::{ParamBlock, gpu_params};
use crate::graph::{Layout, Op};
use crate::ops::flat::{WG, all_plain, version};
use crate::ops::{Call, Launch, Layouts, Lowered, ShaderInfo, Slot, Version, Window, fold};

gpu_params! {
    /// The uniform block of every shader of the room.
    pub struct Params { rows: u32, c: u32, inner: u32, a_base: u32, b_base: u32, out_base: u32 }
}

macro_rules! versions {
    ($direct:literal, $rows:literal) => {
        &[
            version($direct, &[ShaderInfo { path: $direct, fields: Params::FIELDS }], all_plain, |call| {
                lower(call, $direct, WG)
            }),
            version($rows, &[ShaderInfo { path: $rows, fields: Params::FIELDS }], long_rows, |call| {
                lower(call, $rows, 1)
            }),
        ]
    };
}

pub(super) const FORWARD: &[Version] = versions!("softmax/forward_1_direct", "softmax/forward_2_rows");
pub(super) const BACKWARD: &[Version] = versions!("softmax/backward_1_direct", "softmax/backward_2_rows");

/// Plain, where rows are contiguous and give every lane something to do.
fn long_rows(op: &dyn Op, inputs: &[&[usize]], outputs: &[&[usize]], offered: &[Layout]) -> Option<Layouts> {
    let &[_, c] = inputs[0] else { return None };
    (c >= WG).then(|| all_plain(op, inputs, outputs, offered)).flatten()
}

fn lower(call: &Call<'_>, shader: &'static str, rows_each: usize) -> Result<Lowered> {
    let shape = &call.inputs[0].shape;
    let inner: usize = shape[2..].iter().product();
    let log = call.op.kernel().contains(".log_");
    let mut slots: Vec<Slot> = (0..call.inputs.len()).map(Slot::Input).collect();
    slots.push(Slot::Output(0));
    let mut lowered = Lowered::default();
    for batch in call.batches(&slots)? {
        let windows: Vec<Window> = slots.iter().map(|&slot| call.window(slot, &batch)).collect();
        let (first, last) = (windows[0], windows[windows.len() - 1]);
        let rows = batch.len() * inner;
        let params = Params {
            rows: rows as u32,
            c: shape[1] as u32,
            inner: inner as u32,
            a_base: first.base,
            b_base: windows[windows.len() - 2].base,
            out_base: last.base,
        };
        let [x, y] = fold(rows.div_ceil(rows_each));
        let bindings = windows.iter().map(|window| window.binding).collect();
        lowered.launches.push(Launch::new(shader, &params, bindings, [x, y, 1]).var("log", log));
    }
    Ok(lowered)
}
