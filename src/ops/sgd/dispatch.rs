//! Bindings: weight, gradient, momentum, hyper, control, segments.

use crate::error::Result;
use crate::gpu::{ParamBlock, gpu_params};
use crate::ops::flat::{all_plain, version};
use crate::ops::slab::{Step, step};
use crate::ops::{Call, Lowered, ShaderInfo, Slot, Version};

use super::Sgd;

gpu_params! {
    /// The uniform block of both versions.
    pub struct Params { len: u32, segment: u32, momentum: f32, weight_decay: f32 }
}

pub(super) const STEP: &[Version] = &[
    version(
        "sgd/step_1_direct",
        &[ShaderInfo { path: "sgd/step_1_direct", fields: Params::FIELDS }],
        all_plain,
        |call| lower(call, "sgd/step_1_direct", false),
    ),
    version("sgd/step_2_wide", &[ShaderInfo { path: "sgd/step_2_wide", fields: Params::FIELDS }], all_plain, |call| {
        lower(call, "sgd/step_2_wide", true)
    }),
];

fn lower(call: &Call<'_>, shader: &'static str, by_quads: bool) -> Result<Lowered> {
    let &Sgd { momentum, weight_decay } = call.op.expect()?;
    let operands = Step {
        slabs: &[Slot::Output(0), Slot::Input(1), Slot::Output(1)],
        small: [Slot::Input(3), Slot::Input(4)],
        segments: Some(Slot::Input(5)),
    };
    step(call, shader, by_quads, operands, |len, segment| Params { len, segment, momentum, weight_decay })
}
