//! Training a U-Net: the loop, with its checkpoints.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;

use serde::{Deserialize, Serialize};

use crate::data::{Augment, Batch, LoaderOptions, OnUnreadable, Sample, Source};
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::models::UNet;
use crate::models::weights::{Loaded, Meta, Start, Weights};
use crate::plan::PlanOptions;
use crate::tensor::Tensor;

use super::lost::Lost;
use super::run_dir::refuse_lost_start;
use super::session::{Engine, Place, Session, Settings, Task, thinned, with_what_fits};
use super::step::{Loss, Normalisation, Optimizer, StepOptions, ema_slab};
use super::validate::validate;
use super::{Goal, Init, RunDir, Schedule, SegmentationScores, Segmenter};

pub use super::event::Ended;

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
    /// Whether a step computes values again rather than keep them (see [`PlanOptions::recompute`]).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub recompute: bool,
    /// Their file, and what they had started from themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_from: Option<Start>,
    /// The licence that weights made by the run carry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
}

/// The keys of a [`SegmentConfig`] that may change when a run is resumed: a longer run's cosine goes
/// on towards its new end. The last three change no bit: the digest of the start is what counts.
pub const FREE: &[&str] = &["epochs", "patience", "schedule.decay.total", "recompute", "started_from", "license"];

/// What a run reads.
#[derive(Debug, Clone)]
pub struct Splits {
    /// What is learned from.
    pub train: Vec<Sample>,
    /// What decides when to stop.
    pub val: Vec<Sample>,
    /// What the weights' metadata say of the data.
    pub description: String,
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
pub type Event<'a> = super::event::Event<'a, Validated>;

/// What an epoch is measured by.
#[derive(Debug, Clone, PartialEq)]
pub struct Validated {
    /// The averaged weights on val, at the threshold with the best mean IoU.
    pub best: SegmentationScores,
    /// Their mean IoU at 0.5.
    pub iou_at_half: f64,
}

/// The columns of `metrics.csv` after the epoch.
pub const COLUMNS: &[&str] =
    &["loss", "val_iou", "val_iou_at_half", "val_dice", "threshold", "lr", "images_per_second", "seconds"];

/// A run's parts, ready to go.
pub struct SegmentRun<'a> {
    session: Session<'a, Segmentation<'a>>,
    loaded: Option<Loaded>,
}

/// What of a run is a segmentation's own.
struct Segmentation<'a> {
    config: &'a SegmentConfig,
    splits: &'a Splits,
    averaged: Segmenter,
    lost: Lost,
}

impl<'a> SegmentRun<'a> {
    /// Starts a run in `dir`, or goes on with the one there.
    ///
    /// # Errors
    /// [`Error::Data`] where the data is empty, a new run finds an old one, or a resumed one differs;
    /// [`Error::Plan`] where the adapter cannot hold a step; [`Error::Weights`] where `init` is for another network.
    pub fn open(
        gpu: &'a Gpu,
        config: &'a SegmentConfig,
        dir: &std::path::Path,
        splits: &'a Splits,
        init: Option<&Weights>,
        resume: bool,
        planning: &PlanOptions,
    ) -> Result<Self> {
        let planning = &RunDir::planning(dir, resume, planning)?;
        for (side, samples) in [("train", &splits.train), ("val", &splits.val)] {
            if samples.is_empty() {
                return Err(Error::data(dir, format!("there is no image for {side}")));
            }
        }
        let options = StepOptions {
            net: config.net,
            normalisation: config.normalisation,
            batch: config.batch,
            micro_batches: config.micro_batches,
            size: config.size,
            loss: config.loss,
            optimizer: config.optimizer,
            clip: config.clip.unwrap_or(f32::INFINITY),
            average: true,
            seed: (config.seed ^ (config.seed >> 32)) as u32,
        };
        let step = options.build()?;
        let [height, width] = config.size;
        let mut loading = LoaderOptions::training(height, width, config.batch, config.seed);
        loading.augment = config.augment.clone();
        loading.ahead = 4;
        loading.on_unreadable = OnUnreadable::Replace;
        let source = Source::new(splits.train.clone(), loading)?;
        let settings = Settings {
            batch: config.batch,
            epochs: config.epochs,
            optimizer: config.optimizer,
            schedule: config.schedule,
            ema: config.ema,
            goal: Goal::Higher,
            patience: config.patience,
        };
        let stepping = PlanOptions { recompute: config.recompute, ..planning.clone() };
        let smaller = |batch| StepOptions { batch, ..options }.build();
        let engine = Engine::new(gpu, step, source, settings, &stepping)
            .map_err(|error| with_what_fits(error, gpu, config.batch, &stepping, smaller))?;
        let SegmentConfig { net, normalisation, size, .. } = *config;
        let view = engine.params.view(&ema_slab())?;
        let averaged = Segmenter::with_params(gpu, net, normalisation, size, view, 0.5).planned(planning.clone());
        let task = Segmentation { config, splits, averaged, lost: Lost::none_of(&splits.val)? };
        let place = Place { dir, config, free: FREE, data: splits.fingerprint(), columns: COLUMNS, resume };
        let mut loaded = None;
        let session = Session::open(gpu, place, engine, task, |engine| {
            refuse_lost_start(config.init.as_deref(), init)?;
            Init { seed: config.seed, ..Init::default() }.fill(engine.param_infos())?.load(&engine.params)?;
            let used = init.map(|weights| weights.load_partial(&engine.params, "head", None)).transpose();
            loaded = used.map_err(of_another_net)?;
            Ok(())
        })?;
        Ok(Self { session, loaded })
    }

