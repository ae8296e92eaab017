//! What every training run does, whatever it trains: steps, epochs, checkpoints, the table of figures.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::data::{Batch, Loader, Source};
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::graph::{Graph, ParamInfo, Slab};
use crate::models::weights::{Meta, Weights};
use crate::ops::same_bits;
use crate::plan::{Params, Pending, Plan, PlanOptions};
use crate::tensor::Tensor;

use super::checkpoint::STATE;
use super::diagnose::first_non_finite;
use super::event::{Ended, Event};
use super::lost::Lost;
use super::run_dir::config_hash;
use super::step::{Optimizer, StepGraph, ema_slab};
use super::{Checkpoint, EarlyStopping, Goal, MetricsTable, RunDir, Schedule, State};

/// Seconds between two checkpoints inside an epoch.
const SAVE_EVERY: u64 = 120;

/// What differs from one kind of run to another.
pub(super) trait Task {
    /// What an epoch is measured by.
    type Val;

    /// What a batch is to the step's graph, by the names of its inputs.
    fn feed(&self, batch: Batch, step: u64) -> Result<Vec<(String, Tensor)>>;

    /// How many images an epoch is measured on.
    fn measured(&self) -> usize;

    /// Measures the averaged weights. `progress` is told the images done; where it says `false`, the measure ends with
    /// [`Error::Cancelled`].
    fn measure(&self, progress: &mut dyn FnMut(usize) -> bool) -> Result<Self::Val>;

    /// The figure that early stopping watches.
    fn watched(&self, val: &Self::Val) -> f64;

    /// The figures of `metrics.csv` between the loss and the learning rate.
    fn row(&self, val: &Self::Val) -> Vec<Option<f64>>;

    /// What weights say of themselves; those that were not measured without figures.
    fn meta(&self, val: Option<&Self::Val>) -> Result<Meta>;

    /// What could not be measured so far.
    fn lost(&self) -> &Lost;
}

/// The part of a run's configuration that its loop needs.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub batch: usize,
    pub epochs: u64,
    pub optimizer: Optimizer,
    pub schedule: Schedule,
    pub ema: f32,
    pub goal: Goal,
    pub patience: u64,
}

/// A step on a device with what it learns from.
pub(super) struct Engine {
    pub params: Params,
    pub plan: Plan,
    pub source: Source,
    pub settings: Settings,
    gpu: Gpu,
    graph: Graph,
    planning: PlanOptions,
}

/// The error of a step that cannot be planned, with the largest batch that can, of those that are half as large, a quarter
/// and so on; `build` gives a batch's step.
pub(super) fn with_what_fits(
    error: Error,
    gpu: &Gpu,
    batch: usize,
    planning: &PlanOptions,
    build: impl Fn(usize) -> Result<StepGraph>,
) -> Error {
    let Error::Plan { message, hint } = error else { return error };
    let fits = |batch: &usize| build(*batch).and_then(|step| step.plan(gpu, planning)).is_ok();
    let mut smaller = std::iter::successors(Some(batch / 2), |batch| Some(batch / 2)).take_while(|batch| *batch > 0);
    let hint = match smaller.find(fits) {
        Some(batch) => format!("a run with --batch {batch} fits; else {hint}"),
        None => hint,
    };
    Error::Plan { message, hint }
}

/// A step on the device, with what it was given.
pub(super) struct Running {
    pub step: u64,
    pending: Pending,
    inputs: Vec<(String, Tensor)>,
}

/// What comes back of a step.
pub(super) struct Scalars {
    pub loss: f32,
    pub norm: f32,
    /// Whether loss and gradient norm were finite, so that the optimizer took the step.
    pub taken: bool,
}

impl Scalars {
    fn wait(pending: Pending) -> Result<Self> {
        let outputs = pending.wait()?;
        let (loss, control) = (outputs[0].data()[0], outputs[1].data());
        Ok(Self { loss, norm: control[0], taken: control[2] != 0.0 })
    }
}

impl Running {
    /// Waits for the step.
    pub(super) fn wait(self) -> Result<Scalars> {
        Scalars::wait(self.pending)
    }
}

fn borrowed(inputs: &[(String, Tensor)]) -> Vec<(&str, &Tensor)> {
    inputs.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect()
}

/// Where a run lives, and what it must agree with to be gone on with.
pub(super) struct Place<'a, C> {
    pub dir: &'a Path,
    pub config: &'a C,
    /// The keys of the configuration that may change.
    pub free: &'a [&'a str],
    /// The data's fingerprint.
    pub data: String,
    pub columns: &'a [&'a str],
    pub resume: bool,
}

