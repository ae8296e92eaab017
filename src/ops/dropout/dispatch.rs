//! Bindings and workgroups: one dispatch for each run of samples that the adapter can bind.

use crate::error::Result;
use crate::gpu::{ParamBlock, gpu_params};
use crate::graph::{Layout, Op};
use crate::ops::image::{self, Pass};
use crate::ops::{Call, Layouts, Lowered, Requires, ShaderInfo, Slot, Version};

use super::Dropout;

gpu_params! {
    /// The uniform block of both versions.
    pub struct Params {
        c: u32, h: u32, w: u32, len: u32, seed: u32, sample: u32, threshold: u32, scale: f32,
        in_base: u32, in_stride: u32, out_base: u32, out_stride: u32,
    }
}

pub(super) const FORWARD: &[Version] = &[
    Version {
        shader: "dropout/forward_1_direct",
        shaders: &[ShaderInfo { path: "dropout/forward_1_direct", fields: Params::FIELDS }],
        requires: Requires::NOTHING,
        views: true,
        pays: Version::ALWAYS,
        exact: false,
        layouts: as_offered,
        lower: |call| forward(call, "dropout/forward_1_direct", false),
    },
    Version {
        shader: "dropout/forward_2_wide",
        shaders: &[ShaderInfo { path: "dropout/forward_2_wide", fields: Params::FIELDS }],
        requires: Requires::NOTHING,
        views: true,
        pays: Version::ALWAYS,
        exact: false,
        layouts: packed,
        lower: |call| forward(call, "dropout/forward_2_wide", true),
    },
];

/// The layout that x has.
fn as_offered(_: &dyn Op, inputs: &[&[usize]], _: &[&[usize]], offered: &[Layout]) -> Option<Layouts> {
    let layout = match (inputs[0].len(), offered[0]) {
        (4, Layout::C4) => Layout::C4,
        _ => Layout::Plain,
    };
    Some(Layouts::new([layout, Layout::Plain], [layout]))
}

/// Only where x is in C4.
fn packed(op: &dyn Op, inputs: &[&[usize]], outputs: &[&[usize]], offered: &[Layout]) -> Option<Layouts> {
    as_offered(op, inputs, outputs, offered).filter(|layouts| layouts.outputs[0] == Layout::C4)
}

fn forward(call: &Call<'_>, shader: &'static str, wide: bool) -> Result<Lowered> {
    let dropout = call.op.expect::<Dropout>()?;
    let out = &call.outputs[0];
    let size = |axis: usize| out.shape.get(axis).copied().unwrap_or(1) as u32;
    let slots = [Slot::Input(0), Slot::Output(0)];
    let pass = Pass { whole: &[Slot::Input(1)], ..Pass::over_output(call, shader, &slots, wide, 2) };
    let mut lowered = image::lower(call, &pass, |batch, windows, len| Params {
        c: size(1),
        h: size(2),
        w: size(3),
        len,
        seed: dropout.seed,
        sample: dropout.sample.wrapping_add(batch.start as u32),
        threshold: dropout.threshold(),
        scale: dropout.scale(),
        in_base: windows[0].base,
        in_stride: windows[0].stride,
        out_base: windows[1].base,
        out_stride: windows[1].stride,
    })?;
    if !wide {
        for launch in &mut lowered.launches {
            launch.vars.insert("packed", i64::from(out.layout == Layout::C4));
        }
    }
    Ok(lowered)
}
