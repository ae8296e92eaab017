//! Bindings, workgroups, and which version takes what.

use crate::error::Result;
use crate::gpu::ParamBlock;
use crate::graph::{Layout, Op};
use crate::ops::convolution::{
    self, Columns, DirectParams, GatherParams, Geometry, LARGE_TILES_FROM, SUM, Side, Staging, Taps, WeightParams,
    staged_weight_worth, staged_worth,
};
use crate::ops::{Call, Layouts, Prospect, Requires, ShaderInfo, Slot, Version, Worth, half};

use super::{ConvTranspose2d, ConvTranspose2dBackwardData, ConvTranspose2dBackwardWeight};

const BROADCAST: Requires = Requires { subgroup: true, ..Requires::NOTHING };

const HALF_BROADCAST: Requires = Requires { subgroup: true, ..Requires::HALF };

/// A version of the forward that stores images and weights in 16 bits.
macro_rules! half {
    ($shader:literal, $requires:expr, $layouts:path, $staging:expr, $taps:expr) => {
        Version {
            shader: $shader,
            shaders: &[ShaderInfo { path: $shader, fields: GatherParams::FIELDS }],
            requires: $requires,
            views: true,
            pays: Version::ALWAYS,
            exact: true,
            layouts: |op, inputs, outputs, offered| $layouts(op, inputs, outputs, offered).map(Layouts::halved),
            lower: |call| {
                let lowered = convolution::gather(call, $shader, &forward(call)?, Side::X, $staging, $taps)?;
                Ok(half::lowered(lowered, call))
            },
        }
    };
}

pub(super) const FORWARD: &[Version] = &[
    Version {
        shader: "conv_transpose2d/forward_1_direct",
        shaders: &[ShaderInfo { path: "conv_transpose2d/forward_1_direct", fields: DirectParams::FIELDS }],
        requires: Requires::NOTHING,
        views: true,
        pays: Version::ALWAYS,
        exact: true,
        layouts: image_layouts,
        lower: |call| convolution::direct(call, "conv_transpose2d/forward_1_direct", &forward(call)?, Side::X),
    },
    Version {
        shader: "conv_transpose2d/forward_2_tiled",
        shaders: &[ShaderInfo { path: "conv_transpose2d/forward_2_tiled", fields: GatherParams::FIELDS }],
        requires: Requires::NOTHING,
        views: true,
        pays: Version::ALWAYS,
        exact: true,
        layouts: image_layouts,
        lower: |call| {
            convolution::gather(
                call,
                "conv_transpose2d/forward_2_tiled",
                &forward(call)?,
                Side::X,
                Staging::Registers,
                Taps::Each,
            )
        },
    },
    Version {
        shader: "conv_transpose2d/forward_3_subgroup",
        shaders: &[ShaderInfo { path: "conv_transpose2d/forward_3_subgroup", fields: GatherParams::FIELDS }],
        requires: BROADCAST,
        views: true,
        pays: Version::ALWAYS,
        exact: true,
        layouts: image_layouts,
        lower: |call| {
            convolution::gather(
                call,
                "conv_transpose2d/forward_3_subgroup",
                &forward(call)?,
                Side::X,
                Staging::Subgroup,
                Taps::Each,
            )
        },
    },
    Version {
        shader: "conv_transpose2d/forward_4_subpixel",
        shaders: &[ShaderInfo { path: "conv_transpose2d/forward_4_subpixel", fields: GatherParams::FIELDS }],
        requires: Requires::NOTHING,
        views: true,
        pays: Version::ALWAYS,
        exact: true,
        layouts: subpixel_layouts,
        lower: |call| {
            convolution::gather(
                call,
                "conv_transpose2d/forward_4_subpixel",
                &forward(call)?,
                Side::X,
                Staging::Registers,
                Taps::Apart,
            )
        },
    },
    Version {
        shader: "conv_transpose2d/forward_5_subpixel_subgroup",
        shaders: &[ShaderInfo { path: "conv_transpose2d/forward_5_subpixel_subgroup", fields: GatherParams::FIELDS }],
        requires: BROADCAST,
        views: true,
        pays: Version::ALWAYS,
        exact: true,
        layouts: subpixel_layouts,
        lower: |call| {
            convolution::gather(
                call,
                "conv_transpose2d/forward_5_subpixel_subgroup",
                &forward(call)?,
                Side::X,
                Staging::Subgroup,
                Taps::Apart,
            )
        },
    },
    Version {
        shader: "conv_transpose2d/forward_11_joined_subgroup",
        shaders: &[ShaderInfo { path: "conv_transpose2d/forward_11_joined_subgroup", fields: GatherParams::FIELDS }],
        requires: BROADCAST,
        views: true,
        pays: joined_worth,
        exact: true,
        layouts: subpixel_layouts,
        lower: |call| {
            let shader = "conv_transpose2d/forward_11_joined_subgroup";
            convolution::gather(call, shader, &forward(call)?, Side::X, Staging::Subgroup, Taps::Joined)
        },
    },
    Version {
        shader: "conv_transpose2d/forward_10_subpixel_staged",
        shaders: &[ShaderInfo { path: "conv_transpose2d/forward_10_subpixel_staged", fields: GatherParams::FIELDS }],
        requires: Requires::NOTHING,
        views: true,
        pays: |prospect| staged_worth(prospect.caps, [prospect.inputs[0][1], prospect.outputs[0][1]]),
        exact: true,
        layouts: subpixel_layouts,
        lower: |call| {
            let shader = "conv_transpose2d/forward_10_subpixel_staged";
            convolution::gather(call, shader, &forward(call)?, Side::X, Staging::Workgroup, Taps::Apart)
        },
    },
    half!("conv_transpose2d/forward_6_half", Requires::HALF, image_layouts, Staging::Registers, Taps::Each),
    half!("conv_transpose2d/forward_7_half_subgroup", HALF_BROADCAST, image_layouts, Staging::Subgroup, Taps::Each),
    half!(
        "conv_transpose2d/forward_8_half_subpixel",
        Requires::HALF,
        subpixel_layouts,
        Staging::Registers,
        Taps::Apart
    ),
    half!(
        "conv_transpose2d/forward_9_half_subpixel_subgroup",
        HALF_BROADCAST,
        subpixel_layouts,
        Staging::Subgroup,
        Taps::Apart
    ),
];

