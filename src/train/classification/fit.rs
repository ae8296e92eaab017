//! Temperature and class biases by maximum likelihood.
//!
//! Minimised over s = 1 / T and b is
//!
//! ```text
//! L = −1/n Σᵢ ln (1/W Σ_w softmax(s·z_iw + b)[yᵢ]) + prior/(2n) Σ b²
//! ```
//!
//! with z_iw the logits of photograph i shown in its way w. The last term is a normal prior of the biases, worth `prior`
//! photographs: it keeps them finite for a class that no photograph has, and makes their sum 0, which the likelihood alone
//! leaves open. With one way L is convex; with several it nearly is, and the search begins at the best temperature
//! without biases. It takes Newton's steps for the convex bound that holds the ways' shares of a probability where they are
//! (as expectation-maximisation does; Dempster, Laird, Rubin 1977): its gradient there is that of L, its curvature is
//! never negative. A step is halved until L falls.

use super::Predicted;
use super::calibration::{Calibration, RANGE};

/// What the biases' prior counts for, in photographs.
pub const PRIOR: f64 = 1.0;
/// Most steps; some ten are usual.
const STEPS: usize = 100;
/// The length of the gradient from which on nothing is left to gain.
const SMALL: f64 = 1e-9;

/// The temperature and the biases at which L is least, from those of `start` on; its decision weights stay. The temperature
/// stays within 0.05 to 20.
#[must_use]
pub fn fit(images: &[Predicted], classes: usize, start: &Calibration, prior: f64) -> Calibration {
    let [low, high] = RANGE.map(|temperature| 1.0 / temperature);
    let (low, high) = (low.min(high), low.max(high));
    // The biases, then s.
    let mut at: Vec<f64> = (0..classes).map(|class| start.bias_of(class)).collect();
    at.push((1.0 / start.temperature).clamp(low, high));
    let mut here = Loss::at(images, &at, prior);
    for _ in 0..STEPS {
        let s = at[classes];
        let slope = here.gradient[classes];
        let mut held = (s <= low && slope > 0.0) || (s >= high && slope < 0.0);
        let mut step = here.newton(held);
        if !held && ((s <= low && step[classes] < 0.0) || (s >= high && step[classes] > 0.0)) {
            held = true;
            step = here.newton(held);
        }
        let along: f64 = step.iter().zip(&here.gradient).map(|(step, slope)| step * slope).sum();
        if along > -SMALL * SMALL {
            break;
        }
        // No further than to the end of the range.
        let room = match step[classes] {
            by if by < 0.0 => (low - s) / by,
            by if by > 0.0 => (high - s) / by,
            _ => 1.0,
        };
        let mut length = room.min(1.0);
        let found = (0..40).find_map(|_| {
            let mut tried: Vec<f64> = at.iter().zip(&step).map(|(at, step)| at + length * step).collect();
            tried[classes] = tried[classes].clamp(low, high);
            let there = Loss::at(images, &tried, prior);
            let enough = there.value <= here.value + 1e-4 * length * along;
            length *= 0.5;
            enough.then_some((tried, there))
        });
        // Where no step helps, rounding is all that is left.
        let Some((tried, there)) = found else { break };
        (at, here) = (tried, there);
    }
    let s = at[classes];
    at.truncate(classes);
    let mean = at.iter().sum::<f64>() / classes.max(1) as f64;
    Calibration { temperature: 1.0 / s, bias: at.iter().map(|bias| bias - mean).collect(), ..start.clone() }
}

/// L, its gradient, and the curvature of the bound, at biases and s.
struct Loss {
    value: f64,
    gradient: Vec<f64>,
    /// Row by row.
    curvature: Vec<f64>,
}

