//! Which kernels give the gradients.

use crate::error::{Error, Result};
use crate::graph::{GradientContext, Op};

use super::{Add, Mul, Relu, ReluBackward, Scale, Sigmoid, SigmoidBackward};

pub(super) fn none(op: &dyn Op, _: &mut GradientContext<'_>) -> Result<()> {
    Err(Error::parameter(op.kernel(), "is itself a gradient; second derivatives are not supported"))
}

/// From the output, so that a convolution with relu in its epilogue keeps nothing else.
pub(super) fn relu(_: &Relu, context: &mut GradientContext<'_>) -> Result<()> {
    let (gradient, output) = (context.gradient()?, context.output(0));
    let value = context.graph.push1(ReluBackward, &[gradient, output])?;
    context.give(0, value);
    Ok(())
}

pub(super) fn sigmoid(_: &Sigmoid, context: &mut GradientContext<'_>) -> Result<()> {
    let (gradient, input) = (context.gradient()?, context.input(0));
    let value = context.graph.push1(SigmoidBackward, &[gradient, input])?;
    context.give(0, value);
    Ok(())
}

pub(super) fn scale(op: &Scale, context: &mut GradientContext<'_>) -> Result<()> {
    let gradient = context.gradient()?;
    let value = context.graph.push1(*op, &[gradient])?;
    context.give(0, value);
    Ok(())
}

pub(super) fn add(_: &Add, context: &mut GradientContext<'_>) -> Result<()> {
    let gradient = context.gradient()?;
    context.give(0, gradient);
    context.give(1, gradient);
    Ok(())
}

pub(super) fn mul(_: &Mul, context: &mut GradientContext<'_>) -> Result<()> {
    let gradient = context.gradient()?;
    for (input, other) in [(0, 1), (1, 0)] {
        if context.wants(input) {
            let other = context.input(other);
            let value = context.graph.push1(Mul, &[gradient, other])?;
            context.give(input, value);
        }
    }
    Ok(())
}
