//! Host tensors: a shape and row-major `f32` values, in PyTorch's order of dimensions.

use crate::error::{Error, Result};

/// A row-major array of `f32` on the host. Activations are (n, c, h, w); class indices are whole numbers.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Tensor {
    shape: Vec<usize>,
    data: Vec<f32>,
}

impl Tensor {
    /// A tensor of `shape` over `data`; refused when the lengths differ or the product overflows.
    pub fn new(shape: impl Into<Vec<usize>>, data: Vec<f32>) -> Result<Self> {
        let shape = shape.into();
        match checked_len(&shape) {
            Some(len) if len == data.len() => Ok(Self { shape, data }),
            _ => Err(Error::shape("tensor", "shape", format!("a product of {}", data.len()), &shape)),
        }
    }

    /// A tensor of zeros.
    ///
    /// # Panics
    /// When the product of `shape` overflows `usize`.
    #[must_use]
    pub fn zeros(shape: impl Into<Vec<usize>>) -> Self {
        Self::full(shape, 0.0)
    }

    /// A tensor whose every element is `value`.
    ///
    /// # Panics
    /// When the product of `shape` overflows `usize`.
    #[must_use]
    pub fn full(shape: impl Into<Vec<usize>>, value: f32) -> Self {
        let shape = shape.into();
        let len = checked_len(&shape).expect("the shape's product overflows");
        Self { shape, data: vec![value; len] }
    }

    /// A tensor without dimensions.
    #[must_use]
    pub fn scalar(value: f32) -> Self {
        Self { shape: vec![], data: vec![value] }
    }

    /// The sizes of the dimensions, outermost first; empty for a scalar.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The values, row-major.
    #[must_use]
    pub fn data(&self) -> &[f32] {
        &self.data
    }

    /// The values, row-major, to write to.
    pub fn data_mut(&mut self) -> &mut [f32] {
        &mut self.data
    }

    /// Takes the values out.
    #[must_use]
    pub fn into_data(self) -> Vec<f32> {
        self.data
    }

    /// The number of elements.
    #[must_use]
    pub fn len(&self) -> usize {
        self.data.len()
    }

    /// Whether there is no element.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// The same values under another shape of the same length.
    pub fn reshape(self, shape: impl Into<Vec<usize>>) -> Result<Self> {
        Self::new(shape, self.data)
    }

    /// The first value that is not finite, by flat index.
    #[must_use]
    pub fn first_not_finite(&self) -> Option<usize> {
        self.data.iter().position(|v| !v.is_finite())
    }
}

/// The product of a shape's dimensions, or `None` where it overflows.
#[must_use]
pub fn checked_len(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1usize, |len, &dim| len.checked_mul(dim))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_must_match_its_values() {
        assert!(Tensor::new([2, 3], vec![0.0; 6]).is_ok());
        assert!(Tensor::new([2, 3], vec![0.0; 5]).is_err());
        assert!(Tensor::new([usize::MAX, 2], vec![]).is_err());
    }
}
