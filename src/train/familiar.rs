//! Whether a photograph is like those a classifier was trained on: the distance of its features from the classes' means.
//!
//! The distance to a class is the root of the mean, over features, of ((f − μ_class) / σ)²: Mahalanobis's with one
//! diagonal covariance for all classes (after Lee, Lee, Lee, Shin: A Simple Unified Framework for Detecting
//! Out-of-Distribution Samples, NeurIPS 2018, which ties the full one). A photograph's distance is that to the nearest
//! class, about 1 for one like those of training. Means and deviations come from the training images, the limit from
//! others; all three travel in the weights file.

use crate::data::{Labelled, LoaderOptions, Source};
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::models::Weights;
use crate::plan::{Plan, PlanOptions};
use crate::tensor::Tensor;

use super::classifier::{Classifier, unmasked};

/// The tensor of the classes' means, (classes, features).
pub const MEANS: &str = "familiarity.means";
/// The tensor of the deviations within a class, (features).
pub const DEVIATIONS: &str = "familiarity.deviations";
/// The metadata's key of the limit.
pub const LIMIT: &str = "nevus.familiarity_limit";
/// The share of held-out photographs that [`Familiarity::set_limit`] lets count as familiar.
pub const QUANTILE: f64 = 0.99;
/// A deviation is taken for no less than this share of the mean one, so that a feature that training never saw move
/// does not decide alone.
const LEAST: f64 = 0.05;

/// The features of photographs, as `classifier` sees them by its own view, row by row in their order. `progress` is told
/// the images done; where it says `false` the work ends.
///
/// # Errors
/// As [`Classifier::measure`].
pub fn features(
    gpu: &Gpu,
    classifier: &Classifier,
    labelled: &Labelled,
    batch: usize,
    options: &PlanOptions,
    progress: &mut dyn FnMut(usize) -> bool,
) -> Result<Vec<Vec<f32>>> {
    let known = classifier.options();
    let ([height, width], view) = (known.size, known.view);
    let batch = batch.min(labelled.samples.len()).max(1);
    let loading = LoaderOptions::evaluation(height, width, batch);
    let loading = LoaderOptions { need_masks: false, cache_bytes: 0, view, ..loading };
    let source = Source::labelled(unmasked(labelled, view), loading)?;
    let mut plans: Vec<(usize, Plan)> = Vec::new();
    let mut rows = vec![Vec::new(); labelled.samples.len()];
    let mut done = 0;
    for loaded in source.epoch(0, 0)? {
        let loaded = loaded?;
        let n = loaded.indices.len();
        if !plans.iter().any(|(size, _)| *size == n) {
            let (graph, outputs) = known.outputs(n)?;
            plans.push((n, Plan::new(gpu, &graph, &[outputs.features], options)?));
        }
        let plan = plans.iter().find(|(size, _)| *size == n).map(|(_, plan)| plan);
        let Some(plan) = plan else { continue };
        let outputs = plan.run(classifier.params(), &[("image", &loaded.images)])?;
        let width = known.net.features();
        for (&index, row) in loaded.indices.iter().zip(outputs[0].data().chunks(width)) {
            rows[index] = row.to_vec();
        }
        done += n;
        if !progress(done) {
            return Err(Error::Cancelled);
        }
    }
    Ok(rows)
}

/// What is known of the training images' features.
#[derive(Debug, Clone, PartialEq)]
pub struct Familiarity {
    /// Class by class the mean of each feature.
    means: Vec<Vec<f64>>,
    /// The deviation of each feature within its class.
    deviations: Vec<f64>,
    /// The distance above which a photograph counts as unlike those of training.
    limit: f64,
}

