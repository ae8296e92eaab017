//! Only the image's; mean and standard deviation are constants.

use crate::error::{Error, Result};
use crate::graph::GradientContext;

use super::NormalizeBackward;

pub(super) fn gradient(context: &mut GradientContext<'_>) -> Result<()> {
    if context.wants(1) || context.wants(2) {
        return Err(Error::parameter("normalize", "mean and std are constants and have no gradient"));
    }
    let (gradient, std) = (context.gradient()?, context.input(2));
    let value = context.graph.push1(NormalizeBackward, &[gradient, std])?;
    context.give(0, value);
    Ok(())
}
