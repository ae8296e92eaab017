//! Bindings and workgroups: one dispatch for each run of samples that the adapter can bind.

use crate::error::Result;
use crate::gpu::{ParamBlock, gpu_params};
use crate::ops::cut::by_channels;
use crate::ops::image::{self, Pass};
use crate::ops::{Call, Lowered, Requires, ShaderInfo, Slot, Version, Window, half};

gpu_params! {
    /// The uniform block of every shader of the room; x is the side of the image.
    pub struct Params {
        c: u32, h: u32, w: u32, oh: u32, ow: u32, len: u32,
        x_base: u32, x_stride: u32, y_base: u32, y_stride: u32,
    }
}

macro_rules! version {
    ($shader:literal, $lower:path, $wide:literal) => {
        Version {
            shader: $shader,
            shaders: &[ShaderInfo { path: $shader, fields: Params::FIELDS }],
            requires: Requires::NOTHING,
            views: true,
            pays: Version::ALWAYS,
            exact: false,
            layouts: image::all_c4,
            lower: |call| by_channels(call, |call| $lower(call, $shader, $wide)),
        }
    };
}

pub(super) const FORWARD: &[Version] = &[
    version!("resize_bilinear/forward_1_direct", forward, false),
    version!("resize_bilinear/forward_2_wide", forward, true),
    half::version!("resize_bilinear/forward_3_half", Params::FIELDS, image::all_c4, |call| {
        by_channels(call, |call| forward(call, "resize_bilinear/forward_3_half", true))
    }),
];

pub(super) const BACKWARD: &[Version] = &[
    version!("resize_bilinear/backward_1_direct", backward, false),
    version!("resize_bilinear/backward_2_wide", backward, true),
];

const SLOTS: [Slot; 2] = [Slot::Input(0), Slot::Output(0)];

fn params(image: &[usize], resized: &[usize], x: &Window, y: &Window, len: u32) -> Params {
    Params {
        c: image[1] as u32,
        h: image[2] as u32,
        w: image[3] as u32,
        oh: resized[2] as u32,
        ow: resized[3] as u32,
        len,
        x_base: x.base,
        x_stride: x.stride,
        y_base: y.base,
        y_stride: y.stride,
    }
}

fn forward(call: &Call<'_>, shader: &'static str, wide: bool) -> Result<Lowered> {
    let (x, out) = (&call.inputs[0].shape, &call.outputs[0].shape);
    let pass = Pass::over_output(call, shader, &SLOTS, wide, 5);
    image::lower(call, &pass, |_, at, len| params(x, out, &at[0], &at[1], len))
}

fn backward(call: &Call<'_>, shader: &'static str, wide: bool) -> Result<Lowered> {
    let (resized, x) = (&call.inputs[0].shape, &call.outputs[0].shape);
    // A pixel is mixed into the output pixels of two of its own widths on each axis.
    let mixed: usize = (2..4).map(|axis| (2 * resized[axis]).div_ceil(x[axis]) + 1).product();
    let pass = Pass::over_output(call, shader, &SLOTS, wide, mixed + 1);
    image::lower(call, &pass, |_, at, len| params(x, resized, &at[1], &at[0], len))
}
