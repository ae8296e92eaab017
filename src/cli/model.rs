//! Weights that commands are given, and those that come with the program.

use std::path::{Path, PathBuf};

use super::{Context, tune};
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::models::{Weights, shipped};
use crate::train::{Classifier, Segmenter, Ways};

/// The file given, else that of the shipped U-Net, which is then named on stderr.
pub(super) fn unet_file(given: Option<&PathBuf>, context: &Context) -> Result<PathBuf> {
    if let Some(given) = given {
        return Ok(given.clone());
    }
    let shipped = shipped::unet()?;
    context.say(format!("weights: {}", shipped.display()));
    Ok(shipped)
}

/// A U-Net for outlines of lesions on photographs.
pub(super) fn segmenter(gpu: &Gpu, path: &Path, weights: &Weights, context: &Context) -> Result<Segmenter> {
    let segmenter = Segmenter::new(gpu, weights)?;
    let options = tune::plan_options(gpu, context, |n, options| segmenter.calls(n, options))?;
    let segmenter = segmenter.planned(options);
    let net = segmenter.net();
    if (net.input, net.output) != (3, 1) {
        let message = format!("its U-Net has {} channels in and {} out, expected 3 and 1", net.input, net.output);
        return Err(Error::weights(path, message));
    }
    Ok(segmenter)
}

/// The file given, else that of the shipped classifier, which is then named on stderr.
pub(super) fn classifier_file(given: Option<&PathBuf>, context: &Context) -> Result<PathBuf> {
    if let Some(given) = given {
        return Ok(given.clone());
    }
    let shipped = shipped::classifier()?;
    context.say(format!("classifier: {}", shipped.display()));
    Ok(shipped)
}

/// A classifier of lesions on photographs.
pub(super) fn classifier(gpu: &Gpu, weights: &Weights, context: &Context) -> Result<Classifier> {
    let classifier = Classifier::new(gpu, weights)?;
    let options = tune::plan_options(gpu, context, |n, options| classifier.options().calls(gpu, n, options))?;
    Ok(classifier.planned(options))
}

/// A probability, 0 to 1, on the command line.
pub(super) fn probability(text: &str) -> Result<f32, String> {
    text.parse().ok().filter(|value| (0.0..=1.0).contains(value)).ok_or_else(|| "expected a number from 0 to 1".into())
}

/// In how many ways a photograph is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Way(pub Ways);

impl std::fmt::Display for Way {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0.flips().len())
    }
}

impl From<u8> for Way {
    fn from(count: u8) -> Self {
        Self(match count {
            0 | 1 => Ways::One,
            2 => Ways::Two,
            _ => Ways::Four,
        })
    }
}

/// 1, 2 or 4 on the command line.
pub(super) fn ways(text: &str) -> Result<Way, String> {
    match text {
        "1" => Ok(Way(Ways::One)),
        "2" => Ok(Way(Ways::Two)),
        "4" => Ok(Way(Ways::Four)),
        _ => Err("expected 1, 2 or 4".into()),
    }
}
