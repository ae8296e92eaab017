//! Whether probabilities mean what they say, and what makes them: p = softmax(logits / T + b).
//!
//! Guo, Pleiss, Sun, Weinberger 2017, "On Calibration of Modern Neural Networks": the expected calibration error over
//! equal bins of the top probability, and one temperature T by which logits are divided. One temperature cannot undo what
//! class weights of training do to whole classes; a bias b for each can (Alexandari, Kundaje, Shrikumar 2020, "Maximum
//! Likelihood with Bias-Corrected Calibration is Hard-To-Beat at Label Shift Adaptation"). [`super::fit`] finds both.
//!
//! The error looks at the most probable class alone, whatever class a photograph is named by ([`super::decision`]).

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::models::weights::Meta;

/// Bins of [`reliability`] as Guo et al. have them.
pub const BINS: usize = 15;
/// Where a temperature is looked for.
pub const RANGE: [f64; 2] = [0.05, 20.0];

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

/// How logits become probabilities, and probabilities a class. The default leaves logits as they are and names the most
/// probable class.
#[derive(Debug, Clone, PartialEq)]
pub struct Calibration {
    /// What logits are divided by, above 0.
    pub temperature: f64,
    /// What is then added to them, one a class; empty for zeros.
    pub bias: Vec<f64>,
    /// What a class's probability is multiplied by before the greatest names the class, one a class, each above 0; empty
    /// for ones. No probability changes by it.
    pub decision: Vec<f64>,
}

impl Default for Calibration {
    fn default() -> Self {
        Self::tempered(1.0)
    }
}

impl Calibration {
    /// A temperature alone.
    #[must_use]
    pub const fn tempered(temperature: f64) -> Self {
        Self { temperature, bias: Vec::new(), decision: Vec::new() }
    }

    /// What a weights file's metadata say; what they leave out is as in the default.
    #[must_use]
    pub fn of(meta: &Meta) -> Self {
        Self {
            temperature: meta.temperature.unwrap_or(1.0),
            bias: meta.class_bias.clone().unwrap_or_default(),
            decision: meta.decision_weights.clone().unwrap_or_default(),
        }
    }

    /// Puts it into metadata; biases and weights that are empty are left out.
    pub fn write_to(&self, meta: &mut Meta) {
        let known = |values: &[f64]| (!values.is_empty()).then(|| values.to_vec());
        meta.temperature = Some(self.temperature);
        meta.class_bias = known(&self.bias);
        meta.decision_weights = known(&self.decision);
    }

    /// Refuses what cannot be applied to so many classes.
    ///
    /// # Errors
    /// [`Error::Parameter`] where the temperature is not above 0, a bias is not finite, a decision's weight not above 0, or
    /// their number is another.
    pub fn check(&self, classes: usize) -> Result<()> {
        let refuse = |message: String| Err(Error::parameter("calibration", message));
        if !(self.temperature.is_finite() && self.temperature > 0.0) {
            return refuse(format!("the temperature is {}, expected above 0", self.temperature));
        }
        for (what, values) in [("biases", &self.bias), ("decision weights", &self.decision)] {
            if !values.is_empty() && values.len() != classes {
                return refuse(format!("{} {what}, expected one for each of {classes} classes", values.len()));
            }
        }
        if !self.bias.iter().all(|bias| bias.is_finite()) {
            return refuse(format!("the biases are {:?}, expected finite ones", self.bias));
        }
        if !self.decision.iter().all(|weight| weight.is_finite() && *weight > 0.0) {
            return refuse(format!("the decision weights are {:?}, expected above 0", self.decision));
        }
        Ok(())
    }

    /// The bias of a class.
    #[must_use]
    pub fn bias_of(&self, class: usize) -> f64 {
        self.bias.get(class).copied().unwrap_or(0.0)
    }

    /// What a class's probability is multiplied by to name a photograph.
    #[must_use]
    pub fn weight_of(&self, class: usize) -> f64 {
        self.decision.get(class).copied().unwrap_or(1.0)
    }

    /// softmax(logits / temperature + bias).
    #[must_use]
    pub fn softmax(&self, logits: &[f32]) -> Vec<f64> {
        let scaled: Vec<f64> = (0..)
            .zip(logits)
            .map(|(class, &logit)| f64::from(logit) / self.temperature + self.bias_of(class))
            .collect();
        let most = scaled.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let powers: Vec<f64> = scaled.iter().map(|value| (value - most).exp()).collect();
        let sum: f64 = powers.iter().sum();
        powers.into_iter().map(|power| power / sum).collect()
    }

