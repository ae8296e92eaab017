//! Bindings and workgroups: one dispatch for each run of samples that the adapter can bind.

use crate::error::Result;
use crate::gpu::{ParamBlock, gpu_params};
use crate::graph::{Layout, Op};
use crate::ops::image::{self, Pass};
use crate::ops::{Call, Layouts, Lowered, Requires, ShaderInfo, Slot, Version, half};

use super::{Slice, SliceBackward};

gpu_params! {
    /// The uniform block of every shader of the room.
    pub struct Params {
        c: u32, h: u32, w: u32, start: u32, part: u32, len: u32,
        in_base: u32, in_stride: u32, out_base: u32, out_stride: u32,
    }
}

macro_rules! version {
    ($shader:literal, $layouts:path, $wide:literal) => {
        Version {
            shader: $shader,
            shaders: &[ShaderInfo { path: $shader, fields: Params::FIELDS }],
            requires: Requires::NOTHING,
            views: true,
            pays: Version::ALWAYS,
            exact: false,
            layouts: $layouts,
            lower: |call| lower(call, $shader, $wide),
        }
    };
}

pub(super) const FORWARD: &[Version] = &[
    version!("slice/forward_1_direct", image::all_c4, false),
    version!("slice/forward_2_wide", aligned, true),
    half::version!("slice/forward_3_half", Params::FIELDS, aligned, |call| lower(call, "slice/forward_3_half", true)),
];
pub(super) const BACKWARD: &[Version] =
    &[version!("slice/backward_1_direct", image::all_c4, false), version!("slice/backward_2_wide", aligned, true)];

fn slice(op: &dyn Op) -> Result<Slice> {
    match op.downcast::<SliceBackward>() {
        Some(backward) => Ok(backward.slice),
        None => op.expect::<Slice>().copied(),
    }
}

/// The range must start at a group of four channels.
fn aligned(op: &dyn Op, inputs: &[&[usize]], outputs: &[&[usize]], offered: &[Layout]) -> Option<Layouts> {
    let start = slice(op).ok()?.start;
    image::all_c4(op, inputs, outputs, offered).filter(|_| start.is_multiple_of(4))
}

fn lower(call: &Call<'_>, shader: &'static str, wide: bool) -> Result<Lowered> {
    let Slice { start, end } = slice(call.op)?;
    let out = &call.outputs[0].shape;
    let slots = [Slot::Input(0), Slot::Output(0)];
    let pass = Pass::over_output(call, shader, &slots, wide, 2);
    image::lower(call, &pass, |_, windows, len| Params {
        c: out[1] as u32,
        h: out[2] as u32,
        w: out[3] as u32,
        start: start as u32,
        part: (end - start) as u32,
        len,
        in_base: windows[0].base,
        in_stride: windows[0].stride,
        out_base: windows[1].base,
        out_stride: windows[1].stride,
    })
}
