//! A program lowered for an adapter and placed in pools: all of a plan but its memory.

use crate::error::{Error, Result};
use crate::gpu::Caps;
use crate::ops::{Call, Lowered};

use super::PlanOptions;
use super::kept::{self, Kept};
use super::lower::{self, Steps};
use super::memory::{self, Places};
use super::rewrite::Program;

/// Steps, their launches, and where every value lives.
#[derive(Debug)]
pub(super) struct Draft {
    pub steps: Steps,
    pub lowered: Vec<Lowered>,
    pub kept: Vec<Kept>,
    /// Floating-point operations of each step.
    pub flops: Vec<u64>,
    pub places: Places,
}

impl Draft {
    /// # Errors
    /// [`Error::Plan`] where no version of a kernel runs, or a value passes what the adapter can hold or bind.
    pub fn new(program: &Program<'_>, options: &PlanOptions, caps: &Caps) -> Result<Self> {
        let steps = lower::lower(program, options, caps)?;
        let mut lowered = Vec::with_capacity(steps.steps.len());
        let mut flops = Vec::with_capacity(steps.steps.len());
        for step in &steps.steps {
            let inputs: Vec<_> = step.inputs.iter().map(|&item| steps.operand(item)).collect();
            let outputs: Vec<_> = step.outputs.iter().map(|&item| steps.operand(item)).collect();
            let call = Call { op: &*step.op, inputs: &inputs, outputs: &outputs, epilogue: step.epilogue, caps };
            lowered.push((step.version.lower)(&call).map_err(|error| in_node(error, &step.name))?);
            flops.push(call.flops());
        }
        let kept = match options.rewrite {
            true => kept::take(&steps, &mut lowered),
            false => vec![Kept::default(); lowered.len()],
        };
        let places = memory::place(&steps, &lowered, &kept, options.share, caps)?;
        Ok(Self { steps, lowered, kept, flops, places })
    }

    /// Bytes of all pools.
    pub fn pools(&self) -> u64 {
        self.places.pools.iter().sum()
    }

    /// Floating-point operations of one run.
    pub fn flops(&self) -> u64 {
        self.flops.iter().sum()
    }
}

/// An error of a node, with its place in the model.
fn in_node(error: Error, name: &str) -> Error {
    match error {
        Error::Plan { message, hint } => Error::Plan { message: format!("{name}: {message}"), hint },
        Error::Parameter { op, message } => Error::Parameter { op: format!("{name}: {op}"), message },
        other => other,
    }
}
