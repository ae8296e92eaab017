//! `nevus segment`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use image::{GrayImage, RgbImage};
use serde::Serialize;

use super::context::to_json;
use super::photos::{self, Photo};
use super::{Context, StorageArgs, model};
use crate::data::measure::tidy;
use crate::data::save::{write_atomic, write_png, write_png_grey};
use crate::error::{Error, Result};
use crate::models::Weights;
use crate::report::{Page, PageHead, SegmentEntry, SegmentFailure, overlay};
use crate::train::Segmenter;

/// Flags of `nevus segment`.
#[derive(Debug, Args)]
pub(super) struct SegmentArgs {
    /// Photographs, folders of them, or patterns such as 'photos/*.jpg'
    #[arg(required = true, value_name = "PHOTO")]
    photos: Vec<PathBuf>,
    /// The weights; without it those that come with nevus
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,
    /// The folder to write NAME_mask.png, NAME_overlay.png and NAME.json into, for each photograph
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The probability from which a pixel counts as lesion; without it that of the weights
    #[arg(long, value_name = "T", value_parser = model::probability)]
    threshold: Option<f32>,
    /// Keep every pixel at or above the threshold: no stray part is dropped, no hole filled
    #[arg(long)]
    raw: bool,
    /// Also write index.html, one page that shows everything
    #[arg(long)]
    page: bool,
    #[command(flatten)]
    pub(super) storage: StorageArgs,
}

/// What NAME.json holds.
#[derive(Debug, Serialize)]
struct Found {
    name: String,
    file: PathBuf,
    width: u32,
    height: u32,
    /// The lesion's share of the photograph.
    area_fraction: f64,
    /// Left, top, width, height in pixels.
    bounding_box: Option<[u32; 4]>,
    /// Over the lesion's pixels the mean of the probability; where there are none, over all pixels that of its
    /// complement.
    mean_confidence: f64,
    threshold: f32,
    model: String,
    device: String,
}

#[derive(Debug, Serialize)]
struct Failed {
    file: PathBuf,
    error: String,
}

#[derive(Serialize)]
struct Done<'a> {
    out: &'a Path,
    photos: Vec<Found>,
    failures: Vec<Failed>,
}

struct Work<'a> {
    args: &'a SegmentArgs,
    segmenter: Segmenter,
    threshold: f32,
    head: PageHead,
}

pub(super) fn run(args: &SegmentArgs, context: &Context) -> Result<ExitCode> {
    let (photos, unknown) = photos::photos(&args.photos);
    let mut done = Done { out: &args.out, photos: Vec::new(), failures: Vec::new() };
    for (file, error) in unknown {
        done.fail(context, file, &error);
    }
    if photos.is_empty() {
        return Err(Error::parameter("segment", "no photographs to work on"));
    }
    let path = model::unet_file(args.weights.as_ref(), context)?;
    let weights = Weights::open(&path)?;
    let gpu = context.open_gpu()?;
    let segmenter = model::segmenter(&gpu, &path, &weights, context)?;
    std::fs::create_dir_all(&args.out).map_err(Error::io(&args.out))?;
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let threshold = args.threshold.unwrap_or_else(|| segmenter.threshold());
    let head = PageHead { model: name, adapter: gpu.caps().describe() };
    let page = args.page.then(|| Page::new(head.clone()));
    let work = Work { args, segmenter, threshold, head };
    let page = work.all(&photos, page, context, &mut done)?;
    if let Some(mut page) = page {
        for failed in &done.failures {
            page.fail(SegmentFailure { name: failed.file.display().to_string(), message: failed.error.clone() });
        }
        let path = args.out.join("index.html");
        let html = page.finish();
        write_atomic(&path, |out| out.write_all(html.as_bytes()).map_err(Error::io(&path)))?;
    }
    context.print(|| text(&done), &done)?;
    Ok(if done.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Done<'_> {
    /// Keeps a failure and says it; the others go on.
    fn fail(&mut self, context: &Context, file: PathBuf, error: &Error) {
        let error = photos::failure(&file, error);
        context.say(format!("error: {error}"));
        self.failures.push(Failed { file, error });
    }
}

impl Work<'_> {
    /// Every photograph in turn.
    fn all(
        &self,
        photos: &[Photo],
        mut page: Option<Page>,
        context: &Context,
        done: &mut Done,
    ) -> Result<Option<Page>> {
        photos::each(photos, context, |photo, decoded, bar| {
            match decoded.and_then(|image| self.one(photo, image, page.as_mut())) {
                Ok(found) => done.photos.push(found),
                Err(lost @ Error::DeviceLost(_)) => return Err(lost),
                Err(error) => bar.suspend(|| done.fail(context, photo.path.clone(), &error)),
            }
            Ok(())
        })?;
        Ok(page)
    }

    fn one(&self, Photo { path, name }: &Photo, photo: RgbImage, page: Option<&mut Page>) -> Result<Found> {
        let out = |ending: &str| self.args.out.join(format!("{name}{ending}"));
        let (mask_file, json_file) = (out("_mask.png"), out(".json"));
        if mask_file.exists() && !json_file.exists() {
            let message = "is there already and not from nevus segment (hint: another --out)";
            return Err(Error::data(&mask_file, message));
        }
        let probabilities = self.segmenter.probabilities(&photo)?;
        let (width, height) = photo.dimensions();
        let (mask, area_fraction, bounding_box, mean_confidence) =
            measure(probabilities.data(), (width, height), self.threshold, self.args.raw)
                .ok_or_else(|| Error::image(path, "the probabilities are not of its size"))?;
        let found = Found {
            name: name.clone(),
            file: path.clone(),
            width,
            height,
            area_fraction,
            bounding_box,
            mean_confidence,
            threshold: self.threshold,
            model: self.head.model.clone(),
            device: self.head.adapter.clone(),
        };
        drop(probabilities);
        let json = to_json(&found)?;
        // The JSON first: it marks the others as results, should the rest be cut short.
        write_atomic(&json_file, |file| writeln!(file, "{json}").map_err(Error::io(&json_file)))?;
        write_png_grey(&mask_file, &mask)?;
        write_png(out("_overlay.png"), &overlay(&photo, &mask)?)?;
        if let Some(page) = page {
            let name = name.clone();
            page.add(&SegmentEntry { name, photo, mask, area_fraction, bounding_box, mean_confidence })?;
        }
        Ok(found)
    }
}

