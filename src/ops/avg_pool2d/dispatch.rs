//! Bindings and workgroups: one dispatch for each run of samples that the adapter can bind.

use crate::error::Result;
use crate::gpu::ParamBlock;
use crate::ops::cut::by_channels;
use crate::ops::image::{self, Pass};
use crate::ops::pooling::PoolParams;
use crate::ops::{Call, Lowered, Requires, ShaderInfo, Slot, Version, half};

use super::{AvgPool2d, AvgPool2dBackward};

macro_rules! version {
    ($shader:literal, $lower:path, $wide:literal) => {
        Version {
            shader: $shader,
            shaders: &[ShaderInfo { path: $shader, fields: PoolParams::FIELDS }],
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
    version!("avg_pool2d/forward_1_direct", forward, false),
    version!("avg_pool2d/forward_2_wide", forward, true),
    half::version!("avg_pool2d/forward_3_half", PoolParams::FIELDS, image::all_c4, |call| {
        by_channels(call, |call| forward(call, "avg_pool2d/forward_3_half", true))
    }),
];

pub(super) const BACKWARD: &[Version] = &[
    version!("avg_pool2d/backward_1_direct", backward, false),
    version!("avg_pool2d/backward_2_wide", backward, true),
];

const SLOTS: [Slot; 2] = [Slot::Input(0), Slot::Output(0)];

fn forward(call: &Call<'_>, shader: &'static str, wide: bool) -> Result<Lowered> {
    let windows = call.op.expect::<AvgPool2d>()?.windows();
    let (x, out) = (&call.inputs[0].shape, &call.outputs[0].shape);
    let pass = Pass::over_output(call, shader, &SLOTS, wide, windows.kernel[0] * windows.kernel[1] + 1);
    image::lower(call, &pass, |_, at, len| windows.params(x, [out[2], out[3]], [at.first(), at.get(1), None], len))
}

fn backward(call: &Call<'_>, shader: &'static str, wide: bool) -> Result<Lowered> {
    let windows = call.op.expect::<AvgPool2dBackward>()?.pool.windows();
    let (pooled, x) = (&call.inputs[0].shape, &call.outputs[0].shape);
    let in_windows: usize = (0..2).map(|axis| windows.kernel[axis].div_ceil(windows.stride[axis])).product();
    let pass = Pass::over_output(call, shader, &SLOTS, wide, in_windows + 1);
    let size = [pooled[2], pooled[3]];
    image::lower(call, &pass, |_, at, len| windows.params(x, size, [at.get(1), at.first(), None], len))
}
