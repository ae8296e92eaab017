//! Bindings, workgroups, and which version takes what.

use crate::error::Result;
use crate::gpu::{DeviceType, ParamBlock};
use crate::graph::{Layout, Op};
use crate::ops::convolution::{
    self, Columns, DirectParams, GatherParams, Geometry, Lanes, Parts, SUM, SUM_PARTS, Side, Staging, Taps,
    WeightParams, holds_long_turns, long_weight_worth, long_worth, staged_weight_worth, staged_worth,
};
use crate::ops::{Call, Layouts, Operand, Prospect, Requires, ShaderInfo, Slot, Version, Worth, half};

use super::winograd;
use super::{Conv2d, Conv2dBackwardData, Conv2dBackwardWeight};

pub(super) const BROADCAST: Requires = Requires { subgroup: true, ..Requires::NOTHING };

/// A version of the forward that stores images and weights in 16 bits.
macro_rules! half {
    ($shader:literal, $requires:expr, $staging:expr, $pays:expr) => {
        Version {
            shader: $shader,
            shaders: &[ShaderInfo { path: $shader, fields: GatherParams::FIELDS }],
            requires: $requires,
            views: true,
            pays: $pays,
            exact: true,
            layouts: |op, inputs, outputs, offered| image_layouts(op, inputs, outputs, offered).map(Layouts::halved),
            lower: |call| {
                let staging: fn(&Call<'_>) -> Staging = $staging;
                let geometry = of(call, forward)?;
                let lowered = convolution::gather(call, $shader, &geometry, Side::Y, staging(call), Taps::Each)?;
                Ok(half::lowered(lowered, call))
            },
        }
    };
}

/// A version by the GEMM that writes an image: where it `takes` a geometry, and where it `pays`.
macro_rules! gathered {
    ($geometry:path, $side:path, $shader:literal, $requires:expr, $staging:expr, $taps:expr, $takes:expr, $pays:expr, [$($sum:expr),*]) => {
        Version {
            shader: $shader,
            shaders: &[ShaderInfo { path: $shader, fields: GatherParams::FIELDS }, $($sum),*],
            requires: $requires,
            views: true,
            pays: |prospect| {
                let geometry = $geometry(prospect.op, prospect.inputs, prospect.outputs);
                let pays: fn(&Prospect<'_>, &Geometry) -> Worth = $pays;
                geometry.map_or(Worth::Impossible, |g| pays(prospect, &g))
            },
            exact: true,
            layouts: |op, inputs, outputs, offered| {
                let takes: fn(&Geometry) -> bool = $takes;
                let taken = $geometry(op, inputs, outputs).is_ok_and(|g| takes(&g));
                taken.then(|| image_layouts(op, inputs, outputs, offered)).flatten()
            },
            lower: |call| convolution::gather(call, $shader, &of(call, $geometry)?, $side, $staging, $taps),
        }
    };
}

/// A version of one tap a turn, wherever it can run.
macro_rules! tiled {
    ($geometry:path, $side:path, $shader:literal, $requires:expr, $staging:expr) => {
        gathered!($geometry, $side, $shader, $requires, $staging, Taps::Each, |_| true, |_, _| Worth::Faster, [])
    };
}

/// A version on one subgroup with turns as long as larger instruction caches hold, for tiles of 32 channels.
macro_rules! long {
    ($geometry:path, $side:path, $shader:literal) => {
        gathered!(
            $geometry,
            $side,
            $shader,
            BROADCAST,
            Staging::Subgroup,
            Taps::Long,
            |g| if $side == Side::Y { g.y[0] > 16 } else { g.x[0] > 16 },
            |prospect, g| long_worth(prospect.caps, g, $side),
            []
        )
    };
}

/// A version by rows of taps, whose lanes exchange so many pixels each.
macro_rules! rows {
    ($geometry:path, $side:path, $shader:literal, $pixels:literal, $pays:expr) => {
        gathered!(
            $geometry,
            $side,
            $shader,
            BROADCAST,
            Staging::Subgroup,
            Taps::Rows($pixels),
            Taps::makes_rows,
            $pays,
            []
        )
    };
}

/// A version by workgroup memory that writes an image, with or without sums that are shared out.
macro_rules! staged {
    ($geometry:path, $side:path, $shader:literal) => {
        gathered!(
            $geometry,
            $side,
            $shader,
            Requires::NOTHING,
            Staging::Workgroup,
            Taps::Each,
            |_| true,
            |prospect, _| staged_worth(prospect.caps, [prospect.inputs[0][1], prospect.outputs[0][1]]),
            []
        )
    };
    ($geometry:path, $side:path, $shader:literal, shared) => {
        gathered!(
            $geometry,
            $side,
            $shader,
            Requires::NOTHING,
            Staging::Workgroup,
            Taps::Shared,
            |_| true,
            |prospect, g| Parts::of(g, $side).worth(prospect.caps, g, $side, prospect.fixed),
            [SUM_PARTS]
        )
    };
}

pub(super) const FORWARD: &[Version] = &[
    Version {
        shader: "conv2d/forward_1_direct",
        shaders: &[ShaderInfo { path: "conv2d/forward_1_direct", fields: DirectParams::FIELDS }],
        requires: Requires::NOTHING,
        views: true,
        pays: Version::ALWAYS,
        exact: true,
        layouts: image_layouts,
        lower: |call| convolution::direct(call, "conv2d/forward_1_direct", &of(call, forward)?, Side::Y),
    },
    tiled!(forward, Side::Y, "conv2d/forward_2_tiled", Requires::NOTHING, Staging::Registers),
    tiled!(forward, Side::Y, "conv2d/forward_3_subgroup", BROADCAST, Staging::Subgroup),
    long!(forward, Side::Y, "conv2d/forward_15_long_subgroup"),
    staged!(forward, Side::Y, "conv2d/forward_12_staged"),
    staged!(forward, Side::Y, "conv2d/forward_13_shared", shared),
    rows!(forward, Side::Y, "conv2d/forward_10_rows_subgroup", 4, |prospect, _| by_exchange(prospect)),
    rows!(forward, Side::Y, "conv2d/forward_11_rows_subgroup", 8, |prospect, g| on_a_larger_cache(
        prospect,
        g,
        Side::Y
    )),
    winograd::FORWARD[0],
    winograd::FORWARD[1],
    winograd::FORWARD[2],
    winograd::FORWARD[3],
    winograd::FORWARD[4],
    winograd::FORWARD[5],
    half!("conv2d/forward_8_half", Requires::HALF, |_| Staging::Registers, Version::ALWAYS),
    half!(
        "conv2d/forward_9_half_subgroup",
        Requires { subgroup: true, ..Requires::HALF },
        |_| Staging::Subgroup,
        Version::ALWAYS
    ),
    // Matrix units are new in drivers and in wgpu: only what was right and faster on an adapter is taken there.
    half!(
        "conv2d/forward_16_half_matrix",
        Requires { matrix: true, ..Requires::HALF },
        |call| Staging::matrices(call.caps),
        |_| Worth::Slower
    ),
];

pub(super) const BACKWARD_DATA: &[Version] = &[
    Version {
        shader: "conv2d/backward_data_1_direct",
        shaders: &[ShaderInfo { path: "conv2d/backward_data_1_direct", fields: DirectParams::FIELDS }],
        requires: Requires::NOTHING,
        views: true,
        pays: Version::ALWAYS,
        exact: true,
        layouts: image_layouts,
        lower: |call| convolution::direct(call, "conv2d/backward_data_1_direct", &of(call, backward_data)?, Side::X),
    },
    tiled!(backward_data, Side::X, "conv2d/backward_data_2_tiled", Requires::NOTHING, Staging::Registers),
    tiled!(backward_data, Side::X, "conv2d/backward_data_3_subgroup", BROADCAST, Staging::Subgroup),
    long!(backward_data, Side::X, "conv2d/backward_data_13_long_subgroup"),
    staged!(backward_data, Side::X, "conv2d/backward_data_10_staged"),
    staged!(backward_data, Side::X, "conv2d/backward_data_11_shared", shared),
    rows!(backward_data, Side::X, "conv2d/backward_data_8_rows_subgroup", 4, |prospect, _| by_exchange(prospect)),
    rows!(backward_data, Side::X, "conv2d/backward_data_9_rows_subgroup", 8, |prospect, g| on_a_larger_cache(
        prospect,
        g,
        Side::X
    )),
    winograd::BACKWARD_DATA[0],
    winograd::BACKWARD_DATA[1],
    winograd::BACKWARD_DATA[2],
    winograd::BACKWARD_DATA[3],
    winograd::BACKWARD_DATA[4],
    winograd::BACKWARD_DATA[5],
];

/// Versions that add the same products in the same order as others, those after them, by other tiles or in one dispatch.
pub(crate) const SAME_BITS: &[(&str, &str)] = &[
    ("conv2d/forward_15_long_subgroup", "conv2d/forward_3_subgroup"),
    ("conv2d/forward_17_fused_winograd4_subgroup", "conv2d/forward_7_winograd4_subgroup"),
    ("conv2d/forward_11_rows_subgroup", "conv2d/forward_10_rows_subgroup"),
    ("conv2d/backward_data_13_long_subgroup", "conv2d/backward_data_3_subgroup"),
    ("conv2d/backward_data_14_fused_winograd4_subgroup", "conv2d/backward_data_7_winograd4_subgroup"),
    ("conv2d/backward_data_9_rows_subgroup", "conv2d/backward_data_8_rows_subgroup"),
    ("conv2d/backward_weight_12_long_subgroup", "conv2d/backward_weight_3_subgroup"),
];

pub(super) const BACKWARD_WEIGHT: &[Version] = &[
    Version {
        shader: "conv2d/backward_weight_1_direct",
        shaders: &[ShaderInfo { path: "conv2d/backward_weight_1_direct", fields: DirectParams::FIELDS }],
        requires: Requires::NOTHING,
        views: true,
        pays: Version::ALWAYS,
        exact: true,
        layouts: weight_layouts,
        lower: |call| {
            let geometry = of(call, backward_weight)?;
            convolution::direct_weight(
                call,
                "conv2d/backward_weight_1_direct",
                &geometry,
                Slot::Input(0),
                Slot::Input(1),
            )
        },
    },
    Version {
        shader: "conv2d/backward_weight_2_tiled",
        shaders: &[ShaderInfo { path: "conv2d/backward_weight_2_tiled", fields: WeightParams::FIELDS }, SUM],
        requires: Requires::NOTHING,
        views: true,
        pays: Version::ALWAYS,
        exact: true,
        layouts: weight_layouts,
        lower: |call| {
            let slots = [Slot::Input(0), Slot::Input(1)];
            convolution::weight_gradient(
                call,
                "conv2d/backward_weight_2_tiled",
                &of(call, backward_weight)?,
                slots,
                Staging::Registers,
                Columns::Taps,
            )
        },
    },
    Version {
        shader: "conv2d/backward_weight_3_subgroup",
        shaders: &[ShaderInfo { path: "conv2d/backward_weight_3_subgroup", fields: WeightParams::FIELDS }, SUM],
        requires: BROADCAST,
        views: true,
        pays: Version::ALWAYS,
        exact: true,
        layouts: weight_layouts,
        lower: |call| {
            let slots = [Slot::Input(0), Slot::Input(1)];
            convolution::weight_gradient(
                call,
                "conv2d/backward_weight_3_subgroup",
                &of(call, backward_weight)?,
                slots,
                Staging::Subgroup,
                Columns::Taps,
            )
        },
    },
    Version {
        shader: "conv2d/backward_weight_12_long_subgroup",
        shaders: &[ShaderInfo { path: "conv2d/backward_weight_12_long_subgroup", fields: WeightParams::FIELDS }, SUM],
        requires: BROADCAST,
        views: true,
        pays: |prospect| {
            let geometry = backward_weight(prospect.op, prospect.inputs, prospect.outputs);
            geometry.map_or(Worth::Impossible, |g| long_weight_worth(prospect.caps, &g))
        },
        exact: true,
        layouts: |op, inputs, outputs, offered| {
            let taken = backward_weight(op, inputs, outputs).is_ok_and(|g| g.y[0] > 16);
            taken.then(|| weight_layouts(op, inputs, outputs, offered)).flatten()
        },
        lower: |call| {
            let slots = [Slot::Input(0), Slot::Input(1)];
            let geometry = of(call, backward_weight)?;
            let shader = "conv2d/backward_weight_12_long_subgroup";
            convolution::weight_gradient(call, shader, &geometry, slots, Staging::Subgroup, Columns::Long)
        },
    },
    Version {
        shader: "conv2d/backward_weight_10_staged",
        shaders: &[ShaderInfo { path: "conv2d/backward_weight_10_staged", fields: WeightParams::FIELDS }, SUM],
        requires: Requires::NOTHING,
        views: true,
        pays: |prospect| staged_weight_worth(prospect.caps, [prospect.inputs[0][1], prospect.inputs[1][1]]),
        exact: true,
        layouts: weight_layouts,
        lower: |call| {
            let slots = [Slot::Input(0), Slot::Input(1)];
            let geometry = of(call, backward_weight)?;
            let shader = "conv2d/backward_weight_10_staged";
            convolution::weight_gradient(call, shader, &geometry, slots, Staging::Workgroup, Columns::Taps)
        },
    },
    Version {
        shader: "conv2d/backward_weight_4_rows",
        shaders: &[ShaderInfo { path: "conv2d/backward_weight_4_rows", fields: WeightParams::FIELDS }, SUM],
        requires: Requires::NOTHING,
        views: true,
        pays: by_row_sums,
        exact: true,
        layouts: row_layouts,
        lower: |call| {
            let slots = [Slot::Input(0), Slot::Input(1)];
            let geometry = of(call, backward_weight)?;
            convolution::weight_gradient(
                call,
                "conv2d/backward_weight_4_rows",
                &geometry,
                slots,
                Staging::Registers,
                Columns::Rows,
            )
        },
    },
    Version {
        shader: "conv2d/backward_weight_5_rows_subgroup",
        shaders: &[ShaderInfo { path: "conv2d/backward_weight_5_rows_subgroup", fields: WeightParams::FIELDS }, SUM],
        requires: BROADCAST,
        views: true,
        pays: by_row_sums,
        exact: true,
        layouts: row_layouts,
        lower: |call| {
            let slots = [Slot::Input(0), Slot::Input(1)];
            let geometry = of(call, backward_weight)?;
            convolution::weight_gradient(
                call,
                "conv2d/backward_weight_5_rows_subgroup",
                &geometry,
                slots,
                Staging::Subgroup,
                Columns::Rows,
            )
        },
    },
    winograd::BACKWARD_WEIGHT[0],
    winograd::BACKWARD_WEIGHT[1],
    winograd::BACKWARD_WEIGHT[2],
    winograd::BACKWARD_WEIGHT[3],
    winograd::BACKWARD_WEIGHT[4],
];

/// Image, weight, perhaps bias, to image.
pub(super) fn image_layouts(_: &dyn Op, inputs: &[&[usize]], _: &[&[usize]], _: &[Layout]) -> Option<Layouts> {
    let mut layouts = vec![Layout::C4, Layout::Oihw4];
    layouts.resize(inputs.len(), Layout::Plain);
    Some(Layouts::new(layouts, [Layout::C4]))
}

/// Two images to a weight.
pub(super) fn weight_layouts(_: &dyn Op, _: &[&[usize]], _: &[&[usize]], _: &[Layout]) -> Option<Layouts> {
    Some(Layouts::new([Layout::C4, Layout::C4], [Layout::Oihw4]))
}

/// [`weight_layouts`], where the taps of a row read neighbours.
fn row_layouts(op: &dyn Op, inputs: &[&[usize]], outputs: &[&[usize]], offered: &[Layout]) -> Option<Layouts> {
    let takes = backward_weight(op, inputs, outputs).is_ok_and(|g| Columns::takes_rows(&g));
    takes.then(|| weight_layouts(op, inputs, outputs, offered)).flatten()
}

/// What a lane loads or sums for a row of taps: a processor, whose loads are dear, keeps it in its nearest cache; a GPU may have
/// no registers for it.
fn on_a_processor(prospect: &Prospect<'_>) -> Worth {
    if prospect.caps.adapter.device_type == DeviceType::Cpu { Worth::Faster } else { Worth::Slower }
}

/// So, where lanes exchange it: a software driver does that in one instruction only between eight.
fn by_exchange(prospect: &Prospect<'_>) -> Worth {
    if prospect.caps.vector_lanes() == 8 { on_a_processor(prospect) } else { Worth::Slower }
}

/// So, where lanes sum it. Of sixteen, those of few channels would be idle, and what a strided kernel loads is no less for it.
fn by_row_sums(prospect: &Prospect<'_>) -> Worth {
    let lanes = Lanes::of(prospect.caps);
    let Ok(g) = backward_weight(prospect.op, prospect.inputs, prospect.outputs) else { return Worth::Impossible };
    let [kh, kw] = g.kernel;
    let rows = kh * g.x[0].div_ceil(4);
    let gains = g.stride[1] == 1 && 10 * lanes.computed(rows, 1) * kw <= 11 * lanes.computed(rows * kw, 1);
    if prospect.caps.vector_lanes() == 8 || gains { on_a_processor(prospect) } else { Worth::Slower }
}

/// Twice the code in a turn: more than the nearest instruction cache of most processors holds, and a gain on others where
/// images are not so small that more lanes are idle, nor that one photograph costs less than compiling it.
fn on_a_larger_cache(prospect: &Prospect<'_>, g: &Geometry, writes: Side) -> Worth {
    let [_, h, w] = if writes == Side::Y { g.y } else { g.x };
    let [short, long] = [4, 8].map(|each| Lanes::of(prospect.caps).computed(h * w, each));
    let gains = 10 * long <= 11 * short && !(prospect.fixed && convolution::flops(g, 1) < convolution::LITTLE);
    if holds_long_turns(prospect.caps) && gains { by_exchange(prospect) } else { Worth::Slower }
}

/// The geometry of an op by its shapes.
type GeometryOf = fn(&dyn Op, &[&[usize]], &[&[usize]]) -> Result<Geometry>;

pub(super) fn of(call: &Call<'_>, geometry: GeometryOf) -> Result<Geometry> {
    let shapes = |operands: &'_ [Operand]| operands.iter().map(|operand| operand.shape.clone()).collect::<Vec<_>>();
    let (inputs, outputs) = (shapes(call.own_inputs()), shapes(call.outputs));
    let inputs: Vec<&[usize]> = inputs.iter().map(Vec::as_slice).collect();
    let outputs: Vec<&[usize]> = outputs.iter().map(Vec::as_slice).collect();
    geometry(call.op, &inputs, &outputs)
}

pub(super) fn forward(op: &dyn Op, inputs: &[&[usize]], outputs: &[&[usize]]) -> Result<Geometry> {
    Ok(op.expect::<Conv2d>()?.geometry(inputs[0], outputs[0], [inputs[1][2], inputs[1][3]]))
}

pub(super) fn backward_data(op: &dyn Op, inputs: &[&[usize]], outputs: &[&[usize]]) -> Result<Geometry> {
    let op = op.expect::<Conv2dBackwardData>()?;
    Ok(op.conv.geometry(outputs[0], inputs[0], [inputs[1][2], inputs[1][3]]))
}

pub(super) fn backward_weight(op: &dyn Op, inputs: &[&[usize]], _: &[&[usize]]) -> Result<Geometry> {
    let op = op.expect::<Conv2dBackwardWeight>()?;
    Ok(op.conv.geometry(inputs[0], inputs[1], op.kernel))
}
