//! Training a ResNet to tell lesions apart.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use serde::{Deserialize, Serialize};

use crate::data::{Augment, Batch, Labelled, LoaderOptions, OnUnreadable, Source, View};
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::graph::{Graph, ParamInfo};
use crate::models::resnet::ResNetTraining;
use crate::models::weights::{Loaded, Meta, Start, Weights};
use crate::models::{DropoutKey, ResNet};
use crate::ops::cross_entropy::CrossEntropy;
use crate::ops::focal_loss::FocalLoss;
use crate::plan::PlanOptions;
use crate::tensor::Tensor;

use super::classification::{Calibration, Decide};
use super::classifier::{ClassifierOptions, unmasked};
use super::find_lr::{self, LrFound, LrPoint, LrRange};
use super::lost::Lost;
use super::mixup;
use super::run_dir::refuse_lost_start;
use super::session::{Engine, Place, Session, Settings, Task, thinned, with_what_fits};
use super::step::{Normalisation, Optimizer, Step, StepGraph, ema_slab};
use super::{ClassificationScores, Classifier, Goal, Init, RunDir, Schedule, StageRates, Ways};

pub use super::event::Ended;

/// What is minimised.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "name", deny_unknown_fields)]
pub enum ClassLoss {
    /// Cross-entropy.
    CrossEntropy {
        /// How much of the target is spread over all classes, 0 to 1.
        label_smoothing: f32,
    },
    /// Focal loss (Lin et al. 2017).
    Focal {
        /// How much what is right already is discounted.
        gamma: f32,
    },
}

/// The figure on val that decides which epoch is best, and when to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Monitor {
    /// The mean −ln of the right class's probability, before calibration; the lower the better.
    Loss,
    /// Mean recall over the classes.
    BalancedAccuracy,
    /// The mean of balanced accuracy and of the mean area under the classes' ROC curves, which moves less by chance.
    BalancedAccuracyAndAuc,
}

/// Everything that decides what a run computes; `config.json` holds it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassifyConfig {
    /// The network.
    pub net: ResNet,
    /// What is told apart, in the order of the logits.
    pub classes: Vec<String>,
    /// Mean and deviation that images are normalised with.
    pub normalisation: Normalisation,
    /// Height and width of the network's input.
    pub size: [usize; 2],
    /// What of a photograph it is shown.
    pub view: View,
    /// Samples of one optimizer step.
    pub batch: usize,
    /// Most epochs.
    pub epochs: u64,
    /// What is minimised.
    pub loss: ClassLoss,
    /// Classes weigh their share of the photographs to this power, negated: 0 for all alike, 1 for a balance.
    pub class_weights: f32,
    /// Whether every class is drawn as often as any other.
    pub balanced: bool,
    /// α of the Beta distribution that two photographs are mixed by (Zhang et al. 2018), 0 to 1; 0 for no mixing.
    pub mixup: f32,
    /// How gradients become updates.
    pub optimizer: Optimizer,
    /// The learning rate by step.
    pub schedule: Schedule,
    /// What the gradient's norm is clipped to; `None` for no clipping.
    pub clip: Option<f32>,
    /// Share of the averaged weights that a step keeps; 0 for no average.
    pub ema: f32,
    /// Which stages learn, and how fast.
    pub stages: StageRates,
    /// Whether fresh blocks start as the identity.
    pub zero_last_norm: bool,
    /// What happens to the images.
    pub augment: Augment,
    /// Which figure on val is watched.
    pub monitor: Monitor,
    /// Epochs without a better figure after which the run ends; 0 for never.
    pub patience: u64,
    /// Most images of val that an epoch is measured on; `None` for all.
    pub val_limit: Option<usize>,
    /// Keys everything that is drawn.
    pub seed: u64,
    /// Digest of the weights the run started from; `None` for a fresh fill.
    pub init: Option<String>,
    /// Their file, and what they had started from themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_from: Option<Start>,
    /// Whether photographs without a label are left out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub skip_unlabelled: bool,
    /// Whether a step computes values again rather than keep them (see [`PlanOptions::recompute`]).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub recompute: bool,
    /// The licence that weights made by the run carry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
}

/// The keys of a [`ClassifyConfig`] that may change when a run is resumed: a longer run's cosine goes
/// on towards its new end. The last four change no bit: the digest of the start is what counts, and the data's.
pub const FREE: &[&str] =
    &["epochs", "patience", "schedule.decay.total", "started_from", "skip_unlabelled", "recompute", "license"];

/// The columns of `metrics.csv` after the epoch.
pub const COLUMNS: &[&str] = &[
    "loss",
    "val_loss",
    "val_accuracy",
    "val_balanced_accuracy",
    "val_mean_auc",
    "val_melanoma_auc",
    "val_ece",
    "val_ece_calibrated",
    "temperature",
    "lr",
    "images_per_second",
    "seconds",
];