    /// What of the weights to start from was used; `None` for a fresh fill or a resumed run.
    #[must_use]
    pub fn loaded(&self) -> Option<&Loaded> {
        self.loaded.as_ref()
    }

    /// Trains until the end, or for `steps` optimizer steps, or until `cancel` is set, also while an epoch is measured: a
    /// resumed run then begins with that measure. The checkpoint is up to date when it returns, but for an error: then it
    /// is the last one made.
    ///
    /// # Errors
    /// [`Error::NotFinite`] where loss or gradient is not finite; errors of files and of the device.
    pub fn train(&mut self, steps: Option<u64>, cancel: &AtomicBool, tell: &mut dyn FnMut(Event<'_>)) -> Result<Ended> {
        self.session.train(steps, cancel, tell)
    }

    /// How many photographs could not be read so far, each once: those of train were replaced by others, those of val left
    /// out. A warning has named each.
    #[must_use]
    pub fn unreadable(&self) -> usize {
        self.session.unreadable()
    }
}

fn of_another_net(error: Error) -> Error {
    match error {
        Error::Weights { path, message } => {
            let hint = "--init takes a U-Net's weights, with --base and --depth as theirs";
            Error::Weights { path, message: format!("{message} (hint: {hint})") }
        }
        error => error,
    }
}

impl Task for Segmentation<'_> {
    type Val = Validated;

    fn feed(&self, batch: Batch, _: u64) -> Result<Vec<(String, Tensor)>> {
        let parts = self.config.micro_batches;
        let mut fed = Vec::with_capacity(2 * parts);
        for (name, tensor) in [("image", &batch.images), ("target", &batch.masks)] {
            let mut shape = tensor.shape().to_vec();
            shape[0] /= parts;
            for (part, values) in tensor.data().chunks(tensor.len() / parts).enumerate() {
                fed.push((format!("{name}.{part}"), Tensor::new(shape.clone(), values.to_vec())?));
            }
        }
        Ok(fed)
    }

    fn measured(&self) -> usize {
        let all = self.splits.val.len();
        all.div_ceil(thinned(all, self.config.val_limit))
    }

    fn measure(&self, progress: &mut dyn FnMut(usize) -> bool) -> Result<Validated> {
        let every = thinned(self.splits.val.len(), self.config.val_limit);
        let val: Vec<Sample> = self.splits.val.iter().step_by(every).cloned().collect();
        let (meter, lost) = validate(&self.averaged, &val, 8, progress)?;
        self.lost.note(&lost)?;
        Ok(Validated { best: meter.best()?, iou_at_half: meter.scores(0.5)?.mean_iou })
    }

    fn lost(&self) -> &Lost {
        &self.lost
    }

    fn watched(&self, val: &Validated) -> f64 {
        val.best.mean_iou
    }

    fn row(&self, Validated { best, iou_at_half }: &Validated) -> Vec<Option<f64>> {
        [best.mean_iou, *iou_at_half, best.dice, f64::from(best.threshold)].map(Some).to_vec()
    }

    fn meta(&self, val: Option<&Validated>) -> Result<Meta> {
        let scores = val.map(|val| &val.best);
        let mut meta = Meta::new();
        let wrong = |message: String| Error::parameter("weights", message);
        meta.set_architecture(&self.config.net).map_err(wrong)?;
        meta.input_size = Some((self.config.size[0], self.config.size[1]));
        meta.normalisation = Some((&self.config.normalisation).into());
        meta.threshold = scores.map(|scores| scores.threshold);
        meta.classes = Some(vec!["lesion".into()]);
        meta.training_data = Some(self.splits.description.clone());
        meta.started_from.clone_from(&self.config.started_from);
        meta.metrics = scores.map(|scores| BTreeMap::from([("val_mean_iou".to_owned(), scores.mean_iou)]));
        meta.license = self.config.license.clone();
        Ok(meta)
    }
}
