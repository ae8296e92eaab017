//! The flags of `nevus train classify`, and what they make of a run.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;

use clap::{Args, ValueEnum};

use crate::cli::SizeArg;
use crate::cli::classes::ViewArgs;
use crate::cli::train::recipe::{
    LICENSE, MOMENTUM, OptimizerArg, ScheduleArg, length, norm, optimizer, schedule, steps_per_epoch,
};
use crate::data::{Augment, Labelled, View};
use crate::error::{Error, Result};
use crate::models::weights::{Start, Weights};
use crate::models::{ResNet, ResNetDepth, Stage, StrideIn};
use crate::train::classify::{ClassLoss, ClassifyConfig, Monitor};
use crate::train::step::{Normalisation, Optimizer};
use crate::train::{Schedule, StageRates};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Recipe {
    /// AdamW with warm-up and cosine, class weights to the power ½, label smoothing, dropout, an average of the weights
    Transfer,
    /// The study's: cross-entropy, SGD 0.001 with momentum 0.9, batch 64, at most 999 epochs, patience 50 on val loss, from a
    /// pretrained network (--init); --augment and --size stay nevus's own
    Original,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LossArg {
    CrossEntropy,
    Focal,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum MonitorArg {
    /// Negative log-likelihood
    Loss,
    /// Mean recall over the classes
    BalancedAccuracy,
    /// The mean of that and of the mean ROC AUC
    BalancedAccuracyAndAuc,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum AugmentArg {
    /// Flips, rotation, some scale, shift, colour, blur, hair
    Classification,
    /// As for segmentation: much scale, colour, blur, hair
    Strong,
    /// The images as they are
    None,
}

/// A flag that is not given keeps the recipe's value, or with --resume the run's.
#[derive(Debug, Args)]
pub(in crate::cli) struct ClassifyArgs {
    /// The data: a HAM10000 folder, or a folder for each class, perhaps below train/, val/ and test/
    pub(super) data: PathBuf,
    /// The run's folder: configuration, metrics, weights, checkpoint
    #[arg(long, value_name = "RUN")]
    pub(super) out: PathBuf,
    /// Go on with the run in --out; no other flag is needed, and only some may say something new: --epochs, --patience,
    /// --recompute, --license
    #[arg(long)]
    pub(super) resume: bool,
    /// Train for some steps on growing learning rates, write find-lr.csv and find-lr.svg into --out, and suggest one
    #[arg(long, conflicts_with = "resume")]
    pub(super) find_lr: bool,
    /// Weights to start from, whole or in part: torchvision's names. What they lack starts afresh, and so does a head
    /// for other classes
    #[arg(long, value_name = "WEIGHTS")]
    pub(super) init: Option<PathBuf>,
    /// Where the values come from that no flag gives [default: transfer]
    #[arg(long, value_enum)]
    recipe: Option<Recipe>,
    /// How HAM10000's diagnoses are merged: 3 (MEL, NV, Other_SC) or 7
    #[arg(long, value_name = "N")]
    pub(super) classes: Option<usize>,
    /// Leave out photographs without a label
    #[arg(long)]
    skip_unlabelled: bool,
    #[command(flatten)]
    pub(super) view: ViewArgs,
    /// Layers of the network: 18, 34, 50 or 101 [default: as the weights to start from, else 50]
    #[arg(long)]
    depth: Option<u16>,
    /// Which convolution of a stage's first bottleneck has the stride: 3x3 as torchvision's files, 1x1 as Keras's
    /// [default: as the weights to start from say, else 3x3]
    #[arg(long, value_parser = stride)]
    stride_in: Option<StrideIn>,
    /// The network's input [default: 128x160]
    #[arg(long)]
    size: Option<SizeArg>,
    /// Most epochs
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    epochs: Option<u64>,
    /// End, with a checkpoint, after this many optimizer steps
    #[arg(long)]
    pub(super) steps: Option<u64>,
    /// Samples of one step
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=4096))]
    batch: Option<u64>,
    /// Compute values again in the backward pass rather than keep them: half the memory for activations, more work, and not
    /// a bit of difference
    #[arg(long)]
    recompute: bool,
    /// Stages that do not learn, their norms frozen too: stem,layer1,layer2,layer3,layer4,fc
    #[arg(long, value_name = "STAGES", value_delimiter = ',', value_parser = Stage::from_str)]
    freeze: Vec<Stage>,
    /// More stages whose norms keep their statistics; `all` for every one
    #[arg(long, value_name = "STAGES", value_delimiter = ',')]
    freeze_norms: Vec<String>,
    /// Factors of the learning rate by stage: layer3=0.1,fc=2
    #[arg(long, value_name = "STAGE=FACTOR", value_delimiter = ',', value_parser = rate)]
    lr_of: Vec<(Stage, f32)>,
    /// What is minimised [default: cross-entropy]
    #[arg(long, value_enum)]
    loss: Option<LossArg>,
    /// Focal loss: how much what is right already is discounted [default: 2]
    #[arg(long)]
    gamma: Option<f32>,
    /// Cross-entropy: how much of the target is spread over all classes
    #[arg(long)]
    label_smoothing: Option<f32>,
    /// Classes weigh their share of the photographs to this power, negated: 0 all alike, 1 balanced
    #[arg(long, value_name = "POWER")]
    class_weights: Option<f32>,
    /// Draw every class as often as any other
    #[arg(long)]
    balanced: bool,
    /// Mix pairs of photographs by shares from Beta(α, α); 0 for none [default: 0]
    #[arg(long, value_name = "ALPHA")]
    mixup: Option<f32>,
    /// Probability of dropping a feature before the classifier
    #[arg(long)]
    dropout: Option<f32>,
    /// How gradients become updates
    #[arg(long, value_enum)]
    optimizer: Option<OptimizerArg>,
    /// Learning rate
    #[arg(long)]
    lr: Option<f32>,
    /// How the learning rate goes on after the warm-up
    #[arg(long, value_enum)]
    schedule: Option<ScheduleArg>,
    /// Steps of the warm-up
    #[arg(long)]
    warmup: Option<u64>,
    /// Weight decay
    #[arg(long)]
    weight_decay: Option<f32>,
    /// SGD's momentum [default: 0.9]
    #[arg(long)]
    momentum: Option<f32>,
    /// Norm that the gradient is clipped to; 0 for no clipping
    #[arg(long, value_parser = norm)]
    clip: Option<f32>,
    /// Share of the averaged weights that a step keeps; 0 for no average
    #[arg(long)]
    ema: Option<f32>,
    /// What happens to the images [default: classification]
    #[arg(long, value_enum)]
    augment: Option<AugmentArg>,
    /// Which figure on val decides
    #[arg(long, value_enum)]
    monitor: Option<MonitorArg>,
    /// Epochs without a better figure after which the run ends; 0 for never
    #[arg(long)]
    patience: Option<u64>,
    /// Measure an epoch on at most this many images of val
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    val_limit: Option<u64>,
    /// Keys everything that is drawn [default: 1]
    #[arg(long)]
    seed: Option<u64>,
    /// Licence of weights made from this data, for their metadata [default: as the training data's]
    #[arg(long)]
    license: Option<String>,
}

