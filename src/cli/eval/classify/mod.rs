//! `nevus eval classify`.

mod shown;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::{LeftOut, Side, side};
use crate::cli::classes::{ViewArgs, complete_masks};
use crate::cli::model::{self, Way, ways};
use crate::cli::sides::SidesArgs;
use crate::cli::{Context, StorageArgs};
use crate::data::save::write_atomic;
use crate::data::{Classes, Dataset, Labelled, Split, View};
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::models::Weights;
use crate::train::classification::curves::{Point, threshold_for_recall};
use crate::train::classification::{Calibration, Decide};
use crate::train::{Bootstrap, ClassificationMeter, ClassificationScores, Classifier};

/// Photographs below which a calibration is fitted with a warning.
const FEW: usize = 100;

/// What naming classes is to be good at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum DecideArg {
    /// Accuracy: the most probable class
    Accurate,
    /// The mean of accuracy and balanced accuracy
    Both,
    /// Balanced accuracy: the class whose probability is greatest for how common it is
    Balanced,
}

/// Flags of `nevus eval classify`.
#[derive(Debug, Args)]
pub(in crate::cli) struct ClassifyArgs {
    /// The data set's folder: HAM10000, or a folder for each class
    data: PathBuf,
    /// The weights; without it those that come with nevus
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
    /// Which side of the split; without it test where there is one, else all
    #[arg(long, value_enum, value_name = "SIDE")]
    split: Option<Side>,
    #[command(flatten)]
    sides: SidesArgs,
    #[command(flatten)]
    view: ViewArgs,
    /// Outline every lesion by the U-Net, also where the data set has a mask: what nevus analyze shows the classifier
    #[arg(long)]
    outlined: bool,
    /// Compare, on the same photographs: the whole image, the lesion's crop, and the lesion without its background
    #[arg(long)]
    compare: bool,
    /// For --compare: weights that were trained on crops, in place of the others
    #[arg(long, value_name = "FILE", requires = "compare")]
    crop_weights: Option<PathBuf>,
    /// For --compare: weights that were trained without background, in place of the others
    #[arg(long, value_name = "FILE", requires = "compare")]
    masked_weights: Option<PathBuf>,
    /// Show each photograph in so many ways (1, 2 or 4: mirrored) and take the mean
    #[arg(long, default_value_t = Way::from(1), value_name = "N", value_parser = ways)]
    tta: Way,
    /// Fit the temperature and a bias for each class on val, and keep them in the weights file
    #[arg(long)]
    calibrate: bool,
    /// For --calibrate: what photographs are taken for is to be good at this, by weights of the classes that are kept too
    /// [default: both]
    #[arg(long, value_enum, value_name = "AIM", requires = "calibrate")]
    decide: Option<DecideArg>,
    /// Find the threshold at which so large a share of the melanomas is found: on val where there is one
    #[arg(long, value_name = "SHARE", value_parser = model::probability)]
    melanoma_recall: Option<f32>,
    /// Resamples of the 95 % intervals; 0 for none
    #[arg(long, default_value_t = 1000, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=100_000))]
    resamples: u32,
    /// Leave out photographs without a label
    #[arg(long)]
    skip_unlabelled: bool,
    /// Write the figures as one JSON object into FILE; without FILE print it on stdout in place of text
    #[arg(id = "json", long = "json", value_name = "FILE", num_args = 0..=1, default_missing_value = "-")]
    json: Option<PathBuf>,
    /// Write a page with confusion, curves, calibration and the surest mistakes
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Photographs in one batch
    #[arg(long, default_value_t = 16, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    batch: u16,
    /// Only the first N photographs
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    #[command(flatten)]
    pub(in crate::cli) storage: StorageArgs,
}

/// The flat object of `--json`.
#[derive(Serialize)]
struct Report {
    #[serde(flatten)]
    scores: ClassificationScores,
    seconds: f64,
    device: String,
    weights: PathBuf,
    split: &'static str,
    view: View,
    /// Whether the U-Net has outlined every lesion, masks of the data set or not.
    outlined: bool,
    ways: usize,
    /// Photographs that could not be read, or whose mask could not, and were left out; also those of val.
    unreadable: LeftOut,
    /// The threshold for the wanted recall of melanomas, and what it gives.
    #[serde(skip_serializing_if = "Option::is_none")]
    melanoma_threshold: Option<Threshold>,
    /// The figures of the same photographs shown in other ways, by name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    compared: Vec<Compared>,
}

