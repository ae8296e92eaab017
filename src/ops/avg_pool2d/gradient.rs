//! Every window gives each of its pixels an equal share.

use crate::error::Result;
use crate::graph::GradientContext;

use super::{AvgPool2d, AvgPool2dBackward};

pub(super) fn gradient(pool: &AvgPool2d, context: &mut GradientContext<'_>) -> Result<()> {
    let (gradient, x) = (context.gradient()?, context.input(0));
    let shape = context.graph.shape(x);
    let op = AvgPool2dBackward { pool: *pool, size: [shape[2], shape[3]] };
    let value = context.graph.push1(op, &[gradient])?;
    context.give(0, value);
    Ok(())
}
