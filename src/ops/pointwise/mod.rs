//! Elementwise ops of one or two values: relu, sigmoid, scale, add, mul.
//!
//! Every member reads values of one shape and gives that shape; layouts are whatever the first input has.

mod cases;
mod dispatch;
mod gradient;
#[cfg(test)]
mod tests;
mod twin;

use crate::error::{Error, Result};
use crate::graph::{GradientContext, Graph, Op, Value};

use super::{Attributes, Epilogue, Gradient, Kernel, Room, twin as twin_of};

/// The room.
pub const ROOM: Room = Room {
    name: "pointwise",
    ops: &["relu", "sigmoid", "scale", "add", "mul"],
    kernels: &[
        kernel("pointwise.relu", twin_of!(twin::relu), dispatch::UNARY),
        kernel("pointwise.relu_backward", twin_of!(twin::relu_backward), dispatch::BINARY),
        kernel("pointwise.sigmoid", twin_of!(twin::sigmoid), dispatch::UNARY),
        kernel("pointwise.sigmoid_backward", twin_of!(twin::sigmoid_backward), dispatch::BINARY),
        kernel("pointwise.scale", twin_of!(twin::scale), dispatch::UNARY),
        kernel("pointwise.add", twin_of!(twin::add), dispatch::BINARY),
        kernel("pointwise.mul", twin_of!(twin::mul), dispatch::BINARY),
    ],
    cases: cases::cases,
    from_case,
    gradient: Gradient::Kernels(&[
        "pointwise.relu_backward",
        "pointwise.sigmoid_backward",
        "pointwise.scale",
        "pointwise.mul",
    ]),
};

const fn kernel(name: &'static str, twin: super::Twin, versions: &'static [super::Version]) -> Kernel {
    Kernel { name, twin, versions, epilogues: &[], tolerance: 1e-6 }
}

/// max(x, 0); a NaN stays a NaN.
#[derive(Debug, Clone, Copy)]
pub struct Relu;

/// The gradient of [`Relu`]: inputs (gradient, relu's output or input); the gradient where the second is above 0.
#[derive(Debug, Clone, Copy)]
pub struct ReluBackward;

/// 1 / (1 + exp(-x)), without overflow for any finite x.
#[derive(Debug, Clone, Copy)]
pub struct Sigmoid;

/// The gradient of [`Sigmoid`]: inputs (gradient, sigmoid's *input*); from its output it would be 0 at |x| > 17.
#[derive(Debug, Clone, Copy)]
pub struct SigmoidBackward;

/// `factor` · x.
#[derive(Debug, Clone, Copy)]
pub struct Scale {
    /// The factor, finite.
    pub factor: f32,
}

/// a + b.
#[derive(Debug, Clone, Copy)]
pub struct Add;

/// a · b.
#[derive(Debug, Clone, Copy)]
pub struct Mul;

/// The rule of every member: `count` inputs, all of one shape, which is the output's.
fn same_shape(op: &dyn Op, inputs: &[&[usize]], count: usize) -> Result<Vec<Vec<usize>>> {
    if inputs.len() != count {
        return Err(Error::parameter(op.kernel(), format!("takes {count} inputs, got {}", inputs.len())));
    }
    for shape in &inputs[1..] {
        if *shape != inputs[0] {
            let expected = format!("{:?} as the first input has", inputs[0]);
            return Err(Error::shape(op.kernel(), "an input", expected, shape));
        }
    }
    Ok(vec![inputs[0].to_vec()])
}

macro_rules! member {
    ($type:ty, $kernel:literal, $inputs:literal, $gradient:path) => {
        impl Op for $type {
            fn kernel(&self) -> &'static str {
                $kernel
            }
            fn outputs(&self, inputs: &[&[usize]]) -> Result<Vec<Vec<usize>>> {
                same_shape(self, inputs, $inputs)
            }
            fn gradient(&self, context: &mut GradientContext<'_>) -> Result<()> {
                $gradient(self, context)
            }
        }
    };
}

member!(Relu, "pointwise.relu", 1, gradient::relu);
member!(ReluBackward, "pointwise.relu_backward", 2, gradient::none);
member!(Sigmoid, "pointwise.sigmoid", 1, gradient::sigmoid);
member!(SigmoidBackward, "pointwise.sigmoid_backward", 2, gradient::none);
member!(Scale, "pointwise.scale", 1, gradient::scale);
member!(Add, "pointwise.add", 2, gradient::add);
member!(Mul, "pointwise.mul", 2, gradient::mul);

/// What another kernel can carry out in place of an op of this room.
#[must_use]
pub fn as_epilogue(op: &dyn Op) -> Option<Epilogue> {
    match op.kernel() {
        "pointwise.relu" => Some(Epilogue::Relu),
        "pointwise.add" => Some(Epilogue::Add),
        "pointwise.relu_backward" => Some(Epilogue::Mask),
        _ => None,
    }
}

impl Graph {
    /// max(x, 0).
    ///
    /// # Errors
    /// None for a value of this graph.
    pub fn relu(&mut self, x: Value) -> Result<Value> {
        self.push1(Relu, &[x])
    }

    /// 1 / (1 + exp(-x)).
    ///
    /// # Errors
    /// None for a value of this graph.
    pub fn sigmoid(&mut self, x: Value) -> Result<Value> {
        self.push1(Sigmoid, &[x])
    }

    /// `factor` · x.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a factor that is not finite.
    pub fn scale(&mut self, x: Value, factor: f32) -> Result<Value> {
        if !factor.is_finite() {
            return Err(Error::parameter("pointwise.scale", format!("factor is {factor}, expected a finite number")));
        }
        self.push1(Scale { factor }, &[x])
    }

    /// a + b, of equal shapes.
    ///
    /// # Errors
    /// [`Error::Shape`] where the shapes differ.
    pub fn add(&mut self, a: Value, b: Value) -> Result<Value> {
        self.push1(Add, &[a, b])
    }

    /// a · b, of equal shapes.
    ///
    /// # Errors
    /// [`Error::Shape`] where the shapes differ.
    pub fn mul(&mut self, a: Value, b: Value) -> Result<Value> {
        self.push1(Mul, &[a, b])
    }
}

fn from_case(graph: &mut Graph, op: &str, attributes: &Attributes<'_>, inputs: &[Value]) -> Result<Vec<Value>> {
    let second = || inputs.get(1).copied().ok_or_else(|| Error::parameter(op, "takes two inputs, got one"));
    let value = match op {
        "relu" => graph.relu(inputs[0]),
        "sigmoid" => graph.sigmoid(inputs[0]),
        "scale" => graph.scale(inputs[0], attributes.number("factor")? as f32),
        "add" => graph.add(inputs[0], second()?),
        "mul" => graph.mul(inputs[0], second()?),
        _ => Err(Error::parameter(op, "is not of this room")),
    };
    Ok(vec![value?])
}
