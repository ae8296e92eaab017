//! An image at another size, each pixel a mix of four neighbours; PyTorch's `interpolate` with `mode="bilinear"`,
//! `align_corners=False` and no antialiasing.
//!
//! Output row oy stands at s = max(0, (oy + ½)·h/oh − ½) of the image and mixes rows ⌊s⌋ and min(⌊s⌋ + 1, h − 1) with
//! shares 1 − (s − ⌊s⌋) and s − ⌊s⌋; columns likewise. The places are computed in whole numbers, so that they are as
//! exact at the edge of a large image as in its corner.

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
    name: "resize_bilinear",
    ops: &["resize_bilinear"],
    kernels: &[
        Kernel {
            name: "resize_bilinear.forward",
            twin: twin_of!(twin::forward),
            versions: dispatch::FORWARD,
            epilogues: &[],
            tolerance: 1e-6,
        },
        Kernel {
            name: "resize_bilinear.backward",
            twin: twin_of!(twin::backward),
            versions: dispatch::BACKWARD,
            epilogues: &[],
            tolerance: 1e-5,
        },
    ],
    cases: cases::cases,
    from_case,
    gradient: Gradient::Kernels(&["resize_bilinear.backward"]),
};

/// The largest height or width: above it the places would pass 2^30.
const LARGEST: usize = 16_384;

/// A resize's parameters. Input: x (n, c, h, w).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResizeBilinear {
    /// Height and width of the output.
    pub size: [usize; 2],
}

impl ResizeBilinear {
    /// Checked parameters.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a height or width of 0 or above 16,384.
    pub fn new(size: [usize; 2]) -> Result<Self> {
        check("size", size)?;
        Ok(Self { size })
    }
}

fn check(what: &str, size: [usize; 2]) -> Result<()> {
    match size.iter().all(|side| (1..=LARGEST).contains(side)) {
        true => Ok(()),
        false => Err(Error::parameter("resize_bilinear", format!("{what} is {size:?}, expected 1 to {LARGEST}"))),
    }
}

/// The gradient with respect to x: input (gradient of the output).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResizeBilinearBackward {
    /// The resize.
    pub resize: ResizeBilinear,
    /// Height and width of x.
    pub from: [usize; 2],
}

impl Op for ResizeBilinear {
    fn kernel(&self) -> &'static str {
        "resize_bilinear.forward"
    }

    fn outputs(&self, inputs: &[&[usize]]) -> Result<Vec<Vec<usize>>> {
        let [x] = image::inputs("resize_bilinear", inputs)?;
        let [n, c, h, w] = image::four("resize_bilinear", "input", x)?;
        check("size", self.size)?;
        check("the input's size", [h, w])?;
        Ok(vec![vec![n, c, self.size[0], self.size[1]]])
    }

    fn gradient(&self, context: &mut GradientContext<'_>) -> Result<()> {
        gradient::gradient(self, context)
    }

    fn flops(&self, _: &[&[usize]], outputs: &[&[usize]]) -> u64 {
        9 * outputs[0].iter().product::<usize>() as u64
    }
}

impl Op for ResizeBilinearBackward {
    fn kernel(&self) -> &'static str {
        "resize_bilinear.backward"
    }

    fn outputs(&self, inputs: &[&[usize]]) -> Result<Vec<Vec<usize>>> {
        let [gradient] = image::inputs(self.kernel(), inputs)?;
        let [n, c, _, _] = image::four(self.kernel(), "gradient", gradient)?;
        let x = vec![n, c, self.from[0], self.from[1]];
        image::same(self.kernel(), "gradient", gradient, &self.resize.outputs(&[&x])?[0])?;
        Ok(vec![x])
    }

    fn flops(&self, inputs: &[&[usize]], _: &[&[usize]]) -> u64 {
        9 * inputs[0].iter().product::<usize>() as u64
    }
}

impl Graph {
    /// x (n, c, h, w) at another height and width, by bilinear interpolation.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a height or width of 0 or above 16,384, [`Error::Shape`] where x has not four
    /// dimensions.
    pub fn resize_bilinear(&mut self, x: Value, size: [usize; 2]) -> Result<Value> {
        self.push1(ResizeBilinear::new(size)?, &[x])
    }
}

fn from_case(graph: &mut Graph, _: &str, attributes: &Attributes<'_>, inputs: &[Value]) -> Result<Vec<Value>> {
    image::only(attributes, "align_corners", false)?;
    image::only(attributes, "antialias", false)?;
    image::only(attributes, "mode", "bilinear")?;
    Ok(vec![graph.push1(ResizeBilinear::new(attributes.pair("size", [0; 2])?)?, inputs)?])
}
