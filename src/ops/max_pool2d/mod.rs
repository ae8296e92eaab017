//! The maximum of windows of an image, which may overlap; the padding counts as -∞.
//!
//! out\[n, c, oy, ox\] = max over ky, kx of x\[n, c, oy·stride + ky − padding, ox·stride + kx − padding\]
//!
//! The gradient goes to the first maximum of a window in row-major order. A NaN is a maximum, the last one of several,
//! as PyTorch has it.

mod cases;
mod dispatch;
mod gradient;
#[cfg(test)]
mod tests;
mod twin;

use crate::error::Result;
use crate::graph::{GradientContext, Graph, Op, Value};

use super::pooling::Windows;
use super::{Attributes, Epilogue, Gradient, Kernel, Room, image, twin as twin_of};

/// The room.
pub const ROOM: Room = Room {
    name: "max_pool2d",
    ops: &["max_pool2d"],
    kernels: &[
        Kernel {
            name: "max_pool2d.forward",
            twin: twin_of!(twin::forward),
            versions: dispatch::FORWARD,
            epilogues: &[],
            tolerance: 0.0,
        },
        Kernel {
            name: "max_pool2d.backward",
            twin: twin_of!(twin::backward),
            versions: dispatch::BACKWARD,
            epilogues: &[Epilogue::Add, Epilogue::Mask, Epilogue::AddMask],
            tolerance: 1e-6,
        },
    ],
    cases: cases::cases,
    from_case,
    gradient: Gradient::Kernels(&["max_pool2d.backward"]),
};

/// A maximum pool's parameters; every pair is vertical, horizontal. Input: x (n, c, h, w).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaxPool2d {
    /// Size of a window.
    pub kernel: [usize; 2],
    /// From one window to the next.
    pub stride: [usize; 2],
    /// Pixels of -∞ around the image.
    pub padding: [usize; 2],
}

impl MaxPool2d {
    /// Checked parameters.
    ///
    /// # Errors
    /// [`Error::Parameter`](crate::Error::Parameter) for a kernel or stride of 0, any number above 65,535, and a
    /// padding of more than half the kernel.
    pub fn new(kernel: [usize; 2], stride: [usize; 2], padding: [usize; 2]) -> Result<Self> {
        let pool = Self { kernel, stride, padding };
        pool.windows().check("max_pool2d")?;
        Ok(pool)
    }

    fn windows(&self) -> Windows {
        Windows { kernel: self.kernel, stride: self.stride, padding: self.padding }
    }
}

/// The gradient with respect to x: inputs (x, gradient of the output).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaxPool2dBackward {
    /// The pool.
    pub pool: MaxPool2d,
}

impl Op for MaxPool2d {
    fn kernel(&self) -> &'static str {
        "max_pool2d.forward"
    }

    fn outputs(&self, inputs: &[&[usize]]) -> Result<Vec<Vec<usize>>> {
        let [x] = image::inputs("max_pool2d", inputs)?;
        let [n, c, h, w] = image::four("max_pool2d", "input", x)?;
        let [oh, ow] = self.windows().out_size("max_pool2d", [h, w])?;
        Ok(vec![vec![n, c, oh, ow]])
    }

    fn gradient(&self, context: &mut GradientContext<'_>) -> Result<()> {
        gradient::gradient(self, context)
    }

    fn flops(&self, _: &[&[usize]], outputs: &[&[usize]]) -> u64 {
        (outputs[0].iter().product::<usize>() * self.kernel[0] * self.kernel[1]) as u64
    }
}

impl Op for MaxPool2dBackward {
    fn kernel(&self) -> &'static str {
        "max_pool2d.backward"
    }

    fn outputs(&self, inputs: &[&[usize]]) -> Result<Vec<Vec<usize>>> {
        let [x, gradient] = image::inputs(self.kernel(), inputs)?;
        image::same(self.kernel(), "gradient", gradient, &self.pool.outputs(&[x])?[0])?;
        Ok(vec![x.to_vec()])
    }

    fn flops(&self, inputs: &[&[usize]], _: &[&[usize]]) -> u64 {
        (inputs[1].iter().product::<usize>() * self.pool.kernel[0] * self.pool.kernel[1]) as u64
    }
}

impl Graph {
    /// The maximum of the windows of x (n, c, h, w).
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) where x has not four dimensions,
    /// [`Error::Parameter`](crate::Error::Parameter) where no window fits into it.
    pub fn max_pool2d(&mut self, op: MaxPool2d, x: Value) -> Result<Value> {
        self.push1(op, &[x])
    }
}

fn from_case(graph: &mut Graph, _: &str, attributes: &Attributes<'_>, inputs: &[Value]) -> Result<Vec<Value>> {
    image::only(attributes, "ceil_mode", false)?;
    if attributes.pair("dilation", [1; 2])? != [1; 2] {
        image::only(attributes, "dilation", vec![1, 1])?;
    }
    let kernel = attributes.pair("kernel", [0; 2])?;
    let op = MaxPool2d::new(kernel, attributes.pair("stride", kernel)?, attributes.pair("padding", [0; 2])?)?;
    Ok(vec![graph.push1(op, inputs)?])
}
