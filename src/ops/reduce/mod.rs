//! Sums: over everything but the channels (a bias's gradient), and over everything.

mod cases;
mod dispatch;
#[cfg(test)]
mod tests;
mod twin;

use crate::error::{Error, Result};
use crate::graph::{Graph, Op, Value};

use super::{Attributes, Gradient, Kernel, Room, twin as twin_of};

/// The room.
pub const ROOM: Room = Room {
    name: "reduce",
    ops: &[],
    kernels: &[Kernel {
        name: "reduce.channel_sum",
        twin: twin_of!(twin::channel_sum),
        versions: dispatch::CHANNEL_SUM,
        epilogues: &[],
        tolerance: 1e-5,
    }],
    cases: cases::cases,
    from_case,
    gradient: Gradient::None { why: "it only appears in gradients" },
};

/// x (n, c, h, w) to (c): the sum over n, h and w.
#[derive(Debug, Clone, Copy)]
pub struct ChannelSum;

impl Op for ChannelSum {
    fn kernel(&self) -> &'static str {
        "reduce.channel_sum"
    }

    fn outputs(&self, inputs: &[&[usize]]) -> Result<Vec<Vec<usize>>> {
        match inputs {
            [x] if x.len() == 4 => Ok(vec![vec![x[1]]]),
            [x] => Err(Error::shape(self.kernel(), "input", "four dimensions", x)),
            _ => Err(Error::parameter(self.kernel(), "takes one input")),
        }
    }

    fn flops(&self, inputs: &[&[usize]], _: &[&[usize]]) -> u64 {
        inputs[0].iter().product::<usize>() as u64
    }
}

fn from_case(_: &mut Graph, op: &str, _: &Attributes<'_>, _: &[Value]) -> Result<Vec<Value>> {
    Err(Error::parameter(op, "has no reference cases"))
}
