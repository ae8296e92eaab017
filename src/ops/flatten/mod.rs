//! The values of each sample in a row, as a fully connected layer reads them.
//!
//! out\[n, (c·h + y)·w + x\] = x\[n, c, y, x\]

mod cases;
mod dispatch;
mod gradient;
#[cfg(test)]
mod tests;
mod twin;

use crate::error::{Error, Result};
use crate::graph::{GradientContext, Graph, Op, Value};

use super::{Attributes, Gradient, Kernel, Room, image, twin as twin_of};

/// The room.
pub const ROOM: Room = Room {
    name: "flatten",
    ops: &["flatten"],
    kernels: &[
        Kernel {
            name: "flatten.forward",
            twin: twin_of!(twin::forward),
            versions: dispatch::FORWARD,
            epilogues: &[],
            tolerance: 0.0,
        },
        Kernel {
            name: "flatten.backward",
            twin: twin_of!(twin::backward),
            versions: dispatch::BACKWARD,
            epilogues: &[],
            tolerance: 0.0,
        },
    ],
    cases: cases::cases,
    from_case,
    gradient: Gradient::Kernels(&["flatten.backward"]),
};

/// x (n, c, h, w) to (n, c·h·w).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flatten;

/// The gradient with respect to x: input (gradient of the output).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlattenBackward {
    /// Channels, height and width of x.
    pub sample: [usize; 3],
}

impl Op for Flatten {
    fn kernel(&self) -> &'static str {
        "flatten.forward"
    }

    fn outputs(&self, inputs: &[&[usize]]) -> Result<Vec<Vec<usize>>> {
        let [x] = image::inputs("flatten", inputs)?;
        let [n, c, h, w] = image::four("flatten", "input", x)?;
        Ok(vec![vec![n, c * h * w]])
    }

    fn gradient(&self, context: &mut GradientContext<'_>) -> Result<()> {
        gradient::gradient(context)
    }
}

impl Op for FlattenBackward {
    fn kernel(&self) -> &'static str {
        "flatten.backward"
    }

    fn outputs(&self, inputs: &[&[usize]]) -> Result<Vec<Vec<usize>>> {
        let [gradient] = image::inputs(self.kernel(), inputs)?;
        let [c, h, w] = self.sample;
        let len = crate::tensor::checked_len(&self.sample).filter(|&len| len > 0);
        match (gradient, len) {
            (&[n, got], Some(len)) if got == len => Ok(vec![vec![n, c, h, w]]),
            (_, Some(len)) => Err(Error::shape(self.kernel(), "gradient", format!("[n, {len}]"), gradient)),
            (_, None) => Err(Error::parameter(self.kernel(), format!("sample is {:?}, expected values", self.sample))),
        }
    }
}

impl Graph {
    /// x (n, c, h, w) as (n, c·h·w), row-major as PyTorch's.
    ///
    /// # Errors
    /// [`Error::Shape`] where x has not four dimensions.
    pub fn flatten(&mut self, x: Value) -> Result<Value> {
        self.push1(Flatten, &[x])
    }
}

fn from_case(graph: &mut Graph, _: &str, _: &Attributes<'_>, inputs: &[Value]) -> Result<Vec<Value>> {
    Ok(vec![graph.push1(Flatten, inputs)?])
}
