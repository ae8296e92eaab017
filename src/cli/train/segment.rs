//! `nevus train segment`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::progress::{Progress, highest, how};
use super::recipe::{Chart, OptimizerArg, ScheduleArg, digest, leave};
use crate::cli::{Context, SizeArg};
use crate::data::{Augment, Dataset, Sample, Split};
use crate::error::Result;
use crate::models::UNet;
use crate::models::weights::Weights;
use crate::plan::PlanOptions;
use crate::train::Schedule;
use crate::train::segment::{Event, SegmentConfig, SegmentRun, Splits, Validated};
use crate::train::step::{Loss, Normalisation, Optimizer};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LossArg {
    Bce,
    Dice,
    BceDice,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum AugmentArg {
    /// Flips, rotation, scale, shift, colour, blur, hair
    Strong,
    /// The images as they are
    None,
}

/// The defaults train well on HAM10000.
#[derive(Debug, Args)]
pub(in crate::cli) struct SegmentArgs {
    /// The data: a HAM10000 folder, or images/ and masks/
    data: PathBuf,
    /// The run's folder: configuration, metrics, weights, checkpoint
    #[arg(long, value_name = "RUN")]
    out: PathBuf,
    /// Go on with the run in --out
    #[arg(long)]
    resume: bool,
    /// Weights to start from; what they lack, or have in another shape, keeps its fresh fill
    #[arg(long, value_name = "WEIGHTS", conflicts_with = "resume")]
    init: Option<PathBuf>,
    /// Most epochs
    #[arg(long, default_value_t = 30)]
    epochs: u64,
    /// End, with a checkpoint, after this many optimizer steps
    #[arg(long)]
    steps: Option<u64>,
    /// Samples of one step
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..=4096))]
    batch: u64,
    /// Parts a batch is run in, one after the other, to save memory
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=4096))]
    micro_batch: u64,
    /// The network's input
    #[arg(long, default_value = "144x192")]
    size: SizeArg,
    /// Channels of the first level
    #[arg(long, default_value_t = 16)]
    base: usize,
    /// Levels above the bottom
    #[arg(long, default_value_t = 4)]
    depth: usize,
    /// Probability of dropping an activation between the two convolutions of a block
    #[arg(long, default_value_t = 0.0)]
    dropout: f32,
    /// What is minimised
    #[arg(long, value_enum, default_value_t = LossArg::BceDice)]
    loss: LossArg,
    /// How gradients become updates
    #[arg(long, value_enum, default_value_t = OptimizerArg::Adamw)]
    optimizer: OptimizerArg,
    /// Learning rate
    #[arg(long, default_value_t = 1e-3)]
    lr: f32,
    /// How the learning rate goes on after the warm-up
    #[arg(long, value_enum, default_value_t = ScheduleArg::Cosine)]
    schedule: ScheduleArg,
    /// Steps of the warm-up
    #[arg(long, default_value_t = 200)]
    warmup: u64,
    /// Weight decay
    #[arg(long, default_value_t = 0.01)]
    weight_decay: f32,
    /// SGD's momentum
    #[arg(long, default_value_t = 0.9)]
    momentum: f32,
    /// Norm that the gradient is clipped to; 0 for no clipping
    #[arg(long, default_value_t = 1.0)]
    clip: f32,
    /// Share of the averaged weights that a step keeps
    #[arg(long, default_value_t = 0.998)]
    ema: f32,
    /// What happens to the images
    #[arg(long, value_enum, default_value_t = AugmentArg::Strong)]
    augment: AugmentArg,
    /// Epochs without a better IoU on val after which the run ends; 0 for never
    #[arg(long, default_value_t = 10)]
    patience: u64,
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

#[derive(Serialize)]
struct Summary {
    ended: String,
    run: PathBuf,
    best_val_iou: Option<f64>,
    best_epoch: Option<u64>,
}

pub(super) fn run(args: &SegmentArgs, context: &Context) -> Result<ExitCode> {
    let splits = splits(args, context)?;
    let init = args.init.as_ref().map(Weights::open).transpose()?;
    let gpu = context.open_gpu()?;
    let steps_per_epoch = (splits.train.len() as u64 / args.batch).max(1);
    let config = config(args, steps_per_epoch, init.as_ref())?;
    let planning = PlanOptions { budget: crate::cli::context::free_memory(&gpu), ..context.plan_options(&gpu) };
    let mut run = SegmentRun::open(&gpu, &config, &args.out, &splits, init.as_ref(), args.resume, &planning)?;
    let facts = [
        ("Data", splits.description.clone()),
        ("Network", format!("U-Net, base {}, input {}", config.net.base, args.size)),
        ("Computed on", gpu.caps().describe()),
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
        run: args.out.clone(),
        best_val_iou: best.map(|best| best.1),
        best_epoch: best.map(|best| best.0),
    };
    let text = || {
        let best = best.map_or_else(String::new, |(epoch, iou)| format!("; best val IoU {iou:.4} in epoch {epoch}"));
        format!("{}: {}{best}\n", how(ended), args.out.display())
    };
    context.print(text, &result)?;
    Ok(ExitCode::SUCCESS)
}

fn splits(args: &SegmentArgs, context: &Context) -> Result<Splits> {
    let mut data = Dataset::open(&args.data)?;
    if let Some(drawn) = data.draw_missing_sides(args.seed)? {
        context.say(format!("{}: {drawn}", args.data.display()));
    }
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
    Ok(Splits { train, val, description, licence: args.license.clone() })
}

fn config(args: &SegmentArgs, steps_per_epoch: u64, init: Option<&Weights>) -> Result<SegmentConfig> {
    let total = steps_per_epoch.saturating_mul(args.epochs).max(args.warmup + 1);
    Ok(SegmentConfig {
        net: UNet { base: args.base, depth: args.depth, input: 3, output: 1, dropout: args.dropout },
        normalisation: Normalisation::default(),
        size: [args.size.height, args.size.width],
        batch: args.batch as usize,
        micro_batches: args.micro_batch as usize,
        epochs: args.epochs,
        loss: match args.loss {
            LossArg::Bce => Loss::Bce,
            LossArg::Dice => Loss::Dice,
            LossArg::BceDice => Loss::BceDice,
        },
        optimizer: match args.optimizer {
            OptimizerArg::Sgd => Optimizer::Sgd { momentum: args.momentum, weight_decay: args.weight_decay },
            OptimizerArg::Adamw => Optimizer::Adamw { weight_decay: args.weight_decay },
        },
        schedule: Schedule { base: args.lr, warmup: args.warmup, decay: args.schedule.decay(total) },
        clip: (args.clip > 0.0).then_some(args.clip),
        ema: args.ema,
        augment: match args.augment {
            AugmentArg::Strong => Augment::default(),
            AugmentArg::None => Augment::none(),
        },
        patience: args.patience,
        val_limit: args.val_limit,
        seed: args.seed,
        init: init.map(digest).transpose()?,
    })
}

const CHARTS: &[Chart] = &[
    ("loss.svg", "Training loss", "loss", &["loss"]),
    ("iou.svg", "Validation", "mean IoU and Dice", &["val_iou", "val_dice"]),
    ("lr.svg", "Learning rate", "learning rate", &["lr"]),
];
