//! The norm of all gradients, what an optimizer step may do with them, and clipping.
//!
//! norm = √(Σ over all gradients of g²), coefficient = min(1, max_norm / (norm + 1e-6)), as PyTorch's
//! `clip_grad_norm_`. A step is finite where both the norm and the loss are; else the coefficient is 0 and the
//! optimizers leave every slab as it is.

mod cases;
mod dispatch;
mod twin;

use crate::error::{Error, Result};
use crate::graph::{Graph, Op, Value};
use crate::tensor::Tensor;

use super::flat::{exactly, same, scalar};
use super::{Attributes, Gradient, Kernel, Room, slab, twin as twin_of};

/// The room.
pub const ROOM: Room = Room {
    name: "clip_grad_norm",
    ops: &["clip_grad_norm"],
    kernels: &[
        Kernel {
            name: "clip_grad_norm.norm",
            twin: twin_of!(twin::norm),
            versions: dispatch::NORM,
            epilogues: &[],
            tolerance: 1e-5,
        },
        Kernel {
            name: "clip_grad_norm.apply",
            twin: twin_of!(twin::apply),
            versions: dispatch::APPLY,
            epilogues: &[],
            tolerance: 1e-6,
        },
    ],
    cases: cases::cases,
    from_case,
    gradient: Gradient::None { why: "an optimizer step is not differentiated" },
};

/// The norm of all gradients: inputs (g₀, …, loss), the gradients of any shapes and layouts, the loss a single number;
/// outputs the norm \[\] and control \[4\] = (norm, coefficient, finite: 1 or 0, 0).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GradNorm {
    /// The norm that gradients are clipped to; infinite for no clipping.
    pub max_norm: f32,
}

impl GradNorm {
    /// Checked parameters.
    ///
    /// # Errors
    /// [`Error::Parameter`] where `max_norm` is not above 0.
    pub fn new(max_norm: f32) -> Result<Self> {
        match max_norm > 0.0 {
            true => Ok(Self { max_norm }),
            false => Err(Error::parameter("clip_grad_norm", format!("max_norm is {max_norm}, expected above 0"))),
        }
    }
}

/// g · coefficient: inputs (g, control), g of any shape and layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClipApply;

impl Op for GradNorm {
    fn kernel(&self) -> &'static str {
        "clip_grad_norm.norm"
    }

    fn outputs(&self, inputs: &[&[usize]]) -> Result<Vec<Vec<usize>>> {
        match inputs {
            [_, .., loss] => scalar(self.kernel(), "loss", loss)?,
            _ => return Err(Error::parameter(self.kernel(), "takes one gradient or more, then the loss")),
        }
        Ok(vec![vec![], vec![4]])
    }

    fn flops(&self, inputs: &[&[usize]], _: &[&[usize]]) -> u64 {
        inputs.iter().map(|shape| shape.iter().product::<usize>() as u64 * 2).sum()
    }
}

impl Op for ClipApply {
    fn kernel(&self) -> &'static str {
        "clip_grad_norm.apply"
    }

    fn outputs(&self, inputs: &[&[usize]]) -> Result<Vec<Vec<usize>>> {
        let [gradient, control] = exactly(self.kernel(), inputs)?;
        same(self.kernel(), "control", &[4], control)?;
        Ok(vec![gradient.to_vec()])
    }
}

impl Graph {
    /// The norm of all `gradients` together, and the control \[4\] = (norm, coefficient, finite, 0) that
    /// [`Graph::clip_apply`] and the optimizers read. `max_norm` may be infinite.
    ///
    /// # Errors
    /// [`Error::Parameter`] where there is no gradient or `max_norm` is not above 0, [`Error::Shape`] for a loss of more
    /// than one element.
    pub fn clip_grad_norm(&mut self, gradients: &[Value], loss: Value, max_norm: f32) -> Result<[Value; 2]> {
        let inputs: Vec<Value> = gradients.iter().copied().chain([loss]).collect();
        slab::outputs("clip_grad_norm", self.push(GradNorm::new(max_norm)?, &inputs)?)
    }

    /// A gradient times the coefficient of a control.
    ///
    /// # Errors
    /// [`Error::Shape`] where control is not \[4\].
    pub fn clip_apply(&mut self, gradient: Value, control: Value) -> Result<Value> {
        self.push1(ClipApply, &[gradient, control])
    }
}

fn from_case(graph: &mut Graph, _: &str, attributes: &Attributes<'_>, inputs: &[Value]) -> Result<Vec<Value>> {
    let loss = graph.constant("loss", Tensor::scalar(0.0));
    let [norm, control] = graph.clip_grad_norm(inputs, loss, attributes.number("max_norm")? as f32)?;
    let mut outputs = inputs.iter().map(|&g| graph.clip_apply(g, control)).collect::<Result<Vec<Value>>>()?;
    outputs.push(norm);
    Ok(outputs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::Array;

    fn array(data: &[f64]) -> Array<f64> {
        Array { shape: vec![data.len()], data: data.to_vec() }
    }

    #[test]
    fn by_hand() {
        let (a, b, loss) = (array(&[3.0, 0.0]), array(&[4.0]), array(&[0.5]));
        let out = twin::norm(&GradNorm { max_norm: 2.5 }, &[&a, &b, &loss]).unwrap();
        assert_eq!(out[0].data, [5.0]);
        assert!((out[1].data[1] - 0.5).abs() < 1e-6);
        assert_eq!(out[1].data[2], 1.0);
        let free = twin::norm(&GradNorm { max_norm: f32::INFINITY }, &[&a, &b, &loss]).unwrap();
        assert_eq!(free[1].data, [5.0, 1.0, 1.0, 0.0]);
        let clipped = twin::apply(&ClipApply, &[&a, &array(&[5.0, 0.5, 1.0, 0.0])]).unwrap();
        assert_eq!(clipped[0].data, [1.5, 0.0]);
    }

    #[test]
    fn what_is_not_finite_stops_the_step() {
        let (a, good) = (array(&[1.0]), array(&[0.5]));
        for (g, loss) in [(f64::NAN, 0.5), (f64::INFINITY, 0.5), (1.0, f64::NAN), (1.0, f64::NEG_INFINITY)] {
            let out = twin::norm(&GradNorm { max_norm: 1.0 }, &[&a, &array(&[g]), &array(&[loss])]).unwrap();
            assert_eq!(out[1].data[1..], [0.0, 0.0, 0.0], "{g} {loss}");
        }
        assert_eq!(twin::norm(&GradNorm { max_norm: 1.0 }, &[&a, &good]).unwrap()[1].data[2], 1.0);
    }

    #[test]
    fn refuses() {
        assert_eq!(GradNorm::new(0.0).unwrap_err().to_string(), "clip_grad_norm: max_norm is 0, expected above 0");
        assert!(GradNorm::new(f32::NAN).is_err());
        let op = GradNorm { max_norm: 1.0 };
        let error = op.outputs(&[&[]]).unwrap_err().to_string();
        assert_eq!(error, "clip_grad_norm.norm: takes one gradient or more, then the loss");
        assert!(op.outputs(&[&[3], &[2]]).is_err());
        assert!(ClipApply.outputs(&[&[3], &[3]]).is_err());
    }
}
