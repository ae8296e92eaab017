//! dx from the weight, dw from x, db a sum over pixels; forward keeps nothing but its inputs.

use crate::error::Result;
use crate::graph::GradientContext;
use crate::ops::reduce::ChannelSum;

use super::{ConvTranspose2d, ConvTranspose2dBackwardData, ConvTranspose2dBackwardWeight};

pub(super) fn gradient(conv: &ConvTranspose2d, context: &mut GradientContext<'_>) -> Result<()> {
    let gradient = context.gradient()?;
    let (x, weight) = (context.input(0), context.input(1));
    if context.wants(2) {
        let value = context.graph.push1(ChannelSum, &[gradient])?;
        context.give(2, value);
    }
    if context.wants(1) {
        let shape = context.graph.shape(weight);
        let op = ConvTranspose2dBackwardWeight { conv: *conv, kernel: [shape[2], shape[3]] };
        let value = context.graph.push1(op, &[x, gradient])?;
        context.give(1, value);
    }
    if context.wants(0) {
        let shape = context.graph.shape(x);
        let op = ConvTranspose2dBackwardData { conv: *conv, size: [shape[2], shape[3]] };
        let value = context.graph.push1(op, &[gradient, weight])?;
        context.give(0, value);
    }
    Ok(())
}
