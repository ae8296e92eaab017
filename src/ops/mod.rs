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
#[cfg(test)]
mod worked;

mod checks;
mod class;
mod convolution;
mod cut;
mod epilogue;
mod flat;
mod half;
mod image;
mod pooling;
mod slab;

pub mod adamw;
pub mod avg_pool2d;
pub mod batch_norm2d;
pub mod bce_with_logits;
pub mod clip_grad_norm;
pub mod concat;
pub mod conv2d;
pub mod conv_transpose2d;
pub mod cross_entropy;
pub mod dice_loss;
pub mod dropout;
pub mod ema;
pub mod flatten;
pub mod focal_loss;
pub mod global_avg_pool2d;
pub mod layout;
pub mod linear;
pub mod max_pool2d;
pub mod normalize;
pub mod pointwise;
pub mod reduce;
pub mod resize_bilinear;
pub mod sgd;
pub mod slice;
pub mod softmax;

use std::sync::Arc;

use crate::error::Result;
use crate::graph::{Graph, Op, Value};

pub use call::{Binding, Call, Derived, Launch, Lowered, Operand, Slot, Window, fold};
pub use class::class;
pub use epilogue::{Epilogue, Extras};
pub use pointwise::as_epilogue;
pub use room::{Attributes, Gradient, Kernel, Layouts, Prospect, Requires, Room, ShaderInfo, Version, Worth};
pub(crate) use twin::twin;
pub use twin::{Array, Real, Twin, TwinFn, TwinWidth};

/// Every op of the engine.
pub static OPS: &[Room] = &[
    adamw::ROOM,
    avg_pool2d::ROOM,
    batch_norm2d::ROOM,
    bce_with_logits::ROOM,
    clip_grad_norm::ROOM,
    concat::ROOM,
    conv2d::ROOM,
    conv_transpose2d::ROOM,
    cross_entropy::ROOM,
    dice_loss::ROOM,
    dropout::ROOM,
    ema::ROOM,
    flatten::ROOM,
    focal_loss::ROOM,
    global_avg_pool2d::ROOM,
    layout::ROOM,
    linear::ROOM,
    max_pool2d::ROOM,
    normalize::ROOM,
    pointwise::ROOM,
    reduce::ROOM,
    resize_bilinear::ROOM,
    sgd::ROOM,
    slice::ROOM,
    softmax::ROOM,
];

/// The kernel of a name that [`Op::kernel`] gives.
#[must_use]
pub fn kernel(name: &str) -> Option<&'static Kernel> {
    OPS.iter().flat_map(|room| room.kernels).find(|kernel| kernel.name == name)
}

/// The version whose results a version, named by its shader, gives to the bit: itself, where it is not a plainer one with
/// other tiles or other dispatches.
#[must_use]
pub fn same_bits(shader: &str) -> &str {
    conv2d::SAME_BITS
        .iter()
        .chain(conv_transpose2d::SAME_BITS)
        .chain(batch_norm2d::SAME_BITS)
        .find(|(version, _)| *version == shader)
        .map_or(shader, |(_, other)| other)
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
