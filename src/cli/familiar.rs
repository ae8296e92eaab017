//! `nevus weights familiar`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use super::Context;
use super::classes::complete_masks;
use super::sides::SidesArgs;
use crate::data::{Dataset, Labelled, Split};
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::models::weights::{Precision, Weights};
use crate::train::familiar::{MOST, features};
use crate::train::{Classifier, Familiarity};

#[derive(Debug, Args)]
pub(super) struct FamiliarArgs {
    /// The classifier's weights
    weights: PathBuf,
    /// The data set it was trained on: the sample comes from its train side, the limit from val
    #[arg(value_name = "DATA")]
    data: PathBuf,
    /// The file to write: the same weights in 16 bits, with features of a sample of the training photographs
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The sample's size, spread over train
    #[arg(long, value_name = "N", default_value_t = MOST as u16, value_parser = clap::value_parser!(u16).range(5..=MOST as i64))]
    most: u16,
    #[command(flatten)]
    sides: SidesArgs,
    /// Photographs at once
    #[arg(long, default_value_t = 16, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    batch: u16,
    /// The U-Net that outlines lesions without a mask, where the classifier is shown crops
    #[arg(long, value_name = "FILE")]
    unet: Option<PathBuf>,
}

#[derive(Serialize)]
struct Done<'a> {
    out: &'a Path,
    train: usize,
    val: usize,
    limit: f64,
}

pub(super) fn run(args: &FamiliarArgs, context: &Context) -> Result<ExitCode> {
    if args.out.exists() {
        return Err(Error::data(&args.out, "is there already (hint: another --out)"));
    }
    let mut weights = Weights::open(&args.weights)?;
    let mut data = Dataset::open(&args.data)?;
    data.skip_unlabelled();
    args.sides.apply(&mut data, &args.weights, context)?;
    for side in [Split::Train, Split::Val] {
        if !data.has_side(side) {
            let name = side.name();
            return Err(Error::data(&args.data, format!("no photograph is on the side {name} (hint: --split-file)")));
        }
    }
    let gpu = context.open_gpu()?;
    let options = context.plan_options(&gpu);
    let classifier = Classifier::new(&gpu, &weights)?.planned(options);
    let labelled = data.labelled(classifier.classes())?;
    let (train, val) = (thinned(labelled.side(Split::Train), args.most.into()), labelled.side(Split::Val));
    let seen = |labelled, what| rows(args, &gpu, &classifier, labelled, what, context);
    let train_rows = seen(train, "train")?;
    let val_rows = seen(val, "val")?;
    let mut known = Familiarity::fit(&train_rows)?;
    known.set_limit(&val_rows)?;
    known.store(&mut weights)?;
    weights.save(&args.out, Precision::F16)?;
    let done = Done { out: &args.out, train: train_rows.len(), val: val_rows.len(), limit: known.limit() };
    let text = || {
        let Done { out, train, val, limit } = &done;
        format!("{train} photographs of train, {val} of val: limit {limit:.3}, written to {}\n", out.display())
    };
    context.print(text, &done)?;
    Ok(ExitCode::SUCCESS)
}

/// Every k-th photograph, so that no more than `most` are left.
fn thinned(mut labelled: Labelled, most: usize) -> Labelled {
    let step = labelled.samples.len().div_ceil(most.max(1)).max(1);
    let kept = |at: &usize| at.is_multiple_of(step);
    let samples = labelled.samples.drain(..).enumerate().filter(|(at, _)| kept(at)).map(|(_, sample)| sample);
    labelled.samples = samples.collect();
    labelled.indices = labelled.indices.into_iter().step_by(step).collect();
    labelled
}

fn rows(
    args: &FamiliarArgs,
    gpu: &Gpu,
    classifier: &Classifier,
    mut labelled: Labelled,
    what: &'static str,
    context: &Context,
) -> Result<Vec<Vec<f32>>> {
    let made = tempfile::tempdir().map_err(Error::io(std::env::temp_dir()))?;
    if classifier.options().view.needs_mask() {
        complete_masks(args.unet.as_ref(), &mut labelled, made.path(), gpu, context, &mut |_, error| Err(error))?;
    }
    let bar = context.progress(what, labelled.samples.len() as u64);
    let mut progress = |done: usize| {
        bar.set_position(done as u64);
        !context.cancelled()
    };
    let found = features(gpu, classifier, &labelled, args.batch.into(), &context.plan_options(gpu), &mut progress);
    bar.finish_and_clear();
    found
}
