//! Training a U-Net: the loop, with its checkpoints.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::data::{Augment, Loader, LoaderOptions, Sample, Source};
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::graph::{Graph, Slab};
use crate::models::UNet;
use crate::models::weights::{Meta, Normalisation as MetaNormalisation, Weights};
use crate::plan::{Memory, Params, Pending, Plan, PlanOptions};
use crate::tensor::Tensor;

use super::diagnose::first_non_finite;
use super::run_dir::config_hash;
use super::step::{Loss, Normalisation, Optimizer, StepOptions, ema_slab};
use super::validate::validate;
use super::{
    Checkpoint, EarlyStopping, Goal, Init, MetricsTable, RunDir, Schedule, SegmentationScores, Segmenter, State,
};

/// Everything that decides what a run computes; `config.json` holds it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SegmentConfig {
    /// The network.
    pub net: UNet,
    /// Mean and deviation that images are normalised with.
    pub normalisation: Normalisation,
    /// Height and width of the network's input.
    pub size: [usize; 2],
    /// Samples of one optimizer step.
    pub batch: usize,
    /// Parts a batch is run in.
    pub micro_batches: usize,
    /// Most epochs.
    pub epochs: u64,
    /// What is minimised.
    pub loss: Loss,
    /// How gradients become updates.
    pub optimizer: Optimizer,
    /// The learning rate by step.
    pub schedule: Schedule,
    /// What the gradient's norm is clipped to; `None` for no clipping.
    pub clip: Option<f32>,
    /// Share of the averaged weights that a step keeps.
    pub ema: f32,
    /// What happens to the images.
    pub augment: Augment,
    /// Epochs without a better mean IoU on val after which the run ends; 0 for never.
    pub patience: u64,
    /// Most images of val that an epoch is measured on; `None` for all.
    pub val_limit: Option<usize>,
    /// Keys everything that is drawn.
    pub seed: u64,
    /// Digest of the weights the run started from; `None` for a fresh fill.
    pub init: Option<String>,
}

/// The keys of a [`SegmentConfig`] that may change when a run is resumed: a longer run's cosine goes on towards its new
/// end.
pub const FREE: &[&str] = &["epochs", "patience", "schedule.decay.total"];

/// What a run reads.
#[derive(Debug, Clone)]
pub struct Splits {
    /// What is learned from.
    pub train: Vec<Sample>,
    /// What decides when to stop.
    pub val: Vec<Sample>,
    /// What the weights' metadata say of the data.
    pub description: String,
    /// The licence that weights made from the data carry.
    pub licence: String,
}

impl Splits {
    /// What tells these samples from others: names and sides, not pixels.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let mut hash = blake3::Hasher::new();
        for (side, samples) in [("train", &self.train), ("val", &self.val)] {
            for sample in samples {
                hash.update(format!("{side} {}\n", sample.id).as_bytes());
            }
        }
        hash.finalize().to_hex()[..32].to_owned()
    }
}

/// What a run tells while it goes on.
#[derive(Debug)]
pub enum Event<'a> {
    /// Before the first step.
    Start {
        /// Parameters of the network.
        parameters: usize,
        /// What a step takes on the device.
        memory: &'a Memory,
        /// Floating-point operations of a step.
        flops: u64,
        /// Steps of an epoch.
        steps: u64,
        /// The first step of this session, from 0.
        from: u64,
    },
    /// After a step.
    Step {
        /// Epoch, from 0.
        epoch: u64,
        /// Steps done of the epoch.
        done: u64,
        /// Optimizer steps done.
        step: u64,
        /// The step's loss.
        loss: f32,
        /// The gradient's norm before clipping.
        norm: f32,
        /// Images a second over the last steps.
        images_per_second: f64,
    },
    /// After an epoch and its validation.
    Epoch {
        /// Epoch, from 0.
        epoch: u64,
        /// Mean loss of its steps.
        loss: f64,
        /// The averaged weights on val, at the best threshold.
        val: &'a SegmentationScores,
        /// Whether they are the best so far.
        improved: bool,
    },
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// All epochs are done.
    Finished,
    /// The mean IoU on val had stopped to rise.
    Stopped,
    /// The caller's number of steps is done, or it asked to stop; the run can be resumed.
    Paused,
}

/// The columns of `metrics.csv` after the epoch.
pub const COLUMNS: &[&str] =
    &["loss", "val_iou", "val_iou_at_half", "val_dice", "threshold", "lr", "images_per_second", "seconds"];

/// Seconds between two checkpoints inside an epoch.
const SAVE_EVERY: u64 = 120;

