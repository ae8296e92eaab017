//! Binary cross-entropy of logits: mean over all elements of max(x, 0) − x·t + ln(1 + exp(−|x|)).
//!
//! Logits and targets are plain and of one shape; targets are probabilities, mostly 0 or 1. The loss holds its relative
//! precision for logits of ±10,000 and where every logit is confidently right.

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
    name: "bce_with_logits",
    ops: &["bce_with_logits"],
    kernels: &[
        Kernel {
            name: "bce_with_logits.forward",
            twin: twin_of!(twin::forward),
            versions: dispatch::FORWARD,
            epilogues: &[],
            tolerance: 1e-5,
        },
        Kernel {
            name: "bce_with_logits.backward",
            twin: twin_of!(twin::backward),
            versions: dispatch::BACKWARD,
            epilogues: &[],
            tolerance: 5e-5,
        },
    ],
    cases: cases::cases,
    from_case,
    gradient: Gradient::Kernels(&["bce_with_logits.backward"]),
};

/// The mean binary cross-entropy: inputs (logits, target), of equal shapes, to one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BceWithLogits;

/// The gradient of [`BceWithLogits`] with respect to the logits: inputs (logits, target, gradient of the loss).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BceWithLogitsBackward;

impl Op for BceWithLogits {
    fn kernel(&self) -> &'static str {
        "bce_with_logits.forward"
    }

    fn outputs(&self, inputs: &[&[usize]]) -> Result<Vec<Vec<usize>>> {
        let [logits, target] = exactly(self.kernel(), inputs)?;
        same(self.kernel(), "target", logits, target)?;
        Ok(vec![vec![]])
    }

    fn gradient(&self, context: &mut GradientContext<'_>) -> Result<()> {
        gradient::gradient(context)
    }

    fn flops(&self, inputs: &[&[usize]], _: &[&[usize]]) -> u64 {
        inputs[0].iter().product::<usize>() as u64 * 6
    }
}

impl Op for BceWithLogitsBackward {
    fn kernel(&self) -> &'static str {
        "bce_with_logits.backward"
    }

    fn outputs(&self, inputs: &[&[usize]]) -> Result<Vec<Vec<usize>>> {
        let [logits, target, gradient] = exactly(self.kernel(), inputs)?;
        same(self.kernel(), "target", logits, target)?;
        scalar(self.kernel(), "gradient", gradient)?;
        Ok(vec![logits.to_vec()])
    }
}

impl Graph {
    /// The mean over all elements of the binary cross-entropy of `logits` and `target`, which have equal shapes.
    ///
    /// # Errors
    /// [`Error::Shape`] where the shapes differ.
    pub fn bce_with_logits(&mut self, logits: Value, target: Value) -> Result<Value> {
        self.push1(BceWithLogits, &[logits, target])
    }
}

fn from_case(graph: &mut Graph, op: &str, attributes: &Attributes<'_>, inputs: &[Value]) -> Result<Vec<Value>> {
    let reduction = &attributes.json["reduction"];
    if !reduction.is_null() && reduction != "mean" {
        return Err(Error::parameter(op, format!("reduction is {reduction}, only \"mean\" is supported")));
    }
    match inputs {
        &[logits, target] => Ok(vec![graph.bce_with_logits(logits, target)?]),
        _ => Err(Error::parameter(op, format!("takes 2 inputs, got {}", inputs.len()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::Array;

    #[test]
    fn by_hand() {
        // x = 0 costs ln 2 whatever the target; x = 2 with target 0 costs 2 + ln(1 + e^-2).
        let x = Array { shape: vec![2], data: vec![0.0f64, 2.0] };
        let t = Array { shape: vec![2], data: vec![1.0, 0.0] };
        let loss = twin::forward(&BceWithLogits, &[&x, &t]).unwrap();
        let expected = (std::f64::consts::LN_2 + 2.0 + 0.126_928_011_042_972_5) / 2.0;
        assert!((loss[0].data[0] - expected).abs() < 1e-15);
        let g = Array { shape: vec![], data: vec![1.0] };
        let dx = twin::backward(&BceWithLogitsBackward, &[&x, &t, &g]).unwrap();
        assert!((dx[0].data[0] + 0.25).abs() < 1e-15);
        assert!((dx[0].data[1] - 0.440_398_538_988_94).abs() < 1e-12);
    }

    #[test]
    fn refuses_other_shapes() {
        let error = BceWithLogits.outputs(&[&[2, 3], &[3, 2]]).unwrap_err();
        assert_eq!(error.to_string(), "bce_with_logits.forward: target is [3, 2], expected [2, 3]");
        let error = BceWithLogits.outputs(&[&[2, 3]]).unwrap_err();
        assert_eq!(error.to_string(), "bce_with_logits.forward: takes 2 inputs, got 1");
        let error = BceWithLogitsBackward.outputs(&[&[2], &[2], &[2]]).unwrap_err();
        assert_eq!(error.to_string(), "bce_with_logits.backward: gradient is [2], expected one element");
    }
}