/// Versions that add the same products in the same order as others, those after them.
pub(crate) const SAME_BITS: &[(&str, &str)] =
    &[("conv_transpose2d/forward_11_joined_subgroup", "conv_transpose2d/forward_5_subpixel_subgroup")];

pub(super) const BACKWARD_DATA: &[Version] = &[
    Version {
        shader: "conv_transpose2d/backward_data_1_direct",
        shaders: &[ShaderInfo { path: "conv_transpose2d/backward_data_1_direct", fields: DirectParams::FIELDS }],
        requires: Requires::NOTHING,
        views: true,
        pays: Version::ALWAYS,
        exact: true,
        layouts: image_layouts,
        lower: |call| {
            convolution::direct(call, "conv_transpose2d/backward_data_1_direct", &backward_data(call)?, Side::Y)
        },
    },
    Version {
        shader: "conv_transpose2d/backward_data_2_tiled",
        shaders: &[ShaderInfo { path: "conv_transpose2d/backward_data_2_tiled", fields: GatherParams::FIELDS }],
        requires: Requires::NOTHING,
        views: true,
        pays: Version::ALWAYS,
        exact: true,
        layouts: image_layouts,
        lower: |call| {
            convolution::gather(
                call,
                "conv_transpose2d/backward_data_2_tiled",
                &backward_data(call)?,
                Side::Y,
                Staging::Registers,
                Taps::Each,
            )
        },
    },
    Version {
        shader: "conv_transpose2d/backward_data_3_subgroup",
        shaders: &[ShaderInfo { path: "conv_transpose2d/backward_data_3_subgroup", fields: GatherParams::FIELDS }],
        requires: BROADCAST,
        views: true,
        pays: Version::ALWAYS,
        exact: true,
        layouts: image_layouts,
        lower: |call| {
            convolution::gather(
                call,
                "conv_transpose2d/backward_data_3_subgroup",
                &backward_data(call)?,
                Side::Y,
                Staging::Subgroup,
                Taps::Each,
            )
        },
    },
    Version {
        shader: "conv_transpose2d/backward_data_4_staged",
        shaders: &[ShaderInfo { path: "conv_transpose2d/backward_data_4_staged", fields: GatherParams::FIELDS }],
        requires: Requires::NOTHING,
        views: true,
        pays: |prospect| staged_worth(prospect.caps, [prospect.inputs[0][1], prospect.outputs[0][1]]),
        exact: true,
        layouts: image_layouts,
        lower: |call| {
            let shader = "conv_transpose2d/backward_data_4_staged";
            convolution::gather(call, shader, &backward_data(call)?, Side::Y, Staging::Workgroup, Taps::Each)
        },
    },
];

