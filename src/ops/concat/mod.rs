//! Values side by side: the channels of the output are those of the inputs, one input after another.
//!
//! out\[n, first(k) + c, y, x\] = input k\[n, c, y, x\], first(k) being the channels of the inputs before k
//!
//! Where every input but the last has a multiple of four channels, a plan can let producers write into the output
//! instead ([`View::Concat`]).

mod cases;
mod dispatch;
mod gradient;
#[cfg(test)]
mod tests;
mod twin;

use crate::error::{Error, Result};
use crate::graph::{GradientContext, Graph, Op, Value, View};

use super::{Attributes, Gradient, Kernel, Room, image, twin as twin_of};

/// The room.
pub const ROOM: Room = Room {
    name: "concat",
    ops: &["concat"],
    kernels: &[Kernel {
        name: "concat.forward",
        twin: twin_of!(twin::forward),
        versions: dispatch::FORWARD,
        epilogues: &[],
        tolerance: 0.0,
    }],
    cases: cases::cases,
    from_case,
    gradient: Gradient::Kernels(&["slice.forward"]),
};

/// Values (n, c, h, w) joined along the channels; one input or more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Concat;

impl Op for Concat {
    fn kernel(&self) -> &'static str {
        "concat.forward"
    }

    fn outputs(&self, inputs: &[&[usize]]) -> Result<Vec<Vec<usize>>> {
        let Some(first) = inputs.first() else {
            return Err(Error::parameter("concat", "takes one input or more, got 0"));
        };
        let [n, _, h, w] = image::four("concat", "input", first)?;
        let mut channels = 0usize;
        for (number, shape) in inputs.iter().enumerate() {
            let [other_n, c, other_h, other_w] = image::four("concat", "input", shape)?;
            if [other_n, other_h, other_w] != [n, h, w] {
                return Err(Error::shape("concat", format!("input {number}"), format!("[{n}, c, {h}, {w}]"), shape));
            }
            channels += c;
        }
        Ok(vec![vec![n, channels, h, w]])
    }

    fn gradient(&self, context: &mut GradientContext<'_>) -> Result<()> {
        gradient::gradient(context)
    }

    fn view(&self, _: &[&[usize]]) -> Option<View> {
        Some(View::Concat)
    }

    fn flops(&self, _: &[&[usize]], _: &[&[usize]]) -> u64 {
        0
    }
}

impl Graph {
    /// The values (n, c, h, w) one after another along the channels.
    ///
    /// # Errors
    /// [`Error::Parameter`] without a value, [`Error::Shape`] where one has not four dimensions, or another batch,
    /// height or width than the first.
    pub fn concat(&mut self, values: &[Value]) -> Result<Value> {
        self.push1(Concat, values)
    }
}

fn from_case(graph: &mut Graph, op: &str, attributes: &Attributes<'_>, inputs: &[Value]) -> Result<Vec<Value>> {
    match attributes.index("dim")? {
        1 => Ok(vec![graph.concat(inputs)?]),
        dim => Err(Error::parameter(op, format!("dim is {dim}, only 1 (the channels) is supported"))),
    }
}
