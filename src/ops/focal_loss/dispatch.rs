//! Bindings and workgroups: those of cross-entropy, whose rows these are.

use crate::gpu::ParamBlock;
use crate::ops::cross_entropy::{MEAN, RowParams, rows};
use crate::ops::flat::{all_plain, version};
use crate::ops::{Lowered, ShaderInfo, Slot, Version};

use super::{FocalLoss, FocalLossBackward};

const ROWS: ShaderInfo = ShaderInfo { path: "focal_loss/rows_1_direct", fields: RowParams::FIELDS };
const OF_ROWS: ShaderInfo = ShaderInfo { path: "focal_loss/backward_1_direct", fields: RowParams::FIELDS };

pub(super) const FORWARD: &[Version] = &[version(ROWS.path, &[ROWS, MEAN], all_plain, |call| {
    let gamma = call.op.expect::<FocalLoss>()?.gamma;
    rows(call, ROWS.path, gamma).forward(call)
})];

pub(super) const BACKWARD: &[Version] = &[version(OF_ROWS.path, &[OF_ROWS], all_plain, |call| {
    let gamma = call.op.expect::<FocalLossBackward>()?.loss.gamma;
    let weights = if call.inputs.len() > 3 { vec![call.whole(Slot::Input(3))?] } else { vec![] };
    rows(call, OF_ROWS.path, gamma).backward(call, Lowered::default(), &weights)
})];