#[derive(Serialize)]
struct Threshold {
    wanted_recall: f64,
    /// The side it was chosen on.
    chosen_on: &'static str,
    #[serde(flatten)]
    point: Point,
    /// What it gives on the side that is measured, where that is another.
    #[serde(skip_serializing_if = "Option::is_none")]
    measured: Option<Reached>,
}

#[derive(Serialize)]
struct Reached {
    recall: f64,
    specificity: f64,
}

#[derive(Serialize)]
struct Compared {
    name: String,
    weights: PathBuf,
    #[serde(flatten)]
    scores: ClassificationScores,
}

struct Work<'a> {
    args: &'a ClassifyArgs,
    context: &'a Context,
    gpu: &'a Gpu,
    bootstrap: Option<Bootstrap>,
    unreadable: RefCell<LeftOut>,
}

pub(super) fn run(args: &ClassifyArgs, context: &Context) -> Result<ExitCode> {
    if args.report.is_some() && args.report == args.json {
        return Err(Error::parameter("--report", "is the file that --json names too: the one would replace the other"));
    }
    let mut dataset = Dataset::open(&args.data)?;
    if args.skip_unlabelled {
        let skipped = dataset.skip_unlabelled();
        context.say(format!("{skipped} photographs without a label are left out"));
    }
    let path = model::classifier_file(args.weights.as_ref(), context)?;
    args.sides.apply(&mut dataset, &path, context)?;
    if args.outlined {
        dataset.samples.iter_mut().for_each(|sample| sample.mask = None);
    }
    let mut weights = Weights::open(&path)?;
    let gpu = context.open_gpu()?;
    let classifier = model::classifier(&gpu, &weights, context)?;
    let (split, chosen) = side(&dataset, args.split)?;
    let labelled = |samples| Dataset { samples, ..dataset.clone() }.labelled(classifier.classes());
    let mut labelled_side = labelled(chosen)?;
    let limit = args.limit.map_or(usize::MAX, |limit| limit as usize);
    labelled_side.samples.truncate(limit);
    labelled_side.indices.truncate(limit);
    say_what_is_missing(&dataset, &labelled_side, context);
    let bootstrap = (args.resamples > 0).then(|| Bootstrap { resamples: args.resamples, ..Bootstrap::default() });
    let work = Work { args, context, gpu: &gpu, bootstrap, unreadable: RefCell::default() };
    let own = classifier.options().view;
    let view = args.view.over(own);
    if args.calibrate && (view != own || args.weights.is_none()) {
        let message = match view == own {
            true => "changes the weights file, so it has to be named: --weights FILE".into(),
            false => format!("the calibration kept in the weights is for their own view, {}", own.name()),
        };
        return Err(Error::parameter("--calibrate", message));
    }
    // Outlines that the U-Net has to make are kept until the end of this run only.
    let made = tempfile::tempdir().map_err(Error::io(std::env::temp_dir()))?;
    work.outline(&mut labelled_side, view, made.path())?;
    let mut calibration = classifier.options().calibration.clone();
    let origin = match weights.meta()?.temperature {
        _ if args.calibrate => "fitted on val",
        Some(_) => "kept in the weights",
        None => "for the weights keep none",
    };
    let mut on_val = None;
    let has_val = dataset.has_side(Split::Val);
    if args.calibrate || (args.melanoma_recall.is_some() && split != "val" && has_val) {
        if !has_val {
            let hint = "nevus data split";
            return Err(Error::data(&args.data, format!("has no val to calibrate on (hint: {hint})")));
        }
        let mut val = labelled(dataset.side(Split::Val))?;
        work.outline(&mut val, view, made.path())?;
        let meter = work.measure(&classifier, &mut val, view)?;
        if args.calibrate {
            if meter.images().len() < FEW {
                let known = meter.images().len();
                context.say(format!("val has {known} photographs: a calibration fitted on so few may mislead"));
            }
            calibration = meter.calibrate(args.decide.map_or_else(Decide::default, Decide::from))?;
            keep(&mut weights, &path, &calibration)?;
            context.say(format!(
                "{}, fitted on val, is kept in {}",
                said(&calibration, meter.classes()),
                path.display()
            ));
        }
        on_val = Some(meter);
    }
    // Before the rest: it also finds the masks that cannot be read, and all is measured on the same photographs.
    let compared = match args.compare {
        true => work.compare(&mut labelled_side, (&classifier, &calibration, &path), made.path())?,
        false => Vec::new(),
    };
    let start = Instant::now();
    let meter = work.measure(&classifier, &mut labelled_side, view)?;
    let seconds = start.elapsed().as_secs_f64();
    let scores = meter.scores(&calibration, work.bootstrap.as_ref())?;
    let melanoma_threshold = args
        .melanoma_recall
        .map(|wanted| threshold(decimal(wanted), on_val.as_ref(), (&meter, split), &calibration))
        .transpose()?;
    let report = Report {
        scores,
        seconds,
        device: gpu.caps().describe(),
        weights: path,
        split,
        view,
        outlined: args.outlined,
        ways: args.tta.0.flips().len(),
        unreadable: work.unreadable.take(),
        melanoma_threshold,
        compared,
    };
    if let Some(file) = &args.report {
        let html = shown::html(&report, &meter, &labelled_side, args, (&calibration, origin))?;
        write_atomic(file, |out| out.write_all(html.as_bytes()).map_err(Error::io(file)))?;
    }
    context.print_or_write(|| shown::text(&report), &report)?;
    Ok(report.unreadable.exit_code())
}

