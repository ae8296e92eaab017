//! Whether a photograph is like those a classifier was trained on: the distance of its features from training's nearest.
//!
//! Features are scaled to length 1, and the distance is 1 − cosine to the [`NEIGHBOUR`]th nearest of a sample of training
//! images (Sun, Ming, Zhu, Li: Out-of-Distribution Detection with Deep Nearest Neighbors, ICML 2022). The sample comes
//! from the training images, the limit from others; both travel in the weights file. With a ResNet-50 and HAM10000 this
//! told photographs with swapped colours or a quarter of the light from others far more often than distances to class
//! means, with or without the principal directions taken out.

use crate::data::{Labelled, LoaderOptions, OnUnreadable, Source, Unreadable};
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::models::Weights;
use crate::models::weights::FAMILIARITY_SAMPLE;
use crate::plan::{Plan, PlanOptions};
use crate::tensor::Tensor;

use super::classifier::{Classifier, unmasked};

/// The metadata's key of the limit.
pub const LIMIT: &str = "nevus.familiarity_limit";
/// The share of held-out photographs that [`Familiarity::set_limit`] lets count as familiar.
pub const QUANTILE: f64 = 0.99;
/// Which neighbour counts: not the nearest, which may be an odd one itself.
const NEIGHBOUR: usize = 5;
/// The most images of a sample: 2 MB in 16 bits with the 2048 features of a ResNet-50.
pub const MOST: usize = 500;

/// The features of photographs, as `classifier` sees them by its own view, row by row in their order, without those that
/// cannot be read, each of which a warning names. `progress` is told the images done; where it says `false` the work ends.
///
/// # Errors
/// As [`Classifier::measure_readable`].
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
    let loading =
        LoaderOptions { need_masks: false, cache_bytes: 0, on_unreadable: OnUnreadable::Skip, view, ..loading };
    let source = Source::labelled(unmasked(labelled, view), loading)?;
    let mut plans: Vec<(usize, Plan)> = Vec::new();
    let mut rows = vec![Vec::new(); labelled.samples.len()];
    let mut done = 0;
    for loaded in source.epoch(0, 0)? {
        let loaded = loaded?;
        let n = loaded.indices.len();
        for Unreadable { id, reason, .. } in &loaded.unreadable {
            tracing::warn!("{id} is left out, for it cannot be read: {reason}");
        }
        done += n + loaded.unreadable.len();
        if n == 0 {
            continue;
        }
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
        if !progress(done) {
            return Err(Error::Cancelled);
        }
    }
    rows.retain(|row| !row.is_empty());
    Ok(rows)
}

/// What is known of the training images' features.
#[derive(Debug, Clone, PartialEq)]
pub struct Familiarity {
    /// A sample's features, each row of length 1.
    sample: Vec<Vec<f32>>,
    /// The distance above which a photograph counts as unlike those of training.
    limit: f64,
}

