//! What is done with one photograph.

use image::{GrayImage, RgbImage, imageops};

use crate::cli::photos::Photo;
use crate::data::View;
use crate::data::augment::Picture;
use crate::data::measure::{Measurements, Region, chroma, focus, region};
use crate::data::resize::within;
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::models::Weights;
use crate::plan::PlanOptions;
use crate::report::analysis::{self, AnalysisReport, Case, Classification, Lesion, PictureFiles, Pictures, Warning};
use crate::tensor::Tensor;
use crate::train::{Classifier, Familiarity, GradCam, Segmenter, WORKING_SIDE, Ways, mask_at};

/// What photographs go through.
pub(super) struct Work {
    pub segmenter: Segmenter,
    pub threshold: f32,
    pub judge: Option<Judge>,
    pub mm_per_pixel: Option<f64>,
}

/// A classifier with what explains it.
pub(super) struct Judge {
    classifier: Classifier,
    cam: GradCam,
    familiarity: Option<Familiarity>,
    calibrated: bool,
    ways: Ways,
}

/// A judgement and the pictures it was made on.
struct Judged {
    facts: Classification,
    crop: Option<RgbImage>,
    heat: Option<RgbImage>,
}

impl Work {
    /// Analyzes a photograph into the report. It is outlined and measured within [`WORKING_SIDE`]; what is classified is
    /// cut from the photograph itself.
    pub fn one(&self, Photo { path, name }: &Photo, photo: &RgbImage, report: &mut AnalysisReport) -> Result<()> {
        let working = within(photo, WORKING_SIDE)?;
        let scale = f64::from(photo.width()) / f64::from(working.width());
        let probabilities = self.segmenter.probabilities(&working)?;
        let mask = mask_at(probabilities.data().iter().copied(), working.dimensions(), self.threshold);
        let found = region(&mask);
        let lesion = found.as_ref().map(|found| self.lesion(&working, found, &probabilities, scale)).transpose()?;
        let empty = || GrayImage::new(working.width(), working.height());
        let mask = found.as_ref().map_or_else(empty, |found| found.mask.clone());
        let judged = self.judge.as_ref().map(|judge| judge.of(photo, &mask, found.is_some())).transpose()?;
        let (crop, heat, classification) = match judged {
            Some(Judged { facts, crop, heat }) => (crop, heat, Some(facts)),
            None => (found.as_ref().map(|found| cut(&working, found)), None, None),
        };
        let (focus, chroma) = (focus(photo)?, chroma(photo));
        let warnings = Warning::of(focus, chroma, lesion.as_ref(), classification.as_ref());
        let case = Case {
            name: name.clone(),
            file: path.clone(),
            width: photo.width(),
            height: photo.height(),
            focus,
            chroma,
            lesion,
            classification,
            warnings,
            pictures: PictureFiles::default(),
        };
        let pictures = Pictures { photo: &working, mask: &mask, crop: crop.as_ref(), heat: heat.as_ref() };
        report.add(case, &pictures)
    }

    /// The figures of a region of the working picture, in pixels of the photograph, which has `scale` times as many.
    fn lesion(&self, working: &RgbImage, found: &Region, probabilities: &Tensor, scale: f64) -> Result<Lesion> {
        let mut measurements = Measurements::of(working, found, self.mm_per_pixel.map(|mm| mm * scale))?;
        measurements.diameter_pixels *= scale;
        let inside = probabilities.data().iter().zip(found.mask.as_raw()).filter(|(_, mask)| **mask == 255);
        let confidence: f64 = inside.map(|(p, _)| f64::from(*p)).sum();
        Ok(Lesion {
            bounding_box: found.frame.map(|side| (f64::from(side) * scale).round() as u32),
            mean_confidence: confidence / found.area as f64,
            elsewhere_share: found.elsewhere_share(),
            cut_off_share: found.cut_off_share(),
            measurements,
        })
    }
}

