//! Cross-entropy of logits (n, c), as PyTorch's with the mean over the batch.
//!
//! With classes as targets, class weights w and label smoothing ε:
//! Σ over n of ((1 − ε)·w\[t\]·l\[t\] + ε/c·Σ over c of w\[c\]·l\[c\]) / Σ over n of w\[t\], l = −log_softmax(x\[n\]).
//! With probabilities as targets: Σ over n and c of t\[n, c\]·l\[c\] / n.
//!
//! Everything is plain; classes are whole numbers. A target that is no class makes the loss NaN, which the optimizers
//! refuse.

mod cases;
mod dispatch;
mod gradient;
mod twin;

use crate::error::{Error, Result};
use crate::graph::{GradientContext, Graph, Op, Value};

use super::flat::{exactly, same, scalar};
use super::{Attributes, Gradient, Kernel, Room, Version, twin as twin_of};

pub(super) use dispatch::{MEAN, RowParams, rows};
pub(super) use gradient::of_logits;
pub(super) use twin::{class, negative_log_softmax};

/// The room.
pub const ROOM: Room = Room {
    name: "cross_entropy",
    ops: &["cross_entropy", "cross_entropy_soft"],
    kernels: &[
        kernel("cross_entropy.forward", twin_of!(twin::forward), dispatch::FORWARD, 1e-5),
        kernel("cross_entropy.backward", twin_of!(twin::backward), dispatch::BACKWARD, 5e-5),
        kernel("cross_entropy.soft_forward", twin_of!(twin::soft_forward), dispatch::SOFT_FORWARD, 1e-5),
        kernel("cross_entropy.soft_backward", twin_of!(twin::soft_backward), dispatch::SOFT_BACKWARD, 5e-5),
    ],
    cases: cases::cases,
    from_case,
    gradient: Gradient::Kernels(&["cross_entropy.backward", "cross_entropy.soft_backward"]),
};

const fn kernel(name: &'static str, twin: super::Twin, versions: &'static [Version], tolerance: f64) -> Kernel {
    Kernel { name, twin, versions, epilogues: &[], tolerance }
}

/// Cross-entropy with classes as targets: inputs logits (n, c), target (n) and perhaps class weights (c), to one number.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct CrossEntropy {
    /// How much of the target is spread over all classes, 0 to 1.
    pub label_smoothing: f32,
}

impl CrossEntropy {
    /// Checked parameters.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a label smoothing outside 0 to 1.
    pub fn new(label_smoothing: f32) -> Result<Self> {
        match (0.0..=1.0).contains(&label_smoothing) {
            true => Ok(Self { label_smoothing }),
            false => {
                let message = format!("label_smoothing is {label_smoothing}, expected 0 to 1");
                Err(Error::parameter("cross_entropy", message))
            }
        }
    }
}

/// The gradient of [`CrossEntropy`] with respect to the logits: inputs (logits, target, gradient of the loss, perhaps
/// class weights).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CrossEntropyBackward {
    /// The loss.
    pub loss: CrossEntropy,
}

/// Cross-entropy with probabilities as targets: inputs logits and target, both (n, c), to one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CrossEntropySoft;

/// The gradient of [`CrossEntropySoft`] with respect to the logits: inputs (logits, target, gradient of the loss).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CrossEntropySoftBackward;

/// Refuses anything but logits (n, c), a target (n) and, where there are any, class weights (c).
pub(super) fn check(op: &str, logits: &[usize], target: &[usize], weights: Option<&[usize]>) -> Result<()> {
    let &[n, c] = logits else { return Err(Error::shape(op, "logits", "two dimensions", logits)) };
    same(op, "target", &[n], target)?;
    weights.map_or(Ok(()), |weights| same(op, "class weights", &[c], weights))
}

impl Op for CrossEntropy {
    fn kernel(&self) -> &'static str {
        "cross_entropy.forward"
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
        gradient::of_logits(context, CrossEntropyBackward { loss: *self })
    }

    fn flops(&self, inputs: &[&[usize]], _: &[&[usize]]) -> u64 {
        inputs[0].iter().product::<usize>() as u64 * 5
    }
}

