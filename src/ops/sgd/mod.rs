//! Stochastic gradient descent with momentum and weight decay, as PyTorch's: for whole slabs, in place.
//!
//! b ← momentum·b + (coefficient·g + weight_decay·decay_mult·p); p ← p − lr·lr_mult·b. Where control says that the step
//! is not finite, everything stays as it is, to the bit.

mod cases;
mod dispatch;
mod twin;

use crate::error::{Error, Result};
use crate::graph::{Graph, Op, Value};

use super::flat::exactly;
use super::{Attributes, Gradient, Kernel, Room, slab, twin as twin_of};

/// The room.
pub const ROOM: Room = Room {
    name: "sgd",
    ops: &["sgd"],
    kernels: &[Kernel {
        name: "sgd.step",
        twin: twin_of!(twin::step),
        versions: dispatch::STEP,
        epilogues: &[],
        tolerance: 1e-5,
    }],
    cases: cases::cases,
    from_case,
    gradient: Gradient::None { why: "an optimizer step is not differentiated" },
};

/// One step: inputs (param, gradient, momentum buffer, hyper \[4\] = (lr, 0, 0, 0), control \[4\] of
/// [`GradNorm`](super::clip_grad_norm::GradNorm), segments \[2·⌈len/64⌉\] = for every 64 floats (lr multiplier, decay
/// multiplier)); outputs param and momentum buffer, in place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sgd {
    /// How much of the buffer is kept, 0 to below 1.
    pub momentum: f32,
    /// The L2 penalty's weight, from 0.
    pub weight_decay: f32,
}

impl Sgd {
    /// Checked parameters.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a momentum outside 0 to below 1, or a weight decay that is negative or not finite.
    pub fn new(momentum: f32, weight_decay: f32) -> Result<Self> {
        if !(0.0..1.0).contains(&momentum) {
            return Err(Error::parameter("sgd", format!("momentum is {momentum}, expected 0 to below 1")));
        }
        if !(weight_decay.is_finite() && weight_decay >= 0.0) {
            return Err(Error::parameter("sgd", format!("weight_decay is {weight_decay}, expected 0 or above")));
        }
        Ok(Self { momentum, weight_decay })
    }
}

impl Op for Sgd {
    fn kernel(&self) -> &'static str {
        "sgd.step"
    }

    fn outputs(&self, inputs: &[&[usize]]) -> Result<Vec<Vec<usize>>> {
        let inputs: [&[usize]; 6] = exactly(self.kernel(), inputs)?;
        slab::check(self.kernel(), &inputs, &["param", "gradient", "momentum buffer"], true)?;
        Ok(vec![inputs[0].to_vec(); 2])
    }

    fn in_place(&self) -> &'static [(usize, usize)] {
        &[(0, 0), (2, 1)]
    }

    fn flops(&self, inputs: &[&[usize]], _: &[&[usize]]) -> u64 {
        inputs[0][0] as u64 * 7
    }
}

impl Graph {
    /// One step of SGD over whole slabs, in place: `inputs` are param, gradient, momentum buffer, hyper, control and
    /// segments (see [`Sgd`]); returns param and momentum buffer.
    ///
    /// # Errors
    /// [`Error::Shape`] that names the operand.
    pub fn sgd(&mut self, op: Sgd, inputs: [Value; 6]) -> Result<[Value; 2]> {
        slab::outputs("sgd", self.push(op, &inputs)?)
    }
}

fn from_case(graph: &mut Graph, op: &str, attributes: &Attributes<'_>, inputs: &[Value]) -> Result<Vec<Value>> {
    let &[param, gradient, buffer] = inputs else {
        return Err(Error::parameter(op, format!("takes 3 inputs, got {}", inputs.len())));
    };
    let sgd = Sgd::new(attributes.number("momentum")? as f32, attributes.number("weight_decay")? as f32)?;
    let [hyper, control, segments] = slab::constants(graph, attributes, [attributes.number("lr")?, 0.0, 0.0, 0.0]);
    Ok(graph.sgd(sgd, [param, gradient, buffer, hyper, control, segments])?.to_vec())
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
        let op = Sgd { momentum: 0.5, weight_decay: 0.25 };
        let (p, g, b) = (array(&[2.0]), array(&[4.0]), array(&[1.0]));
        let (hyper, segments) = (array(&[0.1, 0.0, 0.0, 0.0]), array(&[2.0, 3.0]));
        // b = 0.5 + (0.5 * 4 + 0.25 * 3 * 2) = 4; p = 2 - 0.1 * 2 * 4
        let out = twin::step(&op, &[&p, &g, &b, &hyper, &array(&[9.0, 0.5, 1.0, 0.0]), &segments]).unwrap();
        assert_eq!(out[1].data, [4.0]);
        assert!((out[0].data[0] - 1.2).abs() < 1e-15);
        let out = twin::step(&op, &[&p, &g, &b, &hyper, &array(&[9.0, 0.0, 0.0, 0.0]), &segments]).unwrap();
        assert_eq!((&out[0], &out[1]), (&p, &b));
    }

    #[test]
    fn refuses() {
        assert_eq!(Sgd::new(1.0, 0.0).unwrap_err().to_string(), "sgd: momentum is 1, expected 0 to below 1");
        assert_eq!(Sgd::new(0.9, -1.0).unwrap_err().to_string(), "sgd: weight_decay is -1, expected 0 or above");
        let op = Sgd { momentum: 0.9, weight_decay: 0.0 };
        let error = op.outputs(&[&[65], &[65], &[64], &[4], &[4], &[4]]).unwrap_err();
        assert_eq!(error.to_string(), "sgd.step: momentum buffer is [64], expected [65]");
        let error = op.outputs(&[&[65], &[65], &[65], &[4], &[4], &[2]]).unwrap_err();
        assert_eq!(error.to_string(), "sgd.step: segments is [2], expected [4]");
        assert!(op.outputs(&[&[5, 13], &[65], &[65], &[4], &[4], &[4]]).is_err());
    }
}
