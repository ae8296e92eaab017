//! dx from the weight, dweight from x, dbias a sum over the batch.

use crate::error::Result;
use crate::graph::GradientContext;

use super::{LinearBackwardBias, LinearBackwardData, LinearBackwardWeight};

pub(super) fn gradient(context: &mut GradientContext<'_>) -> Result<()> {
    let gradient = context.gradient()?;
    let (x, weight) = (context.input(0), context.input(1));
    if context.wants(2) {
        let value = context.graph.push1(LinearBackwardBias, &[gradient])?;
        context.give(2, value);
    }
    if context.wants(1) {
        let value = context.graph.push1(LinearBackwardWeight, &[x, gradient])?;
        context.give(1, value);
    }
    if context.wants(0) {
        let value = context.graph.push1(LinearBackwardData, &[gradient, weight])?;
        context.give(0, value);
    }
    Ok(())
}
