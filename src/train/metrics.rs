//! Segmentation metrics, at many thresholds in one pass.
//!
//! With tp, fp, fn, tn the counts of pixels, an image has IoU = tp / (tp + fp + fn) and Dice = 2 tp / (2 tp + fp + fn),
//! both 1 where nothing is marked and nothing should be; its ISIC 2018 thresholded Jaccard is its IoU, or 0 below 0.65.
//! These three are averaged over images. Sensitivity tp / (tp + fn) and specificity tn / (tn + fp) are those of all
//! pixels of all images together; a share of nothing is 1.

use serde::Serialize;

use crate::error::{Error, Result};

/// Below this IoU an image counts 0 in the thresholded Jaccard of ISIC 2018.
pub const ISIC_JACCARD: f64 = 0.65;

/// Counts pixels image by image; scores come out for any of its thresholds.
#[derive(Debug, Clone)]
pub struct SegmentationMeter {
    thresholds: Vec<f32>,
    logits: Vec<f32>,
    images: Vec<Counts>,
}

/// One image: how many pixels reach each threshold.
#[derive(Debug, Clone)]
struct Counts {
    name: String,
    inside: u64,
    outside: u64,
    /// Pixels of the lesion at or above threshold k.
    hits: Vec<u64>,
    /// Other pixels at or above threshold k.
    alarms: Vec<u64>,
}

/// The scores of one image at one threshold.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ImageScores {
    /// Its name.
    pub name: String,
    /// Intersection over union.
    pub iou: f64,
    /// Dice coefficient.
    pub dice: f64,
    /// Share of the lesion's pixels that were found.
    pub sensitivity: f64,
    /// Share of the other pixels that were left out.
    pub specificity: f64,
    /// Pixels of the lesion in the reference.
    pub reference_pixels: u64,
    /// Pixels found.
    pub found_pixels: u64,
}

/// The scores of a set of images at one threshold; as JSON, the flat object that `eval --json` writes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SegmentationScores {
    /// How many images were measured.
    pub images: usize,
    /// Mean over images.
    pub mean_iou: f64,
    /// Mean over images.
    pub dice: f64,
    /// Mean over images of the ISIC 2018 thresholded Jaccard.
    pub jaccard_thresholded: f64,
    /// Over all pixels.
    pub pixel_sensitivity: f64,
    /// Over all pixels.
    pub pixel_specificity: f64,
    /// The probability from which a pixel counted as lesion.
    pub threshold: f32,
    /// Image by image, in the order in which they were added.
    pub per_image: Vec<ImageScores>,
}

impl SegmentationScores {
    /// The `count` images with the lowest IoU, the worst first.
    #[must_use]
    pub fn worst(&self, count: usize) -> Vec<&ImageScores> {
        let mut images: Vec<&ImageScores> = self.per_image.iter().collect();
        images.sort_by(|a, b| a.iou.total_cmp(&b.iou));
        images.truncate(count);
        images
    }
}

impl SegmentationMeter {
    /// Measures at `thresholds`, each 0 to 1 and larger than the one before. A pixel whose probability is at or above
    /// the threshold counts as lesion.
    ///
    /// # Errors
    /// [`Error::Parameter`] where there is none, or they are out of order or range.
    pub fn new(thresholds: &[f32]) -> Result<Self> {
        let sound = thresholds.iter().all(|t| (0.0..=1.0).contains(t)) && thresholds.windows(2).all(|w| w[0] < w[1]);
        if thresholds.is_empty() || !sound {
            let message = format!("thresholds are {thresholds:?}, expected rising values from 0 to 1");
            return Err(Error::parameter("metrics", message));
        }
        let logits = thresholds.iter().map(|&t| logit(t)).collect();
        Ok(Self { thresholds: thresholds.to_vec(), logits, images: Vec::new() })
    }

