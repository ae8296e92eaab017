//! `nevus train classify`.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr as _;

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::progress::{Progress, highest, how};
use super::recipe::{Chart, OptimizerArg, ScheduleArg, digest, leave, write_files};
use crate::cli::classes::ViewArgs;
use crate::cli::{Context, SizeArg};
use crate::data::{Augment, Dataset, Split};
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::models::weights::Weights;
use crate::models::{ResNet, ResNetDepth, Stage, StrideIn};
use crate::plan::PlanOptions;
use crate::report::{LineChart, Series, line_chart};
use crate::train::classify::{ClassLoss, ClassifyConfig, ClassifyRun, ClassifySplits, Event, Monitor, Validated};
use crate::train::find_lr::{LrPoint, LrRange};
use crate::train::step::{Normalisation, Optimizer};
use crate::train::{Schedule, StageRates};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Recipe {
    /// AdamW with warm-up and cosine, class weights to the power ½, label smoothing, dropout, an average of the weights
    Transfer,
    /// The study's: cross-entropy, SGD 0.001 with momentum 0.9, batch 64, at most 999 epochs, patience 50 on val loss
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

/// A flag that has no value keeps the recipe's.
#[derive(Debug, Args)]
pub(in crate::cli) struct ClassifyArgs {
    /// The data: a HAM10000 folder, or a folder for each class, perhaps below train/, val/ and test/
    data: PathBuf,
    /// The run's folder: configuration, metrics, weights, checkpoint
    #[arg(long, value_name = "RUN")]
    out: PathBuf,
    /// Go on with the run in --out
    #[arg(long)]
    resume: bool,
    /// Train for some steps on growing learning rates, write find-lr.csv and find-lr.svg into --out, and suggest one
    #[arg(long, conflicts_with = "resume")]
    find_lr: bool,
    /// Weights to start from, whole or in part: torchvision's names. What they lack starts afresh, and so does a head
    /// for other classes
    #[arg(long, value_name = "WEIGHTS")]
    init: Option<PathBuf>,
    /// Where the values come from that no flag gives
    #[arg(long, value_enum, default_value_t = Recipe::Transfer)]
    recipe: Recipe,
    /// How HAM10000's diagnoses are merged: 3 (MEL, NV, Other_SC) or 7
    #[arg(long, value_name = "N")]
    classes: Option<usize>,
    /// Leave out photographs without a label
    #[arg(long)]
    skip_unlabelled: bool,
    #[command(flatten)]
    view: ViewArgs,
    /// Layers of the network: 18, 34, 50 or 101
    #[arg(long, default_value_t = 50)]
    depth: u16,
    /// Which convolution of a stage's first bottleneck has the stride: 3x3 as torchvision's files, 1x1 as Keras's
    #[arg(long, default_value = "3x3", value_parser = stride)]
    stride_in: StrideIn,
    /// The network's input
    #[arg(long, default_value = "128x160")]
    size: SizeArg,
    /// Most epochs
    #[arg(long)]
    epochs: Option<u64>,
    /// End, with a checkpoint, after this many optimizer steps
    #[arg(long)]
    steps: Option<u64>,
    /// Samples of one step
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=4096))]
    batch: Option<u64>,
    /// Stages that do not learn, their norms frozen too: stem,layer1,layer2,layer3,layer4,fc
    #[arg(long, value_name = "STAGES", value_delimiter = ',', value_parser = Stage::from_str)]
    freeze: Vec<Stage>,
    /// More stages whose norms keep their statistics; `all` for every one
    #[arg(long, value_name = "STAGES", value_delimiter = ',')]
    freeze_norms: Vec<String>,
    /// Factors of the learning rate by stage: layer3=0.1,fc=2
    #[arg(long, value_name = "STAGE=FACTOR", value_delimiter = ',', value_parser = rate)]
    lr_of: Vec<(Stage, f32)>,
    /// What is minimised
    #[arg(long, value_enum, default_value_t = LossArg::CrossEntropy)]
    loss: LossArg,
    /// Focal loss: how much what is right already is discounted
    #[arg(long, default_value_t = 2.0)]
    gamma: f32,
    /// Cross-entropy: how much of the target is spread over all classes
    #[arg(long)]
    label_smoothing: Option<f32>,
    /// Classes weigh their share of the photographs to this power, negated: 0 all alike, 1 balanced
    #[arg(long, value_name = "POWER")]
    class_weights: Option<f32>,
    /// Draw every class as often as any other
    #[arg(long)]
    balanced: bool,
    /// Mix pairs of photographs by shares from Beta(α, α); 0 for none
    #[arg(long, default_value_t = 0.0, value_name = "ALPHA")]
    mixup: f32,
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
    /// SGD's momentum
    #[arg(long, default_value_t = 0.9)]
    momentum: f32,
    /// Norm that the gradient is clipped to; 0 for no clipping
    #[arg(long)]
    clip: Option<f32>,
    /// Share of the averaged weights that a step keeps; 0 for no average
    #[arg(long)]
    ema: Option<f32>,
    /// What happens to the images
    #[arg(long, value_enum, default_value_t = AugmentArg::Classification)]
    augment: AugmentArg,
    /// Which figure on val decides
    #[arg(long, value_enum)]
    monitor: Option<MonitorArg>,
    /// Epochs without a better figure after which the run ends; 0 for never
    #[arg(long)]
    patience: Option<u64>,
    /// Measure an epoch on at most this many images of val
    #[arg(long)]
    val_limit: Option<usize>,
    /// Keys everything that is drawn
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Licence of weights made from this data, for their metadata
    #[arg(long, default_value = "as the training data's")]
    license: String,
}

