//! Bindings: average, weight, hyper, control.

use crate::error::Result;
use crate::gpu::{ParamBlock, gpu_params};
use crate::ops::flat::{all_plain, version};
use crate::ops::slab::{Step, step};
use crate::ops::{Call, Lowered, ShaderInfo, Slot, Version};

gpu_params! {
    /// The uniform block of both versions.
    pub struct Params { len: u32 }
}

pub(super) const STEP: &[Version] = &[
    version(
        "ema/step_1_direct",
        &[ShaderInfo { path: "ema/step_1_direct", fields: Params::FIELDS }],
        all_plain,
        |call| lower(call, "ema/step_1_direct", false),
    ),
    version("ema/step_2_wide", &[ShaderInfo { path: "ema/step_2_wide", fields: Params::FIELDS }], all_plain, |call| {
        lower(call, "ema/step_2_wide", true)
    }),
];

fn lower(call: &Call<'_>, shader: &'static str, by_quads: bool) -> Result<Lowered> {
    let operands =
        Step { slabs: &[Slot::Output(0), Slot::Input(1)], small: [Slot::Input(2), Slot::Input(3)], segments: None };
    step(call, shader, by_quads, operands, |len, _| Params { len })
}