impl Op for CrossEntropyBackward {
    fn kernel(&self) -> &'static str {
        "cross_entropy.backward"
    }

    fn outputs(&self, inputs: &[&[usize]]) -> Result<Vec<Vec<usize>>> {
        backward_outputs(self.kernel(), inputs)
    }
}

/// The shape rule of a gradient with respect to logits: inputs (logits, target, gradient, perhaps class weights).
pub(super) fn backward_outputs(op: &str, inputs: &[&[usize]]) -> Result<Vec<Vec<usize>>> {
    let (logits, gradient) = match *inputs {
        [logits, target, gradient] => (check(op, logits, target, None).map(|()| logits)?, gradient),
        [logits, target, gradient, weights] => (check(op, logits, target, Some(weights)).map(|()| logits)?, gradient),
        _ => return Err(Error::parameter(op, format!("takes 3 or 4 inputs, got {}", inputs.len()))),
    };
    scalar(op, "gradient", gradient)?;
    Ok(vec![logits.to_vec()])
}

fn check_soft(op: &str, logits: &[usize], target: &[usize]) -> Result<()> {
    match logits.len() {
        2 => same(op, "target", logits, target),
        _ => Err(Error::shape(op, "logits", "two dimensions", logits)),
    }
}

impl Op for CrossEntropySoft {
    fn kernel(&self) -> &'static str {
        "cross_entropy.soft_forward"
    }

    fn outputs(&self, inputs: &[&[usize]]) -> Result<Vec<Vec<usize>>> {
        let [logits, target] = exactly(self.kernel(), inputs)?;
        check_soft(self.kernel(), logits, target)?;
        Ok(vec![vec![]])
    }

    fn gradient(&self, context: &mut GradientContext<'_>) -> Result<()> {
        gradient::of_logits(context, CrossEntropySoftBackward)
    }

    fn flops(&self, inputs: &[&[usize]], _: &[&[usize]]) -> u64 {
        inputs[0].iter().product::<usize>() as u64 * 6
    }
}

impl Op for CrossEntropySoftBackward {
    fn kernel(&self) -> &'static str {
        "cross_entropy.soft_backward"
    }

    fn outputs(&self, inputs: &[&[usize]]) -> Result<Vec<Vec<usize>>> {
        let [logits, target, gradient] = exactly(self.kernel(), inputs)?;
        check_soft(self.kernel(), logits, target)?;
        scalar(self.kernel(), "gradient", gradient)?;
        Ok(vec![logits.to_vec()])
    }
}

impl Graph {
    /// The mean cross-entropy of logits (n, c) and classes (n), whole numbers, with class weights (c) where given.
    ///
    /// # Errors
    /// [`Error::Shape`] where the shapes do not go together.
    pub fn cross_entropy(
        &mut self,
        op: CrossEntropy,
        logits: Value,
        target: Value,
        weights: Option<Value>,
    ) -> Result<Value> {
        let inputs: Vec<Value> = [logits, target].into_iter().chain(weights).collect();
        self.push1(op, &inputs)
    }

    /// The mean cross-entropy of logits and probabilities, both (n, c).
    ///
    /// # Errors
    /// [`Error::Shape`] where the shapes differ.
    pub fn cross_entropy_soft(&mut self, logits: Value, target: Value) -> Result<Value> {
        self.push1(CrossEntropySoft, &[logits, target])
    }
}

/// Refuses a reference case's reduction that is not the mean.
pub(super) fn check_reduction(op: &str, attributes: &Attributes<'_>) -> Result<()> {
    let reduction = &attributes.json["reduction"];
    match reduction.is_null() || reduction == "mean" {
        true => Ok(()),
        false => Err(Error::parameter(op, format!("reduction is {reduction}, only \"mean\" is supported"))),
    }
}

