//! Each input's gradient is its range of the output's, which a plan may leave where it is.

use crate::error::Result;
use crate::graph::GradientContext;
use crate::ops::slice::Slice;

pub(super) fn gradient(context: &mut GradientContext<'_>) -> Result<()> {
    let gradient = context.gradient()?;
    let mut start = 0;
    for at in 0..context.inputs() {
        let input = context.input(at);
        let end = start + context.graph.shape(input)[1];
        if context.wants(at) {
            let value = context.graph.push1(Slice::new(start, end)?, &[gradient])?;
            context.give(at, value);
        }
        start = end;
    }
    Ok(())
}
