//! From a graph to something that runs: rewrites, layouts, which version of a kernel runs where, lifetimes to places in
//! pools, memory known before any is taken, and dispatches cut to the adapter's limits.

pub mod avoid;
mod calls;
mod draft;
mod kept;
mod lower;
mod memory;
mod params;
mod precision;
mod profile;
mod recompute;
mod resident;
mod rewrite;
pub mod table;
mod views;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::{Error, Result};
use crate::gpu::{Download, Gpu};
use crate::graph::{Graph, ParamTable, Slab, Value};
use crate::ops::{Lowered, same_bits};
use crate::tensor::Tensor;

use draft::Draft;
use kept::Kept;
use lower::Steps;
use memory::Places;
use precision::Guard;
use resident::Resident;
use rewrite::Program;

pub use calls::PlannedCall;
pub use memory::Memory;
pub use params::Params;
pub use precision::Precision;
pub use profile::CallProfile;
pub use recompute::Recomputed;
pub use table::VersionTable;

/// How a graph is planned. The default is what one wants; tests compare it with the others.
#[derive(Debug, Clone)]
pub struct PlanOptions {
    /// Fuse, and turn concatenations and slices into ranges; without it every node runs as it stands.
    pub rewrite: bool,
    /// Let values whose lifetimes do not meet share memory.
    pub share: bool,
    /// Versions (by their shader) that must not run: those that `nevus check` found wrong on this adapter.
    pub avoid: BTreeSet<String>,
    /// For a kernel (by name) the one version that may run.
    pub only: BTreeMap<String, String>,
    /// The versions that were measured to be the fastest; for what it does not say, what each version expects of itself
    /// decides, and so it does without a table.
    pub table: Option<Arc<VersionTable>>,
    /// Device memory in bytes that the plan must keep to.
    pub budget: Option<u64>,
    /// Compute values again rather than keep them, until the pools are half as large or, where that is less, keep to the
    /// budget. No bit depends on it; [`Memory::recomputed`] says what it costs.
    pub recompute: bool,
    /// How values are stored.
    pub precision: Precision,
}

impl Default for PlanOptions {
    fn default() -> Self {
        Self {
            rewrite: true,
            share: true,
            avoid: BTreeSet::new(),
            only: BTreeMap::new(),
            table: None,
            budget: None,
            recompute: false,
            precision: Precision::F32,
        }
    }
}

impl PlanOptions {
    /// No rewriting and a buffer's place for every value: the oracle that real plans are compared with.
    #[must_use]
    pub fn naive() -> Self {
        Self { rewrite: false, share: false, ..Self::default() }
    }
}

/// A graph made ready for an adapter. Nothing is allocated before the first run.
#[derive(Debug)]
pub struct Plan {
    gpu: Gpu,
    table: ParamTable,
    steps: Steps,
    lowered: Vec<Lowered>,
    kept: Vec<Kept>,
    places: Places,
    memory: Memory,
    flops: u64,
    /// The slabs of the parameters that a run changes.
    written: HashSet<Slab>,
    /// Where values are stored in 16 bits.
    guard: Option<Guard>,
    state: Mutex<Option<Resident>>,
}

/// Outputs on their way from the device.
#[derive(Debug)]
pub struct Pending {
    download: Download,
    shapes: Vec<Vec<usize>>,
    /// The steps' names, where the last part that comes is their notes.
    guarded: Option<Arc<[String]>>,
}

impl Pending {
    /// Waits for the outputs, in the order in which they were asked for.
    ///
    /// # Errors
    /// [`Error::DeviceLost`]; [`Error::Range`] where a value was beyond what its 16 bits hold.
    pub fn wait(self) -> Result<Vec<Tensor>> {
        let mut parts = self.download.wait()?;
        if let Some(names) = self.guarded {
            precision::read(&parts.pop().unwrap_or_default(), &names)?;
        }
        parts.into_iter().zip(self.shapes).map(|(data, shape)| Tensor::new(shape, data)).collect()
    }
}

