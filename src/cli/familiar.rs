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
    let mut sides = [labelled.side(Split::Train).thinned(args.most.into()), labelled.side(Split::Val)];
    let made = tempfile::tempdir().map_err(Error::io(std::env::temp_dir()))?;
    if classifier.options().view.needs_mask() {
        for side in &mut sides {
            complete_masks(args.unet.as_ref(), side, made.path(), &gpu, context, &mut |_, error| Err(error))?;
        }
    }
    let (known, train, val) = known(&gpu, &classifier, (&sides[0], &sides[1]), args.batch.into(), context)?;
    known.store(&mut weights)?;
    weights.save(&args.out, Precision::F16)?;
    let done = Done { out: &args.out, train, val, limit: known.limit() };
    let text = || {
        let Done { out, train, val, limit } = &done;
        format!("{train} photographs of train, {val} of val: limit {limit:.3}, written to {}\n", out.display())
    };
    context.print(text, &done)?;
    Ok(ExitCode::SUCCESS)
}

/// What is known of the training photographs by a sample of at most `most`, with a limit from val. Photographs have masks
/// already where the classifier's view needs them.
pub(super) fn known(
    gpu: &Gpu,
    classifier: &Classifier,
    (train, val): (&Labelled, &Labelled),
    batch: usize,
    context: &Context,
) -> Result<(Familiarity, usize, usize)> {
    let rows = |labelled: &Labelled, what: &'static str| {
        let bar = context.progress(what, labelled.samples.len() as u64);
        let mut progress = |done: usize| {
            bar.set_position(done as u64);
            !context.cancelled()
        };
        let found = features(gpu, classifier, labelled, batch, &context.plan_options(gpu), &mut progress);
        bar.finish_and_clear();
        found
    };
    let (train, val) = (rows(train, "features of train")?, rows(val, "features of val")?);
    let mut known = Familiarity::fit(&train)?;
    known.set_limit(&val)?;
    Ok((known, train.len(), val.len()))
}
