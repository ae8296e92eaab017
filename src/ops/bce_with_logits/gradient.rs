//! From the inputs; a target takes no gradient.

use crate::error::{Error, Result};
use crate::graph::GradientContext;

use super::BceWithLogitsBackward;

pub(super) fn gradient(context: &mut GradientContext<'_>) -> Result<()> {
    if context.wants(1) {
        return Err(Error::parameter("bce_with_logits", "its target takes no gradient"));
    }
    let (logits, target, gradient) = (context.input(0), context.input(1), context.gradient()?);
    let value = context.graph.push1(BceWithLogitsBackward, &[logits, target, gradient])?;
    context.give(0, value);
    Ok(())
}
