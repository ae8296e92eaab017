//! The gradient back in its place.

use crate::error::Result;
use crate::graph::GradientContext;

use super::{Slice, SliceBackward};

pub(super) fn gradient(slice: &Slice, context: &mut GradientContext<'_>) -> Result<()> {
    let (gradient, x) = (context.gradient()?, context.input(0));
    let op = SliceBackward { slice: *slice, channels: context.graph.shape(x)[1] };
    let value = context.graph.push1(op, &[gradient])?;
    context.give(0, value);
    Ok(())
}