/// What a run reads.
#[derive(Debug, Clone)]
pub struct ClassifySplits {
    /// What is learned from.
    pub train: Labelled,
    /// What decides when to stop.
    pub val: Labelled,
    /// What the weights' metadata say of the data.
    pub description: String,
}

impl ClassifySplits {
    /// What tells these photographs from others: names, sides and classes, not pixels.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let mut hash = blake3::Hasher::new();
        for (side, labelled) in [("train", &self.train), ("val", &self.val)] {
            for (sample, class) in labelled.samples.iter().zip(&labelled.indices) {
                hash.update(format!("{side} {class} {}\n", sample.id).as_bytes());
            }
        }
        hash.finalize().to_hex()[..32].to_owned()
    }
}

/// What an epoch is measured by: the averaged weights on val, calibrated on these very photographs.
#[derive(Debug, Clone, PartialEq)]
pub struct Validated {
    /// Calibrated, classes named as the weights that are kept will name them.
    pub scores: ClassificationScores,
    /// What the weights keep.
    pub calibration: Calibration,
    /// Mean −ln of the right class's probability before calibration.
    pub loss: f64,
    /// Mean area under the ROC curves of the classes that have one.
    pub mean_auc: Option<f64>,
}

/// What a run tells while it goes on.
pub type Event<'a> = super::event::Event<'a, Validated>;

/// A run's parts, ready to go.
pub struct ClassifyRun<'a> {
    session: Session<'a, Classification<'a>>,
    loaded: Option<Loaded>,
}

/// What of a run is a classification's own.
struct Classification<'a> {
    config: &'a ClassifyConfig,
    splits: &'a ClassifySplits,
    weights: Vec<f32>,
    averaged: Classifier,
    lost: Lost,
}

impl ClassifyConfig {
    /// Refuses what makes no sense.
    ///
    /// # Errors
    /// [`Error::Parameter`] that names the knob.
    pub fn check(&self) -> Result<()> {
        let refuse = |message: String| Err(Error::parameter("train classify", message));
        self.net.validate()?;
        self.view.validate()?;
        if self.classes.len() != self.net.classes {
            return refuse(format!("{} classes for a network of {}", self.classes.len(), self.net.classes));
        }
        if !(0.0..=1.0).contains(&self.mixup) {
            return refuse(format!("--mixup is {}, expected 0 to 1", self.mixup));
        }
        if !(0.0..1.0).contains(&self.ema) {
            return refuse(format!("--ema is {}, expected 0 to below 1", self.ema));
        }
        if self.mixup > 0.0 && matches!(self.loss, ClassLoss::Focal { .. }) {
            return refuse("--mixup goes with cross-entropy, not with focal loss".into());
        }
        self.stages.validate()?;
        match self.loss {
            ClassLoss::CrossEntropy { label_smoothing } => CrossEntropy::new(label_smoothing).map(|_| ()),
            ClassLoss::Focal { gamma } => FocalLoss::new(gamma).map(|_| ()),
        }
    }

    /// The step's graph. Its inputs are `image.0` (n, 3, h, w), `target.0`, which are classes (n), or with mixup
    /// probabilities (n, classes), `step` \[1\] where there is dropout, and those of [`Step::append`].
    ///
    /// # Errors
    /// What the network refuses; [`Error::Parameter`] where everything is frozen.
    pub fn step(&self, class_weights: &[f32]) -> Result<StepGraph> {
        self.check()?;
        let frozen_norms = self.stages.norms();
        let rate = |param: &ParamInfo| self.stages.of(param);
        let clip = self.clip.unwrap_or(f32::INFINITY);
        let step = Step { parts: 1, optimizer: self.optimizer, clip, average: true, rate: &rate };
        let [h, w] = self.size;
        let (n, classes) = (self.batch, self.net.classes);
        step.append(Graph::new(), |graph, _, running| {
            let image = graph.input("image.0", [n, self.net.input, h, w])?;
            let normalised = graph.normalize(image, &self.normalisation.mean, &self.normalisation.std)?;
            let dropout = match self.net.dropout > 0.0 {
                true => {
                    let seed = (self.seed ^ (self.seed >> 32)) as u32;
                    Some(DropoutKey { seed, step: graph.input("step", [1])?, sample: 0 })
                }
                false => None,
            };
            let training = ResNetTraining { running, frozen_norms: &frozen_norms, dropout };
            let logits = self.net.build_training(graph, normalised, training)?.logits;
            if self.mixup > 0.0 {
                let target = graph.input("target.0", [n, classes])?;
                return graph.cross_entropy_soft(logits, target);
            }
            let target = graph.input("target.0", [n])?;
            let weights = match self.class_weights > 0.0 {
                true => Some(graph.constant("class weights", Tensor::new([classes], class_weights.to_vec())?)),
                false => None,
            };
            match self.loss {
                ClassLoss::CrossEntropy { label_smoothing } => {
                    graph.cross_entropy(CrossEntropy::new(label_smoothing)?, logits, target, weights)
                }
                ClassLoss::Focal { gamma } => graph.focal_loss(FocalLoss::new(gamma)?, logits, target, weights),
            }
        })
    }