/// A run's parts, ready to go.
pub struct SegmentRun<'a> {
    gpu: &'a Gpu,
    config: &'a SegmentConfig,
    dir: RunDir,
    splits: &'a Splits,
    options: StepOptions,
    params: Params,
    graph: Graph,
    plan: Plan,
    planning: PlanOptions,
    averaged: Segmenter,
    source: Source,
    state: State,
    table: MetricsTable,
    best: Option<Weights>,
}

/// A step on the device, with what it was given.
struct Running {
    step: u64,
    pending: Pending,
    inputs: Vec<(String, Tensor)>,
}

fn borrowed(inputs: &[(String, Tensor)]) -> Vec<(&str, &Tensor)> {
    inputs.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect()
}

/// What the loop keeps of the epoch in progress.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Partial {
    loss: f64,
    steps: u64,
}

impl<'a> SegmentRun<'a> {
    /// Starts a run in `dir`, or goes on with the one there.
    ///
    /// # Errors
    /// [`Error::Data`] where the data is empty, a new run finds an old one, or a resumed one differs;
    /// [`Error::Plan`] where the adapter cannot hold a step.
    pub fn open(
        gpu: &'a Gpu,
        config: &'a SegmentConfig,
        dir: &std::path::Path,
        splits: &'a Splits,
        init: Option<&Weights>,
        resume: bool,
        planning: &PlanOptions,
    ) -> Result<Self> {
        for (side, samples) in [("train", &splits.train), ("val", &splits.val)] {
            if samples.is_empty() {
                return Err(Error::data(dir, format!("there is no image for {side}")));
            }
        }
        config.schedule.check()?;
        config.augment.validate()?;
        let options = StepOptions {
            net: config.net,
            normalisation: config.normalisation,
            batch: config.batch,
            micro_batches: config.micro_batches,
            size: config.size,
            loss: config.loss,
            optimizer: config.optimizer,
            clip: config.clip.unwrap_or(f32::INFINITY),
            seed: (config.seed ^ (config.seed >> 32)) as u32,
        };
        let built = options.build()?;
        let plan = Plan::new(gpu, &built.graph, &[built.loss, built.control], planning)?;
        let [height, width] = config.size;
        let mut loading = LoaderOptions::training(height, width, config.batch, config.seed);
        loading.augment = config.augment.clone();
        loading.ahead = 4;
        let source = Source::new(splits.train.clone(), loading)?;
        if source.batches() == 0 {
            return Err(Error::data(dir, format!("a batch of {} is larger than the training set", config.batch)));
        }
        let hash = config_hash(config, FREE)?;
        let run = match resume {
            true => RunDir::resume(dir, config, FREE)?,
            false => RunDir::create(dir, config)?,
        };
        let params = Params::new(gpu, &built.graph)?;
        let versions: BTreeMap<String, String> =
            plan.versions().iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let loaded = if resume { Checkpoint::load(run.path())? } else { None };
        let state = match loaded {
            Some(checkpoint) => {
                checkpoint.state.check(run.path(), &hash, &splits.fingerprint())?;
                if checkpoint.state.versions != versions {
                    let message = "was made with other versions of the kernels, so it cannot go on to the bit (hint: start a new run with --init last.safetensors)";
                    return Err(Error::data(run.path(), message));
                }
                for slab in slabs(&config.optimizer) {
                    for (name, tensor) in checkpoint.slab(run.path(), &slab_name(&slab))? {
                        params.set_in(&slab, name, tensor)?;
                    }
                }
                let mut state = checkpoint.state;
                state.early.patience = config.patience;
                state
            }
            None => {
                let fresh = Init { seed: config.seed, ..Init::default() }.fill(built.graph.params())?;
                for entry in params.table().entries() {
                    let given = init.and_then(|weights| weights.get(&entry.name));
                    let given = given.filter(|tensor| tensor.shape() == entry.shape);
                    params.set(&entry.name, given.map_or_else(|| fresh.require(&entry.name, &entry.shape), Ok)?)?;
                }
                params.copy(&Slab::Weights, &ema_slab())?;
                State {
                    step: 0,
                    epoch: 0,
                    batch: 0,
                    config: hash,
                    data: splits.fingerprint(),
                    early: EarlyStopping::new(Goal::Higher, config.patience),
                    versions,
                    more: serde_json::Value::Null,
                }
            }
        };
        let table = run.metrics(COLUMNS, state.epoch)?;
        let SegmentConfig { net, normalisation, size, .. } = *config;
        let view = params.view(&ema_slab())?;
        let averaged = Segmenter::with_params(gpu, net, normalisation, size, view, 0.5).planned(planning.clone());
        Ok(Self {
            gpu,
            config,
            dir: run,
            splits,
            options,
            params,
            graph: built.graph,
            plan,
            planning: planning.clone(),
            averaged,
            source,
            state,
            table,
            best: None,
        })
    }