fn stride(text: &str) -> Result<StrideIn, String> {
    match text {
        "3x3" => Ok(StrideIn::Conv3x3),
        "1x1" => Ok(StrideIn::Conv1x1),
        _ => Err("expected 3x3 or 1x1".into()),
    }
}

fn rate(text: &str) -> Result<(Stage, f32), String> {
    let (stage, factor) = text.split_once('=').ok_or("expected STAGE=FACTOR, such as layer3=0.1")?;
    let factor = factor.parse().map_err(|_| format!("{factor:?} is not a number"))?;
    Ok((stage.parse()?, factor))
}

/// What a new run is where neither recipe nor flag says otherwise.
fn defaults() -> ClassifyConfig {
    ClassifyConfig {
        // The number of classes comes with the data.
        net: ResNet::new(ResNetDepth::D50, 0),
        classes: Vec::new(),
        normalisation: Normalisation::default(),
        size: [128, 160],
        view: View::Whole,
        batch: 0,
        epochs: 0,
        loss: ClassLoss::CrossEntropy { label_smoothing: 0.0 },
        class_weights: 0.0,
        balanced: false,
        mixup: 0.0,
        optimizer: Optimizer::Adamw { weight_decay: 0.0 },
        schedule: Schedule::constant(0.0),
        clip: None,
        ema: 0.0,
        stages: StageRates::default(),
        zero_last_norm: true,
        augment: Augment::classification(),
        monitor: Monitor::Loss,
        patience: 0,
        val_limit: None,
        seed: 1,
        init: None,
        started_from: None,
        skip_unlabelled: false,
        recompute: false,
        license: None,
    }
}

