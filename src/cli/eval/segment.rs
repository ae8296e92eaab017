//! `nevus eval segment`.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::Args;
use serde::Serialize;

use super::{LeftOut, Side, WORST, short, side};
use crate::cli::sides::SidesArgs;
use crate::cli::table::table;
use crate::cli::{Context, StorageArgs, model};
use crate::data::measure::tidy;
use crate::data::resize::resize_maps;
use crate::data::save::write_png;
use crate::data::{Dataset, DecodeLimits, LoaderOptions, OnUnreadable, Sample, Source, read_mask, read_photo};
use crate::error::{Error, Result};
use crate::models::Weights;
use crate::report::overlay::{FOUND, REFERENCE};
use crate::report::{Outline, Sheet, SheetOptions};
use crate::tensor::Tensor;
use crate::train::{ImageScores, SegmentationMeter, SegmentationScores, Segmenter, mask_at};

/// Flags of `nevus eval segment`.
#[derive(Debug, Args)]
pub(in crate::cli) struct SegmentArgs {
    /// The data set's folder
    data: PathBuf,
    /// The weights; without it those that come with nevus
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
    /// Which side of the split; without it test where there is one, else all
    #[arg(long, value_enum, value_name = "SIDE")]
    split: Option<Side>,
    #[command(flatten)]
    sides: SidesArgs,
    /// The probability from which a pixel counts as lesion, or `auto` for the best one on this very data; without it
    /// that of the weights
    #[arg(long, value_name = "T|auto", value_parser = threshold)]
    threshold: Option<Threshold>,
    /// Measure every pixel at or above the threshold, not the tidied masks that `nevus segment` writes
    #[arg(long)]
    raw: bool,
    /// Write the figures as one JSON object into FILE; without FILE print it on stdout in place of text
    #[arg(id = "json", long = "json", value_name = "FILE", num_args = 0..=1, default_missing_value = "-")]
    json: Option<PathBuf>,
    /// Write a contact sheet (PNG) of the worst photographs: found in cyan, the reference in yellow
    #[arg(long, value_name = "FILE")]
    sheet: Option<PathBuf>,
    /// Photographs in one batch
    #[arg(long, default_value_t = 8, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    batch: u16,
    /// Only the first N photographs
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    #[command(flatten)]
    pub(in crate::cli) storage: StorageArgs,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Threshold {
    Auto,
    At(f32),
}

fn threshold(text: &str) -> Result<Threshold, String> {
    let expected = |message| format!("{message}, or auto");
    if text == "auto" { Ok(Threshold::Auto) } else { model::probability(text).map(Threshold::At).map_err(expected) }
}

/// The flat object of `--json`.
#[derive(Serialize)]
struct Report {
    #[serde(flatten)]
    scores: SegmentationScores,
    /// Whether the masks were measured without being tidied.
    raw: bool,
    /// Mean IoU and Dice of the masks without being tidied.
    raw_mean_iou: f64,
    raw_dice: f64,
    seconds: f64,
    device: String,
    weights: PathBuf,
    split: &'static str,
    /// Photographs of this side that have no mask and were left out.
    without_mask: usize,
    /// Photographs that could not be read, or whose mask could not, and were left out.
    unreadable: LeftOut,
}

pub(super) fn run(args: &SegmentArgs, context: &Context) -> Result<ExitCode> {
    let mut dataset = Dataset::open(&args.data)?;
    let path = model::unet_file(args.weights.as_ref(), context)?;
    args.sides.apply(&mut dataset, &path, context)?;
    let (split, samples) = side(&dataset, args.split)?;
    let all = samples.len();
    let mut samples: Vec<Sample> = samples.into_iter().filter(|sample| sample.mask.is_some()).collect();
    let without_mask = all - samples.len();
    if samples.is_empty() {
        return Err(Error::data(&args.data, format!("no photograph of the side {split} has a mask")));
    }
    if without_mask > 0 {
        tracing::warn!("{without_mask} of {all} photographs have no mask and are left out");
    }
    samples.truncate(args.limit.map_or(usize::MAX, |limit| limit as usize));
    let weights = Weights::open(&path)?;
    let gpu = context.open_gpu()?;
    let segmenter = model::segmenter(&gpu, &path, &weights, context)?;
    let start = Instant::now();
    let batch = usize::from(args.batch);
    let mut unreadable = LeftOut::default();
    let none = || Error::data(&args.data, format!("no photograph of the side {split} could be read"));
    let threshold = match args.threshold {
        Some(Threshold::Auto) => {
            let best = measure(&segmenter, &samples, batch, None, &mut unreadable, context)?;
            best.ok_or_else(none)?.0.threshold
        }
        Some(Threshold::At(threshold)) => threshold,
        None => segmenter.threshold(),
    };
    samples.retain(|sample| !unreadable.0.contains(&sample.id));
    let scores = measure(&segmenter, &samples, batch, Some(threshold), &mut unreadable, context)?;
    let (raw, tidied) = scores.ok_or_else(none)?;
    let seconds = start.elapsed().as_secs_f64();
    let (raw_mean_iou, raw_dice) = (raw.mean_iou, raw.dice);
    let scores = if args.raw { raw } else { tidied };
    if args.threshold == Some(Threshold::Auto) {
        tracing::warn!(
            "the threshold {} was chosen on the data it is measured on: the figures flatter",
            scores.threshold
        );
    }
    if let Some(file) = &args.sheet {
        write_png(file, &sheet(&segmenter, &samples, &scores, args.raw, context)?.finish())?;
    }
    let device = gpu.caps().describe();
    let report = Report {
        scores,
        raw: args.raw,
        raw_mean_iou,
        raw_dice,
        seconds,
        device,
        weights: path,
        split,
        without_mask,
        unreadable,
    };
    context.print_or_write(|| text(&report), &report)?;
    Ok(report.unreadable.exit_code())
}

/// The scores of the photographs that can be read, at `threshold` or else at the best of a hundred: of the pixels as they
/// are, and of tidied masks. Without a `threshold` no mask is tidied, and both are the first; nothing where none can be
/// read.
fn measure(
    segmenter: &Segmenter,
    samples: &[Sample],
    batch: usize,
    threshold: Option<f32>,
    left_out: &mut LeftOut,
    context: &Context,
) -> Result<Option<(SegmentationScores, SegmentationScores)>> {
    let mut meter = match threshold {
        Some(threshold) => SegmentationMeter::new(&[threshold])?,
        None => SegmentationMeter::percents(),
    };
    // A tidied mask is certain of every pixel: 0 or 1.
    let mut tidied = SegmentationMeter::new(&[0.5])?;
    let [height, width] = segmenter.size();
    let limits = DecodeLimits::default();
    // Masks are read here, at their own size.
    let photos = samples.iter().map(|sample| Sample { mask: None, ..sample.clone() }).collect();
    let options = LoaderOptions::evaluation(height, width, batch.min(samples.len()));
    let options = LoaderOptions { need_masks: false, cache_bytes: 0, on_unreadable: OnUnreadable::Skip, ..options };
    let bar = context.progress("photographs", samples.len() as u64);
    for batch in Source::new(photos, options)?.epoch(0, 0)? {
        let batch = batch?;
        for lost in &batch.unreadable {
            bar.suspend(|| left_out.add(context, &lost.id, &lost.reason));
            bar.inc(1);
        }
        if batch.indices.is_empty() {
            continue;
        }
        let logits = segmenter.logits(&batch.images)?;
        for (&index, plane) in batch.indices.iter().zip(logits.data().chunks_exact(height * width)) {
            if context.cancelled() {
                return Err(Error::Cancelled);
            }
            let sample = &samples[index];
            let Some(file) = &sample.mask else { continue };
            let mask = match read_mask(file, &limits) {
                Ok(mask) => mask,
                Err(error) => {
                    bar.suspend(|| left_out.add(context, &sample.id, &error.to_string()));
                    bar.inc(1);
                    continue;
                }
            };
            let logits = Tensor::new([1, 1, height, width], plane.to_vec())?;
            let logits = resize_maps(&logits, mask.height() as usize, mask.width() as usize)?;
            let reference = || mask.as_raw().iter().map(|&value| value >= 128);
            meter.add_logits(&sample.id, logits.data(), reference())?;
            if let Some(threshold) = threshold {
                let probabilities = logits.data().iter().map(|&logit| 1.0 / (1.0 + (-logit).exp()));
                let tidy = tidy(&mask_at(probabilities, mask.dimensions(), threshold));
                let certain: Vec<f32> = tidy.as_raw().iter().map(|&value| f32::from(value) / 255.0).collect();
                tidied.add_probabilities(&sample.id, &certain, reference())?;
            }
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    if meter.images() == 0 {
        return Ok(None);
    }
    let raw = meter.best()?;
    match threshold {
        Some(threshold) => Ok(Some((raw, SegmentationScores { threshold, ..tidied.best()? }))),
        None => Ok(Some((raw.clone(), raw))),
    }
}

/// The worst photographs with both outlines.
fn sheet(
    segmenter: &Segmenter,
    samples: &[Sample],
    scores: &SegmentationScores,
    raw: bool,
    context: &Context,
) -> Result<Sheet> {
    let limits = DecodeLimits::default();
    let title = format!("worst of {}, mean IoU {:.4}", scores.images, scores.mean_iou);
    let mut sheet = Sheet::new(title, SheetOptions { columns: 5, ..SheetOptions::default() })?;
    for image in scores.worst(WORST) {
        if context.cancelled() {
            return Err(Error::Cancelled);
        }
        let Some(sample) = samples.iter().find(|sample| sample.id == image.name) else { continue };
        let Some(mask) = &sample.mask else { continue };
        let (photo, reference) = (read_photo(&sample.image, &limits)?, read_mask(mask, &limits)?);
        let map = segmenter.probabilities(&photo)?;
        let found = mask_at(map.data().iter().copied(), photo.dimensions(), scores.threshold);
        let found = if raw { found } else { tidy(&found) };
        let lines = [Outline { mask: &reference, color: REFERENCE }, Outline { mask: &found, color: FOUND }];
        sheet.add_outlined(&photo, &lines, format!("{:.3} {}", image.iou, short(&image.name)))?;
    }
    Ok(sheet)
}

fn text(report: &Report) -> String {
    let scores = &report.scores;
    let mut text = String::new();
    let figures = [
        ("mean IoU", scores.mean_iou),
        ("Dice", scores.dice),
        ("thresholded Jaccard", scores.jaccard_thresholded),
        ("pixel sensitivity", scores.pixel_sensitivity),
        ("pixel specificity", scores.pixel_specificity),
    ];
    let _ = writeln!(text, "{} photographs ({}), threshold {}", scores.images, report.split, scores.threshold);
    for (name, value) in figures {
        let _ = writeln!(text, "{name:<20} {value:.4}");
    }
    if !report.raw {
        let _ = writeln!(text, "before stray parts are dropped and holes filled: {:.4}", report.raw_mean_iou);
    }
    let row =
        |image: &&ImageScores| vec![image.name.clone(), format!("{:.4}", image.iou), format!("{:.4}", image.dice)];
    let rows: Vec<_> = scores.worst(WORST).iter().map(row).collect();
    let _ = writeln!(text, "\n{}", table(&["worst", "IoU", "Dice"], &rows, &[1, 2]).trim_end());
    text += &report.unreadable.line();
    let _ = writeln!(text, "\n{:.1} s on {}", report.seconds, report.device);
    text
}
