//! Intervals by drawing lesions again and again.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::data::rng::Rng;

/// How intervals are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bootstrap {
    /// How often lesions are drawn.
    pub resamples: u32,
    /// Keys what is drawn.
    pub seed: u64,
}

impl Default for Bootstrap {
    fn default() -> Self {
        Self { resamples: 1000, seed: 1 }
    }
}

/// The middle 95 % of a figure over resamples.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The 2.5th percentile.
    pub low: f64,
    /// The 97.5th percentile.
    pub high: f64,
}

impl Bootstrap {
    /// The intervals of what `figures` gives for the weights of photographs: how often each one's lesion was drawn.
    /// `lesions` names what each photograph shows. A figure that a resample does not have is left out of it.
    pub fn intervals(
        &self,
        lesions: &[&str],
        figures: impl Fn(&[f64]) -> Vec<(String, f64)>,
    ) -> BTreeMap<String, Interval> {
        let mut numbers: BTreeMap<&str, usize> = BTreeMap::new();
        for lesion in lesions {
            let next = numbers.len();
            numbers.entry(lesion).or_insert(next);
        }
        let of_image: Vec<usize> = lesions.iter().map(|lesion| numbers[lesion]).collect();
        let mut drawn: BTreeMap<String, Vec<f64>> = BTreeMap::new();
        for resample in 0..self.resamples {
            let mut rng = Rng::new(self.seed, "bootstrap", &[u64::from(resample)]);
            let mut counts = vec![0.0; numbers.len()];
            for _ in 0..numbers.len() {
                counts[rng.below(numbers.len())] += 1.0;
            }
            let weights: Vec<f64> = of_image.iter().map(|&lesion| counts[lesion]).collect();
            for (name, value) in figures(&weights) {
                drawn.entry(name).or_default().push(value);
            }
        }
        drawn.into_iter().map(|(name, values)| (name, interval(values))).collect()
    }
}

fn interval(mut values: Vec<f64>) -> Interval {
    values.sort_by(f64::total_cmp);
    Interval { low: percentile(&values, 0.025), high: percentile(&values, 0.975) }
}

/// Between the two values next to it, in proportion (numpy's default).
fn percentile(sorted: &[f64], share: f64) -> f64 {
    let place = share * sorted.len().saturating_sub(1) as f64;
    let (low, part) = (place.floor() as usize, place.fract());
    let at = |index: usize| sorted.get(index.min(sorted.len().saturating_sub(1))).copied().unwrap_or(f64::NAN);
    at(low) + part * (at(low + 1) - at(low))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_by_hand() {
        let values: Vec<f64> = (0..=40).map(f64::from).collect();
        assert_eq!((percentile(&values, 0.025), percentile(&values, 0.975)), (1.0, 39.0));
        assert_eq!(percentile(&[1.0, 2.0], 0.25), 1.25);
        assert_eq!(percentile(&[3.0], 0.975), 3.0);
        assert!(percentile(&[], 0.5).is_nan());
    }

    #[test]
    fn the_mean_of_coins_has_the_interval_of_theory() {
        // 400 lesions, half of them ones: the mean's deviation is 0.5 / √400 = 0.025.
        let names: Vec<String> = (0..400).map(|i| i.to_string()).collect();
        let lesions: Vec<&str> = names.iter().map(String::as_str).collect();
        let mean = |weights: &[f64]| {
            let ones: f64 = weights.iter().enumerate().filter(|(i, _)| i % 2 == 0).map(|(_, w)| w).sum();
            vec![("mean".to_owned(), ones / weights.iter().sum::<f64>())]
        };
        let bootstrap = Bootstrap { resamples: 2000, seed: 4 };
        let found = bootstrap.intervals(&lesions, mean)["mean"];
        assert!((found.low - 0.451).abs() < 0.005 && (found.high - 0.549).abs() < 0.005, "{found:?}");
        assert_eq!(bootstrap.intervals(&lesions, mean)["mean"], found);
        assert_ne!(Bootstrap { seed: 5, ..bootstrap }.intervals(&lesions, mean)["mean"], found);
    }

    #[test]
    fn photographs_of_a_lesion_are_drawn_together() {
        // The same 400 photographs of 100 lesions, all alike within one: twice as wide an interval.
        let names: Vec<String> = (0..400).map(|i| (i / 4).to_string()).collect();
        let lesions: Vec<&str> = names.iter().map(String::as_str).collect();
        let mean = |weights: &[f64]| {
            assert!(weights.chunks(4).all(|four| four.iter().all(|w| *w == four[0])));
            let ones: f64 = weights.iter().enumerate().filter(|(i, _)| i / 4 % 2 == 0).map(|(_, w)| w).sum();
            vec![("mean".to_owned(), ones / weights.iter().sum::<f64>())]
        };
        let found = Bootstrap { resamples: 2000, seed: 4 }.intervals(&lesions, mean)["mean"];
        assert!((found.low - 0.402).abs() < 0.012 && (found.high - 0.598).abs() < 0.012, "{found:?}");
    }
}
