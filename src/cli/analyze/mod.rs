//! `nevus analyze`.

mod work;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use self::work::{Judge, Work};
use super::model::{self, Way, ways};
use super::photos::{self, failure};
use super::{Context, StorageArgs, tune};
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::models::{Weights, shipped};
use crate::plan::PlanOptions;
use crate::report::analysis::{AnalysisReport, Case, Guidance, Lang, NotClassified, ReportFailure, ReportHead};
use crate::train::classifier::ClassifierOptions;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LangArg {
    En,
    Ko,
}

/// Flags of `nevus analyze`.
#[derive(Debug, Args)]
pub(super) struct AnalyzeArgs {
    /// Photographs, folders of them, or patterns such as 'photos/*.jpg'
    #[arg(required = true, value_name = "PHOTO")]
    photos: Vec<PathBuf>,
    /// The folder to write report.html, report.json and the pictures into; above 600 photographs the page goes on in
    /// report-2.html and so on
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The weights of the U-Net that outlines; without it those that come with nevus
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
    /// The probability from which a pixel counts as lesion; without it that of the weights
    #[arg(long, value_name = "T", value_parser = model::probability)]
    threshold: Option<f32>,
    /// The weights of the classifier; without it those that come with nevus
    #[arg(long, value_name = "FILE")]
    classifier: Option<PathBuf>,
    /// Outline and measure only; this is also what happens where no classifier is found, and the page says so
    #[arg(long, conflicts_with_all = ["classifier", "layer", "tta"])]
    no_classify: bool,
    /// The layer whose activations the heat map weighs: layer1 to layer4, a block such as layer3.2, or a part of it
    #[arg(long, value_name = "LAYER", default_value = "layer4")]
    layer: String,
    /// Show each photograph in so many ways (1, 2 or 4: mirrored) and take the mean; their deviation is the ± on the page
    #[arg(long, default_value_t = Way::from(4), value_name = "N", value_parser = ways)]
    tta: Way,
    /// The page's language
    #[arg(long, value_enum, default_value = "en")]
    lang: LangArg,
    /// A file that says what is known of each class, in place of the one that comes with nevus and in its form
    #[arg(long, value_name = "FILE")]
    guidance: Option<PathBuf>,
    /// The photographs' scale: how many millimetres a pixel is wide. Only with it a diameter is given
    #[arg(long, value_name = "MM", value_parser = scale)]
    mm_per_pixel: Option<f64>,
    #[command(flatten)]
    pub(super) storage: StorageArgs,
}

fn scale(text: &str) -> Result<f64, String> {
    let value = text.parse().ok().filter(|value: &f64| value.is_finite() && *value > 0.0);
    value.ok_or_else(|| "expected a number above 0".into())
}

