//! From x again: where a window's maximum stands is recomputed, so forward keeps nothing but its input.

use crate::error::Result;
use crate::graph::GradientContext;

use super::{MaxPool2d, MaxPool2dBackward};

pub(super) fn gradient(pool: &MaxPool2d, context: &mut GradientContext<'_>) -> Result<()> {
    let (gradient, x) = (context.gradient()?, context.input(0));
    let value = context.graph.push1(MaxPool2dBackward { pool: *pool }, &[x, gradient])?;
    context.give(0, value);
    Ok(())
}
