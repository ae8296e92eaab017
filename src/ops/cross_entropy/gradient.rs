//! From the inputs; only the logits take a gradient.

use crate::error::{Error, Result};
use crate::graph::{GradientContext, Op};

/// Appends `backward` of (logits, target, gradient, perhaps class weights).
pub(in crate::ops) fn of_logits(context: &mut GradientContext<'_>, backward: impl Op) -> Result<()> {
    if (1..context.inputs()).any(|input| context.wants(input)) {
        return Err(Error::parameter(backward.kernel(), "only logits take a gradient, neither targets nor weights do"));
    }
    let mut inputs = vec![context.input(0), context.input(1), context.gradient()?];
    if context.inputs() > 2 {
        inputs.push(context.input(2));
    }
    let value = context.graph.push1(backward, &inputs)?;
    context.give(0, value);
    Ok(())
}