/// What a recipe sets.
struct Defaults {
    epochs: u64,
    batch: u64,
    label_smoothing: f32,
    class_weights: f32,
    dropout: f32,
    optimizer: OptimizerArg,
    lr: f32,
    schedule: ScheduleArg,
    /// In epochs.
    warmup: f64,
    weight_decay: f32,
    clip: f32,
    ema: f32,
    monitor: MonitorArg,
    patience: u64,
}

impl Recipe {
    fn defaults(self) -> Defaults {
        match self {
            Self::Transfer => Defaults {
                epochs: 20,
                batch: 32,
                label_smoothing: 0.05,
                class_weights: 0.5,
                dropout: 0.3,
                optimizer: OptimizerArg::Adamw,
                lr: 5e-4,
                schedule: ScheduleArg::Cosine,
                warmup: 0.5,
                weight_decay: 0.02,
                clip: 1.0,
                ema: 0.995,
                monitor: MonitorArg::BalancedAccuracyAndAuc,
                patience: 0,
            },
            Self::Original => Defaults {
                epochs: 999,
                batch: 64,
                label_smoothing: 0.0,
                class_weights: 0.0,
                dropout: 0.0,
                optimizer: OptimizerArg::Sgd,
                lr: 1e-3,
                schedule: ScheduleArg::Constant,
                warmup: 0.0,
                weight_decay: 0.0,
                clip: 0.0,
                ema: 0.0,
                monitor: MonitorArg::Loss,
                patience: 50,
            },
        }
    }
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

#[derive(Serialize)]
struct Summary {
    ended: String,
    run: PathBuf,
    best_val_balanced_accuracy: Option<f64>,
    best_epoch: Option<u64>,
}

pub(super) fn run(args: &ClassifyArgs, context: &Context) -> Result<ExitCode> {
    let init = args.init.as_ref().map(Weights::open).transpose()?;
    let gpu = context.open_gpu()?;
    let splits = splits(args, context, init.as_ref(), &gpu)?;
    let config = config(args, &splits, init.as_ref())?;
    let planning = PlanOptions { budget: crate::cli::context::free_memory(&gpu), ..context.plan_options(&gpu) };
    if args.find_lr {
        return find_lr(args, &config, &splits, init.as_ref(), (&gpu, &planning), context);
    }
    let mut run = ClassifyRun::open(&gpu, &config, &args.out, &splits, init.as_ref(), args.resume, &planning)?;
    if let Some(loaded) = run.loaded() {
        context.say(loaded.to_string());
    }
    let net = format!("ResNet-{}, input {}", config.net.depth.layers(), args.size);
    let facts = [
        ("Data", splits.description.clone()),
        ("Network", net),
        ("Shown", config.view.name().to_owned()),
        ("Classes", config.classes.join(", ")),
        ("Computed on", gpu.caps().describe()),
    ];
    let mut progress = Progress::new(context, config.batch);
    let ended = run.train(args.steps, &context.cancel, &mut |event| {
        progress.tell(&event, |Validated { scores, loss, .. }| {
            format!(
                "val loss {loss:.4}, accuracy {:.4}, balanced {:.4}{}, ECE {:.3} and {:.3} at temperature {:.2}",
                scores.accuracy,
                scores.balanced_accuracy,
                scores.melanoma_auc.map_or_else(String::new, |auc| format!(", melanoma AUC {auc:.4}")),
                scores.ece,
                scores.ece_calibrated,
                scores.temperature
            )
        });
        if let Event::Epoch { .. } = event {
            leave(&args.out, "Training of a classifier", &facts, CHARTS);
        }
    });
    progress.end();
    gpu.save_pipelines();
    let ended = ended?;
    let best = highest(&args.out, "val_balanced_accuracy")?;
    let result = Summary {
        ended: format!("{ended:?}").to_lowercase(),
        run: args.out.clone(),
        best_val_balanced_accuracy: best.map(|best| best.1),
        best_epoch: best.map(|best| best.0),
    };
    let text = || {
        let best = best.map_or_else(String::new, |(epoch, value)| {
            format!("; highest balanced accuracy on val {value:.4} in epoch {epoch}")
        });
        format!("{}: {}{best}\n", how(ended), args.out.display())
    };
    context.print(text, &result)?;
    Ok(ExitCode::SUCCESS)
}

fn find_lr(
    args: &ClassifyArgs,
    config: &ClassifyConfig,
    splits: &ClassifySplits,
    init: Option<&Weights>,
    (gpu, planning): (&Gpu, &PlanOptions),
    context: &Context,
) -> Result<ExitCode> {
    let range = LrRange { steps: args.steps.unwrap_or(LrRange::default().steps), ..LrRange::default() };
    let bar = context.progress("learning rates", range.steps);
    let found = config.find_lr(gpu, &splits.train, init, planning, &range, &mut |step, point| {
        bar.set_position(step);
        bar.set_message(format!("lr {:.1e} loss {:.3}", point.lr, point.smoothed));
        !context.cancelled()
    });
    bar.finish_and_clear();
    let found = found?;
    std::fs::create_dir_all(&args.out).map_err(Error::io(&args.out))?;
    let rows = found.points.iter().map(|point| format!("{},{},{}\n", point.lr, point.loss, point.smoothed));
    let table: String = std::iter::once("lr,loss,smoothed\n".to_owned()).chain(rows).collect();
    let points = |of: fn(&LrPoint) -> f64| {
        found.points.iter().map(|point| (f64::from(point.lr).log10(), of(point))).collect::<Vec<_>>()
    };
    let least = found.points.iter().map(|point| point.smoothed).fold(f64::INFINITY, f64::min);
    let first = found.points.first().map_or(1.0, |point| point.smoothed);
    let chart = LineChart {
        title: "Loss while the learning rate grows".into(),
        x: "logarithm of the learning rate, to base 10".into(),
        y: "loss".into(),
        y_range: Some((0.8 * least, 1.5 * first)).filter(|(low, high)| low < high),
        series: vec![
            Series::new("loss", points(|point| f64::from(point.loss))),
            Series::new("smoothed", points(|point| point.smoothed)),
        ],
        ..LineChart::default()
    };
    write_files(&args.out, &[("find-lr.svg", line_chart(&chart)?), ("find-lr.csv", table)])?;
    let text = || match found.suggestion {
        Some(lr) => {
            format!("--lr {lr:.1e}: there the loss falls most steeply; see {}/find-lr.svg\n", args.out.display())
        }
        None => format!("no suggestion: the loss never fell; see {}/find-lr.svg\n", args.out.display()),
    };
    context.print(text, &found)?;
    Ok(ExitCode::SUCCESS)
}

fn splits(args: &ClassifyArgs, context: &Context, init: Option<&Weights>, gpu: &Gpu) -> Result<ClassifySplits> {
    let mut data = Dataset::open(&args.data)?;
    if args.skip_unlabelled {
        let skipped = data.skip_unlabelled();
        context.say(format!("{skipped} photographs without a label are left out"));
    }
    let classes = data.classes(args.classes)?;
    if let Some(drawn) = data.draw_missing_sides(args.seed)? {
        context.say(format!("{}: {drawn}", args.data.display()));
    }
    let mut all = data.labelled(&classes)?;
    args.view.complete_masks(&mut all, &args.out, gpu, context)?;
    let (train, val) = (all.side(Split::Train), all.side(Split::Val));
    let counts = |counts: Vec<usize>| {
        let named: Vec<_> = classes.names().iter().zip(counts).map(|(name, count)| format!("{name} {count}")).collect();
        named.join(", ")
    };
    context.say(format!(
        "{}: {} photographs for train ({}), {} for val ({})",
        args.data.display(),
        train.samples.len(),
        counts(train.counts()),
        val.samples.len(),
        counts(val.counts())
    ));
    let name = |path: &std::path::Path| path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    let start = match init.and_then(|weights| weights.path.as_deref()) {
        None => String::new(),
        Some(path) => format!("; started from {}", name(path)),
    };
    let description = format!(
        "{}: {} photographs to train on, {} to choose on{start}",
        name(&args.data),
        train.samples.len(),
        val.samples.len()
    );
    Ok(ClassifySplits { train, val, description, licence: args.license.clone() })
}

fn config(args: &ClassifyArgs, splits: &ClassifySplits, init: Option<&Weights>) -> Result<ClassifyConfig> {
    let defaults = args.recipe.defaults();
    let wrong = |message: String| Error::parameter("train classify", message);
    let classes = splits.train.classes.names().to_vec();
    let depth = ResNetDepth::try_from(args.depth).map_err(|message| wrong(format!("--{message}")))?;
    let net = ResNet {
        dropout: args.dropout.unwrap_or(defaults.dropout),
        stride_in: args.stride_in,
        ..ResNet::new(depth, classes.len())
    };
    let batch = args.batch.unwrap_or(defaults.batch);
    let epochs = args.epochs.unwrap_or(defaults.epochs);
    let steps_per_epoch = (splits.train.samples.len() as u64 / batch).max(1);
    let warmup = args.warmup.unwrap_or((defaults.warmup * steps_per_epoch as f64) as u64);
    let total = steps_per_epoch.saturating_mul(epochs).max(warmup + 1);
    let weight_decay = args.weight_decay.unwrap_or(defaults.weight_decay);
    let clip = args.clip.unwrap_or(defaults.clip);
    let all = args.freeze_norms.iter().any(|stage| stage == "all");
    let norms: Result<BTreeSet<Stage>, String> = match all {
        true => Ok(Stage::ALL.into()),
        false => args.freeze_norms.iter().map(|stage| stage.parse()).collect(),
    };
    Ok(ClassifyConfig {
        net,
        classes,
        normalisation: init.map_or_else(|| Ok(Normalisation::default()), Normalisation::of)?,
        size: [args.size.height, args.size.width],
        view: args.view.view(),
        batch: batch as usize,
        epochs,
        loss: match args.loss {
            LossArg::CrossEntropy => {
                ClassLoss::CrossEntropy { label_smoothing: args.label_smoothing.unwrap_or(defaults.label_smoothing) }
            }
            LossArg::Focal => ClassLoss::Focal { gamma: args.gamma },
        },
        class_weights: args.class_weights.unwrap_or(defaults.class_weights),
        balanced: args.balanced,
        mixup: args.mixup,
        optimizer: match args.optimizer.unwrap_or(defaults.optimizer) {
            OptimizerArg::Sgd => Optimizer::Sgd { momentum: args.momentum, weight_decay },
            OptimizerArg::Adamw => Optimizer::Adamw { weight_decay },
        },
        schedule: Schedule {
            base: args.lr.unwrap_or(defaults.lr),
            warmup,
            decay: args.schedule.unwrap_or(defaults.schedule).decay(total),
        },
        clip: (clip > 0.0).then_some(clip),
        ema: args.ema.unwrap_or(defaults.ema),
        stages: StageRates {
            frozen: args.freeze.iter().copied().collect(),
            frozen_norms: norms.map_err(|message| wrong(format!("--freeze-norms: {message}, or all")))?,
            lr: args.lr_of.iter().copied().collect(),
        },
        zero_last_norm: true,
        augment: match args.augment {
            AugmentArg::Classification => Augment::classification(),
            AugmentArg::Strong => Augment::default(),
            AugmentArg::None => Augment::none(),
        },
        monitor: match args.monitor.unwrap_or(defaults.monitor) {
            MonitorArg::Loss => Monitor::Loss,
            MonitorArg::BalancedAccuracy => Monitor::BalancedAccuracy,
            MonitorArg::BalancedAccuracyAndAuc => Monitor::BalancedAccuracyAndAuc,
        },
        patience: args.patience.unwrap_or(defaults.patience),
        val_limit: args.val_limit,
        seed: args.seed,
        init: init.map(digest).transpose()?,
    })
}

const CHARTS: &[Chart] = &[
    ("loss.svg", "Loss", "loss", &["loss", "val_loss"]),
    ("accuracy.svg", "Validation: accuracy", "share", &["val_accuracy", "val_balanced_accuracy"]),
    ("auc.svg", "Validation: area under the ROC curve", "AUC", &["val_mean_auc", "val_melanoma_auc"]),
    ("calibration.svg", "Validation: calibration error", "ECE", &["val_ece", "val_ece_calibrated"]),
    ("lr.svg", "Learning rate", "learning rate", &["lr"]),
];
