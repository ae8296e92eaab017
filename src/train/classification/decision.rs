//! Which class a photograph is taken for, given calibrated probabilities.
//!
//! The most probable class is right most often; but where classes are rare, that rule seldom names them, and balanced
//! accuracy, in which every class's recall counts alike, is low. Of all rules, the one that names the class c with the
//! greatest w_c · p_c,
//!
//! ```text
//! w_c = (1 − λ) + λ / (K π_c)
//! ```
//!
//! is expected to reach the most of (1 − λ) · accuracy + λ · balanced accuracy, if probabilities are calibrated: a
//! photograph that is named c adds p_c / n to the one and p_c / (K n π_c) to the other, for n photographs of K classes
//! with shares π_c. So nothing has to be searched that could fit the chance of a val side: of val, beyond the calibration,
//! only the classes' shares are taken, with one photograph added to each class.

use serde::{Deserialize, Serialize};

use super::Predicted;
use super::calibration::Calibration;

/// What naming classes is to be good at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decide {
    /// Accuracy: the most probable class.
    Accurate,
    /// The mean of accuracy and balanced accuracy.
    #[default]
    Both,
    /// Balanced accuracy: the class whose probability is greatest for how common it is.
    Balanced,
}

impl Decide {
    /// The share of balanced accuracy in what is to be reached.
    fn lambda(self) -> f64 {
        match self {
            Self::Accurate => 0.0,
            Self::Both => 0.5,
            Self::Balanced => 1.0,
        }
    }

    /// A weight for each class, by how many photographs it has among those that are like what will come; their product
    /// is 1.
    #[must_use]
    pub fn weights(self, counts: &[usize]) -> Vec<f64> {
        let classes = counts.len().max(1) as f64;
        let all = counts.iter().sum::<usize>() as f64 + classes;
        let weight = |&count: &usize| {
            let share = (count as f64 + 1.0) / all;
            1.0 - self.lambda() + self.lambda() / (classes * share)
        };
        let weights: Vec<f64> = counts.iter().map(weight).collect();
        let middle = (weights.iter().map(|weight| weight.ln()).sum::<f64>() / classes).exp();
        weights.into_iter().map(|weight| weight / middle).collect()
    }
}

/// `calibration` of so many classes with the weights that `decide` asks for, by the classes of these photographs.
#[must_use]
pub fn decided(images: &[Predicted], classes: usize, calibration: Calibration, decide: Decide) -> Calibration {
    let mut counts = vec![0; classes];
    for image in images {
        counts[image.label] += 1;
    }
    let decision = if decide == Decide::Accurate { Vec::new() } else { decide.weights(&counts) };
    Calibration { decision, ..calibration }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_by_hand() {
        // With one photograph added to each, shares of 0.1, 0.6 and 0.3.
        let counts = [1, 11, 5];
        assert_eq!(Decide::Accurate.weights(&counts), [1.0; 3]);
        let near = |got: &[f64], wanted: [f64; 3]| {
            let middle = wanted.iter().product::<f64>().cbrt();
            assert!(got.iter().zip(wanted).all(|(got, wanted)| (got - wanted / middle).abs() < 1e-12), "{got:?}");
        };
        near(&Decide::Balanced.weights(&counts), [10.0 / 3.0, 10.0 / 18.0, 10.0 / 9.0]);
        near(&Decide::Both.weights(&counts), [0.5 + 5.0 / 3.0, 0.5 + 5.0 / 18.0, 0.5 + 5.0 / 9.0]);
        assert!(Decide::Balanced.weights(&[0, 40]).iter().all(|weight| weight.is_finite() && *weight > 0.0));
        assert_eq!(Decide::Both.weights(&[]), [0.0; 0]);
    }

    /// Of every assignment of classes to a few kinds of photographs, none is expected to reach more.
    #[test]
    fn no_rule_is_expected_to_be_better() {
        // Kinds of photographs, each with its calibrated probabilities, and how many there are of it.
        let kinds =
            [([0.5, 0.4, 0.1], 20.0), ([0.2, 0.7, 0.1], 50.0), ([0.1, 0.45, 0.45], 20.0), ([0.3, 0.3, 0.4], 10.0)];
        let all: f64 = kinds.iter().map(|(_, count)| count).sum();
        let shares: Vec<f64> = (0..3).map(|k| kinds.iter().map(|(p, count)| p[k] * count).sum::<f64>() / all).collect();
        for decide in [Decide::Accurate, Decide::Both, Decide::Balanced] {
            let lambda = decide.lambda();
            let reached = |rule: &[usize; 4]| -> f64 {
                let one = |(&(p, count), &class): (&([f64; 3], f64), &usize)| {
                    let right = p[class] * count / all;
                    (1.0 - lambda) * right + lambda * right / (3.0 * shares[class])
                };
                kinds.iter().zip(rule).map(one).sum()
            };
            // So many that one more of each class is nothing.
            let counts: Vec<usize> = shares.iter().map(|share| (share * 1e9) as usize).collect();
            let calibration = Calibration { decision: decide.weights(&counts), ..Calibration::default() };
            let ours = reached(&kinds.map(|(p, _)| calibration.decide(&p)));
            for rule in 0..81 {
                let other = reached(&[rule % 3, rule / 3 % 3, rule / 9 % 3, rule / 27]);
                assert!(other <= ours + 1e-6, "{decide:?}: {other} {ours}");
            }
        }
    }
}