    /// Looks for a learning rate: trains on growing ones, and keeps nothing. `tell` hears of every step, and
    /// ends the search where it says `false`: what was found until then is returned.
    ///
    /// # Errors
    /// As [`ClassifyRun::open`]; [`Error::Parameter`] for a range that is none.
    pub fn find_lr(
        &self,
        gpu: &Gpu,
        train: &Labelled,
        init: Option<&Weights>,
        planning: &PlanOptions,
        range: &LrRange,
        tell: &mut dyn FnMut(u64, LrPoint) -> bool,
    ) -> Result<LrFound> {
        train.refuse_empty()?;
        let engine = self.engine(gpu, train, planning)?;
        let loaded = self.fill(&engine, init)?;
        let weights = train.class_weights(self.class_weights)?;
        let found = find_lr::search(&engine, range, |batch, step| self.feed(&weights, batch, step), tell)?;
        Ok(LrFound { loaded, ..found })
    }

    fn engine(&self, gpu: &Gpu, train: &Labelled, planning: &PlanOptions) -> Result<Engine> {
        let weights = train.class_weights(self.class_weights)?;
        let step = |batch: usize| Self { batch, ..self.clone() }.step(&weights);
        let [height, width] = self.size;
        let loading = LoaderOptions {
            augment: self.augment.clone(),
            ahead: 4,
            need_masks: false,
            on_unreadable: OnUnreadable::Replace,
            balanced: self.balanced,
            view: self.view,
            ..LoaderOptions::training(height, width, self.batch, self.seed)
        };
        let source = Source::labelled(unmasked(train, self.view), loading)?;
        let settings = Settings {
            batch: self.batch,
            epochs: self.epochs,
            optimizer: self.optimizer,
            schedule: self.schedule,
            ema: self.ema,
            goal: if self.monitor == Monitor::Loss { Goal::Lower } else { Goal::Higher },
            patience: self.patience,
        };
        let stepping = PlanOptions { recompute: self.recompute, ..planning.clone() };
        Engine::new(gpu, step(self.batch)?, source, settings, &stepping)
            .map_err(|error| with_what_fits(error, gpu, self.batch, &stepping, step))
    }

    /// Sets the parameters: a fresh fill, then what `init` has.
    fn fill(&self, engine: &Engine, init: Option<&Weights>) -> Result<Option<Loaded>> {
        Init::resnet(&self.net, self.seed, self.zero_last_norm).fill(engine.param_infos())?.load(&engine.params)?;
        init.map(|weights| weights.load_partial(&engine.params, "fc", Some(&self.classes))).transpose()
    }

    /// What a batch is to the step's graph.
    fn feed(&self, class_weights: &[f32], mut batch: Batch, step: u64) -> Result<Vec<(String, Tensor)>> {
        let target = if self.mixup > 0.0 {
            let smoothing = match self.loss {
                ClassLoss::CrossEntropy { label_smoothing } => label_smoothing,
                ClassLoss::Focal { .. } => 0.0,
            };
            let mixed = mixup::Mixed::draw(batch.classes.len(), self.mixup, self.seed, step);
            mixed.images(&mut batch.images);
            mixed.targets(&batch.classes, class_weights, smoothing)?
        } else {
            Tensor::new([batch.classes.len()], batch.classes.iter().map(|&class| class as f32).collect())?
        };
        Ok(vec![("image.0".into(), batch.images), ("target.0".into(), target)])
    }
}