impl Recipe {
    /// Sets what the recipe decides; the length of the schedule waits for the data.
    fn apply(self, config: &mut ClassifyConfig) {
        let (dropout, label_smoothing);
        match self {
            Self::Transfer => {
                (config.epochs, config.batch, config.patience) = (20, 32, 0);
                (dropout, label_smoothing, config.class_weights) = (0.3, 0.05, 0.5);
                config.optimizer = Optimizer::Adamw { weight_decay: 0.02 };
                config.schedule = Schedule::cosine(5e-4, 0, 0);
                (config.clip, config.ema) = (Some(1.0), 0.995);
                config.monitor = Monitor::BalancedAccuracyAndAuc;
            }
            Self::Original => {
                (config.epochs, config.batch, config.patience) = (999, 64, 50);
                (dropout, label_smoothing, config.class_weights) = (0.0, 0.0, 0.0);
                config.optimizer = Optimizer::Sgd { momentum: MOMENTUM, weight_decay: 0.0 };
                config.schedule = Schedule::constant(1e-3);
                (config.clip, config.ema) = (None, 0.0);
                config.monitor = Monitor::Loss;
            }
        }
        config.net.dropout = dropout;
        if let ClassLoss::CrossEntropy { label_smoothing: known } = &mut config.loss {
            *known = label_smoothing;
        }
    }

    /// Epochs of the warm-up.
    fn warmup(self) -> f64 {
        match self {
            Self::Transfer => 0.5,
            Self::Original => 0.0,
        }
    }
}

/// The recipe to follow: that of a flag, or for a new run the default.
fn recipe(args: &ClassifyArgs) -> Option<Recipe> {
    args.recipe.or((!args.resume).then_some(Recipe::Transfer))
}

/// Whether a new run follows the study's recipe without the pretrained network that it began with.
pub(super) fn lacks_pretrained(args: &ClassifyArgs) -> bool {
    args.recipe == Some(Recipe::Original) && args.init.is_none() && !args.resume
}