/// A run in progress.
pub(super) struct Session<'a, T> {
    gpu: &'a Gpu,
    pub task: T,
    dir: RunDir,
    engine: Engine,
    state: State,
    table: MetricsTable,
    best: Option<Weights>,
}

/// What the loop keeps of the epoch in progress.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Partial {
    loss: f64,
    steps: u64,
}

impl Partial {
    fn add(&mut self, loss: f32) {
        self.loss += f64::from(loss);
        self.steps += 1;
    }
}

impl Engine {
    pub(super) fn new(
        gpu: &Gpu,
        step: StepGraph,
        source: Source,
        settings: Settings,
        planning: &PlanOptions,
    ) -> Result<Self> {
        settings.schedule.check()?;
        source.refuse_missing()?;
        let plan = step.plan(gpu, planning)?;
        if source.batches() == 0 {
            let (batch, all) = (settings.batch, source.samples().len());
            let message = format!("a batch of {batch} is larger than the training set of {all} (hint: --batch)");
            return Err(Error::parameter("train", message));
        }
        let params = Params::new(gpu, &step.graph)?;
        Ok(Self { params, plan, source, settings, gpu: gpu.clone(), graph: step.graph, planning: planning.clone() })
    }

    /// The network's parameters, as the graph knows them.
    pub(super) fn param_infos(&self) -> &[ParamInfo] {
        self.graph.params()
    }

    /// The slabs that a checkpoint keeps.
    pub(super) fn slabs(&self) -> Vec<Slab> {
        [Slab::Weights, ema_slab()].into_iter().chain(self.settings.optimizer.states()).collect()
    }

    /// Starts optimizer step `step`, from 1, at a learning rate.
    pub(super) fn submit(&self, fed: Vec<(String, Tensor)>, step: u64, lr: f32) -> Result<Running> {
        let hyper = self.settings.optimizer.hyper(f64::from(lr), step)?;
        // Early on the average follows quickly, as in TensorFlow's ExponentialMovingAverage with its number of updates.
        let decay = self.settings.ema.min((1.0 + step as f32) / (10.0 + step as f32));
        let mut inputs = fed;
        inputs.push(("hyper".into(), hyper));
        inputs.push(("average".into(), Tensor::new([4], vec![decay, 0.0, 0.0, 0.0])?));
        if self.plan.reads("step") {
            inputs.push(("step".into(), Tensor::new([1], vec![step as f32])?));
        }
        let pending = self.plan.submit(&self.params, &borrowed(&inputs))?;
        Ok(Running { step, pending, inputs })
    }

    /// Loss and gradient norm of a step; an error where the optimizer refused it, with the first value that was not
    /// finite.
    pub(super) fn scalars(&self, running: Running) -> Result<(f32, f32)> {
        let Running { step, pending, inputs } = running;
        let Scalars { loss, norm, taken } = Scalars::wait(pending)?;
        if taken {
            return Ok((loss, norm));
        }
        let found = first_non_finite(&self.gpu, &self.graph, &self.params, &borrowed(&inputs), &self.planning);
        let first = match found {
            Ok(Some(found)) => format!("first in {found}"),
            Ok(None) => "in a replay with the weights of a step later every value was finite".into(),
            Err(error) => format!("where it began is not known, the step could not be replayed: {error}"),
        };
        let message = format!(
            "loss {loss}, gradient norm {norm}; {first}; the step was not taken (hint: look at the \
             images and --resume from the last checkpoint, or begin a new run with a smaller --lr)"
        );
        Err(Error::NotFinite { step, message })
    }
}

