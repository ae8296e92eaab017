//! What of photographs a classifier is shown, on the command line.

use std::path::Path;

use clap::{Args, ValueEnum};

use super::{Context, model};
use crate::data::save::write_png_grey;
use crate::data::{DecodeLimits, Labelled, View, read_photo};
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::models::Weights;

/// What of a photograph is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Crop {
    /// All of it
    None,
    /// The lesion's box with a margin
    Lesion,
}

/// The flags that choose a view.
#[derive(Debug, Clone, Args)]
pub(super) struct ViewArgs {
    /// Which part of a photograph to show, by the data set's masks or, where there is none, a U-Net's
    #[arg(long, value_enum, value_name = "PART")]
    crop: Option<Crop>,
    #[arg(long, value_name = "SHARE", help = format!("The crop's margin, as a share of the lesion's longer side [default: {}]", View::MARGIN))]
    margin: Option<f32>,
    /// Show the lesion alone, without the skin around it
    #[arg(long, conflicts_with = "crop")]
    no_background: bool,
    /// The U-Net that outlines lesions without a mask; without it the one that comes with nevus
    #[arg(long, value_name = "FILE")]
    unet: Option<std::path::PathBuf>,
}

impl ViewArgs {
    /// The view that the flags ask for; what they leave open is as in `other`.
    pub(super) fn over(&self, other: View) -> View {
        let margin = match other {
            View::Crop { margin } => margin,
            View::Whole | View::Masked => View::MARGIN,
        };
        let margin = self.margin.unwrap_or(margin);
        match (self.crop, other) {
            _ if self.no_background => View::Masked,
            (Some(Crop::Lesion), _) | (None, View::Crop { .. }) => View::Crop { margin },
            (Some(Crop::None), _) => View::Whole,
            (None, other) => other,
        }
    }

    /// The U-Net's file, where one is given.
    pub(super) fn unet(&self) -> Option<&std::path::PathBuf> {
        self.unet.as_ref()
    }
}

/// Gives a mask from a U-Net to each photograph that has none: the lesion that `nevus analyze` finds as well. They are kept
/// in the folder `masks` of `out`, and taken from there the next time. A photograph that cannot be read, at this place, is
/// `failed`'s to deal with.
pub(super) fn complete_masks(
    unet: Option<&std::path::PathBuf>,
    labelled: &mut Labelled,
    out: &Path,
    gpu: &Gpu,
    context: &Context,
    failed: &mut dyn FnMut(usize, Error) -> Result<()>,
) -> Result<()> {
    let without: Vec<usize> = (0..labelled.samples.len()).filter(|&at| labelled.samples[at].mask.is_none()).collect();
    if without.is_empty() {
        return Ok(());
    }
    let path = model::unet_file(unet, context)?;
    let segmenter = model::segmenter(gpu, &path, &Weights::open(&path)?, context)?;
    context.say(format!("{} photographs have no mask: outlined by {}", without.len(), path.display()));
    let bar = context.progress("outlines", without.len() as u64);
    // Another U-Net's masks are others; names with folders in them become names without.
    let by = std::fs::read(&path).map_err(Error::io(&path)).map(|bytes| blake3::hash(&bytes))?;
    let folder = out.join("masks");
    for at in without {
        if context.cancelled() {
            return Err(Error::Cancelled);
        }
        let sample = &mut labelled.samples[at];
        let name = blake3::keyed_hash(by.as_bytes(), sample.id.as_bytes()).to_hex();
        let file = folder.join(format!("{name}.png"));
        if !file.is_file() {
            let photo = match read_photo(&sample.image, &DecodeLimits::default()) {
                Ok(photo) => photo,
                Err(error) => {
                    failed(at, error)?;
                    continue;
                }
            };
            std::fs::create_dir_all(&folder).map_err(Error::io(&folder))?;
            write_png_grey(&file, &segmenter.lesion(&photo)?)?;
        }
        sample.mask = Some(file);
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(())
}