    /// Measures at 0, 0.01, … 1, from which [`SegmentationMeter::best`] chooses.
    #[must_use]
    pub fn percents() -> Self {
        let thresholds: Vec<f32> = (0..=100u8).map(|percent| f32::from(percent) / 100.0).collect();
        let logits = thresholds.iter().map(|&t| logit(t)).collect();
        Self { thresholds, logits, images: Vec::new() }
    }

    /// The thresholds at which it measures.
    #[must_use]
    pub fn thresholds(&self) -> &[f32] {
        &self.thresholds
    }

    /// How many images were added.
    #[must_use]
    pub fn images(&self) -> usize {
        self.images.len()
    }

    /// Adds an image: the probability of every pixel at the mask's own size, and whether it is lesion.
    ///
    /// # Errors
    /// [`Error::Shape`] where the lengths differ or are 0, [`Error::Mismatch`] where a value is NaN; both name the image.
    pub fn add_probabilities<M>(&mut self, name: &str, probabilities: &[f32], mask: M) -> Result<()>
    where
        M: IntoIterator<Item = bool, IntoIter: ExactSizeIterator>,
    {
        let counts = count(name, &self.thresholds, probabilities, mask.into_iter())?;
        self.images.push(counts);
        Ok(())
    }

    /// [`SegmentationMeter::add_probabilities`] for logits, whose sigmoid is the probability.
    ///
    /// # Errors
    /// As [`SegmentationMeter::add_probabilities`].
    pub fn add_logits<M>(&mut self, name: &str, logits: &[f32], mask: M) -> Result<()>
    where
        M: IntoIterator<Item = bool, IntoIter: ExactSizeIterator>,
    {
        let counts = count(name, &self.logits, logits, mask.into_iter())?;
        self.images.push(counts);
        Ok(())
    }

    /// The scores at `threshold`.
    ///
    /// # Errors
    /// [`Error::Parameter`] where it is none of the meter's, or no image was added.
    pub fn scores(&self, threshold: f32) -> Result<SegmentationScores> {
        let near = |known: &f32| (known - threshold).abs() < 1e-6;
        match self.thresholds.iter().position(near) {
            Some(at) if !self.images.is_empty() => Ok(self.at(at)),
            Some(_) => Err(Error::parameter("metrics", "no image was measured")),
            None => {
                let message = format!("{threshold} is none of the {} thresholds measured", self.thresholds.len());
                Err(Error::parameter("metrics", message))
            }
        }
    }

    /// The scores at the threshold with the highest mean IoU; of equals, the one nearest to 0.5.
    ///
    /// # Errors
    /// [`Error::Parameter`] where no image was added.
    pub fn best(&self) -> Result<SegmentationScores> {
        let curve = self.curve();
        let middle = |threshold: f32| (threshold - 0.5).abs();
        let order = |a: &&(f32, f64), b: &&(f32, f64)| a.1.total_cmp(&b.1).then(middle(b.0).total_cmp(&middle(a.0)));
        match curve.iter().max_by(order) {
            Some(&(threshold, _)) => self.scores(threshold),
            None => Err(Error::parameter("metrics", "no image was measured")),
        }
    }

    /// (threshold, mean IoU) for every threshold; empty where no image was added.
    #[must_use]
    pub fn curve(&self) -> Vec<(f32, f64)> {
        if self.images.is_empty() {
            return Vec::new();
        }
        let iou = |at: usize| mean(self.images.iter().map(|image| image.at(at).iou()));
        self.thresholds.iter().enumerate().map(|(at, &threshold)| (threshold, iou(at))).collect()
    }