pub(super) fn run(args: &AnalyzeArgs, context: &Context) -> Result<ExitCode> {
    let (photos, unknown) = photos::photos(&args.photos);
    let mut failures = Vec::new();
    for (file, error) in unknown {
        failures.push(said(context, file, &error));
    }
    if photos.is_empty() {
        return Err(Error::parameter("analyze", "no photographs to work on"));
    }
    let guidance = args.guidance.as_ref().map_or_else(Guidance::own, Guidance::open)?;
    let path = model::unet_file(args.weights.as_ref(), context)?;
    let weights = Weights::open(&path)?;
    let classifier = classifier_file(args, context)?;
    let gpu = context.open_gpu()?;
    let segmenter = model::segmenter(&gpu, &path, &weights, context)?;
    let judge = match &classifier {
        Ok(path) => Some(judge(args, path, &gpu, context)?),
        Err(_) => None,
    };
    let threshold = args.threshold.unwrap_or_else(|| segmenter.threshold());
    let lang = match args.lang {
        LangArg::En => Lang::En,
        LangArg::Ko => Lang::Ko,
    };
    let head = ReportHead {
        nevus: env!("CARGO_PKG_VERSION").into(),
        lang,
        device: gpu.caps().describe(),
        outlined_by: name_of(&path),
        threshold,
        classified_by: classifier.as_ref().ok().map(|path| name_of(path)),
        not_classified: classifier.err(),
        mm_per_pixel: args.mm_per_pixel,
    };
    let mut report = AnalysisReport::new(&args.out, head, guidance, photos.len())?;
    let work = Work { segmenter, threshold, judge, mm_per_pixel: args.mm_per_pixel };
    let ended = photos::each(&photos, context, |photo, decoded, bar| {
        match decoded.and_then(|image| work.one(photo, &image, &mut report)) {
            Ok(()) => {}
            Err(lost @ Error::DeviceLost(_)) => return Err(lost),
            Err(error) => bar.suspend(|| failures.push(said(context, photo.path.clone(), &error))),
        }
        Ok(())
    });
    // What is done when someone stops it still becomes a page.
    let stopped = match ended {
        Err(Error::Cancelled) if report.cases().next().is_some() => true,
        other => other.map(|()| false)?,
    };
    let failed = failures.len();
    failures.into_iter().for_each(|failure| report.fail(failure));
    let mut text = report.cases().map(line).collect::<String>();
    let done = report.cases().count();
    let written = report.finish()?;
    if context.json {
        let json = std::fs::read_to_string(&written.json).map_err(Error::io(&written.json))?;
        context.print_text(&json)?;
    } else {
        let pages = written.pages.len();
        let _ = write!(text, "{done} photographs analyzed, {failed} failed: {}", written.pages[0].display());
        let _ = writeln!(text, "{}", if pages > 1 { format!(" and {} more pages", pages - 1) } else { String::new() });
        context.print_text(&text)?;
    }
    if stopped {
        return Err(Error::Cancelled);
    }
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The classifier's weights, or why photographs will not be classified, which is then said.
fn classifier_file(args: &AnalyzeArgs, context: &Context) -> Result<Result<PathBuf, NotClassified>> {
    if args.no_classify {
        return Ok(Err(NotClassified::NotAsked));
    }
    if let Some(given) = &args.classifier {
        return Ok(Ok(given.clone()));
    }
    match shipped::classifier() {
        Ok(found) => {
            context.say(format!("classifier: {}", found.display()));
            Ok(Ok(found))
        }
        Err(Error::Name { message, .. }) => {
            context.say(format!("not classified, for there are no weights of a classifier: {message}"));
            Ok(Err(NotClassified::NoClassifier))
        }
        Err(error) => Err(error),
    }
}

fn judge(args: &AnalyzeArgs, path: &Path, gpu: &Gpu, context: &Context) -> Result<Judge> {
    let weights = Weights::open(path)?;
    let calls = |n: usize, options: &PlanOptions| ClassifierOptions::of(&weights)?.calls(gpu, n, options);
    Judge::new(gpu, &weights, &args.layer, args.tta.0, &tune::plan_options(gpu, context, calls)?)
}

fn name_of(path: &Path) -> String {
    path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// A failure, said on stderr; the others go on.
fn said(context: &Context, file: PathBuf, error: &Error) -> ReportFailure {
    let error = failure(&file, error);
    context.say(format!("error: {error}"));
    ReportFailure { file, error }
}

fn line(case: &Case) -> String {
    let lesion = match &case.lesion {
        Some(lesion) => format!("lesion {:.1} % of the photograph", 100.0 * lesion.measurements.area_fraction),
        None => "no lesion found".into(),
    };
    let named = case.classification.as_ref().and_then(|found| found.named());
    let class = named.map_or(String::new(), |named| format!(", {} {:.1} %", named.name, 100.0 * named.probability));
    let warnings = match case.warnings.len() {
        0 => String::new(),
        1 => ", 1 warning".into(),
        many => format!(", {many} warnings"),
    };
    format!("{}: {lesion}{class}{warnings}\n", case.name)
}
