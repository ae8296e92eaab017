//! Focal loss (Lin et al. 2017) of logits (n, c) and classes (n): mean over n of −w\[t\]·(1 − q)^γ·ln q,
//! q = softmax(x\[n\])\[t\]. The mean is over rows, not over weights.
//!
//! Everything is plain; classes are whole numbers. A target that is no class makes the loss NaN, which the optimizers
//! refuse.

mod cases;
mod dispatch;
mod gradient;
mod twin;

use crate::error::{Error, Result};
use crate::graph::{GradientContext, Graph, Op, Value};

use super::cross_entropy::{backward_outputs, check, check_reduction};
use super::{Attributes, Gradient, Kernel, Room, twin as twin_of};

/// The room.
pub const ROOM: Room = Room {
    name: "focal_loss",
    ops: &["focal_loss"],
    kernels: &[
        Kernel {
            name: "focal_loss.forward",
            twin: twin_of!(twin::forward),
            versions: dispatch::FORWARD,
            epilogues: &[],
            tolerance: 1e-5,
        },
        Kernel {
            name: "focal_loss.backward",
            twin: twin_of!(twin::backward),
            versions: dispatch::BACKWARD,
            epilogues: &[],
            tolerance: 5e-5,
        },
    ],
    cases: cases::cases,
    from_case,
    gradient: Gradient::Kernels(&["focal_loss.backward"]),
};

/// Focal loss: inputs logits (n, c), target (n) and perhaps class weights (c), to one number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FocalLoss {
    /// How much what is right already is discounted, from 0 (cross-entropy).
    pub gamma: f32,
}

impl FocalLoss {
    /// Checked parameters.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a gamma that is negative or not finite.
    pub fn new(gamma: f32) -> Result<Self> {
        match gamma.is_finite() && gamma >= 0.0 {
            true => Ok(Self { gamma }),
            false => Err(Error::parameter("focal_loss", format!("gamma is {gamma}, expected 0 or above"))),
        }
    }
}

/// The gradient of [`FocalLoss`] with respect to the logits: inputs (logits, target, gradient of the loss, perhaps class
/// weights).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FocalLossBackward {
    /// The loss.
    pub loss: FocalLoss,
}

impl Op for FocalLoss {
    fn kernel(&self) -> &'static str {
        "focal_loss.forward"
    }

    fn outputs(&self, inputs: &[&[usize]]) -> Result<Vec<Vec<usize>>> {
        match *inputs {
            [logits, target] => check(self.kernel(), logits, target, None)?,
            [logits, target, weights] => check(self.kernel(), logits, target, Some(weights))?,
            _ => return Err(Error::parameter(self.kernel(), format!("takes 2 or 3 inputs, got {}", inputs.len()))),
        }
        Ok(vec![vec![]])
    }

    fn gradient(&self, context: &mut GradientContext<'_>) -> Result<()> {
        gradient::gradient(*self, context)
    }

    fn flops(&self, inputs: &[&[usize]], _: &[&[usize]]) -> u64 {
        inputs[0].iter().product::<usize>() as u64 * 5
    }
}

impl Op for FocalLossBackward {
    fn kernel(&self) -> &'static str {
        "focal_loss.backward"
    }

    fn outputs(&self, inputs: &[&[usize]]) -> Result<Vec<Vec<usize>>> {
        backward_outputs(self.kernel(), inputs)
    }
}

impl Graph {
    /// The mean focal loss of logits (n, c) and classes (n), whole numbers, with class weights (c) where given.
    ///
    /// # Errors
    /// [`Error::Shape`] where the shapes do not go together.
    pub fn focal_loss(&mut self, op: FocalLoss, logits: Value, target: Value, weights: Option<Value>) -> Result<Value> {
        let inputs: Vec<Value> = [logits, target].into_iter().chain(weights).collect();
        self.push1(op, &inputs)
    }
}

fn from_case(graph: &mut Graph, op: &str, attributes: &Attributes<'_>, inputs: &[Value]) -> Result<Vec<Value>> {
    check_reduction(op, attributes)?;
    Ok(vec![graph.push1(FocalLoss::new(attributes.number("gamma")? as f32)?, inputs)?])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::Array;

    fn array(shape: &[usize], data: &[f64]) -> Array<f64> {
        Array { shape: shape.to_vec(), data: data.to_vec() }
    }

    #[test]
    fn by_hand() {
        // q = 3/4: 2 (1/4)^2 ln(4/3).
        let x = array(&[1, 2], &[0.0, 3f64.ln()]);
        let (t, w, g) = (array(&[1], &[1.0]), array(&[2], &[9.0, 2.0]), array(&[], &[1.0]));
        let op = FocalLoss { gamma: 2.0 };
        let l = (4.0f64 / 3.0).ln();
        let loss = twin::forward(&op, &[&x, &t, &w]).unwrap();
        assert!((loss[0].data[0] - 0.125 * l).abs() < 1e-14);
        // 2 (1/16 + 2 3/4 1/4 l) times (1/4, -1/4)
        let dx = twin::backward(&FocalLossBackward { loss: op }, &[&x, &t, &g, &w]).unwrap();
        let expected = 0.5 * (0.0625 + 0.375 * l);
        assert!((dx[0].data[0] - expected).abs() < 1e-14 && (dx[0].data[1] + expected).abs() < 1e-14);
    }

    #[test]
    fn refuses() {
        assert_eq!(FocalLoss::new(-1.0).unwrap_err().to_string(), "focal_loss: gamma is -1, expected 0 or above");
        assert!(FocalLoss::new(f32::NAN).is_err());
        let op = FocalLoss { gamma: 2.0 };
        let error = op.outputs(&[&[2, 3], &[2, 3]]).unwrap_err();
        assert_eq!(error.to_string(), "focal_loss.forward: target is [2, 3], expected [2]");
        assert!(op.outputs(&[&[2, 3]]).is_err());
    }
}
