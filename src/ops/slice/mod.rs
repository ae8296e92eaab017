//! A range of a value's channels.
//!
//! out\[n, c, y, x\] = x\[n, start + c, y, x\]
//!
//! Where the range starts at a multiple of four, a plan can read it where it is ([`View::Slice`]).

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
    name: "slice",
    ops: &["slice"],
    kernels: &[
        Kernel {
            name: "slice.forward",
            twin: twin_of!(twin::forward),
            versions: dispatch::FORWARD,
            epilogues: &[],
            tolerance: 0.0,
        },
        Kernel {
            name: "slice.backward",
            twin: twin_of!(twin::backward),
            versions: dispatch::BACKWARD,
            epilogues: &[],
            tolerance: 0.0,
        },
    ],
    cases: cases::cases,
    from_case,
    gradient: Gradient::Kernels(&["slice.backward"]),
};

/// The channels from `start` to before `end` of x (n, c, h, w).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slice {
    /// The first channel.
    pub start: usize,
    /// The channel behind the last.
    pub end: usize,
}

impl Slice {
    /// Checked parameters.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a range without a channel.
    pub fn new(start: usize, end: usize) -> Result<Self> {
        match start < end {
            true => Ok(Self { start, end }),
            false => Err(Error::parameter("slice", format!("channels {start} to {end}, expected at least one"))),
        }
    }
}

/// The gradient with respect to x: input (gradient of the output); zeros outside of the range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SliceBackward {
    /// The slice.
    pub slice: Slice,
    /// Channels of x.
    pub channels: usize,
}

impl Op for Slice {
    fn kernel(&self) -> &'static str {
        "slice.forward"
    }

    fn outputs(&self, inputs: &[&[usize]]) -> Result<Vec<Vec<usize>>> {
        let [x] = image::inputs("slice", inputs)?;
        let [n, c, h, w] = image::four("slice", "input", x)?;
        let Self { start, end } = *self;
        match start < end && end <= c {
            true => Ok(vec![vec![n, end - start, h, w]]),
            false => Err(Error::shape("slice", "input", format!("four dimensions with channels {start} to {end}"), x)),
        }
    }

    fn gradient(&self, context: &mut GradientContext<'_>) -> Result<()> {
        gradient::gradient(self, context)
    }

    fn view(&self, _: &[&[usize]]) -> Option<View> {
        Some(View::Slice { start: self.start })
    }

    fn flops(&self, _: &[&[usize]], _: &[&[usize]]) -> u64 {
        0
    }
}

impl Op for SliceBackward {
    fn kernel(&self) -> &'static str {
        "slice.backward"
    }

    fn outputs(&self, inputs: &[&[usize]]) -> Result<Vec<Vec<usize>>> {
        let [gradient] = image::inputs(self.kernel(), inputs)?;
        let [n, _, h, w] = image::four(self.kernel(), "gradient", gradient)?;
        let x = vec![n, self.channels, h, w];
        image::same(self.kernel(), "gradient", gradient, &self.slice.outputs(&[&x])?[0])?;
        Ok(vec![x])
    }

    fn flops(&self, _: &[&[usize]], _: &[&[usize]]) -> u64 {
        0
    }
}

impl Graph {
    /// The channels from `start` to before `end` of x (n, c, h, w).
    ///
    /// # Errors
    /// [`Error::Parameter`] for a range without a channel, [`Error::Shape`] where x has no such channels.
    pub fn slice(&mut self, x: Value, start: usize, end: usize) -> Result<Value> {
        self.push1(Slice::new(start, end)?, &[x])
    }
}

fn from_case(graph: &mut Graph, op: &str, attributes: &Attributes<'_>, inputs: &[Value]) -> Result<Vec<Value>> {
    match attributes.index("dim")? {
        1 => {
            let slice = Slice::new(attributes.index("start")?, attributes.index("end")?)?;
            Ok(vec![graph.push1(slice, inputs)?])
        }
        dim => Err(Error::parameter(op, format!("dim is {dim}, only 1 (the channels) is supported"))),
    }
}