    fn at(&self, at: usize) -> SegmentationScores {
        let mut total = Confusion::default();
        let per_image: Vec<ImageScores> = self
            .images
            .iter()
            .map(|image| {
                let confusion = image.at(at);
                total.add(confusion);
                ImageScores {
                    name: image.name.clone(),
                    iou: confusion.iou(),
                    dice: confusion.dice(),
                    sensitivity: confusion.sensitivity(),
                    specificity: confusion.specificity(),
                    reference_pixels: image.inside,
                    found_pixels: image.hits[at] + image.alarms[at],
                }
            })
            .collect();
        let jaccard = |iou: f64| if iou < ISIC_JACCARD { 0.0 } else { iou };
        SegmentationScores {
            images: per_image.len(),
            mean_iou: mean(per_image.iter().map(|image| image.iou)),
            dice: mean(per_image.iter().map(|image| image.dice)),
            jaccard_thresholded: mean(per_image.iter().map(|image| jaccard(image.iou))),
            pixel_sensitivity: total.sensitivity(),
            pixel_specificity: total.specificity(),
            threshold: self.thresholds[at],
            per_image,
        }
    }
}

impl Counts {
    fn at(&self, at: usize) -> Confusion {
        let (hits, alarms) = (self.hits[at], self.alarms[at]);
        Confusion { hits, alarms, misses: self.inside - hits, rest: self.outside - alarms }
    }
}

/// Pixels by what they are and what they were taken for: tp, fp, fn, tn.
#[derive(Debug, Clone, Copy, Default)]
struct Confusion {
    hits: u64,
    alarms: u64,
    misses: u64,
    rest: u64,
}

impl Confusion {
    fn add(&mut self, other: Self) {
        self.hits += other.hits;
        self.alarms += other.alarms;
        self.misses += other.misses;
        self.rest += other.rest;
    }

    fn iou(self) -> f64 {
        share(self.hits, self.hits + self.alarms + self.misses)
    }

    fn dice(self) -> f64 {
        share(2 * self.hits, 2 * self.hits + self.alarms + self.misses)
    }

    fn sensitivity(self) -> f64 {
        share(self.hits, self.hits + self.misses)
    }

    fn specificity(self) -> f64 {
        share(self.rest, self.rest + self.alarms)
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of pixels are far below 2^52")]
fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 1.0 } else { part as f64 / whole as f64 }
}

#[expect(clippy::cast_precision_loss, reason = "counts of images are far below 2^52")]
fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = values.len();
    values.sum::<f64>() / count as f64
}

/// The logit whose sigmoid is `probability`; infinite for 0 and 1.
#[expect(clippy::cast_possible_truncation, reason = "rounds")]
fn logit(probability: f32) -> f32 {
    let p = f64::from(probability);
    (p / (1.0 - p)).ln() as f32
}

fn count(name: &str, cuts: &[f32], values: &[f32], mask: impl ExactSizeIterator<Item = bool>) -> Result<Counts> {
    if mask.len() != values.len() || values.is_empty() {
        let expected = format!("the mask's {} (more than 0)", mask.len());
        return Err(Error::shape("metrics", format!("pixels of {name}"), expected, &[values.len()]));
    }
    let mut inside = vec![0u64; cuts.len() + 1];
    let mut outside = inside.clone();
    for (&value, lesion) in values.iter().zip(mask) {
        if value.is_nan() {
            return Err(Error::Mismatch(format!("metrics: {name} has a pixel whose probability is NaN")));
        }
        let reached = cuts.partition_point(|&cut| cut <= value);
        if lesion { inside[reached] += 1 } else { outside[reached] += 1 }
    }
    let (hits, inside) = at_or_above(inside);
    let (alarms, outside) = at_or_above(outside);
    Ok(Counts { name: name.into(), inside, outside, hits, alarms })
}

/// From pixels by how many thresholds they reach: pixels at or above each threshold, and all pixels.
fn at_or_above(mut reached: Vec<u64>) -> (Vec<u64>, u64) {
    for at in (1..reached.len()).rev() {
        reached[at - 1] += reached[at];
    }
    let all = reached.remove(0);
    (reached, all)
}

#[cfg(test)]
#[path = "metrics_tests.rs"]
mod tests;
