//! The calls that a plan would make, known without a device.

use std::sync::Arc;

use crate::error::Result;
use crate::gpu::Caps;
use crate::graph::{Graph, Layout, Op, Value};
use crate::ops::{Epilogue, Prospect, Version, class};

use super::PlanOptions;
use super::lower::{self, Step, Steps};
use super::rewrite::Program;

/// One call of a kernel, as it stands in a plan.
#[derive(Debug, Clone)]
pub struct PlannedCall {
    /// The op with its parameters.
    pub op: Arc<dyn Op>,
    /// The version that was chosen.
    pub version: &'static Version,
    /// What is computed on the output before it is written.
    pub epilogue: Option<Epilogue>,
    /// Shape and layout of the op's own inputs.
    pub inputs: Vec<(Vec<usize>, Layout)>,
    /// Shape and layout of its outputs.
    pub outputs: Vec<(Vec<usize>, Layout)>,
    /// Whether the plan leaves parameters as they are.
    pub fixed: bool,
}

impl PlannedCall {
    /// The calls of a plan of `graph`, in order: see [`Plan::new`](super::Plan::new).
    ///
    /// # Errors
    /// [`Error::Plan`](crate::Error::Plan) where no version of a kernel runs on the adapter.
    pub fn all(graph: &Graph, outputs: &[Value], options: &PlanOptions, caps: &Caps) -> Result<Vec<Self>> {
        let steps = lower::lower(&Program::new(graph, outputs, options.rewrite)?, options, caps)?;
        Ok(steps.steps.iter().map(|step| Self::new(&steps, step)).collect())
    }

    fn new(steps: &Steps, step: &Step) -> Self {
        let operands = |items: &[usize]| {
            let items = items.iter().map(|&item| &steps.items[item]);
            items.map(|item| (item.shape.clone(), item.layout)).collect::<Vec<_>>()
        };
        let own = step.inputs.len() - step.epilogue.map_or(0, Epilogue::operands);
        Self {
            op: Arc::clone(&step.op),
            version: step.version,
            epilogue: step.epilogue,
            inputs: operands(&step.inputs[..own]),
            outputs: operands(&step.outputs),
            fixed: steps.fixed,
        }
    }

    /// Hands `work` the shapes of the op's own inputs and of its outputs.
    pub fn with_shapes<T>(&self, work: impl FnOnce(&[&[usize]], &[&[usize]]) -> T) -> T {
        work(&shapes(&self.inputs), &shapes(&self.outputs))
    }

    /// Its coarse class on an adapter: see [`class`].
    #[must_use]
    pub fn class(&self, caps: &Caps) -> String {
        self.with_prospect(caps, |prospect| class(prospect, self.version.requires.half))
    }

    /// Hands `work` what a version is chosen by.
    pub fn with_prospect<T>(&self, caps: &Caps, work: impl FnOnce(&Prospect<'_>) -> T) -> T {
        let (op, fixed) = (&*self.op, self.fixed);
        self.with_shapes(|inputs, outputs| work(&Prospect { caps, op, inputs, outputs, fixed }))
    }

    /// Floating-point operations, as the field counts them.
    #[must_use]
    pub fn flops(&self) -> u64 {
        self.with_shapes(|inputs, outputs| self.op.flops(inputs, outputs))
    }

    /// Its shapes, `8x16x72x96 32x16x3x3 -> 8x32x72x96`.
    #[must_use]
    pub fn shape(&self) -> String {
        let text = |shape: &[usize]| shape.iter().map(usize::to_string).collect::<Vec<_>>().join("x");
        let list = |shapes: &[&[usize]]| shapes.iter().map(|shape| text(shape)).collect::<Vec<_>>().join(" ");
        self.with_shapes(|inputs, outputs| format!("{} -> {}", list(inputs), list(outputs)))
    }
}

fn shapes(operands: &[(Vec<usize>, Layout)]) -> Vec<&[usize]> {
    operands.iter().map(|(shape, _)| shape.as_slice()).collect()
}