impl<'a> ClassifyRun<'a> {
    /// Starts a run in `dir`, or goes on with the one there.
    ///
    /// # Errors
    /// [`Error::Data`] where a class has no photograph to train on, there is none for val, a new run finds an old one,
    /// or a resumed one differs; [`Error::Plan`] where the adapter cannot hold a step; [`Error::Weights`] where `init`
    /// is for another network.
    pub fn open(
        gpu: &'a Gpu,
        config: &'a ClassifyConfig,
        dir: &Path,
        splits: &'a ClassifySplits,
        init: Option<&Weights>,
        resume: bool,
        planning: &PlanOptions,
    ) -> Result<Self> {
        config.check()?;
        let planning = &RunDir::planning(dir, resume, planning)?;
        for (side, labelled) in [("train", &splits.train), ("val", &splits.val)] {
            if labelled.samples.is_empty() {
                return Err(Error::data(dir, format!("there is no photograph for {side}")));
            }
        }
        splits.train.refuse_empty()?;
        let engine = config.engine(gpu, &splits.train, planning)?;
        let options = ClassifierOptions {
            net: config.net,
            classes: splits.train.classes.clone(),
            normalisation: config.normalisation,
            size: config.size,
            view: config.view,
            calibration: Calibration::default(),
        };
        let view = engine.params.view(&ema_slab())?;
        let averaged = Classifier::with_params(gpu, options, view).planned(planning.clone());
        let weights = splits.train.class_weights(config.class_weights)?;
        let lost = Lost::none_of(&unmasked(&splits.val, config.view).samples)?;
        let task = Classification { config, splits, weights, averaged, lost };
        let place = Place { dir, config, free: FREE, data: splits.fingerprint(), columns: COLUMNS, resume };
        let mut loaded = None;
        let session = Session::open(gpu, place, engine, task, |engine| {
            refuse_lost_start(config.init.as_deref(), init)?;
            loaded = config.fill(engine, init)?;
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

impl Task for Classification<'_> {
    type Val = Validated;

    fn feed(&self, batch: Batch, step: u64) -> Result<Vec<(String, Tensor)>> {
        self.config.feed(&self.weights, batch, step)
    }

    fn measured(&self) -> usize {
        let all = self.splits.val.samples.len();
        all.div_ceil(thinned(all, self.config.val_limit))
    }

    fn measure(&self, progress: &mut dyn FnMut(usize) -> bool) -> Result<Validated> {
        let val = &self.splits.val;
        let val = val.thinned(self.config.val_limit.unwrap_or(usize::MAX));
        let batch = self.config.batch.min(32);
        let (meter, lost) = self.averaged.measure_readable(&val, self.config.view, Ways::One, batch, progress)?;
        self.lost.note(&lost)?;
        let calibration = meter.calibrate(Decide::default())?;
        let scores = meter.scores(&calibration, None)?;
        let aucs: Vec<f64> = scores.classes.iter().filter_map(|class| class.auc).collect();
        let mean_auc = (!aucs.is_empty()).then(|| aucs.iter().sum::<f64>() / aucs.len() as f64);
        Ok(Validated { loss: meter.nll(&Calibration::default()), scores, calibration, mean_auc })
    }

    fn lost(&self) -> &Lost {
        &self.lost
    }

    fn watched(&self, val: &Validated) -> f64 {
        let balanced = val.scores.balanced_accuracy;
        match self.config.monitor {
            Monitor::Loss => val.loss,
            Monitor::BalancedAccuracy => balanced,
            Monitor::BalancedAccuracyAndAuc => 0.5 * (balanced + val.mean_auc.unwrap_or(balanced)),
        }
    }

    fn row(&self, Validated { scores, loss, mean_auc, .. }: &Validated) -> Vec<Option<f64>> {
        let ClassificationScores { accuracy, balanced_accuracy, ece, ece_calibrated, temperature, .. } = *scores;
        let known = |value| Some(value);
        vec![
            known(*loss),
            known(accuracy),
            known(balanced_accuracy),
            *mean_auc,
            scores.melanoma_auc,
            known(ece),
            known(ece_calibrated),
            known(temperature),
        ]
    }

    fn meta(&self, val: Option<&Validated>) -> Result<Meta> {
        let wrong = |message: String| Error::parameter("weights", message);
        let mut meta = Meta::new();
        meta.set_architecture(&self.config.net).map_err(wrong)?;
        meta.input_size = Some((self.config.size[0], self.config.size[1]));
        meta.normalisation = Some((&self.config.normalisation).into());
        meta.classes = Some(self.config.classes.clone());
        meta.view = Some(serde_json::to_value(self.config.view).map_err(|error| wrong(error.to_string()))?);
        meta.training_data = Some(self.splits.description.clone());
        meta.started_from.clone_from(&self.config.started_from);
        meta.license = self.config.license.clone();
        if let Some(Validated { scores, calibration, loss, .. }) = val {
            calibration.write_to(&mut meta);
            let mut metrics = BTreeMap::from([
                ("val_loss".to_owned(), *loss),
                ("val_accuracy".to_owned(), scores.accuracy),
                ("val_balanced_accuracy".to_owned(), scores.balanced_accuracy),
                ("val_ece_calibrated".to_owned(), scores.ece_calibrated),
            ]);
            metrics.extend(scores.melanoma_auc.map(|auc| ("val_melanoma_auc".to_owned(), auc)));
            meta.metrics = Some(metrics);
        }
        Ok(meta)
    }
}
