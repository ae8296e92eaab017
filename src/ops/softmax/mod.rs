//! Softmax and its logarithm over the second dimension: of (n, c), or of the channels of (n, c, h, w).
//!
//! softmax(x)\[c\] = exp(x\[c\] − m) / s, log_softmax(x)\[c\] = x\[c\] − m − ln s, m = max over c of x\[c\],
//! s = Σ over c of exp(x\[c\] − m). Values are plain.

mod cases;
mod dispatch;
mod gradient;
mod twin;

use crate::error::{Error, Result};
use crate::graph::{GradientContext, Graph, Op, Value};

use super::flat::{exactly, same};
use super::{Attributes, Gradient, Kernel, Room, Version, twin as twin_of};

/// The room.
pub const ROOM: Room = Room {
    name: "softmax",
    ops: &["softmax", "log_softmax"],
    kernels: &[
        kernel("softmax.forward", twin_of!(twin::forward), dispatch::FORWARD, 1e-5),
        kernel("softmax.backward", twin_of!(twin::backward), dispatch::BACKWARD, 5e-5),
        kernel("softmax.log_forward", twin_of!(twin::log_forward), dispatch::FORWARD, 1e-5),
        kernel("softmax.log_backward", twin_of!(twin::log_backward), dispatch::BACKWARD, 5e-5),
    ],
    cases: cases::cases,
    from_case,
    gradient: Gradient::Kernels(&["softmax.backward", "softmax.log_backward"]),
};

const fn kernel(name: &'static str, twin: super::Twin, versions: &'static [Version], tolerance: f64) -> Kernel {
    Kernel { name, twin, versions, epilogues: &[], tolerance }
}

/// Softmax over the second dimension of (n, c) or (n, c, h, w).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Softmax;

/// The gradient of [`Softmax`]: inputs (gradient, softmax's output).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SoftmaxBackward;

/// The logarithm of softmax over the second dimension of (n, c) or (n, c, h, w).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogSoftmax;

/// The gradient of [`LogSoftmax`]: inputs (gradient, log_softmax's output).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogSoftmaxBackward;

fn check(op: &str, shape: &[usize]) -> Result<()> {
    match shape.len() {
        2 | 4 => Ok(()),
        _ => Err(Error::shape(op, "input", "two or four dimensions", shape)),
    }
}

macro_rules! pair {
    ($forward:ty, $forward_kernel:literal, $backward:ident, $backward_kernel:literal) => {
        impl Op for $forward {
            fn kernel(&self) -> &'static str {
                $forward_kernel
            }
            fn outputs(&self, inputs: &[&[usize]]) -> Result<Vec<Vec<usize>>> {
                let [x] = exactly(self.kernel(), inputs)?;
                check(self.kernel(), x)?;
                Ok(vec![x.to_vec()])
            }
            fn gradient(&self, context: &mut GradientContext<'_>) -> Result<()> {
                gradient::from_output(context, $backward)
            }
            fn flops(&self, inputs: &[&[usize]], _: &[&[usize]]) -> u64 {
                inputs[0].iter().product::<usize>() as u64 * 5
            }
        }

        impl Op for $backward {
            fn kernel(&self) -> &'static str {
                $backward_kernel
            }
            fn outputs(&self, inputs: &[&[usize]]) -> Result<Vec<Vec<usize>>> {
                let [gradient, output] = exactly(self.kernel(), inputs)?;
                check(self.kernel(), gradient)?;
                same(self.kernel(), "output", gradient, output)?;
                Ok(vec![gradient.to_vec()])
            }
            fn flops(&self, inputs: &[&[usize]], _: &[&[usize]]) -> u64 {
                inputs[0].iter().product::<usize>() as u64 * 4
            }
        }
    };
}

pair!(Softmax, "softmax.forward", SoftmaxBackward, "softmax.backward");
pair!(LogSoftmax, "softmax.log_forward", LogSoftmaxBackward, "softmax.log_backward");

impl Graph {
    /// Softmax over the second dimension of x (n, c) or (n, c, h, w).
    ///
    /// # Errors
    /// [`Error::Shape`] for another number of dimensions.
    pub fn softmax(&mut self, x: Value) -> Result<Value> {
        self.push1(Softmax, &[x])
    }

    /// The logarithm of softmax over the second dimension of x (n, c) or (n, c, h, w).
    ///
    /// # Errors
    /// [`Error::Shape`] for another number of dimensions.
    pub fn log_softmax(&mut self, x: Value) -> Result<Value> {
        self.push1(LogSoftmax, &[x])
    }
}

fn from_case(graph: &mut Graph, op: &str, attributes: &Attributes<'_>, inputs: &[Value]) -> Result<Vec<Value>> {
    let dim = attributes.index("dim")?;
    if dim != 1 {
        return Err(Error::parameter(op, format!("dim is {dim}, only 1 is supported")));
    }
    let &[x] = inputs else {
        return Err(Error::parameter(op, format!("takes 1 input, got {}", inputs.len())));
    };
    Ok(vec![if op == "softmax" { graph.softmax(x)? } else { graph.log_softmax(x)? }])
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
        // exp is 1 and 3: a quarter and three quarters.
        let x = array(&[1, 2], &[0.0, 3f64.ln()]);
        close(&twin::forward(&Softmax, &[&x]).unwrap()[0], &[0.25, 0.75]);
        close(&twin::log_forward(&LogSoftmax, &[&x]).unwrap()[0], &[0.25f64.ln(), 0.75f64.ln()]);
        let g = array(&[1, 2], &[1.0, 0.0]);
        let y = array(&[1, 2], &[0.25, 0.75]);
        close(&twin::backward(&SoftmaxBackward, &[&g, &y]).unwrap()[0], &[0.1875, -0.1875]);
        let y = array(&[1, 2], &[0.25f64.ln(), 0.75f64.ln()]);
        close(&twin::log_backward(&LogSoftmaxBackward, &[&g, &y]).unwrap()[0], &[0.75, -0.75]);
        // Channels of two pixels.
        let x = array(&[1, 2, 1, 2], &[0.0, 5.0, 3f64.ln(), 5.0]);
        close(&twin::forward(&Softmax, &[&x]).unwrap()[0], &[0.25, 0.5, 0.75, 0.5]);
    }

    #[test]
    fn refuses() {
        let error = Softmax.outputs(&[&[2, 3, 4]]).unwrap_err();
        assert_eq!(error.to_string(), "softmax.forward: input is [2, 3, 4], expected two or four dimensions");
        let error = LogSoftmaxBackward.outputs(&[&[2, 3], &[2, 4]]).unwrap_err();
        assert_eq!(error.to_string(), "softmax.log_backward: output is [2, 4], expected [2, 3]");
    }
}
