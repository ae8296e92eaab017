//! `nevus train segment`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::progress::{Progress, highest, how, not_read};
use super::recipe::{
    Chart, LICENSE, LossArg, OptimizerArg, ScheduleArg, leave, length, norm, optimizer, schedule, started,
};
use crate::cli::{Context, SizeArg, sides};
use crate::data::{Augment, Dataset, Sample, Split};
use crate::error::Result;
use crate::models::UNet;
use crate::models::weights::{Start, Weights};
use crate::plan::PlanOptions;
use crate::train::segment::{Event, SegmentConfig, SegmentRun, Splits, Validated};
use crate::train::step::{Loss, Normalisation, Optimizer};
use crate::train::{RunDir, Schedule};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum AugmentArg {
    /// Flips, rotation, scale, shift, colour, blur, hair
    Strong,
    /// The images as they are
    None,
}

/// The defaults train well on HAM10000. With --resume the run's own values stand in their place.
#[derive(Debug, Args)]
pub(in crate::cli) struct SegmentArgs {
    /// The data: a HAM10000 folder, or images/ and masks/
    data: PathBuf,
    /// The run's folder: configuration, metrics, weights, checkpoint
    #[arg(long, value_name = "RUN")]
    out: PathBuf,
    /// Go on with the run in --out; no other flag is needed, and only some may say something new: --epochs, --patience,
    /// --recompute, --license
    #[arg(long)]
    resume: bool,
    /// Weights to start from, of a U-Net with the same --base and --depth; what they lack keeps its fresh fill, as does a
    /// head of another shape
    #[arg(long, value_name = "WEIGHTS")]
    init: Option<PathBuf>,
    /// Most epochs [default: 30]
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    epochs: Option<u64>,
    /// End, with a checkpoint, after this many optimizer steps
    #[arg(long)]
    steps: Option<u64>,
    /// Samples of one step [default: 8]
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=4096))]
    batch: Option<u64>,
    /// Parts a batch is run in, one after the other, to save memory [default: 1]
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=4096))]
    micro_batch: Option<u64>,
    /// Compute values again in the backward pass rather than keep them: half the memory for activations, more work, and not
    /// a bit of difference
    #[arg(long)]
    recompute: bool,
    /// The network's input [default: 144x192]
    #[arg(long)]
    size: Option<SizeArg>,
    /// Channels of the first level [default: 16]
    #[arg(long)]
    base: Option<usize>,
    /// Levels above the bottom [default: 4]
    #[arg(long)]
    depth: Option<usize>,
    /// Probability of dropping an activation between the two convolutions of a block [default: 0]
    #[arg(long)]
    dropout: Option<f32>,
    /// What is minimised [default: bce-dice]
    #[arg(long, value_enum)]
    loss: Option<LossArg>,
    /// How gradients become updates [default: adamw]
    #[arg(long, value_enum)]
    optimizer: Option<OptimizerArg>,
    /// Learning rate [default: 0.001]
    #[arg(long)]
    lr: Option<f32>,
    /// How the learning rate goes on after the warm-up [default: cosine]
    #[arg(long, value_enum)]
    schedule: Option<ScheduleArg>,
    /// Steps of the warm-up [default: 200]
    #[arg(long)]
    warmup: Option<u64>,
    /// Weight decay [default: 0.01]
    #[arg(long)]
    weight_decay: Option<f32>,
    /// SGD's momentum [default: 0.9]
    #[arg(long)]
    momentum: Option<f32>,
    /// Norm that the gradient is clipped to; 0 for no clipping [default: 1]
    #[arg(long, value_parser = norm)]
    clip: Option<f32>,
    /// Share of the averaged weights that a step keeps [default: 0.998]
    #[arg(long)]
    ema: Option<f32>,
    /// What happens to the images [default: strong]
    #[arg(long, value_enum)]
    augment: Option<AugmentArg>,
    /// Epochs without a better IoU on val after which the run ends; 0 for never [default: 10]
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

/// What a new run is where no flag says otherwise.
fn defaults() -> SegmentConfig {
    SegmentConfig {
        net: UNet { base: 16, depth: 4, input: 3, output: 1, dropout: 0.0 },
        normalisation: Normalisation::default(),
        size: [144, 192],
        batch: 8,
        micro_batches: 1,
        epochs: 30,
        loss: Loss::BceDice,
        optimizer: Optimizer::Adamw { weight_decay: 0.01 },
        schedule: Schedule::cosine(1e-3, 200, 0),
        clip: Some(1.0),
        ema: 0.998,
        augment: Augment::default(),
        patience: 10,
        val_limit: None,
        seed: 1,
        init: None,
        recompute: false,
        started_from: None,
        license: None,
    }
}