impl Familiarity {
    /// From the features of training images. The limit is infinite until [`Familiarity::set_limit`].
    ///
    /// # Errors
    /// [`Error::Parameter`] where there are fewer images than neighbours that count or more than [`MOST`], or rows differ
    /// in length, are zero or hold values that are not finite.
    pub fn fit(features: &[Vec<f32>]) -> Result<Self> {
        let wrong = |message: String| Error::parameter("familiarity", message);
        if !(NEIGHBOUR..=MOST).contains(&features.len()) {
            return Err(wrong(format!("a sample of {} images, expected {NEIGHBOUR} to {MOST}", features.len())));
        }
        let width = features[0].len();
        let sample: Option<Vec<Vec<f32>>> = features.iter().map(|row| unit(row)).collect();
        match sample {
            Some(sample) if sample.iter().all(|row| row.len() == width) => Ok(Self { sample, limit: f64::INFINITY }),
            _ => Err(wrong("rows of features that differ in length, are zero or not finite".into())),
        }
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

    /// The distance to the [`NEIGHBOUR`]th nearest of the sample, 0 to 2; 1 for features that are zero.
    ///
    /// # Errors
    /// [`Error::Parameter`] for another number of features.
    pub fn distance(&self, features: &[f32]) -> Result<f64> {
        let width = self.sample.first().map_or(0, Vec::len);
        if features.len() != width {
            return Err(Error::parameter("familiarity", format!("{} features, expected {width}", features.len())));
        }
        let Some(features) = unit(features) else { return Ok(1.0) };
        let cosine =
            |row: &Vec<f32>| row.iter().zip(&features).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
        let mut distances: Vec<f64> = self.sample.iter().map(|row| (1.0 - cosine(row)).max(0.0)).collect();
        distances.sort_by(f64::total_cmp);
        Ok(distances[NEIGHBOUR - 1])
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
        let width = self.sample.first().map_or(0, Vec::len);
        weights.insert(FAMILIARITY_SAMPLE, Tensor::new([self.sample.len(), width], self.sample.concat())?);
        weights.metadata.insert(LIMIT.into(), self.limit.to_string());
        Ok(())
    }

    /// What weights hold of it, `None` where that is nothing.
    ///
    /// # Errors
    /// [`Error::Weights`] where the sample is missing or no sample, or the limit is no number above 0.
    pub fn of(weights: &Weights) -> Result<Option<Self>> {
        let Some(text) = weights.metadata.get(LIMIT) else { return Ok(None) };
        let limit = text.parse().ok().filter(|limit: &f64| limit.is_finite() && *limit > 0.0);
        let limit = limit.ok_or_else(|| weights.error(format!("metadata {LIMIT} is {text:?}, expected above 0")))?;
        let none = || weights.error(format!("tensor {FAMILIARITY_SAMPLE:?} is missing, though {LIMIT} is there"));
        let sample = weights.get(FAMILIARITY_SAMPLE).ok_or_else(none)?;
        let &[_, width] = sample.shape() else {
            return Err(weights
                .error(format!("tensor {FAMILIARITY_SAMPLE:?} has shape {:?}, expected two sizes", sample.shape())));
        };
        let rows: Vec<Vec<f32>> = sample.data().chunks(width.max(1)).map(<[f32]>::to_vec).collect();
        let known =
            Self::fit(&rows).map_err(|error| weights.error(format!("tensor {FAMILIARITY_SAMPLE:?}: {error}")))?;
        Ok(Some(Self { limit, ..known }))
    }
}

/// A row at length 1; nothing where it is zero or not finite.
fn unit(row: &[f32]) -> Option<Vec<f32>> {
    let length = row.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
    (length.is_finite() && length > 0.0).then(|| row.iter().map(|value| (f64::from(*value) / length) as f32).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::rng::Rng;

    /// Features about one of three directions of sixteen, and as long as it comes.
    fn drawn(seed: u64, count: u64) -> Vec<Vec<f32>> {
        let row = |at: u64| {
            let mut rng = Rng::new(seed, "familiar", &[at]);
            let long = rng.range(0.5, 4.0);
            (0..16).map(|f| long * (0.1f32.mul_add(rng.normal(), if f == at % 3 { 1.0 } else { 0.0 }))).collect()
        };
        (0..count).map(row).collect()
    }

    fn within(known: &Familiarity, rows: &[Vec<f32>]) -> usize {
        rows.iter().filter(|row| known.distance(row).unwrap() <= known.limit()).count()
    }

    #[test]
    fn what_is_like_training_is_near_and_what_is_not_is_far() {
        let mut known = Familiarity::fit(&drawn(1, 300)).unwrap();
        let held_out = drawn(2, 300);
        known.set_limit(&held_out).unwrap();
        assert_eq!(within(&known, &held_out), 297);
        let others = drawn(3, 300);
        assert!(within(&known, &others) > 285, "{}", within(&known, &others));
        let turned: Vec<Vec<f32>> = others.iter().map(|row| row.iter().rev().copied().collect()).collect();
        assert_eq!(within(&known, &turned), 0);
        let longer: Vec<Vec<f32>> = others.iter().map(|row| row.iter().map(|v| 9.0 * v).collect()).collect();
        assert_eq!(within(&known, &longer), within(&known, &others));
    }

    #[test]
    fn the_fifth_neighbour_by_hand() {
        // Unit vectors at 0, 10, … 50 degrees from the first axis: from 0 the fifth nearest is at 40.
        let at = |degrees: f32| vec![degrees.to_radians().cos(), degrees.to_radians().sin()];
        let known = Familiarity::fit(&[at(50.0), at(0.0), at(20.0), at(30.0), at(10.0), at(40.0)]).unwrap();
        let wanted = 1.0 - 40f64.to_radians().cos();
        assert!((known.distance(&[7.0, 0.0]).unwrap() - wanted).abs() < 1e-6);
        assert_eq!(known.distance(&[0.0, 0.0]).unwrap(), 1.0);
        assert!(known.distance(&[1.0]).is_err());
    }

    #[test]
    fn it_travels_in_the_weights() {
        let mut known = Familiarity::fit(&drawn(1, 60)).unwrap();
        let mut weights = Weights::new();
        assert!(known.store(&mut weights).unwrap_err().to_string().contains("set_limit"));
        known.set_limit(&drawn(2, 60)).unwrap();
        known.store(&mut weights).unwrap();
        let back = Familiarity::of(&weights).unwrap().unwrap();
        assert_eq!(back.limit(), known.limit());
        for row in drawn(3, 20) {
            assert!((back.distance(&row).unwrap() - known.distance(&row).unwrap()).abs() < 1e-6);
        }
        assert_eq!(Familiarity::of(&Weights::new()).unwrap(), None);
        weights.tensors.remove(FAMILIARITY_SAMPLE);
        assert!(Familiarity::of(&weights).unwrap_err().to_string().contains(FAMILIARITY_SAMPLE));
        weights.metadata.insert(LIMIT.into(), "-1".into());
        assert!(Familiarity::of(&weights).unwrap_err().to_string().contains(LIMIT));
    }

    #[test]
    fn refuses() {
        let rows = drawn(1, 6);
        assert!(Familiarity::fit(&rows[..4]).is_err());
        assert!(Familiarity::fit(&drawn(1, MOST as u64 + 1)).is_err());
        for odd in [vec![1.0; 3], vec![0.0; 16], vec![f32::NAN; 16]] {
            let mut rows = rows.clone();
            rows.push(odd);
            assert!(Familiarity::fit(&rows).is_err());
        }
        assert!(Familiarity::fit(&rows).unwrap().set_limit(&[]).is_err());
    }
}
