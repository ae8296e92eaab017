//! Whether probabilities mean what they say, and the temperature that makes them.
//!
//! Guo, Pleiss, Sun, Weinberger 2017, "On Calibration of Modern Neural Networks": the expected calibration error over
//! equal bins of the top probability, and one temperature T by which logits are divided, fitted on val by its negative
//! log-likelihood.

use serde::{Deserialize, Serialize};

/// Bins of [`reliability`] as Guo et al. have them.
pub const BINS: usize = 15;
/// Where a temperature is looked for.
const RANGE: [f64; 2] = [0.05, 20.0];

/// The photographs whose top probability lies in one bin.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Bin {
    /// Where the bin begins.
    pub from: f64,
    /// Where it ends; its end belongs to it, its beginning to the one before.
    pub to: f64,
    /// How many photographs are in it.
    pub count: f64,
    /// Their mean top probability; 0 in an empty bin.
    pub confidence: f64,
    /// How many of them are right, as a share; 0 in an empty bin.
    pub accuracy: f64,
}

/// Photographs by their top probability: each is (top probability, whether it is right, weight).
#[must_use]
pub fn reliability(tops: &[(f64, bool, f64)]) -> Vec<Bin> {
    let mut sums = [(0.0, 0.0, 0.0); BINS];
    for &(top, right, weight) in tops {
        let at = ((top * BINS as f64).ceil() as usize).clamp(1, BINS) - 1;
        let sum = &mut sums[at];
        *sum = (sum.0 + weight, sum.1 + weight * top, sum.2 + weight * f64::from(u8::from(right)));
    }
    let mean = |sum: f64, count: f64| if count > 0.0 { sum / count } else { 0.0 };
    let bin = |(at, &(count, confidence, right)): (usize, &(f64, f64, f64))| Bin {
        from: at as f64 / BINS as f64,
        to: (at + 1) as f64 / BINS as f64,
        count,
        confidence: mean(confidence, count),
        accuracy: mean(right, count),
    };
    sums.iter().enumerate().map(bin).collect()
}

/// Σ over bins of (count / all)·|accuracy − confidence|; 0 without a photograph.
#[must_use]
pub fn expected_calibration_error(bins: &[Bin]) -> f64 {
    let all: f64 = bins.iter().map(|bin| bin.count).sum();
    let gap = |bin: &Bin| bin.count * (bin.accuracy - bin.confidence).abs();
    if all > 0.0 { bins.iter().map(gap).sum::<f64>() / all } else { 0.0 }
}

/// softmax(logits / temperature).
#[must_use]
pub fn softmax(logits: &[f32], temperature: f64) -> Vec<f64> {
    let scaled: Vec<f64> = logits.iter().map(|&logit| f64::from(logit) / temperature).collect();
    let most = scaled.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers: Vec<f64> = scaled.iter().map(|value| (value - most).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}

/// The temperature at which `loss` is least, by golden sections of its logarithm (Kiefer 1953): the negative
/// log-likelihood of one net's logits is convex in 1 / T, so that there is one least value.
pub fn least(mut loss: impl FnMut(f64) -> f64) -> f64 {
    let golden = (5f64.sqrt() - 1.0) / 2.0;
    let [mut low, mut high] = RANGE.map(f64::ln);
    let inner = |low: f64, high: f64| (high - golden * (high - low), low + golden * (high - low));
    let (mut a, mut b) = inner(low, high);
    let (mut at_a, mut at_b) = (loss(a.exp()), loss(b.exp()));
    for _ in 0..60 {
        if at_a <= at_b {
            (high, b, at_b) = (b, a, at_a);
            a = inner(low, high).0;
            at_a = loss(a.exp());
        } else {
            (low, a, at_a) = (a, b, at_b);
            b = inner(low, high).1;
            at_b = loss(b.exp());
        }
    }
    (0.5 * (low + high)).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_and_error_by_hand() {
        // Bins of 1/15: 0.95 and 0.99 in the last, 0.60 at the end of the ninth, 0.61 in the tenth.
        let tops = [(0.95, true, 1.0), (0.99, false, 1.0), (0.6, true, 1.0), (0.61, true, 1.0)];
        let bins = reliability(&tops);
        assert_eq!(bins.len(), 15);
        assert_eq!((bins[14].count, bins[14].accuracy), (2.0, 0.5));
        assert!((bins[14].confidence - 0.97).abs() < 1e-12);
        assert_eq!((bins[8].count, bins[9].count), (1.0, 1.0));
        let expected = (2.0 * 0.47 + 0.4 + 0.39) / 4.0;
        assert!((expected_calibration_error(&bins) - expected).abs() < 1e-12);
        assert_eq!(expected_calibration_error(&reliability(&[])), 0.0);
        let edge = reliability(&[(0.0, true, 1.0), (1.0, true, 2.0)]);
        assert_eq!((edge[0].count, edge[14].count), (1.0, 2.0));
    }

    #[test]
    fn softmax_by_hand() {
        let p = softmax(&[0.0, 3f32.ln()], 1.0);
        assert!((p[0] - 0.25).abs() < 1e-7 && (p[1] - 0.75).abs() < 1e-7);
        let p = softmax(&[0.0, 2.0 * 3f32.ln()], 2.0);
        assert!((p[0] - 0.25).abs() < 1e-7);
        assert_eq!(softmax(&[1e4, 0.0], 1.0), [1.0, 0.0]);
    }

    #[test]
    fn the_temperature_by_hand() {
        // Of four photographs with logits (0, x), three are right: the likelihood is greatest where the softmax says
        // 3/4, that is x / T = ln 3.
        for x in [2.0f32, 0.3] {
            let loss = |t: f64| {
                let p = softmax(&[0.0, x], t);
                -(3.0 * p[1].ln() + p[0].ln())
            };
            let expected = f64::from(x) / 3f64.ln();
            assert!((least(loss) / expected - 1.0).abs() < 1e-6, "{}", least(loss));
        }
    }
}