impl Plan {
    /// Plans `graph` so that a run gives `outputs` and makes every change of a slab that the graph has.
    ///
    /// # Errors
    /// [`Error::Plan`] where the adapter cannot hold it or no version of a kernel runs on it, with what would help.
    pub fn new(gpu: &Gpu, graph: &Graph, outputs: &[Value], options: &PlanOptions) -> Result<Self> {
        let caps = gpu.caps();
        let program = Program::new(graph, outputs, options.rewrite)?;
        let mut draft = Draft::new(&program, options, caps)?;
        let half = options.precision == Precision::F16;
        if half {
            precision::check(&draft.steps)?;
        }
        let table = graph.param_table();
        let slab = table.len() as u64 * 4;
        if slab > caps.max_buffer {
            return Err(Error::Plan {
                message: format!(
                    "the parameters need {slab} bytes, the adapter's largest buffer is {}",
                    caps.max_buffer
                ),
                hint: "a smaller model".into(),
            });
        }
        let spares = options.rewrite && options.share && !draft.steps.fixed;
        let spared = if spares { recompute::spare(&program, &draft, options, caps)? } else { None };
        let mut memory = memory::report(spared.as_ref().unwrap_or(&draft), &table);
        if options.recompute {
            let rest = memory.total() - memory.pools;
            let goal = options.budget.map_or(u64::MAX, |budget| budget.saturating_sub(rest)).min(memory.pools / 2);
            let recomputed;
            (draft, recomputed) = recompute::lighten(&program, draft, spared, goal, options, caps)?;
            memory = Memory { recomputed: Some(recomputed), ..memory::report(&draft, &table) };
        } else {
            draft = spared.unwrap_or(draft);
        }
        let training = !draft.steps.fixed;
        if let Some(budget) = options.budget
            && memory.total() > budget
        {
            return Err(Error::Plan {
                message: format!("needs {memory}, but only {:.1} MiB are free", budget as f64 / f64::from(1 << 20)),
                hint: match training && !options.recompute {
                    true => {
                        "--recompute, a smaller --batch or --size; for a U-Net also more --micro-batch parts".into()
                    }
                    false => "a smaller --batch or --size; for a U-Net also more --micro-batch parts".into(),
                },
            });
        }
        let flops = draft.flops();
        let Draft { steps, lowered, kept, places, .. } = draft;
        let (written, state) = (steps.written(), Mutex::new(None));
        let guard = half.then(|| Guard::new(graph, outputs, options, &steps));
        Ok(Self { gpu: gpu.clone(), table, steps, lowered, kept, places, memory, flops, written, guard, state })
    }

    /// [`Plan::new`] with the default options.
    ///
    /// # Errors
    /// As [`Plan::new`].
    pub fn inference(gpu: &Gpu, graph: &Graph, outputs: &[Value]) -> Result<Self> {
        Self::new(gpu, graph, outputs, &PlanOptions::default())
    }

    /// What it takes on the device.
    #[must_use]
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Floating-point operations of one run, as the field counts them.
    #[must_use]
    pub fn flops(&self) -> u64 {
        self.flops
    }

    /// Whether it reads the input `name`: what no output depends on is dropped.
    #[must_use]
    pub fn reads(&self, name: &str) -> bool {
        self.steps.items.iter().any(|item| matches!(&item.home, lower::Home::Input(own) if own == name))
    }

    /// The number of dispatches of one run, without what runs only when parameters have changed.
    #[must_use]
    pub fn dispatches(&self) -> usize {
        self.lowered[self.steps.prelude..].iter().map(|lowered| lowered.launches.len()).sum()
    }

    /// A digest of which version runs each node, the same where values are computed again or not, and for versions whose
    /// results are the same to the bit.
    #[must_use]
    pub fn versions_digest(&self) -> String {
        let named = self.steps.steps.iter().map(|step| {
            let name = step.name.strip_suffix(rewrite::AGAIN).unwrap_or(&step.name);
            (name, step.op.kernel(), same_bits(step.version.shader))
        });
        let mut hash = blake3::Hasher::new();
        for (name, kernel, version) in named.collect::<BTreeSet<_>>() {
            hash.update(format!("{name}\n{kernel}\n{version}\n").as_bytes());
        }
        hash.finalize().to_hex()[..32].to_owned()
    }

    /// Which version of each kernel runs (the first where shapes make them differ).
    #[must_use]
    pub fn versions(&self) -> &BTreeMap<&'static str, &'static str> {
        &self.steps.versions
    }

