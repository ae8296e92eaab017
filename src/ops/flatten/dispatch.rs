//! Bindings and workgroups: one dispatch for each run of samples that the adapter can bind. The image is C4, the row
//! plain.

use crate::error::Result;
use crate::gpu::{ParamBlock, gpu_params};
use crate::graph::{Layout, Op};
use crate::ops::image::{self, Pass};
use crate::ops::{Call, Layouts, Lowered, Requires, ShaderInfo, Slot, Version};

gpu_params! {
    /// The uniform block of every shader of the room.
    pub struct Params {
        c: u32, plane: u32, len: u32, in_base: u32, in_stride: u32, out_base: u32, out_stride: u32,
    }
}

macro_rules! version {
    ($shader:literal, $from:expr, $to:expr) => {
        Version {
            shader: $shader,
            shaders: &[ShaderInfo { path: $shader, fields: Params::FIELDS }],
            requires: Requires::NOTHING,
            views: true,
            pays: Version::ALWAYS,
            exact: false,
            layouts: |_: &dyn Op, _: &[&[usize]], _: &[&[usize]], _: &[Layout]| Some(Layouts::new([$from], [$to])),
            lower: |call| lower(call, $shader),
        }
    };
}

pub(super) const FORWARD: &[Version] = &[version!("flatten/forward_1_direct", Layout::C4, Layout::Plain)];
pub(super) const BACKWARD: &[Version] = &[version!("flatten/backward_1_direct", Layout::Plain, Layout::C4)];

fn lower(call: &Call<'_>, shader: &'static str) -> Result<Lowered> {
    let image = match call.inputs[0].shape.len() {
        4 => &call.inputs[0].shape,
        _ => &call.outputs[0].shape,
    };
    let pass = Pass::over_output(call, shader, &[Slot::Input(0), Slot::Output(0)], false, 2);
    image::lower(call, &pass, |_, windows, len| Params {
        c: image[1] as u32,
        plane: (image[2] * image[3]) as u32,
        len,
        in_base: windows[0].base,
        in_stride: windows[0].stride,
        out_base: windows[1].base,
        out_stride: windows[1].stride,
    })
}