impl Familiarity {
    /// From the features of training images and their classes. The limit is infinite until [`Familiarity::set_limit`].
    ///
    /// # Errors
    /// [`Error::Parameter`] where there are fewer than two images, a class is out of range, rows differ in length or
    /// hold values that are not finite.
    pub fn fit(features: &[Vec<f32>], labels: &[usize], classes: usize) -> Result<Self> {
        let wrong = |message: String| Error::parameter("familiarity", message);
        let width = features.first().map_or(0, Vec::len);
        if features.len() < 2 || features.len() != labels.len() || width == 0 {
            let message = format!("{} rows of {width} features and {} classes", features.len(), labels.len());
            return Err(wrong(format!("{message}, expected as many of each, two or more")));
        }
        if features.iter().any(|row| row.len() != width || row.iter().any(|value| !value.is_finite())) {
            return Err(wrong("rows of features that differ in length or are not finite".into()));
        }
        if let Some(label) = labels.iter().find(|label| **label >= classes) {
            return Err(wrong(format!("class {label}, expected one of {classes}")));
        }
        let mut means = vec![vec![0.0; width]; classes];
        let mut counts = vec![0.0; classes];
        for (row, &label) in features.iter().zip(labels) {
            counts[label] += 1.0;
            means[label].iter_mut().zip(row).for_each(|(sum, value)| *sum += f64::from(*value));
        }
        for (mean, count) in means.iter_mut().zip(&counts) {
            mean.iter_mut().for_each(|sum| *sum /= f64::max(*count, 1.0));
        }
        let mut deviations = vec![0.0; width];
        for (row, &label) in features.iter().zip(labels) {
            for ((sum, value), mean) in deviations.iter_mut().zip(row).zip(&means[label]) {
                *sum += (f64::from(*value) - mean).powi(2);
            }
        }
        deviations.iter_mut().for_each(|sum| *sum = (*sum / features.len() as f64).sqrt());
        let least = LEAST * deviations.iter().sum::<f64>() / width as f64;
        deviations.iter_mut().for_each(|deviation| *deviation = deviation.max(least).max(f64::MIN_POSITIVE));
        // A class without an image has no mean to be near to.
        let means = means.into_iter().zip(&counts).filter(|(_, count)| **count > 0.0).map(|(mean, _)| mean).collect();
        Ok(Self { means, deviations, limit: f64::INFINITY })
    }

    /// Sets the limit so that a share of [`QUANTILE`] of held-out photographs lies within it.
    ///
    /// # Errors
    /// [`Error::Parameter`] where there is none, or one has other features.
    pub fn set_limit(&mut self, features: &[Vec<f32>]) -> Result<()> {
        let mut distances = features.iter().map(|row| self.distance(row)).collect::<Result<Vec<f64>>>()?;
        distances.sort_by(f64::total_cmp);
        let place = (QUANTILE * distances.len() as f64).ceil() as usize;
        let limit = distances.get(place.saturating_sub(1)).copied();
        self.limit = limit.ok_or_else(|| Error::parameter("familiarity", "no held-out photographs"))?;
        Ok(())
    }

    /// The distance to the nearest class.
    ///
    /// # Errors
    /// [`Error::Parameter`] for another number of features.
    pub fn distance(&self, features: &[f32]) -> Result<f64> {
        let width = self.deviations.len();
        if features.len() != width {
            return Err(Error::parameter("familiarity", format!("{} features, expected {width}", features.len())));
        }
        let to = |mean: &Vec<f64>| {
            let parts = features.iter().zip(mean).zip(&self.deviations);
            (parts.map(|((f, mean), dev)| ((f64::from(*f) - mean) / dev).powi(2)).sum::<f64>() / width as f64).sqrt()
        };
        Ok(self.means.iter().map(to).fold(f64::INFINITY, f64::min))
    }

    /// The distance above which a photograph counts as unlike those of training.
    #[must_use]
    pub fn limit(&self) -> f64 {
        self.limit
    }

    /// Puts it into weights.
    ///
    /// # Errors
    /// [`Error::Parameter`] where no limit is set.
    pub fn store(&self, weights: &mut Weights) -> Result<()> {
        if !self.limit.is_finite() {
            return Err(Error::parameter("familiarity", "has no limit (hint: set_limit from held-out photographs)"));
        }
        let flat = |values: &[f64]| values.iter().map(|value| *value as f32).collect::<Vec<f32>>();
        let means = Tensor::new([self.means.len(), self.deviations.len()], flat(&self.means.concat()))?;
        weights.insert(MEANS, means);
        weights.insert(DEVIATIONS, Tensor::new([self.deviations.len()], flat(&self.deviations))?);
        weights.metadata.insert(LIMIT.into(), self.limit.to_string());
        Ok(())
    }

