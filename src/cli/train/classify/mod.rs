//! `nevus train classify`.

mod flags;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde::Serialize;

pub(in crate::cli) use self::flags::ClassifyArgs;
use self::flags::file_name;
use super::progress::{Progress, highest, how, not_read};
use super::recipe::{Chart, leave, started, write_files};
use crate::cli::classes::complete_masks;
use crate::cli::familiar::known;
use crate::cli::{Context, model, sides};
use crate::data::{Classes, Dataset, Split};
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::models::weights::{Precision, Weights};
use crate::plan::PlanOptions;
use crate::report::{LineChart, Series, line_chart};
use crate::train::RunDir;
use crate::train::checkpoint::{BEST, LAST};
use crate::train::classify::{ClassifyConfig, ClassifyRun, ClassifySplits, Ended, Event, Validated};
use crate::train::familiar::MOST;
use crate::train::find_lr::{LrPoint, LrRange};

/// Photographs at once when features are taken.
const FEATURES_BATCH: usize = 16;

#[derive(Serialize)]
struct Summary {
    ended: String,
    /// Photographs that could not be read: those of train were replaced by others, those of val or without an outline left
    /// out.
    unreadable: usize,
    run: PathBuf,
    best_val_balanced_accuracy: Option<f64>,
    best_epoch: Option<u64>,
}

pub(super) fn run(args: &ClassifyArgs, context: &Context) -> Result<ExitCode> {
    let stored = args.resume.then(|| RunDir::config(&args.out)).transpose()?;
    let init = args.init.as_ref().map(Weights::open).transpose()?;
    let mut config = flags::config(args, stored.as_ref(), init.as_ref())?;
    if flags::lacks_pretrained(args) {
        context.say("the study's network began pretrained, this one from random values (hint: --init WEIGHTS)");
    }
    let gpu = context.open_gpu()?;
    let (splits, without_outline) = splits(args, &config, stored.is_some(), &gpu, context)?;
    flags::fit(args, &mut config, &splits.train);
    let planning = PlanOptions { budget: crate::cli::context::free_memory(&gpu), ..context.plan_options(&gpu) };
    if args.find_lr {
        return find_lr(args, &config, &splits, init.as_ref(), (&gpu, &planning), context);
    }
    let mut run = ClassifyRun::open(&gpu, &config, &args.out, &splits, init.as_ref(), args.resume, &planning)?;
    if let Some(loaded) = run.loaded() {
        context.say(loaded.to_string());
    }
    let net = format!("ResNet-{}, input {}x{}", config.net.depth.layers(), config.size[0], config.size[1]);
    let facts = [
        ("Data", splits.description.clone()),
        ("Network", net),
        ("Shown", config.view.name().to_owned()),
        ("Classes", config.classes.join(", ")),
        ("Started from", started(config.started_from.as_ref())),
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
    let unreadable = run.unreadable() + without_outline;
    // The device's memory is for what comes now.
    drop(run);
    if ended != Ended::Paused {
        add_familiarity(&args.out, &splits, config.val_limit, &gpu, context);
    }
    let best = highest(&args.out, "val_balanced_accuracy")?;
    let result = Summary {
        ended: format!("{ended:?}").to_lowercase(),
        unreadable,
        run: args.out.clone(),
        best_val_balanced_accuracy: best.map(|best| best.1),
        best_epoch: best.map(|best| best.0),
    };
    let text = || {
        let best = best.map_or_else(String::new, |(epoch, value)| {
            format!("; highest balanced accuracy on val {value:.4} in epoch {epoch}")
        });
        format!("{}: {}{best}{}\n", how(ended), args.out.display(), not_read(unreadable))
    };
    context.print(text, &result)?;
    Ok(ExitCode::SUCCESS)
}

/// Puts a sample of training's features into the weights of a run that is over, so that they know what is unlike it. That
/// this fails ends no training.
fn add_familiarity(run: &Path, splits: &ClassifySplits, val_limit: Option<usize>, gpu: &Gpu, context: &Context) {
    let sides = [splits.train.thinned(MOST), splits.val.thinned(val_limit.unwrap_or(usize::MAX))];
    let add = |path: &Path| -> Result<()> {
        let mut weights = Weights::open(path)?;
        let classifier = model::classifier(gpu, &weights, context)?;
        let known = known(gpu, &classifier, (&sides[0], &sides[1]), FEATURES_BATCH, context)?.0;
        known.store(&mut weights)?;
        weights.save(path, Precision::F32)
    };
    for path in [BEST, LAST].map(|name| run.join(name)).iter().filter(|path| path.is_file()) {
        if let Err(error) = add(path) {
            let file = path.display();
            context.say(format!(
                "{file} does not know what is unlike its training: {error} (hint: nevus weights familiar)"
            ));
        }
    }
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
    if let Some(loaded) = &found.loaded {
        context.say(loaded.to_string());
    }
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
        None if found.stopped => format!(
            "no suggestion: stopped after {} steps; see {}/find-lr.svg\n",
            found.points.len(),
            args.out.display()
        ),
        None => format!("no suggestion: the loss never fell; see {}/find-lr.svg\n", args.out.display()),
    };
    context.print(text, &found)?;
    // What was found until then is worth having.
    if context.cancelled() { Err(Error::Cancelled) } else { Ok(ExitCode::SUCCESS) }
}