    /// The mean of [`Calibration::softmax`] over the logits of every way in which one photograph was shown.
    #[must_use]
    pub fn probabilities(&self, ways: &[Vec<f32>]) -> Vec<f64> {
        let mut mean = vec![0.0; ways.first().map_or(0, Vec::len)];
        for logits in ways {
            for (sum, p) in mean.iter_mut().zip(self.softmax(logits)) {
                *sum += p / ways.len() as f64;
            }
        }
        mean
    }

    /// The class that probabilities name: that of the greatest weight · probability, the first of equals.
    #[must_use]
    pub fn decide(&self, probabilities: &[f64]) -> usize {
        let weighted: Vec<f64> = (0..).zip(probabilities).map(|(class, p)| self.weight_of(class) * p).collect();
        argmax(&weighted)
    }
}

/// The place of the greatest value, the first of equals.
#[must_use]
pub fn argmax(values: &[f64]) -> usize {
    (0..values.len()).fold(0, |best, at| if values[at] > values[best] { at } else { best })
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
        let softmax = |logits: &[f32], temperature| Calibration::tempered(temperature).softmax(logits);
        let p = softmax(&[0.0, 3f32.ln()], 1.0);
        assert!((p[0] - 0.25).abs() < 1e-7 && (p[1] - 0.75).abs() < 1e-7);
        let p = softmax(&[0.0, 2.0 * 3f32.ln()], 2.0);
        assert!((p[0] - 0.25).abs() < 1e-7);
        assert_eq!(softmax(&[1e4, 0.0], 1.0), [1.0, 0.0]);
        // Odds of 3 : 1 by the logits; a bias of ln 3 for the other class makes them even.
        let even = Calibration { bias: vec![3f64.ln(), 0.0], ..Calibration::tempered(2.0) };
        assert!((even.softmax(&[0.0, 2.0 * 3f32.ln()])[0] - 0.5).abs() < 1e-7);
    }

    #[test]
    fn decisions_by_hand() {
        let p = [0.5, 0.3, 0.2];
        assert_eq!(Calibration::default().decide(&p), 0);
        let weighted = Calibration { decision: vec![0.5, 1.0, 2.0], ..Calibration::default() };
        // 0.25, 0.3, 0.4.
        assert_eq!(weighted.decide(&p), 2);
        let even = Calibration { decision: vec![1.0, 2.0, 4.0], ..Calibration::default() };
        assert_eq!(even.decide(&[0.5, 0.25, 0.125]), 0, "the first of equals");
    }

    #[test]
    fn it_travels_in_the_metadata_and_old_files_have_none_of_it() {
        let calibration = Calibration { temperature: 0.8, bias: vec![-0.5, 0.25, 0.25], decision: vec![2.0, 0.5, 1.0] };
        let mut meta = Meta::new();
        calibration.write_to(&mut meta);
        let mut map = std::collections::BTreeMap::new();
        meta.write_to(&mut map);
        assert_eq!(map["nevus.class_bias"], "[-0.5,0.25,0.25]");
        assert_eq!(Calibration::of(&Meta::from_map(&map).unwrap()), calibration);
        map.remove("nevus.class_bias");
        map.remove("nevus.decision_weights");
        let old = Calibration::of(&Meta::from_map(&map).unwrap());
        assert_eq!(old, Calibration::tempered(0.8));
        assert_eq!((old.bias_of(2), old.weight_of(2)), (0.0, 1.0));
        assert_eq!(Calibration::of(&Meta::new()), Calibration::default());
    }

    #[test]
    fn refuses_what_cannot_be_applied() {
        let said = |calibration: Calibration| calibration.check(3).unwrap_err().to_string();
        assert!(said(Calibration::tempered(0.0)).contains("temperature is 0"));
        assert!(said(Calibration { bias: vec![0.0; 2], ..Calibration::default() }).contains("2 biases"));
        assert!(said(Calibration { bias: vec![f64::NAN; 3], ..Calibration::default() }).contains("finite"));
        let zero = Calibration { decision: vec![1.0, 0.0, 1.0], ..Calibration::default() };
        assert!(said(zero).contains("decision weights"));
    }

    #[test]
    fn the_temperature_by_hand() {
        // Of four photographs with logits (0, x), three are right: the likelihood is greatest where the softmax says
        // 3/4, that is x / T = ln 3.
        for x in [2.0f32, 0.3] {
            let loss = |t: f64| {
                let p = Calibration::tempered(t).softmax(&[0.0, x]);
                -(3.0 * p[1].ln() + p[0].ln())
            };
            let expected = f64::from(x) / 3f64.ln();
            assert!((least(loss) / expected - 1.0).abs() < 1e-6, "{}", least(loss));
        }
    }
}