fn from_case(graph: &mut Graph, op: &str, attributes: &Attributes<'_>, inputs: &[Value]) -> Result<Vec<Value>> {
    check_reduction(op, attributes)?;
    if op == "cross_entropy_soft" {
        return Ok(vec![graph.push1(CrossEntropySoft, inputs)?]);
    }
    let smoothing =
        if attributes.json["label_smoothing"].is_null() { 0.0 } else { attributes.number("label_smoothing")? };
    Ok(vec![graph.push1(CrossEntropy::new(smoothing as f32)?, inputs)?])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::Array;

    fn array(shape: &[usize], data: &[f64]) -> Array<f64> {
        Array { shape: shape.to_vec(), data: data.to_vec() }
    }

    fn close(got: &Array<f64>, expected: &[f64]) {
        assert_eq!(got.data.len(), expected.len());
        for (g, e) in got.data.iter().zip(expected) {
            assert!((g - e).abs() < 1e-12, "{got:?} {expected:?}");
        }
    }

    #[test]
    fn by_hand() {
        // Probabilities of a quarter and three quarters, then a half each.
        let x = array(&[2, 2], &[0.0, 3f64.ln(), 1.0, 1.0]);
        let (t, w, g) = (array(&[2], &[1.0, 0.0]), array(&[2], &[3.0, 1.0]), array(&[], &[1.0]));
        let (a, b, c) = (-0.25f64.ln(), -0.75f64.ln(), -0.5f64.ln());
        let op = CrossEntropy::default();
        close(&twin::forward(&op, &[&x, &t]).unwrap()[0], &[(b + c) / 2.0]);
        close(&twin::forward(&op, &[&x, &t, &w]).unwrap()[0], &[(b + 3.0 * c) / 4.0]);
        let smooth = CrossEntropy { label_smoothing: 0.5 };
        let expected = (0.5 * b + 0.25 * (3.0 * a + b) + 1.5 * c + 0.25 * 4.0 * c) / 4.0;
        close(&twin::forward(&smooth, &[&x, &t, &w]).unwrap()[0], &[expected]);
        let dx = twin::backward(&CrossEntropyBackward { loss: op }, &[&x, &t, &g, &w]).unwrap();
        close(&dx[0], &[0.25 / 4.0, -0.25 / 4.0, -1.5 / 4.0, 1.5 / 4.0]);
        let soft = array(&[2, 2], &[0.5, 0.5, 1.0, 0.0]);
        close(&twin::soft_forward(&CrossEntropySoft, &[&x, &soft]).unwrap()[0], &[(0.5 * (a + b) + c) / 2.0]);
        let dx = twin::soft_backward(&CrossEntropySoftBackward, &[&x, &soft, &g]).unwrap();
        close(&dx[0], &[-0.125, 0.125, -0.25, 0.25]);
    }

    #[test]
    fn a_target_that_is_no_class_makes_the_loss_nan() {
        let x = array(&[1, 2], &[0.0, 1.0]);
        for wrong in [2.0, -1.0, 0.5, f64::NAN] {
            let loss = twin::forward(&CrossEntropy::default(), &[&x, &array(&[1], &[wrong])]).unwrap();
            assert!(loss[0].data[0].is_nan(), "{wrong}");
        }
    }

    #[test]
    fn refuses() {
        let error = CrossEntropy::new(1.5).unwrap_err();
        assert_eq!(error.to_string(), "cross_entropy: label_smoothing is 1.5, expected 0 to 1");
        let op = CrossEntropy::default();
        let error = op.outputs(&[&[2, 3], &[3]]).unwrap_err();
        assert_eq!(error.to_string(), "cross_entropy.forward: target is [3], expected [2]");
        let error = op.outputs(&[&[2, 3], &[2], &[2]]).unwrap_err();
        assert_eq!(error.to_string(), "cross_entropy.forward: class weights is [2], expected [3]");
        assert!(op.outputs(&[&[2, 3, 4, 4], &[2]]).is_err());
        assert!(CrossEntropySoft.outputs(&[&[2, 3], &[2]]).is_err());
        assert!(CrossEntropyBackward { loss: op }.outputs(&[&[2, 3], &[2], &[2]]).is_err());
    }
}
