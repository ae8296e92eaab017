//! AdamW (Loshchilov and Hutter 2019), in PyTorch's order of operations: for whole slabs, in place.
//!
//! p ← p·(1 − lr·lr_mult·weight_decay·decay_mult); m ← m + (1 − β₁)(g − m); v ← β₂·v + (1 − β₂)·g²;
//! p ← p − lr·lr_mult/(1 − β₁ᵗ) · m / (√v / √(1 − β₂ᵗ) + ε), g being coefficient · gradient. Where control says that the
//! step is not finite, everything stays as it is, to the bit.

mod cases;
mod dispatch;
mod twin;

use crate::error::{Error, Result};
use crate::graph::{Graph, Op, Value};

use super::flat::exactly;
use super::{Attributes, Gradient, Kernel, Room, slab, twin as twin_of};

/// The room.
pub const ROOM: Room = Room {
    name: "adamw",
    ops: &["adamw"],
    kernels: &[Kernel {
        name: "adamw.step",
        twin: twin_of!(twin::step),
        versions: dispatch::STEP,
        epilogues: &[],
        tolerance: 1e-5,
    }],
    cases: cases::cases,
    from_case,
    gradient: Gradient::None { why: "an optimizer step is not differentiated" },
};

/// One step: inputs (param, gradient, first moment, second moment, hyper \[4\] = (lr, 1 − β₁ᵗ, 1 − β₂ᵗ, 0), control
/// \[4\] of [`GradNorm`](super::clip_grad_norm::GradNorm), segments \[2·⌈len/64⌉\] = for every 64 floats (lr multiplier,
/// decay multiplier)); outputs param, first and second moment, in place. [`AdamW::hyper`] gives hyper.
///
/// The numbers are f64, because 1 − β taken from an f32 β of 0.999 is off by 1e-5.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamW {
    /// How much of the first moment is kept, 0 to below 1.
    pub beta1: f64,
    /// How much of the second moment is kept, 0 to below 1.
    pub beta2: f64,
    /// Added to the denominator, above 0.
    pub eps: f64,
    /// The decoupled decay's weight, from 0.
    pub weight_decay: f64,
}

impl Default for AdamW {
    fn default() -> Self {
        Self { beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.01 }
    }
}

impl AdamW {
    /// Checked parameters.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a β outside 0 to below 1, an ε that is not above 0, or a weight decay that is negative or
    /// not finite.
    pub fn new(beta1: f64, beta2: f64, eps: f64, weight_decay: f64) -> Result<Self> {
        for (name, beta) in [("beta1", beta1), ("beta2", beta2)] {
            if !(0.0..1.0).contains(&beta) {
                return Err(Error::parameter("adamw", format!("{name} is {beta}, expected 0 to below 1")));
            }
        }
        if !(eps.is_finite() && eps > 0.0) {
            return Err(Error::parameter("adamw", format!("eps is {eps}, expected above 0")));
        }
        if !(weight_decay.is_finite() && weight_decay >= 0.0) {
            return Err(Error::parameter("adamw", format!("weight_decay is {weight_decay}, expected 0 or above")));
        }
        Ok(Self { beta1, beta2, eps, weight_decay })
    }

    /// The input hyper of step `t`, counted from 1.
    #[must_use]
    pub fn hyper(&self, lr: f64, t: u64) -> [f64; 4] {
        let kept = |beta: f64| 1.0 - beta.powf(t as f64);
        [lr, kept(self.beta1), kept(self.beta2), 0.0]
    }
}

impl Op for AdamW {
    fn kernel(&self) -> &'static str {
        "adamw.step"
    }

    fn outputs(&self, inputs: &[&[usize]]) -> Result<Vec<Vec<usize>>> {
        let inputs: [&[usize]; 7] = exactly(self.kernel(), inputs)?;
        slab::check(self.kernel(), &inputs, &["param", "gradient", "first moment", "second moment"], true)?;
        Ok(vec![inputs[0].to_vec(); 3])
    }

    fn in_place(&self) -> &'static [(usize, usize)] {
        &[(0, 0), (2, 1), (3, 2)]
    }

    fn flops(&self, inputs: &[&[usize]], _: &[&[usize]]) -> u64 {
        inputs[0][0] as u64 * 16
    }
}

impl Graph {
    /// One step of AdamW over whole slabs, in place: `inputs` are param, gradient, first moment, second moment, hyper,
    /// control and segments (see [`AdamW`]); returns param and both moments.
    ///
    /// # Errors
    /// [`Error::Shape`] that names the operand.
    pub fn adamw(&mut self, op: AdamW, inputs: [Value; 7]) -> Result<[Value; 3]> {
        slab::outputs("adamw", self.push(op, &inputs)?)
    }
}

fn from_case(graph: &mut Graph, op: &str, attributes: &Attributes<'_>, inputs: &[Value]) -> Result<Vec<Value>> {
    let &[param, gradient, mean, square] = inputs else {
        return Err(Error::parameter(op, format!("takes 4 inputs, got {}", inputs.len())));
    };
    let betas = attributes.numbers("betas")?;
    let &[beta1, beta2] = betas.as_slice() else {
        return Err(Error::parameter(op, format!("betas is {betas:?}, expected two numbers")));
    };
    let adamw = AdamW::new(beta1, beta2, attributes.number("eps")?, attributes.number("weight_decay")?)?;
    let hyper = adamw.hyper(attributes.number("lr")?, attributes.index("step")? as u64);
    let [hyper, control, segments] = slab::constants(graph, attributes, hyper);
    Ok(graph.adamw(adamw, [param, gradient, mean, square, hyper, control, segments])?.to_vec())
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
        let op = AdamW::new(0.5, 0.75, 1e-8, 0.1).unwrap();
        assert_eq!(op.hyper(0.01, 2), [0.01, 0.75, 1.0 - 0.5625, 0.0]);
        let (p, g, m, v) = (array(&[2.0]), array(&[4.0]), array(&[0.0]), array(&[0.0]));
        let (hyper, segments) = (array(&op.hyper(0.01, 1)), array(&[1.0, 2.0]));
        let mut control = array(&[9.0, 1.0, 1.0, 0.0]);
        // The first step moves by lr against the gradient's sign, after the decay of 2 * 0.01 * 0.1 * 2.
        let out = twin::step(&op, &[&p, &g, &m, &v, &hyper, &control, &segments]).unwrap();
        assert_eq!((out[1].data[0], out[2].data[0]), (2.0, 4.0));
        assert!((out[0].data[0] - (2.0 - 0.004 - 0.01)).abs() < 1e-9);
        control.data[2] = 0.0;
        let out = twin::step(&op, &[&p, &g, &m, &v, &hyper, &control, &segments]).unwrap();
        assert_eq!((&out[0], &out[1], &out[2]), (&p, &m, &v));
    }

    #[test]
    fn refuses() {
        let error = AdamW::new(0.9, 1.0, 1e-8, 0.0).unwrap_err();
        assert_eq!(error.to_string(), "adamw: beta2 is 1, expected 0 to below 1");
        assert_eq!(AdamW::new(0.9, 0.9, 0.0, 0.0).unwrap_err().to_string(), "adamw: eps is 0, expected above 0");
        assert!(AdamW::new(0.9, 0.9, 1e-8, f64::NAN).is_err());
        let error = AdamW::default().outputs(&[&[65], &[65], &[65], &[65], &[3], &[4], &[4]]).unwrap_err();
        assert_eq!(error.to_string(), "adamw.step: hyper is [3], expected [4]");
        assert!(AdamW::default().outputs(&[&[65], &[65], &[65]]).is_err());
    }
}
