//! Bindings: weight, gradient, first and second moment, hyper, control, segments.

use crate::error::Result;
use crate::gpu::{ParamBlock, gpu_params};
use crate::ops::flat::{all_plain, version};
use crate::ops::slab::{Step, step};
use crate::ops::{Call, Lowered, ShaderInfo, Slot, Version};

use super::AdamW;

gpu_params! {
    /// The uniform block of both versions.
    pub struct Params {
        len: u32, segment: u32, rest1: f32, beta2: f32, rest2: f32, eps: f32, weight_decay: f32,
    }
}

pub(super) const STEP: &[Version] = &[
    version(
        "adamw/step_1_direct",
        &[ShaderInfo { path: "adamw/step_1_direct", fields: Params::FIELDS }],
        all_plain,
        |call| lower(call, "adamw/step_1_direct", false),
    ),
    version(
        "adamw/step_2_wide",
        &[ShaderInfo { path: "adamw/step_2_wide", fields: Params::FIELDS }],
        all_plain,
        |call| lower(call, "adamw/step_2_wide", true),
    ),
];

fn lower(call: &Call<'_>, shader: &'static str, by_quads: bool) -> Result<Lowered> {
    let adamw: &AdamW = call.op.expect()?;
    let operands = Step {
        slabs: &[Slot::Output(0), Slot::Input(1), Slot::Output(1), Slot::Output(2)],
        small: [Slot::Input(4), Slot::Input(5)],
        segments: Some(Slot::Input(6)),
    };
    step(call, shader, by_quads, operands, |len, segment| Params {
        len,
        segment,
        rest1: (1.0 - adamw.beta1) as f32,
        beta2: adamw.beta2 as f32,
        rest2: (1.0 - adamw.beta2) as f32,
        eps: adamw.eps as f32,
        weight_decay: adamw.weight_decay as f32,
    })
}
