//! Which learning rate to train with: the loss while it grows from step to step (Smith 2017, "Cyclical Learning Rates for
//! Training Neural Networks", section 3.3).

use serde::{Deserialize, Serialize};

use crate::data::Batch;
use crate::error::{Error, Result};
use crate::models::weights::Loaded;
use crate::tensor::Tensor;

use super::session::Engine;

/// What a loss is averaged over, as the share that each step keeps.
const SMOOTHING: f64 = 0.9;
/// A loss so many times the least one ends the search.
const DIVERGED: f64 = 4.0;
/// Steps before a suggestion is looked for, and before the search may end.
const LEAST_STEPS: usize = 10;

/// Learning rates to try.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LrRange {
    /// The first.
    pub low: f32,
    /// The last.
    pub high: f32,
    /// Steps from the first to the last, each the same factor above the one before.
    pub steps: u64,
}

impl Default for LrRange {
    fn default() -> Self {
        Self { low: 1e-6, high: 1.0, steps: 100 }
    }
}

/// A step of the search.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct LrPoint {
    /// Its learning rate.
    pub lr: f32,
    /// Its loss.
    pub loss: f32,
    /// The mean loss of the steps up to it, the last ones counting most.
    pub smoothed: f64,
}

/// What a search found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LrFound {
    /// Step by step, until the loss had grown too large or the range was done.
    pub points: Vec<LrPoint>,
    /// The learning rate at which the smoothed loss falls most steeply; `None` where it never falls.
    pub suggestion: Option<f32>,
    /// Whether it was stopped before its end: then nothing is suggested.
    pub stopped: bool,
    /// What of the weights to start from was used; `None` for a fresh fill.
    pub loaded: Option<Loaded>,
}

impl LrRange {
    /// Refuses what is no range.
    ///
    /// # Errors
    /// [`Error::Parameter`].
    pub fn check(&self) -> Result<()> {
        let Self { low, high, steps } = *self;
        let sound = low > 0.0 && high > low && high.is_finite() && steps >= LEAST_STEPS as u64;
        if sound {
            return Ok(());
        }
        let message =
            format!("{low} to {high} in {steps} steps, expected rising rates above 0 and {LEAST_STEPS} steps or more");
        Err(Error::parameter("find-lr", message))
    }

    /// The learning rate of a step, from 0.
    #[must_use]
    pub fn lr(&self, step: u64) -> f32 {
        let share = step as f64 / self.steps.saturating_sub(1).max(1) as f64;
        (f64::from(self.low) * (f64::from(self.high) / f64::from(self.low)).powf(share.min(1.0))) as f32
    }
}

/// Runs the search on an engine whose parameters are set; they are spoilt after it. What was loaded, who set them knows.
pub(super) fn search(
    engine: &Engine,
    range: &LrRange,
    feed: impl Fn(Batch, u64) -> Result<Vec<(String, Tensor)>>,
    tell: &mut dyn FnMut(u64, LrPoint) -> bool,
) -> Result<LrFound> {
    range.check()?;
    let mut points: Vec<LrPoint> = Vec::new();
    let mut mean = 0.0;
    for epoch in 0.. {
        for batch in engine.source.epoch(epoch, 0)? {
            let done = points.len() as u64;
            if done >= range.steps {
                return Ok(found(points));
            }
            let (step, lr) = (done + 1, range.lr(done));
            let scalars = engine.submit(feed(batch?, step)?, step, lr)?.wait()?;
            if !scalars.taken {
                return Ok(found(points));
            }
            let loss = scalars.loss;
            mean = SMOOTHING * mean + (1.0 - SMOOTHING) * f64::from(loss);
            let smoothed = mean / (1.0 - SMOOTHING.powf(step as f64));
            let point = LrPoint { lr, loss, smoothed };
            points.push(point);
            if !tell(step, point) {
                return Ok(LrFound { suggestion: None, stopped: true, ..found(points) });
            }
            let settled = points.iter().skip(LEAST_STEPS).map(|point| point.smoothed);
            if smoothed > DIVERGED * settled.fold(f64::INFINITY, f64::min) {
                return Ok(found(points));
            }
        }
    }
    Ok(found(points))
}

fn found(points: Vec<LrPoint>) -> LrFound {
    LrFound { suggestion: steepest(&points), points, stopped: false, loaded: None }
}

/// Where the smoothed loss falls most steeply over the logarithm of the learning rate, before its least value.
fn steepest(points: &[LrPoint]) -> Option<f32> {
    // Before, the mean is that of a few batches, and one easy batch would pass for the least loss of all.
    let least = (LEAST_STEPS..points.len()).min_by(|&a, &b| points[a].smoothed.total_cmp(&points[b].smoothed))?;
    let slope = |at: usize| {
        let (a, b) = (points[at - 1], points[at + 1]);
        (b.smoothed - a.smoothed) / f64::from(b.lr / a.lr).ln()
    };
    let inner = LEAST_STEPS..points.len().saturating_sub(1).min(least + 1);
    let at = inner.min_by(|&a, &b| slope(a).total_cmp(&slope(b)))?;
    (slope(at) < 0.0).then_some(points[at].lr)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_grow_by_one_factor() {
        let range = LrRange { low: 1e-4, high: 1.0, steps: 13 };
        range.check().unwrap();
        assert!((range.lr(0) / 1e-4 - 1.0).abs() < 1e-5 && (range.lr(12) - 1.0).abs() < 1e-6);
        assert!((range.lr(6) / 1e-2 - 1.0).abs() < 1e-4);
        for bad in [LrRange { low: 0.0, ..range }, LrRange { high: 1e-5, ..range }, LrRange { steps: 3, ..range }] {
            assert!(bad.check().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_steepest_fall_is_suggested() {
        let range = LrRange { low: 1e-5, high: 1.0, steps: 101 };
        // Flat, a fall whose middle is at 1e-3, a rise from 1e-1 on.
        let loss = |lr: f64| 2.0 - 1.0 / (1.0 + (-3.0 * (lr.log10() + 3.0)).exp()) + 40.0 * (lr - 0.1).max(0.0);
        let point = |step| {
            let lr = range.lr(step);
            LrPoint { lr, loss: 0.0, smoothed: loss(f64::from(lr)) }
        };
        let points: Vec<LrPoint> = (0..101).map(point).collect();
        let suggested = steepest(&points).unwrap();
        assert!((suggested.log10() + 3.0).abs() < 0.1, "{suggested}");
        let mut lucky = points.clone();
        lucky[0].smoothed = 0.1;
        assert_eq!(steepest(&lucky), Some(suggested), "an easy first batch");
        let rising: Vec<LrPoint> =
            points.iter().map(|point| LrPoint { smoothed: f64::from(point.lr), ..*point }).collect();
        assert_eq!(steepest(&rising), None);
        assert_eq!(steepest(&[]), None);
    }
}