impl Judge {
    /// A judge by these weights.
    pub fn new(gpu: &Gpu, weights: &Weights, layer: &str, ways: Ways, options: &PlanOptions) -> Result<Self> {
        let classifier = Classifier::new(gpu, weights)?.planned(options.clone());
        let cam = GradCam::of(gpu, &classifier, layer, options)?;
        let familiarity = Familiarity::of(weights)?;
        let calibrated = weights.meta()?.temperature.is_some();
        Ok(Self { classifier, cam, familiarity, calibrated, ways })
    }

    fn of(&self, photo: &RgbImage, mask: &GrayImage, found: bool) -> Result<Judged> {
        let options = self.classifier.options();
        let (own, calibration) = (options.view, &options.calibration);
        let (view, other) = match own {
            View::Whole => (analysis::View::Whole, View::Crop { margin: View::MARGIN }),
            View::Crop { .. } | View::Masked => (analysis::View::Crop, View::Whole),
        };
        // Without a lesion every view is the whole photograph.
        let view = if found { view } else { analysis::View::Whole };
        let logits = self.logits(own, photo, mask)?;
        let mean = calibration.probabilities(&logits);
        let ways: Vec<Vec<f64>> = logits.iter().map(|way| calibration.softmax(way)).collect();
        let other = match found {
            true => Some(calibration.probabilities(&self.logits(other, photo, mask)?)),
            false => None,
        };
        let named = calibration.decide(&mean);
        let shown = self.classifier.shown(own, photo, Some(mask))?;
        let [height, width] = options.size;
        let input = shown.clone().resized(height, width)?.tensor();
        let explained = self.cam.run(self.classifier.params(), &input, named)?;
        let distance = self.familiarity.as_ref().map(|known| known.distance(explained.features.data())).transpose()?;
        let deviation = |class: usize| {
            let squares = ways.iter().map(|way| (way[class] - mean[class]).powi(2)).sum::<f64>();
            (ways.len() > 1).then(|| (squares / (ways.len() - 1) as f64).sqrt())
        };
        let classes =
            options.classes.names().iter().zip(0..).map(|(name, at): (&String, usize)| analysis::ClassProbability {
                name: name.clone(),
                probability: mean[at],
                weight: calibration.weight_of(at),
                deviation: deviation(at),
                other_view: other.as_ref().map(|other| other[at]),
            });
        let flat = analysis::is_flat(&explained.map);
        let facts = Classification {
            view,
            classes: classes.collect(),
            views: ways.len(),
            agreeing: ways.iter().filter(|way| calibration.decide(way) == named).count(),
            calibrated: self.calibrated,
            distance,
            distance_limit: self.familiarity.as_ref().map(Familiarity::limit),
            layer: self.cam.layer().into(),
            heat_flat: flat,
        };
        let seen = within(&picture(&shown)?, WORKING_SIDE)?.into_owned();
        let heat = if flat { None } else { Some(analysis::heat(&seen, &explained.map)?) };
        let crop = match own {
            _ if !found => None,
            View::Crop { .. } | View::Masked => Some(seen),
            View::Whole => {
                let crop = self.classifier.shown(View::Crop { margin: View::MARGIN }, photo, Some(mask))?;
                Some(within(&picture(&crop)?, WORKING_SIDE)?.into_owned())
            }
        };
        Ok(Judged { facts, crop, heat })
    }

    /// The logits of every way in which a view is shown.
    fn logits(&self, view: View, photo: &RgbImage, mask: &GrayImage) -> Result<Vec<Vec<f32>>> {
        let [height, width] = self.classifier.options().size;
        let input = self.classifier.shown(view, photo, Some(mask))?.resized(height, width)?.tensor();
        Ok(self.classifier.logits_of_ways(&input, self.ways)?.pop().unwrap_or_default())
    }
}

fn picture(picture: &Picture) -> Result<RgbImage> {
    let raw = picture.pixels().iter().flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect();
    RgbImage::from_raw(picture.width() as u32, picture.height() as u32, raw)
        .ok_or_else(|| Error::Mismatch("a picture has another length than its size says".into()))
}

/// The lesion with a margin around it.
fn cut(photo: &RgbImage, found: &Region) -> RgbImage {
    let [left, top, width, height] = found.crop(f64::from(View::MARGIN));
    imageops::crop_imm(photo, left, top, width, height).to_image()
}
