//! From x and the statistics: the batch's, which forward gives as outputs, or the running ones.

use crate::error::{Error, Result};
use crate::graph::GradientContext;

use super::{BatchNorm2d, BatchNorm2dBackward};

pub(super) fn gradient(op: &BatchNorm2d, context: &mut GradientContext<'_>) -> Result<()> {
    // In training y does not depend on the running statistics, which may be those that the part of the batch before gave.
    if !op.training && (context.wants(3) || context.wants(4)) {
        return Err(Error::parameter("batch_norm2d", "its running statistics take no gradient"));
    }
    let (x, weight, gradient) = (context.input(0), context.input(1), context.gradient()?);
    let statistics = match op.training {
        true => [context.output(3), context.output(4)],
        false => [context.input(3), context.input(4)],
    };
    let backward = BatchNorm2dBackward { training: op.training, eps: op.eps };
    let values = context.graph.push(backward, &[x, weight, statistics[0], statistics[1], gradient])?;
    for (input, value) in values.into_iter().enumerate() {
        context.give(input, value);
    }
    Ok(())
}