    /// Runs once and waits for the outputs. Where a value is beyond what 16 bits hold, it runs again in 32, with a warning
    /// that names the node.
    ///
    /// # Errors
    /// As [`Plan::submit`].
    pub fn run(&self, params: &Params, inputs: &[(&str, &Tensor)]) -> Result<Vec<Tensor>> {
        match (self.submit(params, inputs)?.wait(), &self.guard) {
            (Err(why @ Error::Range { .. }), Some(guard)) => guard.run(&self.gpu, params, inputs, &why),
            (outputs, _) => outputs,
        }
    }

    /// Starts a run and returns; the next may be started before its outputs are asked for.
    ///
    /// # Errors
    /// [`Error::Name`] and [`Error::Shape`] for inputs that are missing, unknown or of another shape,
    /// [`Error::OutOfMemory`] at the first run, [`Error::DeviceLost`].
    pub fn submit(&self, params: &Params, inputs: &[(&str, &Tensor)]) -> Result<Pending> {
        self.with_resident(params, |resident| {
            resident.upload(&self.steps, inputs)?;
            resident.clear_notes(&self.gpu, &self.steps)?;
            resident.sequence(&self.gpu, &self.steps, params)?.submit()?;
            self.written.iter().try_for_each(|slab| params.changed(slab))?;
            let mut pending = resident.download(&self.gpu, &self.steps, &self.places, params)?;
            pending.guarded =
                self.guard.as_ref().filter(|_| resident.notes.is_some()).map(|guard| Arc::clone(&guard.names));
            Ok(pending)
        })
    }

    /// Allocates and compiles everything a run needs, so that the first run is as fast as the next.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`], [`Error::Shader`].
    pub fn prepare(&self, params: &Params) -> Result<()> {
        self.with_resident(params, |_| Ok(()))
    }

    /// Runs once and returns what every call took, in order.
    ///
    /// # Errors
    /// As [`Plan::submit`]; [`Error::Adapter`] where the adapter takes no timestamps.
    pub fn profile(&self, params: &Params, inputs: &[(&str, &Tensor)]) -> Result<Vec<CallProfile>> {
        self.with_resident(params, |resident| {
            resident.upload(&self.steps, inputs)?;
            let timings = resident.sequence(&self.gpu, &self.steps, params)?.profile()?;
            self.written.iter().try_for_each(|slab| params.changed(slab))?;
            Ok(profile::calls(&self.steps, &self.lowered, self.gpu.caps(), timings))
        })
    }

    /// The gradients of the last run, by parameter, in PyTorch's layout.
    ///
    /// # Errors
    /// [`Error::Plan`] where the plan has no gradients or has not run.
    pub fn gradients(&self) -> Result<Vec<(String, Tensor)>> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let buffer = state.as_ref().and_then(|resident| resident.gradients.clone());
        let none = || Error::Plan { message: "has no gradients".into(), hint: "run a training plan first".into() };
        let values = self.gpu.read(&buffer.ok_or_else(none)?, 0, self.table.len())?;
        let tensors = self.table.entries().iter().map(|entry| {
            let packed = &values[entry.offset..entry.offset + entry.floats];
            Ok((entry.name.clone(), Tensor::new(entry.shape.clone(), entry.layout.unpack(&entry.shape, packed))?))
        });
        tensors.collect()
    }

    fn with_resident<T>(&self, params: &Params, work: impl FnOnce(&mut Resident) -> Result<T>) -> Result<T> {
        if *params.table() != self.table {
            return Err(Error::Plan {
                message: "the parameters belong to another model".into(),
                hint: "make them with Params::new from a graph with the same parameters".into(),
            });
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.is_none() {
            *state = Some(Resident::new(&self.gpu, &self.steps, &self.lowered, &self.kept, &self.places, &self.table)?);
        }
        let resident = state.as_mut().ok_or_else(|| Error::DeviceLost("the plan's memory is gone".into()))?;
        resident.bind(&self.gpu, &self.steps, &self.lowered, &self.kept, &self.places, params)?;
        work(resident)
    }
}

/// Whether a slab belongs to the parameters rather than to a plan.
fn shared(slab: &Slab) -> bool {
    !matches!(slab, Slab::Gradients)
}
