//! Bindings and workgroups: an invocation for every row, then the mean over rows, or the gradient row by row.

use crate::error::Result;
use crate::gpu::{ParamBlock, gpu_params};
use crate::ops::flat::{WG, all_plain, version};
use crate::ops::{Binding, Call, Launch, Lowered, ShaderInfo, Slot, Version, fold};

use super::{CrossEntropy, CrossEntropyBackward};

gpu_params! {
    /// The uniform block of the shaders that go by rows.
    pub struct RowParams {
        n: u32, c: u32, x_base: u32, t_base: u32, dx_base: u32, first: u32, number: f32, count: f32, nan: f32,
    }
}

gpu_params! {
    /// The uniform block of `cross_entropy/mean`.
    pub struct MeanParams { n: u32 }
}

gpu_params! {
    /// The uniform block of `cross_entropy/total_weight`.
    pub struct TotalParams { n: u32, c: u32 }
}

/// The shader that takes the weighted mean of the rows' losses.
pub(in crate::ops) const MEAN: ShaderInfo = ShaderInfo { path: "cross_entropy/mean", fields: MeanParams::FIELDS };
const TOTAL: ShaderInfo = ShaderInfo { path: "cross_entropy/total_weight", fields: TotalParams::FIELDS };
const ROWS: ShaderInfo = ShaderInfo { path: "cross_entropy/rows_1_direct", fields: RowParams::FIELDS };
const SOFT_ROWS: ShaderInfo = ShaderInfo { path: "cross_entropy/soft_rows_1_direct", fields: RowParams::FIELDS };
const OF_ROWS: ShaderInfo = ShaderInfo { path: "cross_entropy/backward_1_direct", fields: RowParams::FIELDS };
const SOFT_OF_ROWS: ShaderInfo = ShaderInfo { path: "cross_entropy/soft_backward_1_direct", fields: RowParams::FIELDS };

pub(super) const FORWARD: &[Version] = &[version(ROWS.path, &[ROWS, MEAN], all_plain, |call| {
    let smoothing = call.op.expect::<CrossEntropy>()?.label_smoothing;
    rows(call, ROWS.path, smoothing).forward(call)
})];

pub(super) const SOFT_FORWARD: &[Version] =
    &[version(SOFT_ROWS.path, &[SOFT_ROWS, MEAN], all_plain, |call| rows(call, SOFT_ROWS.path, 0.0).forward(call))];

pub(super) const BACKWARD: &[Version] = &[version(OF_ROWS.path, &[OF_ROWS, TOTAL], all_plain, |call| {
    let smoothing = call.op.expect::<CrossEntropyBackward>()?.loss.label_smoothing;
    let mut lowered = Lowered::default();
    let mut more = Vec::new();
    if call.inputs.len() > 3 {
        let total = call.workspace(0, 0, 4);
        let weight = call.whole(Slot::Input(3))?;
        let params = TotalParams { n: call.inputs[0].shape[0] as u32, c: call.inputs[0].shape[1] as u32 };
        let bindings = vec![call.whole(Slot::Input(1))?, weight, total];
        lowered.workspaces.push(4);
        lowered.launches.push(Launch::new(TOTAL.path, &params, bindings, [1; 3]));
        more = vec![weight, total];
    }
    rows(call, OF_ROWS.path, smoothing).backward(call, lowered, &more)
})];

pub(super) const SOFT_BACKWARD: &[Version] = &[version(SOFT_OF_ROWS.path, &[SOFT_OF_ROWS], all_plain, |call| {
    rows(call, SOFT_OF_ROWS.path, 0.0).backward(call, Lowered::default(), &[])
})];

/// The dispatches that go by rows.
pub(in crate::ops) struct Rows {
    shader: &'static str,
    params: RowParams,
}

/// Rows for a call whose first inputs are logits (n, c) and targets. `number` is the loss's own.
pub(in crate::ops) fn rows(call: &Call<'_>, shader: &'static str, number: f32) -> Rows {
    let shape = &call.inputs[0].shape;
    let (count, c) = (shape[0] as f32, shape[1] as u32);
    let params = RowParams { c, number, count, nan: f32::NAN, ..RowParams::default() };
    Rows { shader, params }
}

impl Rows {
    /// The losses of the rows, with class weights as a third input where there are any, then their mean.
    pub(in crate::ops) fn forward(mut self, call: &Call<'_>) -> Result<Lowered> {
        let n = call.inputs[0].shape[0];
        call.check(n * 2)?;
        let parts = call.workspace(0, 0, n * 2);
        let weight = (call.inputs.len() > 2).then(|| call.whole(Slot::Input(2))).transpose()?;
        let mut lowered = Lowered { workspaces: vec![n * 2], ..Lowered::default() };
        for batch in call.batches(&[Slot::Input(0), Slot::Input(1)])? {
            let (x, t) = (call.window(Slot::Input(0), &batch), call.window(Slot::Input(1), &batch));
            self.params.n = batch.len() as u32;
            self.params.first = batch.start as u32;
            (self.params.x_base, self.params.t_base) = (x.base, t.base);
            let mut bindings = vec![x.binding, t.binding, parts];
            bindings.extend(weight);
            lowered.launches.push(self.launch(bindings, weight.is_some()));
        }
        let bindings = vec![parts, call.whole(Slot::Output(0))?];
        lowered.launches.push(Launch::new(MEAN.path, &MeanParams { n: n as u32 }, bindings, [1; 3]));
        Ok(lowered)
    }

    /// The gradient of the logits, after the dispatches of `lowered`; `more` is class weights and what goes with them.
    pub(in crate::ops) fn backward(
        mut self,
        call: &Call<'_>,
        mut lowered: Lowered,
        more: &[Binding],
    ) -> Result<Lowered> {
        let slots = [Slot::Input(0), Slot::Input(1), Slot::Output(0)];
        let gradient = call.whole(Slot::Input(2))?;
        for batch in call.batches(&slots)? {
            let [x, t, dx] = slots.map(|slot| call.window(slot, &batch));
            self.params.n = batch.len() as u32;
            (self.params.x_base, self.params.t_base, self.params.dx_base) = (x.base, t.base, dx.base);
            let bindings = [&[x.binding, t.binding, gradient, dx.binding], more].concat();
            lowered.launches.push(self.launch(bindings, !more.is_empty()));
        }
        Ok(lowered)
    }

    fn launch(&self, bindings: Vec<Binding>, weighted: bool) -> Launch {
        let [x, y] = fold((self.params.n as usize).div_ceil(WG));
        Launch::new(self.shader, &self.params, bindings, [x, y, 1]).var("weighted", weighted)
    }
}
