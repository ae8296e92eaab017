//! Bindings and workgroups: one dispatch for each run of samples that the adapter can bind.

use crate::error::Result;
use crate::gpu::{ParamBlock, gpu_params};
use crate::graph::{Layout, Op};
use crate::ops::cut::by_channels;
use crate::ops::image::{self, Pass};
use crate::ops::{Call, Layouts, Lowered, Requires, ShaderInfo, Slot, Version, Window, fold, half};

gpu_params! {
    /// The uniform block of every shader of the room; x is the side of the image.
    pub struct Params {
        c: u32, plane: u32, len: u32, x_base: u32, x_stride: u32, y_base: u32, y_stride: u32,
    }
}

macro_rules! version {
    ($shader:literal, $layouts:path, $lower:expr) => {
        Version {
            shader: $shader,
            shaders: &[ShaderInfo { path: $shader, fields: Params::FIELDS }],
            requires: Requires::NOTHING,
            views: true,
            pays: Version::ALWAYS,
            exact: false,
            layouts: $layouts,
            lower: |call| by_channels(call, |call| $lower(call, $shader)),
        }
    };
}

pub(super) const FORWARD: &[Version] = &[
    version!("global_avg_pool2d/forward_1_direct", image::all_c4, |call, shader| forward(call, shader, false)),
    version!("global_avg_pool2d/forward_2_wide", image::all_c4, |call, shader| forward(call, shader, true)),
    version!("global_avg_pool2d/forward_3_split", large, split),
    half::version!("global_avg_pool2d/forward_4_half", Params::FIELDS, image::all_c4, |call| {
        by_channels(call, |call| forward(call, "global_avg_pool2d/forward_4_half", true))
    }),
    half::version!("global_avg_pool2d/forward_5_half_split", Params::FIELDS, large, |call| {
        by_channels(call, |call| split(call, "global_avg_pool2d/forward_5_half_split"))
    }),
];

pub(super) const BACKWARD: &[Version] = &[
    version!("global_avg_pool2d/backward_1_direct", image::all_c4, |call, shader| backward(call, shader, false)),
    version!("global_avg_pool2d/backward_2_wide", image::all_c4, |call, shader| backward(call, shader, true)),
];

/// Images large enough for the lanes of a workgroup.
fn large(op: &dyn Op, inputs: &[&[usize]], outputs: &[&[usize]], offered: &[Layout]) -> Option<Layouts> {
    image::all_c4(op, inputs, outputs, offered).filter(|_| inputs[0][2] * inputs[0][3] >= 256)
}

const SLOTS: [Slot; 2] = [Slot::Input(0), Slot::Output(0)];

fn params(image: &[usize], x: &Window, y: &Window, len: u32) -> Params {
    Params {
        c: image[1] as u32,
        plane: (image[2] * image[3]) as u32,
        len,
        x_base: x.base,
        x_stride: x.stride,
        y_base: y.base,
        y_stride: y.stride,
    }
}

fn forward(call: &Call<'_>, shader: &'static str, wide: bool) -> Result<Lowered> {
    let x = &call.inputs[0].shape;
    let pass = Pass::over_output(call, shader, &SLOTS, wide, x[2] * x[3] + 1);
    image::lower(call, &pass, |_, at, len| params(x, &at[0], &at[1], len))
}

/// As many workgroups as the plain pass has invocations.
fn split(call: &Call<'_>, shader: &'static str) -> Result<Lowered> {
    let mut lowered = forward(call, shader, true)?;
    for launch in &mut lowered.launches {
        let block: Params = bytemuck::pod_read_unaligned(&launch.params);
        let [x, y] = fold(block.len as usize);
        (launch.workgroups[0], launch.workgroups[1]) = (x, y);
    }
    Ok(lowered)
}

fn backward(call: &Call<'_>, shader: &'static str, wide: bool) -> Result<Lowered> {
    let x = &call.outputs[0].shape;
    let pass = Pass::over_output(call, shader, &SLOTS, wide, 2);
    image::lower(call, &pass, |_, at, len| params(x, &at[1], &at[0], len))
}
