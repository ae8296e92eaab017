//! `nevus classify`.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use image::{GrayImage, RgbImage};
use serde::Serialize;

use super::classes::ViewArgs;
use super::model::{self, Way, ways};
use super::photos::{self, Photo};
use super::table::table;
use super::{Context, StorageArgs};
use crate::error::{Error, Result};
use crate::models::Weights;
use crate::train::{Classifier, Segmenter};

/// Flags of `nevus classify`.
#[derive(Debug, Args)]
pub(super) struct ClassifyArgs {
    /// Photographs, folders of them, or patterns such as 'photos/*.jpg'
    #[arg(required = true, value_name = "PHOTO")]
    photos: Vec<PathBuf>,
    /// The weights; without it those that come with nevus
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
    /// Show each photograph in so many ways (1, 2 or 4: mirrored) and take the mean
    #[arg(long, default_value_t = Way::from(1), value_name = "N", value_parser = ways)]
    tta: Way,
    #[command(flatten)]
    view: ViewArgs,
    #[command(flatten)]
    pub(super) storage: StorageArgs,
}

/// What is said of a photograph.
#[derive(Debug, Serialize)]
struct Found {
    file: PathBuf,
    /// The class it is named by: that of the greatest probability, where the weights give no other say to classes.
    class: String,
    /// By class, calibrated, in the order of the model's classes.
    probabilities: Vec<ClassProbability>,
}

#[derive(Debug, Serialize)]
struct ClassProbability {
    class: String,
    probability: f64,
}

#[derive(Debug, Serialize)]
struct Failed {
    file: PathBuf,
    error: String,
}

#[derive(Serialize)]
struct Done {
    model: String,
    device: String,
    temperature: f64,
    class_bias: Vec<f64>,
    decision_weights: Vec<f64>,
    photos: Vec<Found>,
    failures: Vec<Failed>,
}

impl Done {
    /// Keeps a failure and says it; the others go on.
    fn fail(&mut self, context: &Context, file: PathBuf, error: &Error) {
        let error = photos::failure(&file, error);
        context.say(format!("error: {error}"));
        self.failures.push(Failed { file, error });
    }
}

pub(super) fn run(args: &ClassifyArgs, context: &Context) -> Result<ExitCode> {
    let (found, unknown) = photos::photos(&args.photos);
    let path = model::classifier_file(args.weights.as_ref(), context)?;
    let model = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let weights = Weights::open(&path)?;
    let gpu = context.open_gpu()?;
    let classifier = model::classifier(&gpu, &weights, context)?;
    let view = args.view.over(classifier.options().view);
    let classifier = classifier.showing(view);
    let segmenter = match view.needs_mask() {
        false => None,
        true => {
            let path = model::unet_file(args.view.unet(), context)?;
            Some(model::segmenter(&gpu, &path, &Weights::open(&path)?, context)?)
        }
    };
    let calibration = &classifier.options().calibration;
    let count = classifier.classes().len();
    let mut done = Done {
        model,
        device: gpu.caps().describe(),
        temperature: calibration.temperature,
        class_bias: (0..count).map(|class| calibration.bias_of(class)).collect(),
        decision_weights: (0..count).map(|class| calibration.weight_of(class)).collect(),
        photos: Vec::new(),
        failures: Vec::new(),
    };
    for (file, error) in unknown {
        done.fail(context, file, &error);
    }
    if found.is_empty() {
        return Err(Error::parameter("classify", "no photographs to work on"));
    }
    photos::each(&found, context, |photo, decoded, bar| {
        let said = decoded.and_then(|image| one(photo, &image, args.tta, &classifier, segmenter.as_ref()));
        match said {
            Ok(found) => done.photos.push(found),
            Err(lost @ Error::DeviceLost(_)) => return Err(lost),
            Err(error) => bar.suspend(|| done.fail(context, photo.path.clone(), &error)),
        }
        Ok(())
    })?;
    context.print(|| text(&done, &classifier), &done)?;
    Ok(if done.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn one(
    photo: &Photo,
    image: &RgbImage,
    tta: Way,
    classifier: &Classifier,
    segmenter: Option<&Segmenter>,
) -> Result<Found> {
    let mask: Option<GrayImage> = segmenter.map(|segmenter| segmenter.lesion(image)).transpose()?;
    let probabilities = classifier.probabilities(image, mask.as_ref(), tta.0)?;
    let names = classifier.classes().names();
    let class = names[classifier.options().calibration.decide(&probabilities)].clone();
    let probabilities: Vec<ClassProbability> = names
        .iter()
        .zip(probabilities)
        .map(|(class, probability)| ClassProbability { class: class.clone(), probability })
        .collect();
    Ok(Found { file: photo.path.clone(), class, probabilities })
}

fn text(done: &Done, classifier: &Classifier) -> String {
    let names = classifier.classes().names();
    let head: Vec<&str> = ["photograph", "class"].into_iter().chain(names.iter().map(String::as_str)).collect();
    let row = |found: &Found| {
        let numbers = found.probabilities.iter().map(|one| format!("{:.3}", one.probability));
        [found.file.display().to_string(), found.class.clone()].into_iter().chain(numbers).collect::<Vec<_>>()
    };
    let rows: Vec<_> = done.photos.iter().map(row).collect();
    let right: Vec<usize> = (2..head.len()).collect();
    let mut text = table(&head, &rows, &right);
    let uneven = done.decision_weights.iter().any(|weight| *weight != done.decision_weights[0]);
    if uneven {
        let named = names.iter().zip(&done.decision_weights).map(|(name, weight)| format!("{name} {weight:.2}"));
        let weights = named.collect::<Vec<_>>().join(", ");
        let _ = writeln!(text, "\nThe class is that of the greatest weight · probability: {weights}.");
    }
    let _ = writeln!(text, "\n{} photographs classified, {} failed", done.photos.len(), done.failures.len());
    let _ = writeln!(text, "This is no diagnosis.");
    text
}