impl Loss {
    fn at(images: &[Predicted], at: &[f64], prior: f64) -> Self {
        let size = at.len();
        let classes = size - 1;
        let (bias, s) = (&at[..classes], at[classes]);
        let n = images.len().max(1) as f64;
        let mut loss = Self { value: 0.0, gradient: vec![0.0; size], curvature: vec![0.0; size * size] };
        for image in images {
            let ways: Vec<Vec<f64>> = image.logits.iter().map(|logits| log_softmax(logits, s, bias)).collect();
            let right: Vec<f64> = ways.iter().map(|way| way[image.label]).collect();
            let all = log_sum(&right);
            loss.value -= (all - (ways.len() as f64).ln()) / n;
            for ((way, logits), right) in ways.iter().zip(&image.logits).zip(&right) {
                // This way's share of the right class's probability.
                let share = (right - all).exp() / n;
                loss.add(way, logits, image.label, share);
            }
        }
        for (class, bias) in bias.iter().enumerate() {
            loss.value += 0.5 * prior / n * bias * bias;
            loss.gradient[class] += prior / n * bias;
            loss.curvature[class * size + class] += prior / n;
        }
        loss
    }

    /// Adds `share` times the cross-entropy's gradient and curvature at log-probabilities.
    fn add(&mut self, log_p: &[f64], logits: &[f32], label: usize, share: f64) {
        let classes = log_p.len();
        let size = classes + 1;
        let p: Vec<f64> = log_p.iter().map(|value| value.exp()).collect();
        let z: Vec<f64> = logits.iter().map(|&logit| f64::from(logit)).collect();
        let mean: f64 = p.iter().zip(&z).map(|(p, z)| p * z).sum();
        for class in 0..classes {
            let error = p[class] - f64::from(u8::from(class == label));
            self.gradient[class] += share * error;
            self.gradient[classes] += share * error * z[class];
            for other in 0..classes {
                let own = if class == other { p[class] } else { 0.0 };
                self.curvature[class * size + other] += share * (own - p[class] * p[other]);
            }
            let mixed = share * p[class] * (z[class] - mean);
            self.curvature[class * size + classes] += mixed;
            self.curvature[classes * size + class] += mixed;
            self.curvature[classes * size + classes] += share * p[class] * (z[class] - mean).powi(2);
        }
    }

    /// Newton's step; with `held`, s stays.
    fn newton(&self, held: bool) -> Vec<f64> {
        let size = self.gradient.len();
        let last = size - 1;
        let mut matrix = self.curvature.clone();
        let mut step: Vec<f64> = self.gradient.iter().map(|slope| -slope).collect();
        if held {
            step[last] = 0.0;
            for other in 0..size {
                matrix[other * size + last] = 0.0;
                matrix[last * size + other] = 0.0;
            }
            matrix[last * size + last] = 1.0;
        }
        // Where nothing curves (logits that are all equal, no prior), a step is short instead of infinite.
        let most = (0..size).map(|at| matrix[at * size + at]).fold(0.0, f64::max);
        (0..size).for_each(|at| matrix[at * size + at] += 1e-10 * most + f64::MIN_POSITIVE);
        solve(&mut matrix, &mut step);
        step
    }
}

/// ln softmax(s·z + b).
fn log_softmax(logits: &[f32], s: f64, bias: &[f64]) -> Vec<f64> {
    let scaled: Vec<f64> = logits.iter().zip(bias).map(|(&logit, bias)| s * f64::from(logit) + bias).collect();
    let all = log_sum(&scaled);
    scaled.into_iter().map(|value| value - all).collect()
}

/// ln Σ exp.
fn log_sum(values: &[f64]) -> f64 {
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    most + values.iter().map(|value| (value - most).exp()).sum::<f64>().ln()
}

