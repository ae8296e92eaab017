//! Each channel shifted and scaled by constants, as photographs are before a network sees them.
//!
//! out\[n, c, y, x\] = (x\[n, c, y, x\] − mean\[c\]) / std\[c\]

mod cases;
mod dispatch;
mod gradient;
#[cfg(test)]
mod tests;
mod twin;

use crate::error::{Error, Result};
use crate::graph::{GradientContext, Graph, Op, Value};
use crate::tensor::Tensor;

use super::{Attributes, Gradient, Kernel, Room, image, twin as twin_of};

/// The room.
pub const ROOM: Room = Room {
    name: "normalize",
    ops: &["normalize"],
    kernels: &[
        Kernel {
            name: "normalize.forward",
            twin: twin_of!(twin::forward),
            versions: dispatch::FORWARD,
            epilogues: &[],
            tolerance: 1e-6,
        },
        Kernel {
            name: "normalize.backward",
            twin: twin_of!(twin::backward),
            versions: dispatch::BACKWARD,
            epilogues: &[],
            tolerance: 1e-6,
        },
    ],
    cases: cases::cases,
    from_case,
    gradient: Gradient::Kernels(&["normalize.backward"]),
};

/// Inputs: x (n, c, h, w), mean (c) and standard deviation (c), which are constants: only x has a gradient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Normalize;

/// The gradient with respect to x: inputs (gradient of the output, standard deviation).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NormalizeBackward;

impl Op for Normalize {
    fn kernel(&self) -> &'static str {
        "normalize.forward"
    }

    fn outputs(&self, inputs: &[&[usize]]) -> Result<Vec<Vec<usize>>> {
        let [x, mean, std] = image::inputs("normalize", inputs)?;
        let [_, c, _, _] = image::four("normalize", "input", x)?;
        image::same("normalize", "mean", mean, &[c])?;
        image::same("normalize", "std", std, &[c])?;
        Ok(vec![x.to_vec()])
    }

    fn gradient(&self, context: &mut GradientContext<'_>) -> Result<()> {
        gradient::gradient(context)
    }

    fn flops(&self, inputs: &[&[usize]], _: &[&[usize]]) -> u64 {
        2 * inputs[0].iter().product::<usize>() as u64
    }
}

impl Op for NormalizeBackward {
    fn kernel(&self) -> &'static str {
        "normalize.backward"
    }

    fn outputs(&self, inputs: &[&[usize]]) -> Result<Vec<Vec<usize>>> {
        let [gradient, std] = image::inputs(self.kernel(), inputs)?;
        let [_, c, _, _] = image::four(self.kernel(), "gradient", gradient)?;
        image::same(self.kernel(), "std", std, &[c])?;
        Ok(vec![gradient.to_vec()])
    }
}

impl Graph {
    /// (x − mean) / std by channel, x (n, c, h, w).
    ///
    /// # Errors
    /// [`Error::Shape`] where x has not four dimensions or another number of channels, [`Error::Parameter`] for a mean
    /// that is not finite and a standard deviation that is not a positive number.
    pub fn normalize(&mut self, x: Value, mean: &[f32], std: &[f32]) -> Result<Value> {
        if let Some(bad) = mean.iter().find(|value| !value.is_finite()) {
            return Err(Error::parameter("normalize", format!("a mean is {bad}, expected a finite number")));
        }
        if let Some(bad) = std.iter().find(|value| !(value.is_normal() && **value > 0.0)) {
            return Err(Error::parameter("normalize", format!("a std is {bad}, expected a positive number")));
        }
        // Shapes are checked first, so that what is refused leaves no constants behind.
        Normalize.outputs(&[self.shape(x), &[mean.len()], &[std.len()]])?;
        let mean = self.constant("mean", Tensor::new([mean.len()], mean.to_vec())?);
        let std = self.constant("std", Tensor::new([std.len()], std.to_vec())?);
        self.push1(Normalize, &[x, mean, std])
    }
}

fn from_case(graph: &mut Graph, op: &str, attributes: &Attributes<'_>, inputs: &[Value]) -> Result<Vec<Value>> {
    let numbers =
        |key| Ok::<_, Error>(attributes.numbers(key)?.into_iter().map(|value| value as f32).collect::<Vec<_>>());
    match inputs {
        &[x] => Ok(vec![graph.normalize(x, &numbers("mean")?, &numbers("std")?)?]),
        _ => Err(Error::parameter(op, format!("takes one input, got {}", inputs.len()))),
    }
}
