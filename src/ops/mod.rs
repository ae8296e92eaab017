//! Every op of the engine, each in a room of its own: contract, shape rule, gradient, plain CPU twin, shaders'
//! bindings and dispatch, and cases. [`OPS`] lists the rooms; tests, `nevus check` and the benchmarks go by it.
//!
//! The letters `n ci co h w kh kw oh ow` mean the same in every shader, twin, case and error: batch, channels in and
//! out, height and width of the input, of the kernel, and of the output.

mod call;
pub mod cases;
pub mod compare;
pub mod harness;
pub mod reference;
mod room;
mod twin;

mod convolution;
mod flat;
mod slab;

pub mod adamw;
pub mod batch_norm2d;
pub mod bce_with_logits;
pub mod clip_grad_norm;
pub mod conv2d;
pub mod cross_entropy;
pub mod dice_loss;
pub mod ema;
pub mod focal_loss;
pub mod layout;
pub mod linear;
pub mod pointwise;
pub mod reduce;
pub mod sgd;
pub mod softmax;

use std::sync::Arc;

use crate::error::Result;
use crate::graph::{Graph, Op, Value};

pub use call::{Binding, Call, Launch, Lowered, Operand, Slot, Window, fold};
pub use room::{Attributes, Epilogue, Gradient, Kernel, Layouts, Requires, Room, ShaderInfo, Version};
pub(crate) use twin::twin;
pub use twin::{Array, Real, Twin, TwinFn, TwinWidth};

/// Every op of the engine.
pub static OPS: &[Room] = &[
    adamw::ROOM,
    batch_norm2d::ROOM,
    bce_with_logits::ROOM,
    clip_grad_norm::ROOM,
    conv2d::ROOM,
    cross_entropy::ROOM,
    dice_loss::ROOM,
    ema::ROOM,
    focal_loss::ROOM,
    layout::ROOM,
    linear::ROOM,
    pointwise::ROOM,
    reduce::ROOM,
    sgd::ROOM,
    softmax::ROOM,
];

/// The kernel of a name that [`Op::kernel`] gives.
#[must_use]
pub fn kernel(name: &str) -> Option<&'static Kernel> {
    OPS.iter().flat_map(|room| room.kernels).find(|kernel| kernel.name == name)
}

impl Graph {
    /// Appends the nodes that give the gradients of `loss`, a single number, with respect to `wrt`. Gradients that
    /// meet are added; a value on which `loss` does not depend gets `None`.
    ///
    /// # Errors
    /// [`Error::Parameter`](crate::Error::Parameter) for an op without a gradient on the way,
    /// [`Error::Shape`](crate::Error::Shape) for a loss of more than one element.
    pub fn gradients(&mut self, loss: Value, wrt: &[Value]) -> Result<Vec<Option<Value>>> {
        self.gradients_of(loss, wrt, &(Arc::new(pointwise::Add) as Arc<dyn Op>))
    }
}
