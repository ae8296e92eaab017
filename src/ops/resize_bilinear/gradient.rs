//! Each pixel gathers from the output pixels that mix it.

use crate::error::Result;
use crate::graph::GradientContext;

use super::{ResizeBilinear, ResizeBilinearBackward};

pub(super) fn gradient(resize: &ResizeBilinear, context: &mut GradientContext<'_>) -> Result<()> {
    let (gradient, x) = (context.gradient()?, context.input(0));
    let shape = context.graph.shape(x);
    let op = ResizeBilinearBackward { resize: *resize, from: [shape[2], shape[3]] };
    let value = context.graph.push1(op, &[gradient])?;
    context.give(0, value);
    Ok(())
}
