//! The mean of each channel of an image.
//!
//! out\[n, c, 0, 0\] = Σ over y, x of x\[n, c, y, x\] / (h·w)

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
    name: "global_avg_pool2d",
    ops: &["global_avg_pool2d"],
    kernels: &[
        Kernel {
            name: "global_avg_pool2d.forward",
            twin: twin_of!(twin::forward),
            versions: dispatch::FORWARD,
            epilogues: &[],
            tolerance: 1e-5,
        },
        Kernel {
            name: "global_avg_pool2d.backward",
            twin: twin_of!(twin::backward),
            versions: dispatch::BACKWARD,
            epilogues: &[],
            tolerance: 1e-6,
        },
    ],
    cases: cases::cases,
    from_case,
    gradient: Gradient::Kernels(&["global_avg_pool2d.backward"]),
};

/// x (n, c, h, w) to (n, c, 1, 1): the mean over h and w.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GlobalAvgPool2d;

/// The gradient with respect to x: input (gradient of the output).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GlobalAvgPool2dBackward {
    /// Height and width of x.
    pub size: [usize; 2],
}

impl Op for GlobalAvgPool2d {
    fn kernel(&self) -> &'static str {
        "global_avg_pool2d.forward"
    }

    fn outputs(&self, inputs: &[&[usize]]) -> Result<Vec<Vec<usize>>> {
        let [x] = image::inputs("global_avg_pool2d", inputs)?;
        let [n, c, _, _] = image::four("global_avg_pool2d", "input", x)?;
        Ok(vec![vec![n, c, 1, 1]])
    }

    fn gradient(&self, context: &mut GradientContext<'_>) -> Result<()> {
        gradient::gradient(context)
    }

    fn flops(&self, inputs: &[&[usize]], _: &[&[usize]]) -> u64 {
        inputs[0].iter().product::<usize>() as u64
    }
}

impl Op for GlobalAvgPool2dBackward {
    fn kernel(&self) -> &'static str {
        "global_avg_pool2d.backward"
    }

    fn outputs(&self, inputs: &[&[usize]]) -> Result<Vec<Vec<usize>>> {
        let [gradient] = image::inputs(self.kernel(), inputs)?;
        let [n, c, _, _] = image::four(self.kernel(), "gradient", gradient)?;
        image::same(self.kernel(), "gradient", gradient, &[n, c, 1, 1])?;
        if self.size.contains(&0) {
            return Err(Error::parameter(self.kernel(), format!("size is {:?}, expected pixels", self.size)));
        }
        Ok(vec![vec![n, c, self.size[0], self.size[1]]])
    }
}

impl Graph {
    /// The mean of each channel of x (n, c, h, w), as (n, c, 1, 1).
    ///
    /// # Errors
    /// [`Error::Shape`] where x has not four dimensions.
    pub fn global_avg_pool2d(&mut self, x: Value) -> Result<Value> {
        self.push1(GlobalAvgPool2d, &[x])
    }
}

fn from_case(graph: &mut Graph, _: &str, _: &Attributes<'_>, inputs: &[Value]) -> Result<Vec<Value>> {
    Ok(vec![graph.push1(GlobalAvgPool2d, inputs)?])
}
