//! Plans that store images and their convolutions' weights in 16 bits: what may be planned so, and what happens to a value
//! beyond their range.

use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::graph::{Graph, Slab, Value};
use crate::tensor::Tensor;

use super::lower::{Home, Steps};
use super::{Params, Plan, PlanOptions};

/// How values are stored. Products and sums are f32 throughout.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// In 32 bits.
    #[default]
    F32,
    /// Images and their convolutions' weights in 16 bits, where a kernel has a version for it: for inference alone. A
    /// value beyond 65504 is noticed; [`Plan::run`] then runs in 32 bits.
    F16,
}

impl std::fmt::Display for Precision {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
        })
    }
}

/// Bytes between the notes of two steps: any adapter can bind at such a place.
pub(super) const NOTE_BYTES: u64 = 256;

/// Refuses steps that change parameters or give their gradients: an update is smaller than what 16 bits lose.
pub(super) fn check(steps: &Steps) -> Result<()> {
    let gradients = steps.items.iter().any(|item| matches!(item.home, Home::Slab(Slab::Gradients, _)));
    match steps.fixed && steps.written().is_empty() && !gradients {
        true => Ok(()),
        false => Err(Error::Plan {
            message: "16 bits are for inference, and this is training".into(),
            hint: "--precision f32, or Precision::F32".into(),
        }),
    }
}

/// What finds values beyond the range of 16 bits, and what to run then.
#[derive(Debug)]
pub(super) struct Guard {
    /// The name of every step, in whose order the notes lie.
    pub names: Arc<[String]>,
    graph: Graph,
    outputs: Vec<Value>,
    options: PlanOptions,
    /// The same in 32 bits, made when it is first needed.
    single: Mutex<Option<Arc<Plan>>>,
}

impl Guard {
    pub fn new(graph: &Graph, outputs: &[Value], options: &PlanOptions, steps: &Steps) -> Self {
        let names = steps.steps.iter().map(|step| step.name.clone()).collect();
        let options = PlanOptions { precision: Precision::F32, ..options.clone() };
        Self { names, graph: graph.clone(), outputs: outputs.to_vec(), options, single: Mutex::default() }
    }

    /// Runs in 32 bits what could not be held in 16, for the reason given.
    pub fn run(&self, gpu: &Gpu, params: &Params, inputs: &[(&str, &Tensor)], why: &Error) -> Result<Vec<Tensor>> {
        tracing::warn!("runs in 32 bits: {why}");
        let mut single = self.single.lock().unwrap_or_else(PoisonError::into_inner);
        let plan = match &*single {
            Some(plan) => Arc::clone(plan),
            None => Arc::new(Plan::new(gpu, &self.graph, &self.outputs, &self.options)?),
        };
        *single = Some(Arc::clone(&plan));
        drop(single);
        plan.run(params, inputs)
    }
}

/// The error of the first step whose note is set.
pub(super) fn read(notes: &[f32], names: &[String]) -> Result<()> {
    let each = notes.chunks(NOTE_BYTES as usize / 4).zip(names);
    match each.into_iter().find(|(note, _)| note[0].to_bits() != 0) {
        Some((_, name)) => Err(Error::Range { name: name.clone() }),
        None => Ok(()),
    }
}