    /// Trains until the end, or for `steps` optimizer steps, or until `cancel` is set. The checkpoint is up to date when
    /// it returns, also with an error of the data.
    ///
    /// # Errors
    /// [`Error::NotFinite`] where loss or gradient is not finite; errors of files and of the device.
    pub fn train(&mut self, steps: Option<u64>, cancel: &AtomicBool, tell: &mut dyn FnMut(Event<'_>)) -> Result<Ended> {
        let until = steps.map(|steps| self.state.step + steps);
        let batches = self.source.batches() as u64;
        tell(Event::Start {
            parameters: self.params.table().count(),
            memory: self.plan.memory(),
            flops: self.plan.flops(),
            steps: batches,
            from: self.state.step,
        });
        self.plan.prepare(&self.params)?;
        self.gpu.save_pipelines();
        while self.state.epoch < self.config.epochs {
            if self.state.early.exhausted() {
                return Ok(Ended::Stopped);
            }
            let started = Instant::now();
            let before = self.state.batch;
            let whole = self.epoch(until, cancel, tell)?;
            if !whole {
                self.save()?;
                return Ok(Ended::Paused);
            }
            let speed = (batches - before) as f64 * self.config.batch as f64 / started.elapsed().as_secs_f64();
            self.finish_epoch(speed, started, tell)?;
        }
        Ok(Ended::Finished)
    }

    /// Runs what is left of the epoch; whether it came to its end.
    fn epoch(&mut self, until: Option<u64>, cancel: &AtomicBool, tell: &mut dyn FnMut(Event<'_>)) -> Result<bool> {
        let batches = self.source.batches() as u64;
        let mut partial: Partial = serde_json::from_value(self.state.more.clone()).unwrap_or_default();
        let start = usize::try_from(self.state.batch).unwrap_or(usize::MAX);
        let mut loader: Loader = self.source.epoch(self.state.epoch, start)?;
        let mut running: Option<Running> = None;
        let mut saved = Instant::now();
        let mut clock = (Instant::now(), 0u64, 0f64);
        loop {
            let stop = cancel.load(Ordering::Relaxed) || until.is_some_and(|until| self.state.step >= until);
            let next = if stop || self.state.batch >= batches { None } else { loader.next().transpose()? };
            let submitted = match &next {
                None => None,
                Some(batch) => Some(self.submit(&batch.images, &batch.masks, self.state.step + 1)?),
            };
            // The step before is asked for only now, while the device works on this one.
            if let Some(last) = running.take() {
                let step = last.step;
                let (loss, norm) = self.scalars(last)?;
                partial.loss += f64::from(loss);
                partial.steps += 1;
                clock.1 += 1;
                if clock.0.elapsed().as_secs_f64() > 5.0 || clock.2 == 0.0 {
                    clock = (
                        Instant::now(),
                        0,
                        clock.1 as f64 * self.config.batch as f64 / clock.0.elapsed().as_secs_f64(),
                    );
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
                return Ok(self.state.batch >= batches);
            }
            if saved.elapsed().as_secs() >= SAVE_EVERY {
                if let Some(last) = running.take() {
                    let (loss, _) = self.scalars(last)?;
                    partial.loss += f64::from(loss);
                    partial.steps += 1;
                    self.state.more = serde_json::to_value(partial).unwrap_or_default();
                }
                self.save()?;
                saved = Instant::now();
            }
        }
    }

    fn submit(&self, images: &Tensor, masks: &Tensor, step: u64) -> Result<Running> {
        let parts = self.options.micro_batches;
        let split = |tensor: &Tensor| -> Result<Vec<Tensor>> {
            let mut shape = tensor.shape().to_vec();
            shape[0] /= parts;
            let len = tensor.len() / parts;
            tensor.data().chunks(len).map(|part| Tensor::new(shape.clone(), part.to_vec())).collect()
        };
        let (images, masks) = (split(images)?, split(masks)?);
        let hyper = self.config.optimizer.hyper(f64::from(self.config.schedule.lr(step - 1)), step)?;
        // Early on the average follows quickly, as in TensorFlow's ExponentialMovingAverage with its number of updates.
        let decay = self.config.ema.min((1.0 + step as f32) / (10.0 + step as f32));
        let average = Tensor::new([4], vec![decay, 0.0, 0.0, 0.0])?;
        let number = Tensor::new([1], vec![step as f32])?;
        let mut inputs: Vec<(String, Tensor)> = vec![("hyper".into(), hyper), ("average".into(), average)];
        if self.plan.reads("step") {
            inputs.push(("step".into(), number));
        }
        for (m, (images, masks)) in images.into_iter().zip(masks).enumerate() {
            inputs.push((format!("image.{m}"), images));
            inputs.push((format!("target.{m}"), masks));
        }
        let pending = self.plan.submit(&self.params, &borrowed(&inputs))?;
        Ok(Running { step, pending, inputs })
    }

    /// Loss and gradient norm of a step; an error where the optimizer refused it, with the first value that was not
    /// finite.
    fn scalars(&self, running: Running) -> Result<(f32, f32)> {
        let Running { step, pending, inputs } = running;
        let outputs = pending.wait()?;
        let (loss, control) = (outputs[0].data()[0], outputs[1].data());
        if control[2] != 0.0 {
            return Ok((loss, control[0]));
        }
        let found = first_non_finite(self.gpu, &self.graph, &self.params, &borrowed(&inputs), &self.planning);
        let first = match found {
            Ok(Some(found)) => format!("first in {found}"),
            Ok(None) => "in a replay with the weights of a step later every value was finite".into(),
            Err(error) => format!("where it began is not known, the step could not be replayed: {error}"),
        };
        let message = format!(
            "loss {loss}, gradient norm {}; {first}; the step was not taken (hint: a smaller --lr, or look at the images; \
             the last checkpoint is kept)",
            control[0]
        );
        Err(Error::NotFinite { step, message })
    }

    fn finish_epoch(&mut self, speed: f64, started: Instant, tell: &mut dyn FnMut(Event<'_>)) -> Result<()> {
        let partial: Partial = serde_json::from_value(self.state.more.clone()).unwrap_or_default();
        let loss = partial.loss / partial.steps.max(1) as f64;
        let limit = self.config.val_limit.unwrap_or(usize::MAX).max(1);
        let every = self.splits.val.len().div_ceil(limit).max(1);
        let val: Vec<Sample> = self.splits.val.iter().step_by(every).cloned().collect();
        let meter = validate(&self.averaged, &val, 8, &mut |_| true)?;
        let (best, half) = (meter.best()?, meter.scores(0.5)?);
        let epoch = self.state.epoch;
        let progress = self.state.early.observe(epoch, best.mean_iou);
        if progress.improved {
            self.best = Some(self.weights(&ema_slab(), Some(&best))?);
        }
        let row = [
            loss,
            best.mean_iou,
            half.mean_iou,
            best.dice,
            f64::from(best.threshold),
            f64::from(self.config.schedule.lr(self.state.step)),
            speed,
            started.elapsed().as_secs_f64(),
        ];
        self.table.append(epoch, &row.map(Some))?;
        self.state.epoch += 1;
        self.state.batch = 0;
        self.state.more = serde_json::Value::Null;
        tell(Event::Epoch { epoch, loss, val: &best, improved: progress.improved });
        self.save()
    }

    fn weights(&self, slab: &Slab, scores: Option<&SegmentationScores>) -> Result<Weights> {
        let mut weights = Weights::new();
        for (name, tensor) in self.params.read(slab)? {
            weights.insert(name, tensor);
        }
        let mut meta = Meta::new();
        let wrong = |message: String| Error::parameter("weights", message);
        meta.set_architecture(&self.config.net).map_err(wrong)?;
        meta.input_size = Some((self.config.size[0], self.config.size[1]));
        let Normalisation { mean, std } = self.config.normalisation;
        meta.normalisation = Some(MetaNormalisation { mean: mean.to_vec(), std: std.to_vec() });
        meta.threshold = scores.map(|scores| scores.threshold);
        meta.classes = Some(vec!["lesion".into()]);
        meta.training_data = Some(self.splits.description.clone());
        meta.metrics = scores.map(|scores| BTreeMap::from([("val_mean_iou".to_owned(), scores.mean_iou)]));
        meta.license = Some(self.splits.licence.clone());
        weights.set_meta(&meta);
        Ok(weights)
    }

    /// Writes the checkpoint.
    fn save(&mut self) -> Result<()> {
        let mut kept = BTreeMap::new();
        for slab in slabs(&self.config.optimizer) {
            kept.insert(slab_name(&slab), self.params.read(&slab)?);
        }
        let checkpoint = Checkpoint { state: self.state.clone(), slabs: kept };
        let last = self.weights(&Slab::Weights, None)?;
        checkpoint.save(self.dir.path(), &last, self.best.as_ref())?;
        self.best = None;
        Ok(())
    }
}

fn slabs(optimizer: &Optimizer) -> Vec<Slab> {
    [Slab::Weights, ema_slab()].into_iter().chain(optimizer.states()).collect()
}

fn slab_name(slab: &Slab) -> String {
    match slab {
        Slab::Weights => "weights".into(),
        Slab::Gradients => "gradients".into(),
        Slab::State(name) => name.clone(),
    }
}
