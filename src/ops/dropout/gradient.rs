//! The same elements are dropped again.

use crate::error::Result;
use crate::graph::GradientContext;

use super::Dropout;

pub(super) fn gradient(dropout: &Dropout, context: &mut GradientContext<'_>) -> Result<()> {
    let (gradient, step) = (context.gradient()?, context.input(1));
    let value = context.graph.push1(*dropout, &[gradient, step])?;
    context.give(0, value);
    Ok(())
}