/// Warns of class folders without a photograph, and of photographs that are all of one class.
fn say_what_is_missing(dataset: &Dataset, measured: &Labelled, context: &Context) {
    for folder in &dataset.empty_folders {
        context.say(format!("warning: the class folder {} has no photograph", folder.display()));
    }
    let counts = measured.counts();
    let mut present = measured.classes.names().iter().zip(counts).filter(|(_, count)| *count > 0);
    if let (Some((name, count)), None) = (present.next(), present.next()) {
        context.say(format!(
            "warning: all {count} photographs are of the class {name}: nothing is told apart, and there is no AUC"
        ));
    }
}

impl Work<'_> {
    fn outline(&self, labelled: &mut Labelled, view: View, folder: &Path) -> Result<()> {
        if !(view.needs_mask() || self.args.compare) {
            return Ok(());
        }
        let mut lost = Vec::new();
        let mut failed = |at: usize, error: Error| {
            lost.push((at, error.to_string()));
            Ok(())
        };
        complete_masks(self.args.view.unet(), labelled, folder, self.gpu, self.context, &mut failed)?;
        self.leave_out(labelled, lost.iter().map(|(at, reason)| (*at, reason.as_str())));
        Ok(())
    }

    /// Takes out the photographs at these places, and says why.
    fn leave_out<'a>(&self, labelled: &mut Labelled, lost: impl Iterator<Item = (usize, &'a str)>) {
        let mut places = BTreeSet::new();
        for (at, reason) in lost {
            self.unreadable.borrow_mut().add(self.context, &labelled.samples[at].id, reason);
            places.insert(at);
        }
        if !places.is_empty() {
            *labelled = labelled.without(&places);
        }
    }

    /// Measures the photographs that can be read, and takes out the others.
    fn measure(&self, classifier: &Classifier, labelled: &mut Labelled, view: View) -> Result<ClassificationMeter> {
        let none = || Error::data(&self.args.data, "none of the photographs could be read");
        if labelled.samples.is_empty() {
            return Err(none());
        }
        let bar = self.context.progress("photographs", labelled.samples.len() as u64);
        let batch = usize::from(self.args.batch);
        let measured = classifier.measure_readable(labelled, view, self.args.tta.0, batch, &mut |done| {
            bar.set_position(done as u64);
            !self.context.cancelled()
        });
        bar.finish_and_clear();
        let (meter, lost) = measured?;
        self.leave_out(labelled, lost.iter().map(|lost| (lost.index, lost.reason.as_str())));
        if meter.images().is_empty() { Err(none()) } else { Ok(meter) }
    }

    /// The three views, each with the weights that are given for it.
    fn compare(
        &self,
        labelled: &mut Labelled,
        (own, calibration, path): (&Classifier, &Calibration, &Path),
        folder: &Path,
    ) -> Result<Vec<Compared>> {
        let views = [
            (View::Whole, None),
            (View::Crop { margin: View::MARGIN }, self.args.crop_weights.as_ref()),
            (View::Masked, self.args.masked_weights.as_ref()),
        ];
        self.outline(labelled, View::Masked, folder)?;
        let mut compared = Vec::with_capacity(views.len());
        // The last ones first: they need the masks, and what cannot be read is then left out of all.
        for (view, weights) in views.into_iter().rev() {
            let loaded = weights.map(Weights::open).transpose()?;
            let other = loaded.map(|weights| model::classifier(self.gpu, &weights, self.context)).transpose()?;
            if let Some(other) = other.as_ref().filter(|other| other.classes() != own.classes()) {
                let (got, expected) = (other.classes().names().join(", "), own.classes().names().join(", "));
                let path = weights.map_or(path, PathBuf::as_path);
                return Err(Error::weights(path, format!("tells apart {got}, expected {expected}")));
            }
            let classifier = other.as_ref().unwrap_or(own);
            let calibration = other.as_ref().map_or(calibration, |other| &other.options().calibration);
            // A crop has the margin that these weights know.
            let view = match (view, classifier.options().view) {
                (View::Crop { .. }, known @ View::Crop { .. }) => known,
                (view, _) => view,
            };
            let meter = self.measure(classifier, labelled, view)?;
            let scores = meter.scores(calibration, self.bootstrap.as_ref())?;
            let weights = weights.map_or(path, PathBuf::as_path).to_path_buf();
            compared.push(Compared { name: view.name().into(), weights, scores });
        }
        compared.reverse();
        Ok(compared)
    }
}

