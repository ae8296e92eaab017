//! The versions by Winograd's convolutions, for 3×3 kernels with stride 1.

use crate::gpu::ParamBlock;
use crate::ops::convolution::{
    Computes, FusedParams, GRADIENT, GatherParams, INPUT, OUTPUT, Side, Staging, WEIGHT, WEIGHT_GRADIENT, WeightParams,
    Winograd,
};
use crate::ops::{Requires, ShaderInfo, Version, Worth};

use super::dispatch::{self, BROADCAST};

/// One version: what it computes, its shader and those around it, whether the weight's points can be kept, m, and where
/// the products keep their operands.
macro_rules! version {
    ($geometry:path, $layouts:path, $computes:expr, $lower:expr, $shader:literal, $fields:expr, [$($around:expr),*], $kept:literal, $winograd:expr) => {
        Version {
            shader: $shader,
            shaders: &[ShaderInfo { path: $shader, fields: $fields }, $($around),*],
            requires: match $winograd.staging {
                Staging::Subgroup => BROADCAST,
                _ => Requires::NOTHING,
            },
            views: true,
            exact: $winograd.m == 2,
            pays: |prospect| {
                let geometry = $geometry(prospect.op, prospect.inputs, prospect.outputs);
                geometry.map_or(Worth::Impossible, |g| $winograd.worth(prospect.caps, &g, $computes, $kept && prospect.fixed))
            },
            layouts: |op, inputs, outputs, offered| {
                let takes = $geometry(op, inputs, outputs).is_ok_and(|g| Winograd::takes(&g));
                takes.then(|| $layouts(op, inputs, outputs, offered)).flatten()
            },
            lower: |call| $lower($winograd, call, $shader),
        }
    };
}

/// By several dispatches, its products where `$staging` says.
macro_rules! form {
    ($m:literal, $staging:ident) => {
        Winograd { m: $m, staging: Staging::$staging, fused: false }
    };
}

/// By one dispatch.
const FUSED: Winograd = Winograd { m: 4, staging: Staging::Subgroup, fused: true };

/// A version that writes an image: of the forward, or of the data gradient.
macro_rules! image {
    ($geometry:path, $side:path, $lower:ident, $shader:literal, $fields:expr, $around:tt, $winograd:expr) => {
        version!(
            $geometry,
            dispatch::image_layouts,
            Computes::Image($side),
            |winograd: Winograd, call, shader| winograd.$lower(call, shader, &dispatch::of(call, $geometry)?, $side),
            $shader,
            $fields,
            $around,
            true,
            $winograd
        )
    };
    ($geometry:path, $side:path, $shader:literal, fused) => {
        image!($geometry, $side, fused, $shader, FusedParams::FIELDS, [WEIGHT], FUSED)
    };
    ($geometry:path, $side:path, $shader:literal, $m:literal, $staging:ident) => {
        image!($geometry, $side, gather, $shader, GatherParams::FIELDS, [WEIGHT, INPUT, OUTPUT], form!($m, $staging))
    };
}

macro_rules! forward {
    ($($version:tt)*) => { image!(dispatch::forward, Side::Y, $($version)*) };
}

macro_rules! backward_data {
    ($($version:tt)*) => { image!(dispatch::backward_data, Side::X, $($version)*) };
}

macro_rules! backward_weight {
    ($shader:literal, $m:literal, $staging:ident) => {
        version!(
            dispatch::backward_weight,
            dispatch::weight_layouts,
            Computes::Weight,
            |winograd: Winograd, call, shader| winograd.weight_gradient(
                call,
                shader,
                &dispatch::of(call, dispatch::backward_weight)?
            ),
            $shader,
            WeightParams::FIELDS,
            [INPUT, GRADIENT, WEIGHT_GRADIENT],
            false,
            form!($m, $staging)
        )
    };
}

pub(super) const FORWARD: [Version; 6] = [
    forward!("conv2d/forward_4_winograd2", 2, Registers),
    forward!("conv2d/forward_5_winograd4", 4, Registers),
    forward!("conv2d/forward_6_winograd2_subgroup", 2, Subgroup),
    forward!("conv2d/forward_7_winograd4_subgroup", 4, Subgroup),
    forward!("conv2d/forward_17_fused_winograd4_subgroup", fused),
    forward!("conv2d/forward_14_winograd4_staged", 4, Workgroup),
];

pub(super) const BACKWARD_DATA: [Version; 6] = [
    backward_data!("conv2d/backward_data_4_winograd2", 2, Registers),
    backward_data!("conv2d/backward_data_5_winograd4", 4, Registers),
    backward_data!("conv2d/backward_data_6_winograd2_subgroup", 2, Subgroup),
    backward_data!("conv2d/backward_data_7_winograd4_subgroup", 4, Subgroup),
    backward_data!("conv2d/backward_data_14_fused_winograd4_subgroup", fused),
    backward_data!("conv2d/backward_data_12_winograd4_staged", 4, Workgroup),
];

pub(super) const BACKWARD_WEIGHT: [Version; 5] = [
    backward_weight!("conv2d/backward_weight_6_winograd2", 2, Registers),
    backward_weight!("conv2d/backward_weight_7_winograd4", 4, Registers),
    backward_weight!("conv2d/backward_weight_8_winograd2_subgroup", 2, Subgroup),
    backward_weight!("conv2d/backward_weight_9_winograd4_subgroup", 4, Subgroup),
    backward_weight!("conv2d/backward_weight_11_winograd4_staged", 4, Workgroup),
];
