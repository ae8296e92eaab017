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
mod tests {
    use super::*;

    /// 2 of 3 lesion pixels found, 1 of 5 others taken for lesion: tp 2, fp 1, fn 1, tn 4.
    const P: [f32; 8] = [0.9, 0.5, 0.4, 0.6, 0.1, 0.0, 0.2, 0.3];
    const M: [bool; 8] = [true, true, true, false, false, false, false, false];

    #[test]
    fn one_image_by_hand() {
        let mut meter = SegmentationMeter::new(&[0.5]).unwrap();
        meter.add_probabilities("a", &P, M).unwrap();
        let scores = meter.scores(0.5).unwrap();
        assert_eq!((scores.images, scores.mean_iou, scores.dice), (1, 0.5, 4.0 / 6.0));
        assert_eq!((scores.jaccard_thresholded, scores.threshold), (0.0, 0.5));
        assert_eq!((scores.pixel_sensitivity, scores.pixel_specificity), (2.0 / 3.0, 0.8));
        assert_eq!((scores.per_image[0].reference_pixels, scores.per_image[0].found_pixels), (3, 3));
    }

    #[test]
    fn means_are_over_images_and_shares_over_pixels() {
        let mut meter = SegmentationMeter::new(&[0.5]).unwrap();
        meter.add_probabilities("a", &P, M).unwrap();
        meter.add_probabilities("empty", &[0.0, 0.1], [false; 2]).unwrap();
        meter.add_probabilities("full", &[0.8; 4], [true, true, true, false]).unwrap();
        let scores = meter.scores(0.5).unwrap();
        assert_eq!(scores.mean_iou, (0.5 + 1.0 + 0.75) / 3.0);
        assert_eq!(scores.jaccard_thresholded, (0.0 + 1.0 + 0.75) / 3.0);
        assert_eq!(scores.dice, (4.0 / 6.0 + 1.0 + 6.0 / 7.0) / 3.0);
        assert_eq!((scores.pixel_sensitivity, scores.pixel_specificity), (5.0 / 6.0, 6.0 / 8.0));
        assert_eq!(scores.worst(2).iter().map(|image| &*image.name).collect::<Vec<_>>(), ["a", "full"]);
    }

    #[test]
    fn an_empty_mask_with_one_pixel_found_scores_nothing() {
        let mut meter = SegmentationMeter::new(&[0.5]).unwrap();
        meter.add_probabilities("a", &[0.5, 0.0], [false; 2]).unwrap();
        let scores = meter.scores(0.5).unwrap();
        assert_eq!((scores.mean_iou, scores.dice, scores.pixel_sensitivity), (0.0, 0.0, 1.0));
    }

    #[test]
    fn the_isic_bound_itself_counts() {
        let mut meter = SegmentationMeter::new(&[0.5]).unwrap();
        let found: Vec<f32> = (0..20u8).map(|at| f32::from(u8::from(at < 13))).collect();
        meter.add_probabilities("a", &found, [true; 20]).unwrap();
        assert_eq!(meter.scores(0.5).unwrap().jaccard_thresholded, 0.65);
    }

    #[test]
    fn every_percent_agrees_with_counting_at_that_threshold_alone() {
        let value = |at: u32| (at.wrapping_mul(2_654_435_761) >> 8) as f32 / 16_777_216.0;
        let values: Vec<f32> = (0..4000).map(value).chain((0..=100u8).map(|p| f32::from(p) / 100.0)).collect();
        let mask = |v: &f32| (v * 37.0).fract() < *v;
        let mut all = SegmentationMeter::percents();
        all.add_probabilities("a", &values, values.iter().map(mask)).unwrap();
        for percent in 0..=100u8 {
            let threshold = f32::from(percent) / 100.0;
            let pairs = || values.iter().map(|v| (*v >= threshold, mask(v)));
            let both = pairs().filter(|&(a, b)| a && b).count() as f64;
            let any = pairs().filter(|&(a, b)| a || b).count() as f64;
            assert_eq!(all.scores(threshold).unwrap().mean_iou, both / any, "{threshold}");
        }
        let best = all.best().unwrap();
        assert!(all.curve().iter().all(|&(_, iou)| iou <= best.mean_iou));
    }

    #[test]
    fn logits_count_as_their_probabilities() {
        let probabilities: Vec<f32> = (0..500u16).map(|at| (f32::from(at) + 0.37) / 501.0).collect();
        let logits: Vec<f32> = probabilities.iter().map(|&p| logit(p)).collect();
        let mask = (0..500).map(|at| at % 3 > 0);
        let (mut a, mut b) = (SegmentationMeter::percents(), SegmentationMeter::percents());
        a.add_probabilities("x", &probabilities, mask.clone()).unwrap();
        b.add_logits("x", &logits, mask).unwrap();
        assert_eq!(a.curve(), b.curve());
        let mut edge = SegmentationMeter::new(&[0.0, 0.5, 1.0]).unwrap();
        edge.add_logits("x", &[0.0, f32::NEG_INFINITY, f32::INFINITY], [true; 3]).unwrap();
        assert_eq!(edge.curve().iter().map(|(_, iou)| *iou).collect::<Vec<_>>(), [1.0, 2.0 / 3.0, 1.0 / 3.0]);
    }

    #[test]
    fn equal_thresholds_give_the_one_nearest_to_a_half() {
        let mut meter = SegmentationMeter::percents();
        meter.add_probabilities("a", &[0.9, 0.1], [true, false]).unwrap();
        assert_eq!(meter.best().unwrap().threshold, 0.5);
    }

    #[test]
    fn what_cannot_be_measured_is_refused() {
        for thresholds in [&[][..], &[0.5, 0.5], &[0.6, 0.5], &[-0.1], &[1.1], &[f32::NAN]] {
            assert!(SegmentationMeter::new(thresholds).is_err(), "{thresholds:?}");
        }
        let mut meter = SegmentationMeter::percents();
        assert!(meter.best().is_err());
        assert!(meter.scores(0.5).is_err());
        assert!(meter.add_probabilities("short", &[0.5], [true; 2]).unwrap_err().to_string().contains("short"));
        assert!(meter.add_probabilities("none", &[], []).is_err());
        assert!(meter.add_logits("nan", &[f32::NAN], [true]).unwrap_err().to_string().contains("nan has a pixel"));
        assert_eq!(meter.images(), 0);
        meter.add_logits("a", &[0.0], [true]).unwrap();
        assert!(meter.scores(0.455).is_err());
    }

    #[test]
    fn the_json_is_one_flat_object() {
        let mut meter = SegmentationMeter::percents();
        meter.add_probabilities("a", &P, M).unwrap();
        let json = serde_json::to_value(meter.scores(0.45).unwrap()).unwrap();
        assert_eq!(json["images"], 1);
        for key in ["mean_iou", "dice", "jaccard_thresholded", "pixel_sensitivity", "pixel_specificity", "threshold"] {
            assert!(json[key].is_number(), "{key}");
        }
        assert!(serde_json::to_string(&meter.scores(0.45).unwrap()).unwrap().contains("\"threshold\":0.45,"));
        assert_eq!(json["per_image"][0]["name"], "a");
    }
}
