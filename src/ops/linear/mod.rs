//! A fully connected layer: y\[n, o\] = bias\[o\] + Σ over i of x\[n, i\]·weight\[o, i\]. Everything is plain.

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
    name: "linear",
    ops: &["linear"],
    kernels: &[
        kernel("linear.forward", twin_of!(twin::forward), dispatch::FORWARD, 1e-5),
        kernel("linear.backward_data", twin_of!(twin::backward_data), dispatch::BACKWARD_DATA, 5e-5),
        kernel("linear.backward_weight", twin_of!(twin::backward_weight), dispatch::BACKWARD_WEIGHT, 5e-5),
        kernel("linear.backward_bias", twin_of!(twin::backward_bias), dispatch::BACKWARD_BIAS, 5e-5),
    ],
    cases: cases::cases,
    from_case,
    gradient: Gradient::Kernels(&["linear.backward_data", "linear.backward_weight", "linear.backward_bias"]),
};

const fn kernel(name: &'static str, twin: super::Twin, versions: &'static [Version], tolerance: f64) -> Kernel {
    Kernel { name, twin, versions, epilogues: &[], tolerance }
}

/// A fully connected layer: inputs x (n, i), weight (o, i), bias (o); output (n, o).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Linear;

/// The gradient with respect to x: inputs (gradient (n, o), weight (o, i)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinearBackwardData;

/// The gradient with respect to the weight: inputs (x (n, i), gradient (n, o)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinearBackwardWeight;

/// The gradient with respect to the bias: input gradient (n, o).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinearBackwardBias;

fn two(op: &str, what: &str, shape: &[usize]) -> Result<[usize; 2]> {
    shape.try_into().map_err(|_| Error::shape(op, what, "two dimensions", shape))
}

impl Op for Linear {
    fn kernel(&self) -> &'static str {
        "linear.forward"
    }

    fn outputs(&self, inputs: &[&[usize]]) -> Result<Vec<Vec<usize>>> {
        let [x, weight, bias] = exactly(self.kernel(), inputs)?;
        let ([n, i], [o, of]) = (two(self.kernel(), "input", x)?, two(self.kernel(), "weight", weight)?);
        if of != i {
            return Err(Error::shape(self.kernel(), "weight", format!("[o, {i}] for an input of {i} values"), weight));
        }
        same(self.kernel(), "bias", &[o], bias)?;
        Ok(vec![vec![n, o]])
    }

    fn gradient(&self, context: &mut GradientContext<'_>) -> Result<()> {
        gradient::gradient(context)
    }

    fn flops(&self, inputs: &[&[usize]], outputs: &[&[usize]]) -> u64 {
        2 * (outputs[0].iter().product::<usize>() * inputs[0][1]) as u64
    }
}

impl Op for LinearBackwardData {
    fn kernel(&self) -> &'static str {
        "linear.backward_data"
    }

    fn outputs(&self, inputs: &[&[usize]]) -> Result<Vec<Vec<usize>>> {
        let [gradient, weight] = exactly(self.kernel(), inputs)?;
        let ([n, o], [of, i]) = (two(self.kernel(), "gradient", gradient)?, two(self.kernel(), "weight", weight)?);
        if of != o {
            return Err(Error::shape(
                self.kernel(),
                "weight",
                format!("[{o}, i] for a gradient of {o} values"),
                weight,
            ));
        }
        Ok(vec![vec![n, i]])
    }

    fn flops(&self, inputs: &[&[usize]], outputs: &[&[usize]]) -> u64 {
        2 * (outputs[0].iter().product::<usize>() * inputs[0][1]) as u64
    }
}

impl Op for LinearBackwardWeight {
    fn kernel(&self) -> &'static str {
        "linear.backward_weight"
    }

    fn outputs(&self, inputs: &[&[usize]]) -> Result<Vec<Vec<usize>>> {
        let [x, gradient] = exactly(self.kernel(), inputs)?;
        let ([n, i], [of, o]) = (two(self.kernel(), "input", x)?, two(self.kernel(), "gradient", gradient)?);
        if of != n {
            return Err(Error::shape(
                self.kernel(),
                "gradient",
                format!("[{n}, o] for an input of {n} rows"),
                gradient,
            ));
        }
        Ok(vec![vec![o, i]])
    }

    fn flops(&self, inputs: &[&[usize]], outputs: &[&[usize]]) -> u64 {
        2 * (outputs[0].iter().product::<usize>() * inputs[0][0]) as u64
    }
}

impl Op for LinearBackwardBias {
    fn kernel(&self) -> &'static str {
        "linear.backward_bias"
    }

    fn outputs(&self, inputs: &[&[usize]]) -> Result<Vec<Vec<usize>>> {
        let [gradient] = exactly(self.kernel(), inputs)?;
        Ok(vec![vec![two(self.kernel(), "gradient", gradient)?[1]]])
    }

    fn flops(&self, inputs: &[&[usize]], _: &[&[usize]]) -> u64 {
        inputs[0].iter().product::<usize>() as u64
    }
}

impl Graph {
    /// A fully connected layer of x (n, i) with weight (o, i) and bias (o).
    ///
    /// # Errors
    /// [`Error::Shape`] where the shapes do not go together.
    pub fn linear(&mut self, x: Value, weight: Value, bias: Value) -> Result<Value> {
        self.push1(Linear, &[x, weight, bias])
    }
}

fn from_case(graph: &mut Graph, op: &str, _: &Attributes<'_>, inputs: &[Value]) -> Result<Vec<Value>> {
    match inputs {
        &[x, weight, bias] => Ok(vec![graph.linear(x, weight, bias)?]),
        _ => Err(Error::parameter(op, format!("takes 3 inputs, got {}", inputs.len()))),
    }
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
        let x = array(&[1, 2], &[2.0, 3.0]);
        let weight = array(&[3, 2], &[1.0, 0.0, 0.0, 1.0, 1.0, -1.0]);
        let bias = array(&[3], &[10.0, 20.0, 30.0]);
        assert_eq!(twin::forward(&Linear, &[&x, &weight, &bias]).unwrap()[0].data, [12.0, 23.0, 29.0]);
        let g = array(&[1, 3], &[1.0, 2.0, 4.0]);
        assert_eq!(twin::backward_data(&LinearBackwardData, &[&g, &weight]).unwrap()[0].data, [5.0, -2.0]);
        let dweight = twin::backward_weight(&LinearBackwardWeight, &[&x, &g]).unwrap();
        assert_eq!(dweight[0].data, [2.0, 3.0, 4.0, 6.0, 8.0, 12.0]);
        assert_eq!(twin::backward_bias(&LinearBackwardBias, &[&g]).unwrap()[0].data, [1.0, 2.0, 4.0]);
    }

    #[test]
    fn refuses() {
        let error = Linear.outputs(&[&[2, 3], &[5, 4], &[5]]).unwrap_err();
        assert_eq!(error.to_string(), "linear.forward: weight is [5, 4], expected [o, 3] for an input of 3 values");
        let error = Linear.outputs(&[&[2, 3], &[5, 3], &[4]]).unwrap_err();
        assert_eq!(error.to_string(), "linear.forward: bias is [4], expected [5]");
        assert!(Linear.outputs(&[&[2, 3, 1, 1], &[5, 3], &[5]]).is_err());
        assert!(LinearBackwardData.outputs(&[&[2, 5], &[4, 3]]).is_err());
        assert!(LinearBackwardWeight.outputs(&[&[2, 3], &[3, 5]]).is_err());
    }
}
