//! Every pixel gets an equal share.

use crate::error::Result;
use crate::graph::GradientContext;

use super::GlobalAvgPool2dBackward;

pub(super) fn gradient(context: &mut GradientContext<'_>) -> Result<()> {
    let (gradient, x) = (context.gradient()?, context.input(0));
    let shape = context.graph.shape(x);
    let op = GlobalAvgPool2dBackward { size: [shape[2], shape[3]] };
    let value = context.graph.push1(op, &[gradient])?;
    context.give(0, value);
    Ok(())
}
