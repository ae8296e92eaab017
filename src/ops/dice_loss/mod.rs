//! Dice loss of logits: mean over images of 1 − (2 Σ q·t + smooth) / (Σ q + Σ t + smooth), q = sigmoid(x), sums over an
//! image's c, h and w (Milletari et al. 2016).
//!
//! Logits and targets are plain and of one shape (n, …); targets are probabilities, mostly 0 or 1. The loss is summed
//! as Σ q (1 − t) + (1 − q) t, so that it keeps its relative precision near 0.

mod cases;
mod dispatch;
mod gradient;
mod twin;

use crate::error::{Error, Result};
use crate::graph::{GradientContext, Graph, Op, Value};

use super::flat::{exactly, same, scalar};
use super::{Attributes, Gradient, Kernel, Room, twin as twin_of};

/// The room.
pub const ROOM: Room = Room {
    name: "dice_loss",
    ops: &["dice_loss"],
    kernels: &[
        Kernel {
            name: "dice_loss.forward",
            twin: twin_of!(twin::forward),
            versions: dispatch::FORWARD,
            epilogues: &[],
            tolerance: 1e-5,
        },
        Kernel {
            name: "dice_loss.backward",
            twin: twin_of!(twin::backward),
            versions: dispatch::BACKWARD,
            epilogues: &[],
            tolerance: 5e-5,
        },
    ],
    cases: cases::cases,
    from_case,
    gradient: Gradient::Kernels(&["dice_loss.backward"]),
};

/// The dice loss: inputs (logits, target), of equal shapes (n, …), to one number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DiceLoss {
    /// Added above and below, above 0: an empty image found empty costs nothing.
    pub smooth: f32,
}

impl DiceLoss {
    /// Checked parameters.
    ///
    /// # Errors
    /// [`Error::Parameter`] where `smooth` is not a finite number above 0.
    pub fn new(smooth: f32) -> Result<Self> {
        match smooth.is_finite() && smooth > 0.0 {
            true => Ok(Self { smooth }),
            false => Err(Error::parameter("dice_loss", format!("smooth is {smooth}, expected a number above 0"))),
        }
    }
}

/// The gradient of [`DiceLoss`] with respect to the logits: inputs (logits, target, gradient of the loss).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DiceLossBackward {
    /// The loss.
    pub loss: DiceLoss,
}

fn check(op: &str, logits: &[usize], target: &[usize]) -> Result<()> {
    if logits.is_empty() {
        return Err(Error::shape(op, "logits", "a batch of images", logits));
    }
    same(op, "target", logits, target)
}

impl Op for DiceLoss {
    fn kernel(&self) -> &'static str {
        "dice_loss.forward"
    }

    fn outputs(&self, inputs: &[&[usize]]) -> Result<Vec<Vec<usize>>> {
        let [logits, target] = exactly(self.kernel(), inputs)?;
        check(self.kernel(), logits, target)?;
        Ok(vec![vec![]])
    }

    fn gradient(&self, context: &mut GradientContext<'_>) -> Result<()> {
        gradient::gradient(*self, context)
    }

    fn flops(&self, inputs: &[&[usize]], _: &[&[usize]]) -> u64 {
        inputs[0].iter().product::<usize>() as u64 * 10
    }
}

impl Op for DiceLossBackward {
    fn kernel(&self) -> &'static str {
        "dice_loss.backward"
    }

    fn outputs(&self, inputs: &[&[usize]]) -> Result<Vec<Vec<usize>>> {
        let [logits, target, gradient] = exactly(self.kernel(), inputs)?;
        check(self.kernel(), logits, target)?;
        scalar(self.kernel(), "gradient", gradient)?;
        Ok(vec![logits.to_vec()])
    }
}

impl Graph {
    /// The mean over images of 1 − the smoothed Dice coefficient of sigmoid(`logits`) and `target`, which have equal
    /// shapes (n, …).
    ///
    /// # Errors
    /// [`Error::Shape`] where the shapes differ or have no batch; [`Error::Parameter`] where `smooth` is not a finite
    /// number above 0.
    pub fn dice_loss(&mut self, logits: Value, target: Value, smooth: f32) -> Result<Value> {
        self.push1(DiceLoss::new(smooth)?, &[logits, target])
    }
}

fn from_case(graph: &mut Graph, op: &str, attributes: &Attributes<'_>, inputs: &[Value]) -> Result<Vec<Value>> {
    match inputs {
        &[logits, target] => Ok(vec![graph.dice_loss(logits, target, attributes.number("smooth")? as f32)?]),
        _ => Err(Error::parameter(op, format!("takes 2 inputs, got {}", inputs.len()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::Array;

    #[test]
    fn by_hand() {
        // q = (1/2, 1/2) against t = (1, 0): 1 - (2 * 1/2 + 1) / (1 + 1 + 1) = 1/3.
        let x = Array { shape: vec![1, 2], data: vec![0.0f64, 0.0] };
        let t = Array { shape: vec![1, 2], data: vec![1.0, 0.0] };
        let op = DiceLoss { smooth: 1.0 };
        let loss = twin::forward(&op, &[&x, &t]).unwrap();
        assert!((loss[0].data[0] - 1.0 / 3.0).abs() < 1e-15);
        // d/dq = (2 - 2 t 3) / 9 = -4/9, 2/9; q (1 - q) = 1/4.
        let g = Array { shape: vec![], data: vec![1.0] };
        let dx = twin::backward(&DiceLossBackward { loss: op }, &[&x, &t, &g]).unwrap();
        assert!((dx[0].data[0] + 1.0 / 9.0).abs() < 1e-15);
        assert!((dx[0].data[1] - 1.0 / 18.0).abs() < 1e-15);
    }

    #[test]
    fn refuses() {
        let error = DiceLoss::new(0.0).unwrap_err();
        assert_eq!(error.to_string(), "dice_loss: smooth is 0, expected a number above 0");
        assert!(DiceLoss::new(f32::NAN).is_err());
        let error = DiceLoss { smooth: 1.0 }.outputs(&[&[2, 3], &[2]]).unwrap_err();
        assert_eq!(error.to_string(), "dice_loss.forward: target is [2], expected [2, 3]");
        assert!(DiceLoss { smooth: 1.0 }.outputs(&[&[], &[]]).is_err());
    }
}
