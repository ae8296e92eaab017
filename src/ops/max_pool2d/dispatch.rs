//! Bindings and workgroups: one dispatch for each run of samples that the adapter can bind.

use crate::error::Result;
use crate::gpu::ParamBlock;
use crate::graph::{Layout, Op};
use crate::ops::cut::by_channels;
use crate::ops::image::{self, Pass};
use crate::ops::pooling::{PoolParams, Windows};
use crate::ops::{Call, Launch, Layouts, Lowered, Requires, ShaderInfo, Slot, Version, Window, half};

use super::{MaxPool2d, MaxPool2dBackward};

macro_rules! version {
    ($shader:literal, $layouts:path, $lower:expr) => {
        Version {
            shader: $shader,
            shaders: &[ShaderInfo { path: $shader, fields: PoolParams::FIELDS }],
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
    version!("max_pool2d/forward_1_direct", image::all_c4, |call, shader| forward(call, shader, false)),
    version!("max_pool2d/forward_2_wide", image::all_c4, |call, shader| forward(call, shader, true)),
    version!("max_pool2d/forward_4_taps", few_taps_layouts, taps_forward),
    half::version!("max_pool2d/forward_3_half", PoolParams::FIELDS, image::all_c4, |call| {
        by_channels(call, |call| forward(call, "max_pool2d/forward_3_half", true))
    }),
];

pub(super) const BACKWARD: &[Version] = &[
    version!("max_pool2d/backward_1_direct", image::all_c4, direct),
    Version {
        shader: "max_pool2d/backward_2_winners",
        shaders: &[
            ShaderInfo { path: "max_pool2d/backward_2_winners", fields: PoolParams::FIELDS },
            ShaderInfo { path: "max_pool2d/backward_2_gather", fields: PoolParams::FIELDS },
        ],
        requires: Requires::NOTHING,
        views: true,
        pays: Version::ALWAYS,
        exact: false,
        layouts: numbered_layouts,
        lower: |call| by_channels(call, winners),
    },
    version!("max_pool2d/backward_3_disjoint", disjoint_layouts, disjoint),
    Version {
        shader: "max_pool2d/backward_4_cells",
        shaders: &[
            ShaderInfo { path: "max_pool2d/backward_4_winners", fields: PoolParams::FIELDS },
            ShaderInfo { path: "max_pool2d/backward_4_cells", fields: PoolParams::FIELDS },
        ],
        requires: Requires::NOTHING,
        views: true,
        pays: Version::ALWAYS,
        exact: false,
        layouts: small_layouts,
        lower: |call| by_channels(call, cells),
    },
    version!("max_pool2d/backward_5_taps", disjoint_taps_layouts, taps_disjoint),
];

/// Taps, and pixels of a cell, that a shader writes out.
const WRITTEN_OUT: usize = 16;

/// x, the gradient of the output, what the epilogue reads, and the gradient of x.
fn slots(call: &Call<'_>) -> Vec<Slot> {
    (0..call.inputs.len()).map(Slot::Input).chain([Slot::Output(0)]).collect()
}

/// A tap's number must be a whole number of f32.
fn numbered_layouts(op: &dyn Op, inputs: &[&[usize]], outputs: &[&[usize]], offered: &[Layout]) -> Option<Layouts> {
    let windows = op.downcast::<MaxPool2dBackward>()?.pool.windows();
    image::all_c4(op, inputs, outputs, offered).filter(|_| taps(&windows) <= 1 << 24)
}

fn disjoint_layouts(op: &dyn Op, inputs: &[&[usize]], outputs: &[&[usize]], offered: &[Layout]) -> Option<Layouts> {
    let disjoint = op.downcast::<MaxPool2dBackward>()?.pool.windows().disjoint();
    image::all_c4(op, inputs, outputs, offered).filter(|_| disjoint)
}

/// Whether a shader can write out both the taps of a window and the pixels of a cell.
fn is_written_out(windows: &Windows) -> bool {
    taps(windows) <= WRITTEN_OUT && windows.stride[0] * windows.stride[1] <= WRITTEN_OUT
}

/// Overlapping windows whose taps a shader can write out.
fn small_layouts(op: &dyn Op, inputs: &[&[usize]], outputs: &[&[usize]], offered: &[Layout]) -> Option<Layouts> {
    let windows = op.downcast::<MaxPool2dBackward>()?.pool.windows();
    image::all_c4(op, inputs, outputs, offered).filter(|_| is_written_out(&windows) && !windows.disjoint())
}

/// Windows whose taps a shader can write out.
fn few_taps_layouts(op: &dyn Op, inputs: &[&[usize]], outputs: &[&[usize]], offered: &[Layout]) -> Option<Layouts> {
    let few = taps(&op.downcast::<MaxPool2d>()?.windows()) <= WRITTEN_OUT;
    image::all_c4(op, inputs, outputs, offered).filter(|_| few)
}

/// Such that do not overlap.
fn disjoint_taps_layouts(
    op: &dyn Op,
    inputs: &[&[usize]],
    outputs: &[&[usize]],
    offered: &[Layout],
) -> Option<Layouts> {
    let windows = op.downcast::<MaxPool2dBackward>()?.pool.windows();
    disjoint_layouts(op, inputs, outputs, offered).filter(|_| is_written_out(&windows))
}

/// As [`forward`], with the taps written out.
fn taps_forward(call: &Call<'_>, shader: &'static str) -> Result<Lowered> {
    let windows = call.op.expect::<MaxPool2d>()?.windows();
    let mut lowered = forward(call, shader, true)?;
    lowered.launches = lowered.launches.into_iter().map(|launch| taps_vars(&windows, launch)).collect();
    Ok(lowered)
}

/// As [`disjoint`], with taps and cells written out.
fn taps_disjoint(call: &Call<'_>, shader: &'static str) -> Result<Lowered> {
    let windows = call.op.expect::<MaxPool2dBackward>()?.pool.windows();
    let mut lowered = disjoint(call, shader)?;
    let cells = |launch| cell_vars(&windows, taps_vars(&windows, launch));
    lowered.launches = lowered.launches.into_iter().map(cells).collect();
    Ok(lowered)
}

fn taps_vars(windows: &Windows, launch: Launch) -> Launch {
    launch.var("kh", windows.kernel[0] as i64).var("kw", windows.kernel[1] as i64)
}

fn cell_vars(windows: &Windows, launch: Launch) -> Launch {
    launch.var("sy", windows.stride[0] as i64).var("sx", windows.stride[1] as i64)
}

fn forward(call: &Call<'_>, shader: &'static str, wide: bool) -> Result<Lowered> {
    let windows = call.op.expect::<MaxPool2d>()?.windows();
    let (x, out) = (&call.inputs[0].shape, &call.outputs[0].shape);
    let slots = [Slot::Input(0), Slot::Output(0)];
    let pass = Pass::over_output(call, shader, &slots, wide, taps(&windows) + 1);
    image::lower(call, &pass, |_, at, len| windows.params(x, [out[2], out[3]], [at.first(), at.get(1), None], len))
}

fn in_windows(windows: &Windows) -> usize {
    (0..2).map(|axis| windows.kernel[axis].div_ceil(windows.stride[axis])).product()
}

/// Every pixel looks through all windows that it is in.
fn direct(call: &Call<'_>, shader: &'static str) -> Result<Lowered> {
    let windows = call.op.expect::<MaxPool2dBackward>()?.pool.windows();
    let slots = slots(call);
    let pass = Pass::over_output(call, shader, &slots, false, in_windows(&windows) * (taps(&windows) + 1) + 1);
    backward(call, &windows, &pass)
}

/// Every pixel looks through the winners of all windows that it is in.
fn winners(call: &Call<'_>) -> Result<Lowered> {
    let windows = call.op.expect::<MaxPool2dBackward>()?.pool.windows();
    let slots = slots(call);
    let sum = Pass::over_output(call, "max_pool2d/backward_2_gather", &slots, true, 2 * in_windows(&windows) + 1);
    by_winners(call, &windows, "max_pool2d/backward_2_winners", &sum, |launch| launch)
}

/// As [`winners`], with loops written out.
fn cells(call: &Call<'_>) -> Result<Lowered> {
    let windows = call.op.expect::<MaxPool2dBackward>()?.pool.windows();
    let moves = 2 * in_windows(&windows) + windows.stride[0] * windows.stride[1];
    let shader = "max_pool2d/backward_4_cells";
    let slots = slots(call);
    let sum = Pass { shader, batched: &slots, whole: &[], wide: true, each: cells_of(call, &windows), moves };
    by_winners(call, &windows, "max_pool2d/backward_4_winners", &sum, |launch| {
        let launch = taps_vars(&windows, launch);
        if launch.shader == shader { cell_vars(&windows, launch) } else { launch }
    })
}

/// For each run of samples: the winners of its windows into the workspace by the shader `find`, then the pass `sum`.
fn by_winners(
    call: &Call<'_>,
    windows: &Windows,
    find: &'static str,
    sum: &Pass<'_>,
    vars: impl Fn(Launch) -> Launch,
) -> Result<Lowered> {
    let (x, pooled) = (&call.inputs[0].shape, &call.inputs[1]);
    let size = [pooled.shape[2], pooled.shape[3]];
    let each = pooled.sample() / 4;
    let find = Pass { shader: find, batched: sum.batched, whole: &[], wide: true, each, moves: taps(windows) + 1 };
    let mut lowered = Lowered::default();
    let mut most = 0;
    for batch in image::runs(call, sum)? {
        let [image, gradient, out] =
            [Slot::Input(0), Slot::Input(1), Slot::Output(0)].map(|slot| call.window(slot, &batch));
        let floats = batch.len() * pooled.sample();
        most = most.max(floats);
        let won = Window { binding: call.workspace(0, 0, floats), base: 0, stride: pooled.sample() as u32 };
        let block = windows.params(x, size, [Some(&image), Some(&won), None], find.each as u32);
        lowered.launches.push(vars(find.launch(call, &block, vec![image.binding, won.binding], batch.len())));
        let extras = call.extras(&batch);
        let block = windows.params(x, size, [Some(&out), Some(&gradient), Some(&won)], sum.each as u32);
        let mut bindings = vec![won.binding, gradient.binding];
        bindings.extend(extras.bindings());
        bindings.push(out.binding);
        let launch = sum.launch(call, &block.with(&extras), bindings, batch.len());
        lowered.launches.push(vars(launch).epilogue(call));
    }
    lowered.workspaces.push(most);
    Ok(lowered)
}

/// The stride's cells of a sample's padded image, for each four channels.
fn cells_of(call: &Call<'_>, windows: &Windows) -> usize {
    let x = &call.inputs[0].shape;
    let along = |axis: usize| (x[2 + axis] + windows.padding[axis]).div_ceil(windows.stride[axis]);
    x[1].div_ceil(4) * along(0) * along(1)
}

fn disjoint(call: &Call<'_>, shader: &'static str) -> Result<Lowered> {
    let windows = call.op.expect::<MaxPool2dBackward>()?.pool.windows();
    let each = cells_of(call, &windows);
    let moves = taps(&windows) + 1 + windows.stride[0] * windows.stride[1];
    backward(call, &windows, &Pass { shader, batched: &slots(call), whole: &[], wide: true, each, moves })
}

fn backward(call: &Call<'_>, windows: &Windows, pass: &Pass<'_>) -> Result<Lowered> {
    let (x, pooled) = (&call.inputs[0].shape, &call.inputs[1].shape);
    let size = [pooled[2], pooled[3]];
    let mut lowered = image::lower(call, pass, |batch, at, len| {
        windows.params(x, size, [at.first(), at.get(1), at.last()], len).with(&call.extras(batch))
    })?;
    for launch in &mut lowered.launches {
        *launch = launch.clone().epilogue(call);
    }
    Ok(lowered)
}

fn taps(windows: &Windows) -> usize {
    windows.kernel[0] * windows.kernel[1]
}
