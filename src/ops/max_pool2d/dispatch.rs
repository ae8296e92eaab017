//! Bindings and workgroups: one dispatch for each run of samples that the adapter can bind.

use crate::error::Result;
use crate::gpu::ParamBlock;
use crate::graph::{Layout, Op};
use crate::ops::image::{self, Pass};
use crate::ops::pooling::{PoolParams, Windows};
use crate::ops::{Call, Layouts, Lowered, Requires, ShaderInfo, Slot, Version};

use super::{MaxPool2d, MaxPool2dBackward};

macro_rules! version {
    ($shader:literal, $layouts:path, $lower:expr) => {
        Version {
            shader: $shader,
            shaders: &[ShaderInfo { path: $shader, fields: PoolParams::FIELDS }],
            requires: Requires::NOTHING,
            views: true,
            layouts: $layouts,
            lower: |call| $lower(call, $shader),
        }
    };
}

pub(super) const FORWARD: &[Version] = &[
    version!("max_pool2d/forward_1_direct", image::all_c4, |call, shader| forward(call, shader, false)),
    version!("max_pool2d/forward_2_wide", image::all_c4, |call, shader| forward(call, shader, true)),
];

pub(super) const BACKWARD: &[Version] = &[
    version!("max_pool2d/backward_1_direct", image::all_c4, |call, shader| backward(call, shader, false)),
    version!("max_pool2d/backward_2_wide", image::all_c4, |call, shader| backward(call, shader, true)),
    version!("max_pool2d/backward_3_disjoint", disjoint_layouts, disjoint),
];

fn disjoint_layouts(op: &dyn Op, inputs: &[&[usize]], outputs: &[&[usize]], offered: &[Layout]) -> Option<Layouts> {
    let disjoint = op.downcast::<MaxPool2dBackward>()?.pool.windows().disjoint();
    image::all_c4(op, inputs, outputs, offered).filter(|_| disjoint)
}

fn forward(call: &Call<'_>, shader: &'static str, wide: bool) -> Result<Lowered> {
    let windows = call.op.expect::<MaxPool2d>()?.windows();
    let (x, out) = (&call.inputs[0].shape, &call.outputs[0].shape);
    let slots = [Slot::Input(0), Slot::Output(0)];
    let pass = Pass::over_output(call, shader, &slots, wide, taps(&windows) + 1);
    image::lower(call, &pass, |_, at, len| windows.params(x, [out[2], out[3]], [at.first(), at.get(1), None], len))
}

/// Every pixel looks through all windows that it is in.
fn backward(call: &Call<'_>, shader: &'static str, wide: bool) -> Result<Lowered> {
    let windows = call.op.expect::<MaxPool2dBackward>()?.pool.windows();
    let in_windows: usize = (0..2).map(|axis| windows.kernel[axis].div_ceil(windows.stride[axis])).product();
    backward_pass(call, &windows, |slots| {
        Pass::over_output(call, shader, slots, wide, in_windows * (taps(&windows) + 1) + 1)
    })
}

fn disjoint(call: &Call<'_>, shader: &'static str) -> Result<Lowered> {
    let windows = call.op.expect::<MaxPool2dBackward>()?.pool.windows();
    let x = &call.inputs[0].shape;
    let cells = |axis: usize| (x[2 + axis] + windows.padding[axis]).div_ceil(windows.stride[axis]);
    let each = x[1].div_ceil(4) * cells(0) * cells(1);
    let moves = taps(&windows) + 1 + windows.stride[0] * windows.stride[1];
    backward_pass(call, &windows, |slots| Pass { shader, batched: slots, whole: &[], wide: true, each, moves })
}

fn backward_pass<'a>(call: &Call<'_>, windows: &Windows, pass: impl Fn(&'a [Slot]) -> Pass<'a>) -> Result<Lowered> {
    let (x, pooled) = (&call.inputs[0].shape, &call.inputs[1].shape);
    let pass = pass(&[Slot::Input(0), Slot::Input(1), Slot::Output(0)]);
    let size = [pooled[2], pooled[3]];
    image::lower(call, &pass, |_, at, len| windows.params(x, size, [at.first(), at.get(1), at.get(2)], len))
}

fn taps(windows: &Windows) -> usize {
    windows.kernel[0] * windows.kernel[1]
}