type Measured = (GrayImage, f64, Option<[u32; 4]>, f64);

/// The mask of 0 and 255, tidied unless `raw`, the lesion's share, its box, and the mean confidence.
#[expect(clippy::cast_precision_loss, reason = "counts of pixels are far below 2^52")]
fn measure(probabilities: &[f32], (width, height): (u32, u32), threshold: f32, raw: bool) -> Option<Measured> {
    let found = probabilities.iter().map(|&p| if p >= threshold { 255 } else { 0 }).collect();
    let found = GrayImage::from_raw(width, height, found)?;
    let mask = if raw { found } else { tidy(&found) };
    let (mut left, mut top, mut right, mut bottom) = (u32::MAX, u32::MAX, 0, 0);
    let (mut count, mut inside, mut outside) = (0u64, 0f64, 0f64);
    for ((x, y, pixel), &p) in mask.enumerate_pixels().zip(probabilities) {
        if pixel.0[0] == 255 {
            (left, top, right, bottom) = (left.min(x), top.min(y), right.max(x), bottom.max(y));
            count += 1;
            inside += f64::from(p);
        }
        outside += 1.0 - f64::from(p);
    }
    let all = probabilities.len() as f64;
    if count == 0 {
        return Some((mask, 0.0, None, outside / all));
    }
    let frame = [left, top, right - left + 1, bottom - top + 1];
    Some((mask, count as f64 / all, Some(frame), inside / count as f64))
}

fn text(done: &Done) -> String {
    let mut text = String::new();
    for found in &done.photos {
        let lesion = match found.bounding_box {
            Some([left, top, width, height]) => {
                format!(
                    "{:.1} % of {}x{}, {height}x{width} at {left},{top}",
                    found.area_fraction * 100.0,
                    found.height,
                    found.width
                )
            }
            None => "no lesion found".into(),
        };
        let _ = writeln!(text, "{}: {lesion}, confidence {:.2}", found.name, found.mean_confidence);
    }
    let _ = writeln!(
        text,
        "{} photographs outlined, {} failed, written to {}",
        done.photos.len(),
        done.failures.len(),
        done.out.display()
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn box_area_and_confidence_of_a_small_map() {
        let map = [0.1, 0.2, 0.3, 0.1, 0.8, 0.6];
        let (mask, area, frame, confidence) = measure(&map, (3, 2), 0.5, false).unwrap();
        assert_eq!(mask.as_raw(), &[0, 0, 0, 0, 255, 255]);
        assert_eq!((area, frame), (2.0 / 6.0, Some([1, 1, 2, 1])));
        assert!((confidence - 0.7).abs() < 1e-6);
        let (_, area, frame, confidence) = measure(&map, (3, 2), 0.9, false).unwrap();
        assert_eq!((area, frame), (0.0, None));
        assert!((confidence - (1.0 - 2.1 / 6.0)).abs() < 1e-6);
        assert!(measure(&map, (3, 3), 0.5, false).is_none());
    }
}