/// Puts x into `side`, where matrix·x = side, by Cholesky's decomposition of a positive definite matrix, which is lost.
fn solve(matrix: &mut [f64], side: &mut [f64]) {
    let size = side.len();
    for row in 0..size {
        for column in 0..=row {
            let inner: f64 = (0..column).map(|k| matrix[row * size + k] * matrix[column * size + k]).sum();
            let left = matrix[row * size + column] - inner;
            matrix[row * size + column] = match row == column {
                true => left.max(f64::MIN_POSITIVE).sqrt(),
                false => left / matrix[column * size + column],
            };
        }
    }
    for row in 0..size {
        let inner: f64 = (0..row).map(|k| matrix[row * size + k] * side[k]).sum();
        side[row] = (side[row] - inner) / matrix[row * size + row];
    }
    for row in (0..size).rev() {
        let inner: f64 = (row + 1..size).map(|k| matrix[k * size + row] * side[k]).sum();
        side[row] = (side[row] - inner) / matrix[row * size + row];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Classes;
    use crate::data::rng::Rng;
    use crate::train::ClassificationMeter;

    fn seen(name: usize, label: usize, logits: Vec<Vec<f32>>) -> Predicted {
        Predicted { name: name.to_string(), lesion: name.to_string(), label, logits }
    }

    /// So many photographs with these logits, of which so many are of class 1.
    fn two(logits: [f32; 2], count: usize, ones: usize) -> impl Iterator<Item = Predicted> {
        (0..count).map(move |at| seen(at, usize::from(at < ones), vec![logits.to_vec()]))
    }

    #[test]
    fn two_classes_by_hand() {
        // As many parameters as kinds of photographs: each kind's probability becomes its share. With z the difference of
        // the logits and d that of the biases, s·2 + d = ln 9 and −s + d = −ln 4, so s = ln 36 / 3.
        let images: Vec<Predicted> = two([0.0, 2.0], 100, 90).chain(two([1.0, 0.0], 50, 10)).collect();
        let found = fit(&images, 2, &Calibration::tempered(1.0), 0.0);
        let s = 36f64.ln() / 3.0;
        let d = 9f64.ln() - 2.0 * s;
        assert!((1.0 / found.temperature - s).abs() < 1e-7, "{found:?}");
        assert!((found.bias[1] - 0.5 * d).abs() < 1e-7 && (found.bias[0] + 0.5 * d).abs() < 1e-7, "{found:?}");
        assert!((found.softmax(&[0.0, 2.0])[1] - 0.9).abs() < 1e-7);
        // The prior draws the biases towards 0, by little.
        let drawn = fit(&images, 2, &Calibration::tempered(1.0), PRIOR);
        assert!(drawn.bias[1].abs() < found.bias[1].abs() && (drawn.bias[1] - found.bias[1]).abs() < 0.05, "{drawn:?}");
    }

    #[test]
    fn the_gradient_is_that_of_differences() {
        let rng = Rng::new(5, "fit", &[]);
        let value = |at: u64| rng.at(at) as f64 / u64::MAX as f64 * 4.0 - 2.0;
        let logits = |at: u64| (0..3).map(|k| value(10 * at + k) as f32).collect::<Vec<f32>>();
        let images: Vec<Predicted> =
            (0..7).map(|at| seen(at, at % 3, vec![logits(2 * at as u64), logits(2 * at as u64 + 1)])).collect();
        let at = [0.3, -0.5, 0.1, 0.8];
        let loss = Loss::at(&images, &at, 2.0);
        let by_hand: f64 = images
            .iter()
            .map(|image| {
                let known = Calibration { temperature: 1.25, bias: at[..3].to_vec(), decision: vec![] };
                -known.probabilities(&image.logits)[image.label].ln() / 7.0
            })
            .sum::<f64>()
            + (0.09 + 0.25 + 0.01) / 7.0;
        assert!((loss.value - by_hand).abs() < 1e-12, "{} {by_hand}", loss.value);
        for place in 0..4 {
            let moved = |by: f64| {
                let mut at = at;
                at[place] += by;
                Loss::at(&images, &at, 2.0).value
            };
            let slope = (moved(1e-5) - moved(-1e-5)) / 2e-5;
            assert!((slope - loss.gradient[place]).abs() < 1e-8, "{place}: {slope} {}", loss.gradient[place]);
        }
        let found = fit(&images, 3, &Calibration::default(), 2.0);
        let end: Vec<f64> = found.bias.iter().copied().chain([1.0 / found.temperature]).collect();
        let left = Loss::at(&images, &end, 2.0);
        let inside = found.temperature > 0.051 && found.temperature < 19.9;
        assert!(left.gradient[..3].iter().all(|slope| slope.abs() < 1e-6), "{:?}", left.gradient);
        assert!(!inside || left.gradient[3].abs() < 1e-6, "{:?}", left.gradient);
        assert!(left.value < loss.value && found.bias.iter().sum::<f64>().abs() < 1e-12);
    }

    /// Photographs whose logits are ln of their true probabilities, shifted as by class weights and sharpened.
    fn shifted(seed: u64, count: u64) -> ClassificationMeter {
        let mut meter = ClassificationMeter::new(Classes::three());
        for at in 0..count {
            let rng = Rng::new(seed, "shifted", &[at]);
            let draw = |k: u64| (rng.at(k) as f64 + 0.5) / 18_446_744_073_709_551_616.0;
            // Class 1 is the most common one, class 2 the rarest; how sure one can be differs.
            let raw: [f64; 3] = [0.8 * draw(0).powi(2), draw(1), 0.5 * draw(2).powi(2)];
            let sum: f64 = raw.iter().sum();
            let p = raw.map(|value| value / sum);
            let mut left = draw(3);
            let label = p.iter().position(|p| {
                left -= p;
                left < 0.0
            });
            let shift = [1.6, -0.8, 0.4];
            let logits = (0..3).map(|k| (1.6 * (p[k].ln() + shift[k])) as f32).collect();
            meter.add(seen(at as usize, label.unwrap_or(2), vec![logits])).unwrap();
        }
        meter
    }

    #[test]
    fn biases_undo_a_shift_that_a_temperature_cannot() {
        let (val, test) = (shifted(1, 4000), shifted(2, 4000));
        let temperature = Calibration::tempered(val.fit_temperature().unwrap());
        let both = fit(val.images(), 3, &temperature, PRIOR);
        assert!((both.temperature - 1.6).abs() < 0.15, "{both:?}");
        // The shift's mean is 0.4.
        for (bias, shift) in both.bias.iter().zip([1.2, -1.2, 0.0]) {
            assert!((bias + shift).abs() < 0.15, "{both:?}");
        }
        let ece = |calibration: &Calibration| test.scores(calibration, None).unwrap().ece_calibrated;
        let (one, other) = (ece(&temperature), ece(&both));
        assert!(other < 0.5 * one && other < 0.03, "{one} {other}");
        assert!(test.nll(&both) < test.nll(&temperature));
    }

    #[test]
    fn what_says_nothing_stays_finite() {
        let sane = |images: &[Predicted]| {
            let found = fit(images, 3, &Calibration::tempered(1.0), PRIOR);
            assert!(found.check(3).is_ok() && (0.049..=20.1).contains(&found.temperature), "{found:?}");
            found
        };
        sane(&[]);
        // All right and all sure, and of one class alone; logits that are all equal; logits far from each other.
        sane(&(0..5).map(|at| seen(at, 0, vec![vec![9.0, 0.0, 0.0]])).collect::<Vec<_>>());
        let same = sane(&(0..6).map(|at| seen(at, at % 2, vec![vec![1.0; 3]])).collect::<Vec<_>>());
        assert!(same.bias[0] > 0.0 && same.bias[2] < 0.0, "{same:?}");
        sane(&[seen(0, 0, vec![vec![-1e5, 1e5, 0.0]]), seen(1, 1, vec![vec![-1e5, 1e5, 0.0]])]);
    }
}