impl<'a, T: Task> Session<'a, T> {
    /// Starts a run, whose parameters `fill` sets, or goes on with the one that is there.
    pub(super) fn open<C: Serialize>(
        gpu: &'a Gpu,
        place: Place<'_, C>,
        engine: Engine,
        task: T,
        fill: impl FnOnce(&Engine) -> Result<()>,
    ) -> Result<Self> {
        let Place { dir, config, free, data, columns, resume } = place;
        let hash = config_hash(config, free)?;
        let resumed = resume.then(|| RunDir::resume(dir, config, free)).transpose()?;
        let mut versions: BTreeMap<String, String> =
            engine.plan.versions().iter().map(|(k, v)| ((*k).to_owned(), same_bits(v).to_owned())).collect();
        versions.insert("every node".into(), engine.plan.versions_digest());
        let Settings { goal, patience, .. } = engine.settings;
        let loaded = if resume { Checkpoint::load(dir)? } else { None };
        let state = match loaded {
            Some(checkpoint) => {
                checkpoint.state.check(dir, &hash, &data)?;
                if checkpoint.state.versions != versions {
                    let message = "was made with other versions of the kernels, so it cannot go on to the bit (hint: start a new run with --init last.safetensors)";
                    return Err(Error::data(dir, message));
                }
                for slab in engine.slabs() {
                    for (name, tensor) in checkpoint.slab(dir, &slab_name(&slab))? {
                        engine.params.set_in(&slab, name, tensor)?;
                    }
                }
                let mut state = checkpoint.state;
                state.early.patience = patience;
                state
            }
            None => {
                fill(&engine)?;
                engine.params.copy(&Slab::Weights, &ema_slab())?;
                State {
                    step: 0,
                    epoch: 0,
                    batch: 0,
                    config: hash,
                    data,
                    early: EarlyStopping::new(goal, patience),
                    versions,
                    more: serde_json::Value::Null,
                }
            }
        };
        // Only now: a start that is refused leaves no run behind.
        let run = resumed.map_or_else(|| RunDir::planned(dir, config, &engine.planning), Ok)?;
        let table = run.metrics(columns, state.epoch)?;
        Ok(Self { gpu, task, dir: run, engine, state, table, best: None })
    }

