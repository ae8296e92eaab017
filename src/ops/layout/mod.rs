//! From one layout to another: `pack` and `unpack`, which plans insert where a kernel wants what it does not get.
//! As ops they change nothing, so graphs need none of them and they need no gradient.

mod cases;
mod dispatch;
#[cfg(test)]
mod tests;
mod twin;

use crate::error::{Error, Result};
use crate::graph::{Graph, Layout, Op, Value};

use super::{Attributes, Gradient, Kernel, Room, twin as twin_of};

/// The room.
pub const ROOM: Room = Room {
    name: "layout",
    ops: &[],
    kernels: &[Kernel {
        name: "layout.convert",
        twin: twin_of!(twin::convert),
        versions: dispatch::CONVERT,
        epilogues: &[],
        tolerance: 0.0,
    }],
    cases: cases::cases,
    from_case,
    gradient: Gradient::None { why: "plans insert it after the gradients were taken" },
};

/// The same values in another layout.
#[derive(Debug, Clone, Copy)]
pub struct Convert {
    /// The layout of the input.
    pub from: Layout,
    /// The layout of the output.
    pub to: Layout,
}

impl Op for Convert {
    fn kernel(&self) -> &'static str {
        "layout.convert"
    }

    fn outputs(&self, inputs: &[&[usize]]) -> Result<Vec<Vec<usize>>> {
        let &[shape] = inputs else { return Err(Error::parameter(self.kernel(), "takes one input")) };
        self.from.check(self.kernel(), shape)?;
        self.to.check(self.kernel(), shape)?;
        Ok(vec![shape.to_vec()])
    }
}

fn from_case(_: &mut Graph, op: &str, _: &Attributes<'_>, _: &[Value]) -> Result<Vec<Value>> {
    Err(Error::parameter(op, "has no reference cases"))
}
