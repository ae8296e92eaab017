//! From the outputs, so that forward's input need not be kept.

use crate::error::Result;
use crate::graph::{GradientContext, Op};

pub(super) fn from_output(context: &mut GradientContext<'_>, backward: impl Op) -> Result<()> {
    let (gradient, output) = (context.gradient()?, context.output(0));
    let value = context.graph.push1(backward, &[gradient, output])?;
    context.give(0, value);
    Ok(())
}
