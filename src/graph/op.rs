//! What a graph asks of an op.

use std::any::Any;
use std::fmt::Debug;
use std::sync::Arc;

use crate::error::{Error, Result};

use super::GradientContext;

/// How an op's result is the same memory as what it reads, where values of C4 lie so that it can be; a plan then runs no
/// kernel for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// The only output's channels are those of the inputs, one input after another.
    Concat,
    /// The only output's channels are a range of the only input's.
    Slice {
        /// The first of them.
        start: usize,
    },
}

/// An op with its parameters: `Conv2d { stride, padding, … }`. Which kernel runs it is told by its name alone.
pub trait Op: Debug + Any + Send + Sync {
    /// `ROOM.KERNEL`: the op's room and the kernel in it, `conv2d.backward_data` for one.
    fn kernel(&self) -> &'static str;

    /// The shapes it gives for the shapes it reads.
    ///
    /// # Errors
    /// [`Error::Shape`] and [`Error::Parameter`] that name the operand, what was expected and what came.
    fn outputs(&self, inputs: &[&[usize]]) -> Result<Vec<Vec<usize>>>;

    /// Appends the nodes that give the gradients of the inputs that are wanted.
    ///
    /// # Errors
    /// [`Error::Parameter`] for an op without a gradient.
    fn gradient(&self, context: &mut GradientContext<'_>) -> Result<()> {
        let _ = context;
        Err(Error::parameter(self.kernel(), "has no gradient"))
    }

    /// The inputs whose memory outputs take over: (input, output). Such a node changes its input.
    fn in_place(&self) -> &'static [(usize, usize)] {
        &[]
    }

    /// What of its inputs its output is, for an op that only moves channels; `None` for one that computes.
    fn view(&self, inputs: &[&[usize]]) -> Option<View> {
        let _ = inputs;
        None
    }

    /// For an op whose only output is linear in its input 1, with its input 2, where there is one, added to each channel:
    /// the dimension of input 1 that is the output's channels.
    fn weight_channels(&self) -> Option<usize> {
        None
    }

    /// For an op that scales and shifts each channel of its first input by numbers that its other inputs give: the op
    /// that does this to a weight, whose dimension `channels` it scales, and a bias instead. That op reads the weight,
    /// the bias where there is one, and this op's other inputs, and gives weight and bias.
    fn fold(&self, channels: usize) -> Option<Arc<dyn Op>> {
        let _ = channels;
        None
    }

    /// Floating-point operations of one call, as the field counts them: 2·N·Co·Ho·Wo·Ci·Kh·Kw for a convolution.
    fn flops(&self, inputs: &[&[usize]], outputs: &[&[usize]]) -> u64 {
        let _ = inputs;
        outputs.iter().map(|shape| shape.iter().product::<usize>() as u64).sum()
    }
}

impl dyn Op {
    /// The op as its own type.
    #[must_use]
    pub fn downcast<T: Op>(&self) -> Option<&T> {
        (self as &dyn Any).downcast_ref()
    }

    /// The op as the type its kernel was written for.
    ///
    /// # Errors
    /// [`Error::Parameter`] for another type: an op that claims a kernel of another room.
    pub fn expect<T: Op>(&self) -> Result<&T> {
        let message = || format!("is not a {}", std::any::type_name::<T>());
        self.downcast().ok_or_else(|| Error::parameter(self.kernel(), message()))
    }
}
