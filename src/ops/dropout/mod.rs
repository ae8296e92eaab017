//! Dropout: sets each element to zero with probability p, and scales the others by 1 / (1 − p).
//!
//! Whether (n, c, y, x) is kept is a function of (seed, optimizer step, sample + n, c, y, x) alone, so that layouts,
//! micro-batches and rewriting change nothing, and the gradient is the same op on the gradient: nothing is stored.
//!
//! keep ⇔ word c mod 4 of pcg4d(pcg4d(seed, step, sample + n, 0) + (⌊c/4⌋, y, x, 0)) / 2³² ≥ p, compared in 24 bits,
//! with pcg4d of Jarzynski and Olano, "Hash Functions for GPU Rendering", JCGT 9 (3), 2020. In two dimensions (n, c)
//! y and x are 0.

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
    name: "dropout",
    ops: &[],
    kernels: &[Kernel {
        name: "dropout.forward",
        twin: twin_of!(twin::forward),
        versions: dispatch::FORWARD,
        epilogues: &[],
        tolerance: 1e-6,
    }],
    cases: cases::cases,
    from_case,
    gradient: Gradient::Kernels(&["dropout.forward"]),
};

/// Dropout's parameters. Inputs: x, (n, c, h, w) or (n, c), and step, one whole number below 2²⁴: the optimizer's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dropout {
    /// The probability of a zero, at least 0 and below 1.
    pub p: f32,
    /// Which stream of random numbers: another one for each layer.
    pub seed: u32,
    /// The number of x's first sample, where x is a part of a batch.
    pub sample: u32,
}

impl Dropout {
    /// Checked parameters, for a whole batch.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a `p` outside of \[0, 1).
    pub fn new(p: f32, seed: u32) -> Result<Self> {
        let dropout = Self { p, seed, sample: 0 };
        dropout.check()?;
        Ok(dropout)
    }

    fn check(&self) -> Result<()> {
        match (0.0..1.0).contains(&self.p) {
            true => Ok(()),
            false => Err(Error::parameter("dropout", format!("p is {}, expected at least 0 and below 1", self.p))),
        }
    }

    /// What the upper 24 bits of a random word must reach for its element to be kept.
    fn threshold(&self) -> u32 {
        (self.p * 16_777_216.0).ceil() as u32
    }

    fn scale(&self) -> f32 {
        1.0 / (1.0 - self.p)
    }
}

impl Op for Dropout {
    fn kernel(&self) -> &'static str {
        "dropout.forward"
    }

    fn outputs(&self, inputs: &[&[usize]]) -> Result<Vec<Vec<usize>>> {
        let [x, step] = image::inputs("dropout", inputs)?;
        self.check()?;
        image::same("dropout", "step", step, &[1])?;
        match x.len() {
            2 | 4 => Ok(vec![x.to_vec()]),
            _ => Err(Error::shape("dropout", "input", "two or four dimensions", x)),
        }
    }

    fn gradient(&self, context: &mut GradientContext<'_>) -> Result<()> {
        gradient::gradient(self, context)
    }
}

impl Graph {
    /// x with elements set to zero by chance, as `op` says; `step` (one whole number below 2²⁴) changes the draw.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a `p` outside of \[0, 1), [`Error::Shape`] where x has neither two nor four dimensions
    /// or `step` is not one number.
    pub fn dropout(&mut self, op: Dropout, x: Value, step: Value) -> Result<Value> {
        self.push1(op, &[x, step])
    }
}

fn from_case(_: &mut Graph, op: &str, _: &Attributes<'_>, _: &[Value]) -> Result<Vec<Value>> {
    Err(Error::parameter(op, "has no reference cases"))
}