    /// Trains until the end, or for `steps` optimizer steps, or until `cancel` is set: within an epoch's steps or while
    /// it is measured. What is gone on with after that measures the epoch first, as if never stopped.
    pub(super) fn train(
        &mut self,
        steps: Option<u64>,
        cancel: &AtomicBool,
        tell: &mut dyn FnMut(Event<'_, T::Val>),
    ) -> Result<Ended> {
        let until = steps.map(|steps| self.state.step.saturating_add(steps));
        let batches = self.engine.source.batches() as u64;
        tell(Event::Start {
            parameters: self.engine.params.table().count(),
            memory: self.engine.plan.memory(),
            flops: self.engine.plan.flops(),
            steps: batches,
            from: self.state.step,
        });
        self.engine.plan.prepare(&self.engine.params)?;
        self.gpu.save_pipelines();
        // By the time that a step is known not to be finite the next one has perhaps changed the weights.
        if !self.dir.file(STATE).is_file() {
            self.save()?;
        }
        while self.state.epoch < self.engine.settings.epochs {
            if self.state.early.exhausted() {
                return Ok(Ended::Stopped);
            }
            let started = Instant::now();
            let before = self.state.batch;
            let whole = self.epoch(until, cancel, tell)?;
            let images = (self.state.batch - before) as f64 * self.engine.settings.batch as f64;
            let speed = (images > 0.0).then(|| images / started.elapsed().as_secs_f64());
            if !whole || !self.finish_epoch(speed, started, cancel, tell)? {
                self.save()?;
                return Ok(Ended::Paused);
            }
        }
        Ok(Ended::Finished)
    }

    /// Runs what is left of the epoch; whether it came to its end.
    fn epoch(
        &mut self,
        until: Option<u64>,
        cancel: &AtomicBool,
        tell: &mut dyn FnMut(Event<'_, T::Val>),
    ) -> Result<bool> {
        let batches = self.engine.source.batches() as u64;
        let mut partial: Partial = serde_json::from_value(self.state.more.clone()).unwrap_or_default();
        let start = usize::try_from(self.state.batch).unwrap_or(usize::MAX);
        let mut loader: Loader = self.engine.source.epoch(self.state.epoch, start)?;
        let mut running: Option<Running> = None;
        let mut saved = Instant::now();
        let mut clock = (Instant::now(), 0u64, 0f64);
        let (began, mut waited) = (Instant::now(), Duration::ZERO);
        loop {
            let stop = cancel.load(Ordering::Relaxed) || until.is_some_and(|until| self.state.step >= until);
            let asked = Instant::now();
            let next = if stop || self.state.batch >= batches { None } else { loader.next().transpose()? };
            waited += asked.elapsed();
            let submitted = match next {
                None => None,
                Some(batch) => {
                    let step = self.state.step + 1;
                    let fed = self.task.feed(batch, step)?;
                    let lr = self.engine.settings.schedule.lr(step - 1);
                    Some(self.engine.submit(fed, step, lr)?)
                }
            };
            // The step before is asked for only now, while the device works on this one.
            if let Some(last) = running.take() {
                let step = last.step;
                let (loss, norm) = self.engine.scalars(last)?;
                partial.add(loss);
                clock.1 += 1;
                let seconds = clock.0.elapsed().as_secs_f64();
                if seconds > 5.0 || clock.2 == 0.0 {
                    let images = clock.1 as f64 * self.engine.settings.batch as f64;
                    clock = (Instant::now(), 0, images / seconds);
                }
                let done = self.state.batch;
                tell(Event::Step { epoch: self.state.epoch, done, step, loss, norm, images_per_second: clock.2 });
                self.state.more = serde_json::to_value(partial).unwrap_or_default();
            }
            if let Some(submitted) = submitted {
                self.state.step += 1;
                self.state.batch += 1;
                running = Some(submitted);
            } else {
                let [waited, all] = [waited, began.elapsed()].map(|time| time.as_secs_f64());
                tracing::info!("epoch {}: waited for photographs {waited:.1} s of {all:.1} s", self.state.epoch);
                return Ok(self.state.batch >= batches);
            }
            if saved.elapsed().as_secs() >= SAVE_EVERY {
                if let Some(last) = running.take() {
                    partial.add(self.engine.scalars(last)?.0);
                    self.state.more = serde_json::to_value(partial).unwrap_or_default();
                }
                self.save()?;
                saved = Instant::now();
            }
        }
    }

    /// Measures the epoch whose steps are done, and counts it as done; whether it came to that. Where not, the state is
    /// that after its last step.
    fn finish_epoch(
        &mut self,
        speed: Option<f64>,
        started: Instant,
        cancel: &AtomicBool,
        tell: &mut dyn FnMut(Event<'_, T::Val>),
    ) -> Result<bool> {
        let partial: Partial = serde_json::from_value(self.state.more.clone()).unwrap_or_default();
        let loss = partial.loss / partial.steps.max(1) as f64;
        let (epoch, of) = (self.state.epoch, self.task.measured());
        let mut progress = |done: usize| {
            tell(Event::Validation { epoch, done, of });
            !cancel.load(Ordering::Relaxed)
        };
        let measured = if progress(0) { self.task.measure(&mut progress) } else { Err(Error::Cancelled) };
        let val = match measured {
            Err(Error::Cancelled) => return Ok(false),
            measured => measured?,
        };
        let progress = self.state.early.observe(epoch, self.task.watched(&val));
        if progress.improved {
            self.best = Some(self.weights(&ema_slab(), Some(&val))?);
        }
        let lr = f64::from(self.engine.settings.schedule.lr(self.state.step));
        let mut row = vec![Some(loss)];
        row.extend(self.task.row(&val));
        row.extend([Some(lr), speed, Some(started.elapsed().as_secs_f64())]);
        self.table.append(epoch, &row)?;
        self.state.epoch += 1;
        self.state.batch = 0;
        self.state.more = serde_json::Value::Null;
        tell(Event::Epoch { epoch, loss, val: &val, improved: progress.improved });
        self.save()?;
        Ok(true)
    }

    /// How many photographs could not be read since the session began: those of train are replaced by others, those of
    /// val left out.
    pub(super) fn unreadable(&self) -> usize {
        self.engine.source.unreadable().len() + self.task.lost().count()
    }

    fn weights(&self, slab: &Slab, val: Option<&T::Val>) -> Result<Weights> {
        let mut weights = Weights::new();
        for (name, tensor) in self.engine.params.read(slab)? {
            weights.insert(name, tensor);
        }
        weights.set_meta(&self.task.meta(val)?);
        Ok(weights)
    }

    /// Writes the checkpoint.
    fn save(&mut self) -> Result<()> {
        let mut kept = BTreeMap::new();
        for slab in self.engine.slabs() {
            kept.insert(slab_name(&slab), self.engine.params.read(&slab)?);
        }
        let checkpoint = Checkpoint { state: self.state.clone(), slabs: kept };
        let last = self.weights(&Slab::Weights, None)?;
        checkpoint.save(self.dir.path(), &last, self.best.as_ref())?;
        self.best = None;
        Ok(())
    }
}

fn slab_name(slab: &Slab) -> String {
    match slab {
        Slab::Weights => "weights".into(),
        Slab::Gradients => "gradients".into(),
        Slab::State(name) => name.clone(),
    }
}

/// `count` of `samples` at even distances, or all.
pub(super) fn thinned(samples: usize, count: Option<usize>) -> usize {
    samples.div_ceil(count.unwrap_or(usize::MAX).max(1)).max(1)
}
