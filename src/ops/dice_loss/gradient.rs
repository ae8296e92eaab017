//! From the inputs; the images' sums are taken again. A target takes no gradient.

use crate::error::{Error, Result};
use crate::graph::GradientContext;

use super::{DiceLoss, DiceLossBackward};

pub(super) fn gradient(loss: DiceLoss, context: &mut GradientContext<'_>) -> Result<()> {
    if context.wants(1) {
        return Err(Error::parameter("dice_loss", "its target takes no gradient"));
    }
    let (logits, target, gradient) = (context.input(0), context.input(1), context.gradient()?);
    let value = context.graph.push1(DiceLossBackward { loss }, &[logits, target, gradient])?;
    context.give(0, value);
    Ok(())
}