/// The number that was written on the command line, not the nearest of 32 bits.
fn decimal(value: f32) -> f64 {
    value.to_string().parse().unwrap_or(f64::from(value))
}

impl From<DecideArg> for Decide {
    fn from(aim: DecideArg) -> Self {
        match aim {
            DecideArg::Accurate => Self::Accurate,
            DecideArg::Both => Self::Both,
            DecideArg::Balanced => Self::Balanced,
        }
    }
}

/// A calibration in words.
fn said(calibration: &Calibration, classes: &Classes) -> String {
    let one = |(at, name): (usize, &String)| {
        format!("{name} {:+.3} × {:.3}", calibration.bias_of(at), calibration.weight_of(at))
    };
    let by_class: Vec<String> = classes.names().iter().enumerate().map(one).collect();
    format!("temperature {:.4}, by class bias × decision weight: {}", calibration.temperature, by_class.join(", "))
}

/// Writes a calibration into the metadata of a weights file, which stays as it is but for that.
fn keep(weights: &mut Weights, path: &Path, calibration: &Calibration) -> Result<()> {
    let mut meta = weights.meta()?;
    calibration.write_to(&mut meta);
    weights.set_meta(&meta);
    weights.save(path, weights.precision())
}

/// The threshold for a recall, chosen on val where it was measured, and what it gives on the side measured.
fn threshold(
    wanted: f64,
    on_val: Option<&ClassificationMeter>,
    (meter, split): (&ClassificationMeter, &'static str),
    calibration: &Calibration,
) -> Result<Threshold> {
    let refuse = |message: &str| Error::parameter("--melanoma-recall", message);
    let class = meter.classes().melanoma().ok_or_else(|| refuse("no class is called mel or melanoma"))?;
    let (chosen_on, chooser) = on_val.map_or((split, meter), |val| ("val", val));
    let point = threshold_for_recall(&chooser.curve(class, calibration), wanted);
    let point = point.ok_or_else(|| refuse("there are melanomas only, or none"))?;
    let reached = |measured: &ClassificationMeter| {
        let (mut found, mut melanomas, mut spared, mut others) = (0.0, 0.0, 0.0, 0.0);
        for image in measured.images() {
            let says = calibration.probabilities(&image.logits)[class] >= point.threshold;
            if image.label == class {
                melanomas += 1.0;
                found += f64::from(u8::from(says));
            } else {
                others += 1.0;
                spared += f64::from(u8::from(!says));
            }
        }
        Reached { recall: found / f64::max(melanomas, 1.0), specificity: spared / f64::max(others, 1.0) }
    };
    let measured = (chosen_on != split).then(|| reached(meter));
    Ok(Threshold { wanted_recall: wanted, chosen_on, point, measured })
}