/// What the flags ask for, over the configuration of the run to go on with or the defaults; the length of the schedule
/// waits for the data.
fn config(args: &SegmentArgs, stored: Option<&SegmentConfig>, init: Option<&Weights>) -> Result<SegmentConfig> {
    let base = stored.cloned().unwrap_or_else(defaults);
    let UNet { base: channels, depth, dropout, .. } = base.net;
    let start = init.map(Start::of).transpose()?;
    Ok(SegmentConfig {
        net: UNet {
            base: args.base.unwrap_or(channels),
            depth: args.depth.unwrap_or(depth),
            dropout: args.dropout.unwrap_or(dropout),
            ..base.net
        },
        size: args.size.map_or(base.size, |size| [size.height, size.width]),
        batch: args.batch.map_or(base.batch, |batch| batch as usize),
        micro_batches: args.micro_batch.map_or(base.micro_batches, |parts| parts as usize),
        epochs: args.epochs.unwrap_or(base.epochs),
        loss: args.loss.map_or(base.loss, Loss::from),
        optimizer: optimizer(base.optimizer, args.optimizer, args.momentum, args.weight_decay),
        clip: args.clip.map_or(base.clip, |clip| (clip > 0.0).then_some(clip)),
        ema: args.ema.unwrap_or(base.ema),
        augment: args.augment.map_or(base.augment, |augment| match augment {
            AugmentArg::Strong => Augment::default(),
            AugmentArg::None => Augment::none(),
        }),
        patience: args.patience.unwrap_or(base.patience),
        val_limit: args.val_limit.map(|limit| limit as usize).or(base.val_limit),
        seed: args.seed.unwrap_or(base.seed),
        init: start.as_ref().and_then(|start| start.blake3.clone()).or(base.init),
        recompute: args.recompute || base.recompute,
        started_from: start.or(base.started_from),
        license: args.license.clone().or(base.license).or_else(|| Some(LICENSE.into())),
        ..base
    })
}

/// The learning rates, now that the length of an epoch is known.
fn timed(args: &SegmentArgs, config: &SegmentConfig, samples: usize) -> Schedule {
    let warmup = args.warmup.unwrap_or(config.schedule.warmup);
    let anew = !args.resume || args.epochs.is_some() || args.schedule.is_some();
    let total = anew.then(|| length(samples, config.batch, config.epochs, warmup));
    schedule(config.schedule, args.schedule, args.lr, warmup, total)
}

#[derive(Serialize)]
struct Summary {
    ended: String,
    /// Photographs that could not be read: those of train were replaced by others, those of val left out.
    unreadable: usize,
    run: PathBuf,
    best_val_iou: Option<f64>,
    best_epoch: Option<u64>,
}

pub(super) fn run(args: &SegmentArgs, context: &Context) -> Result<ExitCode> {
    let stored = args.resume.then(|| RunDir::config(&args.out)).transpose()?;
    let init = args.init.as_ref().map(Weights::open).transpose()?;
    let mut config = config(args, stored.as_ref(), init.as_ref())?;
    let splits = splits(args, config.seed, context)?;
    config.schedule = timed(args, &config, splits.train.len());
    let gpu = context.open_gpu()?;
    let planning = PlanOptions { budget: crate::cli::context::free_memory(&gpu), ..context.plan_options(&gpu) };
    let mut run = SegmentRun::open(&gpu, &config, &args.out, &splits, init.as_ref(), args.resume, &planning)?;
    if let Some(loaded) = run.loaded() {
        context.say(loaded.to_string());
    }
    let facts = [
        ("Data", splits.description.clone()),
        ("Network", format!("U-Net, base {}, input {}x{}", config.net.base, config.size[0], config.size[1])),
        ("Computed on", gpu.caps().describe()),
        ("Started from", started(config.started_from.as_ref())),
    ];
    let mut progress = Progress::new(context, config.batch);
    let ended = run.train(args.steps, &context.cancel, &mut |event| {
        progress.tell(&event, |Validated { best, .. }| {
            format!(
                "val IoU {:.4} and Dice {:.4} at threshold {:.2} on {} images",
                best.mean_iou, best.dice, best.threshold, best.images
            )
        });
        if let Event::Epoch { .. } = event {
            leave(&args.out, "Training of a U-Net", &facts, CHARTS);
        }
    });
    progress.end();
    gpu.save_pipelines();
    let ended = ended?;
    let best = highest(&args.out, "val_iou")?;
    let result = Summary {
        ended: format!("{ended:?}").to_lowercase(),
        unreadable: run.unreadable(),
        run: args.out.clone(),
        best_val_iou: best.map(|best| best.1),
        best_epoch: best.map(|best| best.0),
    };
    let text = || {
        let best = best.map_or_else(String::new, |(epoch, iou)| format!("; best val IoU {iou:.4} in epoch {epoch}"));
        format!("{}: {}{best}{}\n", how(ended), args.out.display(), not_read(result.unreadable))
    };
    context.print(text, &result)?;
    Ok(ExitCode::SUCCESS)
}

fn splits(args: &SegmentArgs, seed: u64, context: &Context) -> Result<Splits> {
    let mut data = Dataset::open(&args.data)?;
    sides::prepare(&mut data, seed, &args.out, context)?;
    let side = |split| -> Vec<Sample> { data.side(split).into_iter().filter(|sample| sample.mask.is_some()).collect() };
    let (train, val) = (side(Split::Train), side(Split::Val));
    context.say(format!(
        "{}: {} images, {} with masks for train, {} for val",
        args.data.display(),
        data.samples.len(),
        train.len(),
        val.len()
    ));
    let name = args.data.file_name().map_or_else(|| "data".to_owned(), |name| name.to_string_lossy().into_owned());
    let description = format!("{name}: {} images to train, {} to stop early on", train.len(), val.len());
    Ok(Splits { train, val, description })
}

const CHARTS: &[Chart] = &[
    ("loss.svg", "Training loss", "loss", &["loss"]),
    ("iou.svg", "Validation", "mean IoU and Dice", &["val_iou", "val_dice"]),
    ("lr.svg", "Learning rate", "learning rate", &["lr"]),
];