/// The sides to learn from and to choose on, and how many photographs are on neither because they cannot be decoded to be
/// outlined.
fn splits(
    args: &ClassifyArgs,
    config: &ClassifyConfig,
    resumed: bool,
    gpu: &Gpu,
    context: &Context,
) -> Result<(ClassifySplits, usize)> {
    let mut data = Dataset::open(&args.data)?;
    if config.skip_unlabelled {
        let skipped = data.skip_unlabelled();
        context.say(format!("{skipped} photographs without a label are left out"));
    }
    let mut classes = data.classes(args.classes)?;
    if resumed && args.classes.is_none() && classes.names() != config.classes {
        // Diagnoses that were merged by --classes.
        let merged = |count: &usize| Classes::of_ham10000(*count).is_ok_and(|known| known.names() == config.classes);
        if let Some(count) = [3, 7].iter().find(|count| merged(count)) {
            classes = data.classes(Some(*count))?;
        }
    }
    // What is refused makes no folder for sides that are drawn.
    data.labelled(&classes)?;
    sides::prepare(&mut data, config.seed, &args.out, context)?;
    let mut all = data.labelled(&classes)?;
    let mut lost = BTreeSet::new();
    if config.view.needs_mask() {
        let mut failed = |at: usize, error: Error| match error {
            Error::Image { .. } => {
                context.say(format!("warning: left out, for it cannot be outlined: {error}"));
                lost.insert(at);
                Ok(())
            }
            error => Err(error),
        };
        complete_masks(args.view.unet(), &mut all, &args.out, gpu, context, &mut failed)?;
        all = all.without(&lost);
    }
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
    let description = format!(
        "{}: {} photographs to train on, {} to choose on",
        file_name(&args.data),
        train.samples.len(),
        val.samples.len()
    );
    Ok((ClassifySplits { train, val, description }, lost.len()))
}

const CHARTS: &[Chart] = &[
    ("loss.svg", "Loss", "loss", &["loss", "val_loss"]),
    ("accuracy.svg", "Validation: accuracy", "share", &["val_accuracy", "val_balanced_accuracy"]),
    ("auc.svg", "Validation: area under the ROC curve", "AUC", &["val_mean_auc", "val_melanoma_auc"]),
    ("calibration.svg", "Validation: calibration error", "ECE", &["val_ece", "val_ece_calibrated"]),
    ("lr.svg", "Learning rate", "learning rate", &["lr"]),
];