/// What the flags ask for, over the configuration of the run to go on with or the recipe; classes and the length of the
/// schedule wait for the data.
pub(super) fn config(
    args: &ClassifyArgs,
    stored: Option<&ClassifyConfig>,
    init: Option<&Weights>,
) -> Result<ClassifyConfig> {
    let wrong = |message: String| Error::parameter("train classify", message);
    let mut base = stored.cloned().unwrap_or_else(defaults);
    if let Some(recipe) = recipe(args) {
        recipe.apply(&mut base);
    }
    let focal = args.loss.map_or(matches!(base.loss, ClassLoss::Focal { .. }), |loss| loss == LossArg::Focal);
    if focal && args.label_smoothing.is_some() {
        return Err(wrong("--label-smoothing goes with cross-entropy, not with focal loss".into()));
    }
    if !focal && args.gamma.is_some() {
        return Err(wrong("--gamma goes with --loss focal".into()));
    }
    let depth = args.depth.map(ResNetDepth::try_from).transpose().map_err(|message| wrong(format!("--{message}")))?;
    let norms = match args.freeze_norms.iter().any(|stage| stage == "all") {
        true => Ok(Stage::ALL.into()),
        false => args.freeze_norms.iter().map(|stage| stage.parse()).collect::<Result<BTreeSet<Stage>, String>>(),
    };
    let norms = norms.map_err(|message| wrong(format!("--freeze-norms: {message}, or all")))?;
    // What the weights to start from say of their network stands until a flag says otherwise.
    if let (None, Some(Ok(net))) = (stored, init.map(ResNet::from_weights)) {
        (base.net.depth, base.net.stride_in) = (net.depth, net.stride_in);
    }
    let StageRates { frozen, frozen_norms, lr } = base.stages;
    let start = init.map(Start::of).transpose()?;
    Ok(ClassifyConfig {
        net: ResNet {
            depth: depth.unwrap_or(base.net.depth),
            stride_in: args.stride_in.unwrap_or(base.net.stride_in),
            dropout: args.dropout.unwrap_or(base.net.dropout),
            ..base.net
        },
        normalisation: init.map_or(Ok(base.normalisation), Normalisation::of)?,
        size: args.size.map_or(base.size, |size| [size.height, size.width]),
        view: args.view.over(base.view),
        batch: args.batch.map_or(base.batch, |batch| batch as usize),
        epochs: args.epochs.unwrap_or(base.epochs),
        loss: match (args.loss, base.loss) {
            (Some(LossArg::CrossEntropy) | None, ClassLoss::CrossEntropy { label_smoothing }) => {
                ClassLoss::CrossEntropy { label_smoothing: args.label_smoothing.unwrap_or(label_smoothing) }
            }
            (Some(LossArg::CrossEntropy), ClassLoss::Focal { .. }) => {
                ClassLoss::CrossEntropy { label_smoothing: args.label_smoothing.unwrap_or(0.0) }
            }
            (Some(LossArg::Focal) | None, ClassLoss::Focal { gamma }) => {
                ClassLoss::Focal { gamma: args.gamma.unwrap_or(gamma) }
            }
            (Some(LossArg::Focal), ClassLoss::CrossEntropy { .. }) => {
                ClassLoss::Focal { gamma: args.gamma.unwrap_or(2.0) }
            }
        },
        class_weights: args.class_weights.unwrap_or(base.class_weights),
        balanced: args.balanced || base.balanced,
        mixup: args.mixup.unwrap_or(base.mixup),
        optimizer: optimizer(base.optimizer, args.optimizer, args.momentum, args.weight_decay),
        clip: args.clip.map_or(base.clip, |clip| (clip > 0.0).then_some(clip)),
        ema: args.ema.unwrap_or(base.ema),
        stages: StageRates {
            frozen: if args.freeze.is_empty() { frozen } else { args.freeze.iter().copied().collect() },
            frozen_norms: if norms.is_empty() { frozen_norms } else { norms },
            lr: if args.lr_of.is_empty() { lr } else { args.lr_of.iter().copied().collect() },
        },
        augment: args.augment.map_or(base.augment, |augment| match augment {
            AugmentArg::Classification => Augment::classification(),
            AugmentArg::Strong => Augment::default(),
            AugmentArg::None => Augment::none(),
        }),
        monitor: args.monitor.map_or(base.monitor, |monitor| match monitor {
            MonitorArg::Loss => Monitor::Loss,
            MonitorArg::BalancedAccuracy => Monitor::BalancedAccuracy,
            MonitorArg::BalancedAccuracyAndAuc => Monitor::BalancedAccuracyAndAuc,
        }),
        patience: args.patience.unwrap_or(base.patience),
        val_limit: args.val_limit.map(|limit| limit as usize).or(base.val_limit),
        seed: args.seed.unwrap_or(base.seed),
        init: start.as_ref().and_then(|start| start.blake3.clone()).or(base.init),
        started_from: start.or(base.started_from),
        skip_unlabelled: args.skip_unlabelled || base.skip_unlabelled,
        recompute: args.recompute || base.recompute,
        license: args.license.clone().or(base.license).or_else(|| Some(LICENSE.into())),
        ..base
    })
}

/// Sets what depends on the photographs: the classes, and the learning rates by the length of an epoch.
pub(super) fn fit(args: &ClassifyArgs, config: &mut ClassifyConfig, train: &Labelled) {
    config.classes = train.classes.names().to_vec();
    config.net.classes = config.classes.len();
    let samples = train.samples.len();
    let epochs = recipe(args).map(|recipe| recipe.warmup() * steps_per_epoch(samples, config.batch) as f64);
    let warmup = args.warmup.or(epochs.map(|steps| steps as u64)).unwrap_or(config.schedule.warmup);
    let anew = recipe(args).is_some() || args.epochs.is_some() || args.schedule.is_some();
    let total = anew.then(|| length(samples, config.batch, config.epochs, warmup));
    config.schedule = schedule(config.schedule, args.schedule, args.lr, warmup, total);
}

/// The last part of a path.
pub(super) fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}
