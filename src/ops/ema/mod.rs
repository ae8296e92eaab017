//! An exponential moving average of the parameters: average ← decay·average + (1 − decay)·param, for whole slabs, in
//! place. Where control says that the step is not finite, the average stays as it is, to the bit.

mod cases;
mod dispatch;
mod twin;

use crate::error::{Error, Result};
use crate::graph::{Graph, Op, Value};

use super::flat::exactly;
use super::{Attributes, Gradient, Kernel, Room, slab, twin as twin_of};

/// The room.
pub const ROOM: Room = Room {
    name: "ema",
    ops: &["ema"],
    kernels: &[Kernel {
        name: "ema.step",
        twin: twin_of!(twin::step),
        versions: dispatch::STEP,
        epilogues: &[],
        tolerance: 1e-5,
    }],
    cases: cases::cases,
    from_case,
    gradient: Gradient::None { why: "an optimizer step is not differentiated" },
};

/// One step: inputs (average, param, hyper \[4\] = (decay, 0, 0, 0), control \[4\] of
/// [`GradNorm`](super::clip_grad_norm::GradNorm)); output the average, in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ema;

impl Op for Ema {
    fn kernel(&self) -> &'static str {
        "ema.step"
    }

    fn outputs(&self, inputs: &[&[usize]]) -> Result<Vec<Vec<usize>>> {
        let inputs: [&[usize]; 4] = exactly(self.kernel(), inputs)?;
        slab::check(self.kernel(), &inputs, &["average", "param"], false)?;
        Ok(vec![inputs[0].to_vec()])
    }

    fn in_place(&self) -> &'static [(usize, usize)] {
        &[(0, 0)]
    }

    fn flops(&self, inputs: &[&[usize]], _: &[&[usize]]) -> u64 {
        inputs[0][0] as u64 * 3
    }
}

impl Graph {
    /// One step of the moving average over whole slabs, in place: `inputs` are average, param, hyper and control (see
    /// [`Ema`]); returns the average.
    ///
    /// # Errors
    /// [`Error::Shape`] that names the operand.
    pub fn ema(&mut self, inputs: [Value; 4]) -> Result<Value> {
        self.push1(Ema, &inputs)
    }
}

fn from_case(graph: &mut Graph, op: &str, attributes: &Attributes<'_>, inputs: &[Value]) -> Result<Vec<Value>> {
    let &[average, param] = inputs else {
        return Err(Error::parameter(op, format!("takes 2 inputs, got {}", inputs.len())));
    };
    let [hyper, control, _] = slab::constants(graph, attributes, [attributes.number("decay")?, 0.0, 0.0, 0.0]);
    Ok(vec![graph.ema([average, param, hyper, control])?])
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
        let (a, p, hyper) = (array(&[2.0, 8.0]), array(&[4.0, 4.0]), array(&[0.75, 0.0, 0.0, 0.0]));
        let out = twin::step(&Ema, &[&a, &p, &hyper, &array(&[9.0, 0.5, 1.0, 0.0])]).unwrap();
        assert_eq!(out[0].data, [2.5, 7.0]);
        let out = twin::step(&Ema, &[&a, &p, &hyper, &array(&[9.0, 0.0, 0.0, 0.0])]).unwrap();
        assert_eq!(out[0], a);
    }

    #[test]
    fn refuses() {
        let error = Ema.outputs(&[&[65], &[64], &[4], &[4]]).unwrap_err();
        assert_eq!(error.to_string(), "ema.step: param is [64], expected [65]");
        let error = Ema.outputs(&[&[65], &[65], &[4], &[2]]).unwrap_err();
        assert_eq!(error.to_string(), "ema.step: control is [2], expected [4]");
    }
}
