//! What the calls of a plan cost.

use crate::gpu::Timing;
use crate::ops::{Call, Lowered};

use super::lower::Steps;

/// One call of a kernel in a plan: what it is, and what it took in a profiled run.
#[derive(Debug, Clone)]
pub struct CallProfile {
    /// The node's place in the model.
    pub name: String,
    /// The kernel, `conv2d.forward` say.
    pub kernel: &'static str,
    /// The version that ran, by its shader.
    pub version: &'static str,
    /// Shapes of the inputs, then of the outputs: `8x16x72x96 32x16x3x3 -> 8x32x72x96`.
    pub shape: String,
    /// Floating-point operations, as the field counts them: 0 for what only moves data.
    pub flops: u64,
    /// Bytes of the inputs and the outputs: what must be read and written at least.
    pub bytes: u64,
    /// Its dispatches, with their times on the device.
    pub dispatches: Vec<Timing>,
}

impl CallProfile {
    /// Nanoseconds on the device, of all dispatches.
    #[must_use]
    pub fn nanoseconds(&self) -> f64 {
        self.dispatches.iter().map(|timing| timing.nanoseconds).sum()
    }
}

/// The calls of a run from the times of its dispatches, which are in the plan's order.
pub(super) fn calls(
    steps: &Steps,
    lowered: &[Lowered],
    caps: &crate::gpu::Caps,
    timings: Vec<Timing>,
) -> Vec<CallProfile> {
    let mut timings = timings.into_iter();
    let mut calls = Vec::with_capacity(steps.steps.len());
    for (step, lowered) in steps.steps.iter().zip(lowered).skip(steps.prelude) {
        let operands = |items: &[usize]| items.iter().map(|&item| steps.operand(item)).collect::<Vec<_>>();
        let (inputs, outputs) = (operands(&step.inputs), operands(&step.outputs));
        let call = Call { op: &*step.op, inputs: &inputs, outputs: &outputs, epilogue: step.epilogue, caps };
        let text = |shape: &[usize]| shape.iter().map(usize::to_string).collect::<Vec<_>>().join("x");
        let list =
            |items: &[usize]| items.iter().map(|&item| text(&steps.items[item].shape)).collect::<Vec<_>>().join(" ");
        let count = |items: &[usize]| -> u64 {
            let bytes = |item: &usize| {
                let item = &steps.items[*item];
                item.shape.iter().product::<usize>() as u64 * 4 / item.layout.per_float() as u64
            };
            items.iter().map(bytes).sum()
        };
        calls.push(CallProfile {
            name: step.name.clone(),
            kernel: step.op.kernel(),
            version: step.version.shader,
            shape: format!("{} -> {}", list(&step.inputs), list(&step.outputs)),
            flops: call.flops(),
            bytes: count(&step.inputs) + count(&step.outputs),
            dispatches: timings.by_ref().take(lowered.launches.len()).collect(),
        });
    }
    calls
}
