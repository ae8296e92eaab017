//! The plain CPU side: arrays and what a twin is.

use crate::error::{Error, Result};
use crate::graph::Op;
use crate::tensor::Tensor;

/// The number type of a twin: f32 to compare with a GPU, f64 for finite differences and tight bounds.
pub trait Real:
    num_traits::Float + num_traits::NumAssign + std::iter::Sum + std::fmt::Debug + Send + Sync + 'static
{
    /// From an f64, rounded.
    fn of(value: f64) -> Self;
    /// To an f64.
    fn wide(self) -> f64;
}

impl Real for f32 {
    fn of(value: f64) -> Self {
        value as f32
    }
    fn wide(self) -> f64 {
        f64::from(self)
    }
}

impl Real for f64 {
    fn of(value: f64) -> Self {
        value
    }
    fn wide(self) -> f64 {
        self
    }
}

/// A row-major array.
#[derive(Debug, Clone, PartialEq)]
pub struct Array<T> {
    /// Sizes of the dimensions, outermost first.
    pub shape: Vec<usize>,
    /// The values.
    pub data: Vec<T>,
}

impl<T: Real> Array<T> {
    /// Zeros.
    #[must_use]
    pub fn zeros(shape: &[usize]) -> Self {
        Self { shape: shape.to_vec(), data: vec![T::zero(); shape.iter().product()] }
    }

    /// The sizes of four dimensions; missing outer ones count as 1.
    #[must_use]
    pub fn dims4(&self) -> [usize; 4] {
        let mut dims = [1; 4];
        for (to, from) in dims.iter_mut().rev().zip(self.shape.iter().rev()) {
            *to = *from;
        }
        dims
    }

    /// The element (n, c, y, x) of a four-dimensional array.
    #[must_use]
    pub fn at(&self, n: usize, c: usize, y: usize, x: usize) -> T {
        let [_, dc, dy, dx] = self.dims4();
        self.data[((n * dc + c) * dy + y) * dx + x]
    }

    /// The element (n, c, y, x) of a four-dimensional array, to write to.
    pub fn at_mut(&mut self, n: usize, c: usize, y: usize, x: usize) -> &mut T {
        let [_, dc, dy, dx] = self.dims4();
        &mut self.data[((n * dc + c) * dy + y) * dx + x]
    }
}

impl<T: Real> From<&Tensor> for Array<T> {
    fn from(tensor: &Tensor) -> Self {
        let data = tensor.data().iter().map(|&v| T::of(f64::from(v))).collect();
        Self { shape: tensor.shape().to_vec(), data }
    }
}

impl<T: Real> From<&Array<T>> for Tensor {
    fn from(array: &Array<T>) -> Self {
        let mut tensor = Self::zeros(array.shape.clone());
        for (to, from) in tensor.data_mut().iter_mut().zip(&array.data) {
            *to = from.wide() as f32;
        }
        tensor
    }
}

/// A kernel in plain loops: the op's parameters and inputs to its outputs.
pub type TwinFn<T> = fn(&dyn Op, &[&Array<T>]) -> Result<Vec<Array<T>>>;

/// A kernel in plain loops, in both widths.
#[derive(Debug, Clone, Copy)]
pub struct Twin {
    /// In f32, with which a GPU is compared.
    pub f32: TwinFn<f32>,
    /// In f64, for finite differences.
    pub f64: TwinFn<f64>,
}

/// A number type a [`Twin`] has a function for.
pub trait TwinWidth: Real {
    /// The twin's function of this width.
    fn of_twin(twin: &Twin) -> TwinFn<Self>;
}

impl TwinWidth for f32 {
    fn of_twin(twin: &Twin) -> TwinFn<Self> {
        twin.f32
    }
}

impl TwinWidth for f64 {
    fn of_twin(twin: &Twin) -> TwinFn<Self> {
        twin.f64
    }
}

impl Twin {
    /// Checks the shapes by the op's own rule, then runs the twin.
    ///
    /// # Errors
    /// Those of [`Op::outputs`]; [`Error::Mismatch`] where the twin's outputs have other shapes than the rule says.
    pub fn run<T: TwinWidth>(&self, op: &dyn Op, inputs: &[&Array<T>]) -> Result<Vec<Array<T>>> {
        let shapes: Vec<&[usize]> = inputs.iter().map(|input| input.shape.as_slice()).collect();
        let expected = op.outputs(&shapes)?;
        let outputs = T::of_twin(self)(op, inputs)?;
        let got: Vec<_> = outputs.iter().map(|output| output.shape.clone()).collect();
        match got == expected {
            true => Ok(outputs),
            false => Err(Error::Mismatch(format!("{}: the twin gives {got:?}, the op {expected:?}", op.kernel()))),
        }
    }
}

/// Both widths of a generic function.
macro_rules! twin {
    ($function:path) => {
        $crate::ops::Twin { f32: $function, f64: $function }
    };
}
pub(crate) use twin;
