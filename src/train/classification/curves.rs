//! ROC and precision-recall curves of one class against the rest, over weighted photographs.
//!
//! A photograph counts as found at threshold t where its score is t or more. Thresholds are the scores that occur, so
//! photographs of equal score are found together (Fawcett 2006, "An introduction to ROC analysis").

use serde::Serialize;

/// One photograph for a curve: its score, whether it is of the class, and how often it counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scored {
    /// The probability of the class.
    pub score: f64,
    /// Whether the class is right.
    pub positive: bool,
    /// How often it counts: 1, or what a resample drew.
    pub weight: f64,
}

/// What a threshold gives.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Point {
    /// The score from which a photograph counts as found; infinite for none found.
    #[serde(serialize_with = "finite_or_null")]
    pub threshold: f64,
    /// Share of the class that is found: tp / (tp + fn).
    pub recall: f64,
    /// Share of the rest that is found too: fp / (fp + tn).
    pub false_alarms: f64,
    /// Share of what is found that is right: tp / (tp + fp); 1 where nothing is found.
    pub precision: f64,
}

impl Point {
    /// tn / (fp + tn).
    #[must_use]
    pub fn specificity(&self) -> f64 {
        1.0 - self.false_alarms
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn finite_or_null<S: serde::Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    if value.is_finite() { serializer.serialize_f64(*value) } else { serializer.serialize_none() }
}

/// Every threshold's point, the highest threshold first, from nothing found to everything found. Empty where the class
/// or the rest has no photograph.
#[must_use]
pub fn curve(scored: &[Scored]) -> Vec<Point> {
    let mut order: Vec<&Scored> = scored.iter().filter(|one| one.weight > 0.0).collect();
    order.sort_by(|a, b| b.score.total_cmp(&a.score));
    of_sorted(order.iter().copied())
}

/// [`curve`] of photographs that come with the highest score first.
pub(super) fn of_sorted<'a>(sorted: impl Iterator<Item = &'a Scored> + Clone) -> Vec<Point> {
    let (mut positives, mut negatives) = (0.0, 0.0);
    for one in sorted.clone() {
        *if one.positive { &mut positives } else { &mut negatives } += one.weight;
    }
    if positives <= 0.0 || negatives <= 0.0 {
        return Vec::new();
    }
    let mut points = vec![Point { threshold: f64::INFINITY, recall: 0.0, false_alarms: 0.0, precision: 1.0 }];
    let (mut hits, mut alarms, mut last) = (0.0, 0.0, f64::NAN);
    for one in sorted.filter(|one| one.weight > 0.0) {
        *if one.positive { &mut hits } else { &mut alarms } += one.weight;
        let point = Point {
            threshold: one.score,
            recall: hits / positives,
            false_alarms: alarms / negatives,
            precision: hits / (hits + alarms),
        };
        match points.last_mut() {
            Some(same) if one.score == last => *same = point,
            _ => points.push(point),
        }
        last = one.score;
    }
    points
}

/// The area under the ROC curve by trapezoids: the chance that a photograph of the class has a higher score than one
/// of the rest, ties counting half (Hanley, `McNeil` 1982). `None` for an empty curve.
#[must_use]
pub fn roc_auc(points: &[Point]) -> Option<f64> {
    let area = |pair: &[Point]| (pair[1].false_alarms - pair[0].false_alarms) * 0.5 * (pair[1].recall + pair[0].recall);
    (!points.is_empty()).then(|| points.windows(2).map(area).sum())
}

/// The area under the precision-recall curve as average precision: Σ (R\[k\] − R\[k−1\])·P\[k\], which draws no line
/// between points (Davis, Goadrich 2006). `None` for an empty curve.
#[must_use]
pub fn average_precision(points: &[Point]) -> Option<f64> {
    let area = |pair: &[Point]| (pair[1].recall - pair[0].recall) * pair[1].precision;
    (!points.is_empty()).then(|| points.windows(2).map(area).sum())
}