    /// What weights hold of it, `None` where that is nothing.
    ///
    /// # Errors
    /// [`Error::Weights`] where a part is missing or has another shape than the others.
    pub fn of(weights: &Weights) -> Result<Option<Self>> {
        let Some(text) = weights.metadata.get(LIMIT) else { return Ok(None) };
        let limit = text.parse().ok().filter(|limit: &f64| limit.is_finite() && *limit > 0.0);
        let limit = limit.ok_or_else(|| weights.error(format!("metadata {LIMIT} is {text:?}, expected above 0")))?;
        let none = |name: &str| weights.error(format!("tensor {name:?} is missing, though {LIMIT} is there"));
        let means = weights.get(MEANS).ok_or_else(|| none(MEANS))?;
        let &[classes, width] = means.shape() else {
            return Err(weights.error(format!("tensor {MEANS:?} has shape {:?}, expected two sizes", means.shape())));
        };
        let deviations = weights.require(DEVIATIONS, &[width])?;
        if classes == 0 || width == 0 || deviations.data().iter().any(|deviation| *deviation <= 0.0) {
            return Err(weights.error(format!("tensor {DEVIATIONS:?} holds deviations that are not above 0")));
        }
        let wide = |values: &[f32]| values.iter().map(|value| f64::from(*value)).collect::<Vec<f64>>();
        let means = means.data().chunks(width).map(wide).collect();
        Ok(Some(Self { means, deviations: wide(deviations.data()), limit }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::rng::Rng;

    /// Images of two classes: features about (±2, 0, …) with deviation 1 in the first half and 0.1 in the second.
    fn drawn(seed: u64, count: usize) -> (Vec<Vec<f32>>, Vec<usize>) {
        let labels: Vec<usize> = (0..count).map(|at| at % 2).collect();
        let rows = labels.iter().enumerate().map(|(at, label)| {
            let mut rng = Rng::new(seed, "familiar", &[at as u64]);
            let center = if *label == 0 { 2.0 } else { -2.0 };
            let row = (0..16).map(|f| {
                let deviation: f32 = if f < 8 { 1.0 } else { 0.1 };
                deviation.mul_add(rng.normal(), if f == 0 { center } else { 0.0 })
            });
            row.collect()
        });
        (rows.collect(), labels)
    }

    #[test]
    fn what_is_like_training_is_near_and_what_is_not_is_far() {
        let (features, labels) = drawn(1, 400);
        let mut known = Familiarity::fit(&features, &labels, 2).unwrap();
        let held_out = drawn(2, 300).0;
        known.set_limit(&held_out).unwrap();
        let within =
            |rows: &[Vec<f32>]| rows.iter().filter(|row| known.distance(row).unwrap() <= known.limit()).count();
        assert_eq!(within(&held_out), 297);
        let others = drawn(3, 300).0;
        assert!(within(&others) > 285, "{}", within(&others));
        // Shifted by one where training varies by 0.1.
        let shifted: Vec<Vec<f32>> = others.iter().map(|row| row.iter().map(|v| v + 1.0).collect()).collect();
        assert_eq!(within(&shifted), 0);
        // Between the classes lies no class: two deviations off in one of sixteen features.
        let mut middle = vec![0.0; 16];
        assert!((known.distance(&middle).unwrap() - (4.0f64 / 16.0).sqrt()).abs() < 0.1);
        middle.pop();
        assert!(known.distance(&middle).is_err());
    }

    #[test]
    fn it_travels_in_the_weights() {
        let (features, labels) = drawn(1, 60);
        let mut known = Familiarity::fit(&features, &labels, 3).unwrap();
        let mut weights = Weights::new();
        assert!(known.store(&mut weights).unwrap_err().to_string().contains("set_limit"));
        known.set_limit(&features).unwrap();
        known.store(&mut weights).unwrap();
        let back = Familiarity::of(&weights).unwrap().unwrap();
        assert_eq!(back.limit(), known.limit());
        for row in &features {
            assert!((back.distance(row).unwrap() - known.distance(row).unwrap()).abs() < 1e-5);
        }
        assert_eq!(Familiarity::of(&Weights::new()).unwrap(), None);
        weights.tensors.remove(DEVIATIONS);
        assert!(Familiarity::of(&weights).unwrap_err().to_string().contains(DEVIATIONS));
    }

    #[test]
    fn refuses() {
        let row = vec![1.0f32, 2.0];
        assert!(Familiarity::fit(std::slice::from_ref(&row), &[0], 1).is_err());
        assert!(Familiarity::fit(&[row.clone(), row.clone()], &[0, 2], 2).is_err());
        assert!(Familiarity::fit(&[row.clone(), vec![1.0]], &[0, 1], 2).is_err());
        assert!(Familiarity::fit(&[row.clone(), vec![1.0, f32::NAN]], &[0, 1], 2).is_err());
        let mut same = Familiarity::fit(&[row.clone(), row.clone()], &[0, 0], 1).unwrap();
        assert!(same.set_limit(&[]).is_err());
        assert_eq!(same.distance(&row).unwrap(), 0.0);
    }
}
