//! The gradient back in the image's shape.

use crate::error::Result;
use crate::graph::GradientContext;

use super::FlattenBackward;

pub(super) fn gradient(context: &mut GradientContext<'_>) -> Result<()> {
    let (gradient, x) = (context.gradient()?, context.input(0));
    let shape = context.graph.shape(x);
    let op = FlattenBackward { sample: [shape[1], shape[2], shape[3]] };
    let value = context.graph.push1(op, &[gradient])?;
    context.give(0, value);
    Ok(())
}