pub(super) const BACKWARD_WEIGHT: &[Version] = &[
    Version {
        shader: "conv_transpose2d/backward_weight_1_direct",
        shaders: &[ShaderInfo { path: "conv_transpose2d/backward_weight_1_direct", fields: DirectParams::FIELDS }],
        requires: Requires::NOTHING,
        views: true,
        pays: Version::ALWAYS,
        exact: true,
        layouts: weight_layouts,
        lower: |call| {
            let geometry = backward_weight(call)?;
            convolution::direct_weight(
                call,
                "conv_transpose2d/backward_weight_1_direct",
                &geometry,
                Slot::Input(1),
                Slot::Input(0),
            )
        },
    },
    Version {
        shader: "conv_transpose2d/backward_weight_2_tiled",
        shaders: &[ShaderInfo { path: "conv_transpose2d/backward_weight_2_tiled", fields: WeightParams::FIELDS }, SUM],
        requires: Requires::NOTHING,
        views: true,
        pays: Version::ALWAYS,
        exact: true,
        layouts: weight_layouts,
        lower: |call| {
            let slots = [Slot::Input(1), Slot::Input(0)];
            convolution::weight_gradient(
                call,
                "conv_transpose2d/backward_weight_2_tiled",
                &backward_weight(call)?,
                slots,
                Staging::Registers,
                Columns::Taps,
            )
        },
    },
    Version {
        shader: "conv_transpose2d/backward_weight_3_subgroup",
        shaders: &[
            ShaderInfo { path: "conv_transpose2d/backward_weight_3_subgroup", fields: WeightParams::FIELDS },
            SUM,
        ],
        requires: BROADCAST,
        views: true,
        pays: Version::ALWAYS,
        exact: true,
        layouts: weight_layouts,
        lower: |call| {
            let slots = [Slot::Input(1), Slot::Input(0)];
            convolution::weight_gradient(
                call,
                "conv_transpose2d/backward_weight_3_subgroup",
                &backward_weight(call)?,
                slots,
                Staging::Subgroup,
                Columns::Taps,
            )
        },
    },
    Version {
        shader: "conv_transpose2d/backward_weight_4_staged",
        shaders: &[ShaderInfo { path: "conv_transpose2d/backward_weight_4_staged", fields: WeightParams::FIELDS }, SUM],
        requires: Requires::NOTHING,
        views: true,
        pays: |prospect| staged_weight_worth(prospect.caps, [prospect.inputs[1][1], prospect.inputs[0][1]]),
        exact: true,
        layouts: weight_layouts,
        lower: |call| {
            let slots = [Slot::Input(1), Slot::Input(0)];
            let shader = "conv_transpose2d/backward_weight_4_staged";
            convolution::weight_gradient(
                call,
                shader,
                &backward_weight(call)?,
                slots,
                Staging::Workgroup,
                Columns::Taps,
            )
        },
    },
];

/// Image, weight, perhaps bias, to image.
fn image_layouts(_: &dyn Op, inputs: &[&[usize]], _: &[&[usize]], _: &[Layout]) -> Option<Layouts> {
    let mut layouts = vec![Layout::C4, Layout::Iohw4];
    layouts.resize(inputs.len(), Layout::Plain);
    Some(Layouts::new(layouts, [Layout::C4]))
}

/// As [`image_layouts`], where no two taps meet and none is cut off.
fn subpixel_layouts(op: &dyn Op, inputs: &[&[usize]], outputs: &[&[usize]], offered: &[Layout]) -> Option<Layouts> {
    let conv = op.downcast::<ConvTranspose2d>()?;
    let plain = conv.padding == [0, 0] && conv.output_padding == [0, 0] && conv.dilation == [1, 1];
    let apart = plain && inputs[1][2..] == conv.stride;
    apart.then(|| image_layouts(op, inputs, outputs, offered)).flatten()
}

/// Larger tiles take a driver longer to compile, half a second of a U-Net's: for one small photograph more than they gain.
fn joined_worth(prospect: &Prospect<'_>) -> Worth {
    let work = prospect.op.flops(prospect.inputs, prospect.outputs) / prospect.inputs[0][0].max(1) as u64;
    if work >= LARGE_TILES_FROM { Worth::Faster } else { Worth::Slower }
}

/// Two images to a weight.
fn weight_layouts(_: &dyn Op, _: &[&[usize]], _: &[&[usize]], _: &[Layout]) -> Option<Layouts> {
    Some(Layouts::new([Layout::C4, Layout::C4], [Layout::Iohw4]))
}

fn forward(call: &Call<'_>) -> Result<Geometry> {
    let weight = &call.inputs[1].shape;
    let conv = call.op.expect::<ConvTranspose2d>()?;
    Ok(conv.geometry(&call.inputs[0].shape, &call.outputs[0].shape, [weight[2], weight[3]]))
}

fn backward_data(call: &Call<'_>) -> Result<Geometry> {
    let weight = &call.inputs[1].shape;
    let op = call.op.expect::<ConvTranspose2dBackwardData>()?;
    Ok(op.conv.geometry(&call.outputs[0].shape, &call.inputs[0].shape, [weight[2], weight[3]]))
}

fn backward_weight(call: &Call<'_>) -> Result<Geometry> {
    let op = call.op.expect::<ConvTranspose2dBackwardWeight>()?;
    Ok(op.conv.geometry(&call.inputs[0].shape, &call.inputs[1].shape, op.kernel))
}
