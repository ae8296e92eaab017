//! Mixup (Zhang, Cissé, Dauphin, Lopez-Paz 2018): photographs of a batch in pairs, λ of one and 1 − λ of the other, and
//! their targets alike; λ ~ Beta(α, α), drawn anew for each pair from (seed, step) alone.

use crate::data::rng::Rng;
use crate::error::Result;
use crate::tensor::Tensor;

/// How a batch is mixed.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Mixed {
    /// For each photograph the one it is mixed with, and its own share.
    pairs: Vec<(usize, f32)>,
}

impl Mixed {
    pub(super) fn draw(count: usize, alpha: f32, seed: u64, step: u64) -> Self {
        let mut rng = Rng::new(seed, "mixup", &[step]);
        let others = rng.permutation(count);
        Self { pairs: others.into_iter().map(|other| (other, beta(alpha, &mut rng))).collect() }
    }

    /// Mixes images (n, …).
    pub(super) fn images(&self, images: &mut Tensor) {
        let before = images.data().to_vec();
        let len = before.len() / self.pairs.len().max(1);
        for (image, (own, &(other, share))) in
            images.data_mut().chunks_exact_mut(len).zip(before.chunks_exact(len).zip(&self.pairs))
        {
            let other = &before[other * len..(other + 1) * len];
            for ((value, own), other) in image.iter_mut().zip(own).zip(other) {
                *value = share * own + (1.0 - share) * other;
            }
        }
    }

    /// The targets (n, classes) for a cross-entropy that takes probabilities: smoothed, mixed, and weighed by class so
    /// that its mean over the batch is the weighted mean that cross-entropy with class weights takes.
    pub(super) fn targets(&self, classes: &[usize], weights: &[f32], smoothing: f32) -> Result<Tensor> {
        let (n, count) = (classes.len(), weights.len());
        let mut target = vec![0.0; n * count];
        let mut total = 0.0;
        for (row, (own, &(other, share))) in target.chunks_exact_mut(count).zip(classes.iter().zip(&self.pairs)) {
            for (class, part) in [(*own, share), (classes[other], 1.0 - share)] {
                row[class] += (1.0 - smoothing) * part * weights[class];
                total += part * weights[class];
            }
            for (value, weight) in row.iter_mut().zip(weights) {
                *value += smoothing / count as f32 * weight;
            }
        }
        let scale = n as f32 / total;
        target.iter_mut().for_each(|value| *value *= scale);
        Tensor::new([n, count], target)
    }
}

/// A draw from Beta(α, α), α above 0 and at most 1 (Jöhnk 1964).
fn beta(alpha: f32, rng: &mut Rng) -> f32 {
    let power = 1.0 / alpha;
    for _ in 0..1000 {
        let (x, y) = (rng.unit().powf(power), rng.unit().powf(power));
        if x + y > 0.0 && x + y <= 1.0 {
            return x / (x + y);
        }
    }
    // For the smallest α both powers underflow: one of the two photographs is all of it.
    f32::from(u8::from(rng.chance(0.5)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_and_targets_by_hand() {
        let mixed = Mixed { pairs: vec![(1, 0.75), (1, 0.5)] };
        let mut images = Tensor::new([2, 2], vec![4.0, 8.0, 0.0, 4.0]).unwrap();
        mixed.images(&mut images);
        assert_eq!(images.data(), [3.0, 7.0, 0.0, 4.0]);
        let alike = mixed.targets(&[0, 1], &[1.0, 1.0], 0.0).unwrap();
        assert_eq!(alike.data(), [0.75, 0.25, 0.0, 1.0]);
        let smooth = mixed.targets(&[0, 1], &[1.0, 1.0], 0.5).unwrap();
        assert_eq!(smooth.data(), [0.625, 0.375, 0.25, 0.75]);
        // Weights 3 and 1: the total is 0.75·3 + 0.25 + 1 = 3.5, so that rows are scaled by 2 / 3.5.
        let weighed = mixed.targets(&[0, 1], &[3.0, 1.0], 0.0).unwrap();
        let expected = [2.25, 0.25, 0.0, 1.0].map(|value: f32| value * 2.0 / 3.5);
        assert!(weighed.data().iter().zip(expected).all(|(g, e)| (g - e).abs() < 1e-6), "{weighed:?}");
    }

    #[test]
    fn shares_are_those_of_a_beta_distribution() {
        for (alpha, seed) in [(1.0f32, 1), (0.4, 2), (0.1, 3)] {
            let mut rng = Rng::new(seed, "beta", &[]);
            let draws: Vec<f64> = (0..40_000).map(|_| f64::from(beta(alpha, &mut rng))).collect();
            let mean = draws.iter().sum::<f64>() / 40_000.0;
            let variance = draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 40_000.0;
            let expected = 1.0 / (4.0 * (2.0 * f64::from(alpha) + 1.0));
            assert!(
                (mean - 0.5).abs() < 0.01 && (variance / expected - 1.0).abs() < 0.03,
                "{alpha}: {mean} {variance}"
            );
        }
        assert_eq!(Mixed::draw(8, 0.4, 1, 2), Mixed::draw(8, 0.4, 1, 2));
        assert_ne!(Mixed::draw(8, 0.4, 1, 2), Mixed::draw(8, 0.4, 1, 3));
    }
}