/// The highest recall of a threshold whose specificity is `specificity` or more. `None` for an empty curve.
#[must_use]
pub fn recall_at_specificity(points: &[Point], specificity: f64) -> Option<f64> {
    // A share of weights may miss a round number by a rounding.
    let meets = |point: &&Point| point.specificity() >= specificity - 1e-12;
    points.iter().filter(meets).map(|point| point.recall).max_by(f64::total_cmp)
}

/// The highest threshold whose recall is `recall` or more, with what else it gives. `None` for an empty curve.
#[must_use]
pub fn threshold_for_recall(points: &[Point], recall: f64) -> Option<Point> {
    points.iter().find(|point| point.recall >= recall - 1e-12).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scored(values: &[(f64, bool)]) -> Vec<Scored> {
        values.iter().map(|&(score, positive)| Scored { score, positive, weight: 1.0 }).collect()
    }

    #[test]
    fn by_hand() {
        // Right order but for 0.7 of the rest above 0.6 of the class; two of each at 0.3.
        let all = scored(&[(0.9, true), (0.7, false), (0.6, true), (0.3, true), (0.3, false), (0.1, false)]);
        let points = curve(&all);
        let recalls: Vec<f64> = points.iter().map(|p| p.recall).collect();
        let third = 1.0 / 3.0;
        assert_eq!(recalls, [0.0, third, third, 2.0 / 3.0, 1.0, 1.0]);
        let alarms: Vec<f64> = points.iter().map(|p| p.false_alarms).collect();
        assert_eq!(alarms, [0.0, 0.0, third, third, 2.0 / 3.0, 1.0]);
        // Pairs: 0.9 beats 3; 0.6 beats 2; 0.3 beats 1 and ties 1: 6.5 of 9.
        assert!((roc_auc(&points).unwrap() - 6.5 / 9.0).abs() < 1e-12);
        // 1/3·1 + 1/3·(2/3) + 1/3·(3/5)
        let expected = (1.0 + 2.0 / 3.0 + 0.6) / 3.0;
        assert!((average_precision(&points).unwrap() - expected).abs() < 1e-12);
        assert_eq!(recall_at_specificity(&points, 1.0), Some(third));
        assert_eq!(recall_at_specificity(&points, 0.6), Some(2.0 / 3.0));
        assert_eq!(recall_at_specificity(&points, 0.0), Some(1.0));
        let point = threshold_for_recall(&points, 0.5).unwrap();
        assert_eq!((point.threshold, point.recall), (0.6, 2.0 / 3.0));
        assert!((point.specificity() - 2.0 / 3.0).abs() < 1e-12);
        assert_eq!(threshold_for_recall(&points, 1.0).unwrap().threshold, 0.3);
    }

    #[test]
    fn weights_count_as_copies() {
        let mut weighted = scored(&[(0.9, false), (0.8, true), (0.5, true), (0.2, false)]);
        let mut copied = weighted.clone();
        weighted[1].weight = 3.0;
        weighted[2].weight = 0.0;
        copied.remove(2);
        copied.extend([copied[1]; 2]);
        assert_eq!(curve(&weighted), curve(&copied));
        assert_eq!(roc_auc(&curve(&weighted)), Some(0.5));
    }

    #[test]
    fn the_best_the_worst_and_what_has_no_curve() {
        let right = curve(&scored(&[(0.9, true), (0.1, false)]));
        assert_eq!((roc_auc(&right), average_precision(&right)), (Some(1.0), Some(1.0)));
        assert_eq!(roc_auc(&curve(&scored(&[(0.1, true), (0.9, false)]))), Some(0.0));
        assert_eq!(roc_auc(&curve(&scored(&[(0.5, true), (0.5, false)]))), Some(0.5));
        for none in [scored(&[]), scored(&[(0.5, true)]), scored(&[(0.5, false)])] {
            assert_eq!((roc_auc(&curve(&none)), threshold_for_recall(&curve(&none), 0.5)), (None, None));
        }
    }
}
