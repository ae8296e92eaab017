//! Bindings and workgroups: one dispatch for each run of samples that the adapter can bind.

use crate::error::Result;
use crate::gpu::{ParamBlock, gpu_params};
use crate::graph::{Layout, Op};
use crate::ops::image::{self, Pass};
use crate::ops::{Call, Layouts, Lowered, Requires, ShaderInfo, Slot, Version, half};

gpu_params! {
    /// The uniform block of every shader of the room.
    pub struct Params {
        c: u32, h: u32, w: u32, len: u32, in_base: u32, in_stride: u32, out_base: u32, out_stride: u32,
    }
}

macro_rules! version {
    ($shader:literal, $wide:literal) => {
        Version {
            shader: $shader,
            shaders: &[ShaderInfo { path: $shader, fields: Params::FIELDS }],
            requires: Requires::NOTHING,
            views: true,
            pays: Version::ALWAYS,
            exact: false,
            layouts,
            lower: |call| lower(call, $shader, $wide),
        }
    };
}

pub(super) const FORWARD: &[Version] = &[
    version!("normalize/forward_1_direct", false),
    version!("normalize/forward_2_wide", true),
    half::version!("normalize/forward_3_half", Params::FIELDS, layouts, |call| lower(
        call,
        "normalize/forward_3_half",
        true
    )),
];
pub(super) const BACKWARD: &[Version] =
    &[version!("normalize/backward_1_direct", false), version!("normalize/backward_2_wide", true)];

/// Image and constants to image.
fn layouts(_: &dyn Op, inputs: &[&[usize]], _: &[&[usize]], _: &[Layout]) -> Option<Layouts> {
    let mut layouts = vec![Layout::Plain; inputs.len()];
    layouts[0] = Layout::C4;
    Some(Layouts::new(layouts, [Layout::C4]))
}

fn lower(call: &Call<'_>, shader: &'static str, wide: bool) -> Result<Lowered> {
    let out = &call.outputs[0].shape;
    let constants: Vec<Slot> = (1..call.inputs.len()).map(Slot::Input).collect();
    let slots = [Slot::Input(0), Slot::Output(0)];
    let pass = Pass { whole: &constants, ..Pass::over_output(call, shader, &slots, wide, 2) };
    image::lower(call, &pass, |_, at, len| Params {
        c: out[1] as u32,
        h: out[2] as u32,
        w: out[3] as u32,
        len,
        in_base: at[0].base,
        in_stride: at[0].stride,
        out_base: at[1].base,
        out_stride: at[1].stride,
    })
}
