//! Classification metrics.
//!
//! Recall of a class is tp / (tp + fn), precision tp / (tp + fp), F1 their harmonic mean 2 tp / (2 tp + fp + fn), each 0
//! where it is 0 / 0, as scikit-learn's; balanced accuracy is the mean recall over the classes that occur (Brodersen et
//! al. 2010). A photograph is taken for the class of its greatest probability, each multiplied by the class's weight where a
//! [`Calibration`] has weights; the area under a curve and the calibration error know no such weights. Intervals are percentiles of a bootstrap that
//! draws lesions, not photographs, with replacement (Efron, Tibshirani 1993, ch. 8 and 13): photographs of one lesion
//! are no independent observations.

mod bootstrap;
pub mod calibration;
pub mod curves;
pub mod decision;
pub mod fit;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::Serialize;

use self::calibration::{Bin, argmax, expected_calibration_error, least, reliability};
use self::curves::{Point, Scored, average_precision, curve, recall_at_specificity, roc_auc};
use crate::data::Classes;
use crate::error::{Error, Result};

pub use self::bootstrap::{Bootstrap, Interval};
pub use self::calibration::Calibration;
pub use self::decision::Decide;

/// The specificity at which DESIGN's recall of melanomas is taken.
const SPECIFICITY: f64 = 0.9;

/// One photograph as a network saw it.
#[derive(Debug, Clone, PartialEq)]
pub struct Predicted {
    /// Its name.
    pub name: String,
    /// What it shows; the name where that is not known.
    pub lesion: String,
    /// Its class.
    pub label: usize,
    /// The logits of each way in which it was shown: one, or several with test-time augmentation.
    pub logits: Vec<Vec<f32>>,
}

/// What a network said of a set of photographs.
#[derive(Debug, Clone)]
pub struct ClassificationMeter {
    classes: Classes,
    images: Vec<Predicted>,
}

/// The figures of one class against the rest.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassScores {
    /// Its name.
    pub name: String,
    /// Photographs of it.
    pub support: usize,
    /// tp / (tp + fp).
    pub precision: f64,
    /// tp / (tp + fn).
    pub recall: f64,
    /// 2 tp / (2 tp + fp + fn).
    pub f1: f64,
    /// tn / (tn + fp).
    pub specificity: f64,
    /// Area under the ROC curve; `None` where the class or the rest does not occur.
    pub auc: Option<f64>,
    /// Area under the precision-recall curve.
    pub average_precision: Option<f64>,
}

/// What is said of one photograph.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ImageClass {
    /// Its name.
    pub name: String,
    /// What it shows.
    pub lesion: String,
    /// Its class.
    pub label: String,
    /// The class it was taken for.
    pub predicted: String,
    /// Calibrated, in the order of the classes.
    pub probabilities: Vec<f64>,
    /// That of the class it was taken for; not always the greatest where classes weigh differently.
    pub probability: f64,
}

impl ImageClass {
    /// Whether it was taken for what it is.
    #[must_use]
    pub fn right(&self) -> bool {
        self.label == self.predicted
    }
}

/// The figures of a set of photographs; as JSON, the flat object that `eval --json` writes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassificationScores {
    /// Photographs.
    pub images: usize,
    /// What they show.
    pub lesions: usize,
    /// Share of photographs that were taken for what they are.
    pub accuracy: f64,
    /// Mean recall over the classes that occur.
    pub balanced_accuracy: f64,
    /// Mean F1 over the classes that occur.
    pub macro_f1: f64,
    /// Mean −ln of the right class's calibrated probability.
    pub nll: f64,
    /// Of the class of melanomas, as the next four; `None` where no class is.
    pub melanoma_recall: Option<f64>,
    /// F1.
    pub melanoma_f1: Option<f64>,
    /// Area under the ROC curve.
    pub melanoma_auc: Option<f64>,
    /// Area under the precision-recall curve.
    pub melanoma_average_precision: Option<f64>,
    /// The highest recall where at least nine tenths of the rest are not taken for melanomas.
    pub melanoma_recall_at_90_specificity: Option<f64>,
    /// Expected calibration error of softmax(logits).
    pub ece: f64,
    /// Expected calibration error of the calibrated probabilities. Both are of the most probable class, whatever class the
    /// photograph is taken for.
    pub ece_calibrated: f64,
    /// What logits are divided by.
    pub temperature: f64,
    /// What is then added to them, class by class.
    pub class_bias: Vec<f64>,
    /// What probabilities are multiplied by, class by class, before the greatest says what a photograph is taken for.
    pub decision_weights: Vec<f64>,
    /// Class by class.
    pub classes: Vec<ClassScores>,
    /// Photographs of class (row) that were taken for class (column).
    pub confusion: Vec<Vec<u64>>,
    /// 95 % intervals by name.
    pub intervals: BTreeMap<String, Interval>,
    /// Photograph by photograph, in the order in which they were added.
    pub per_image: Vec<ImageClass>,
}

impl ClassificationScores {
    /// The `count` photographs that were taken for something else with the greatest certainty, the surest first.
    #[must_use]
    pub fn worst(&self, count: usize) -> Vec<&ImageClass> {
        let mut wrong: Vec<&ImageClass> = self.per_image.iter().filter(|image| !image.right()).collect();
        wrong.sort_by(|a, b| b.probability.total_cmp(&a.probability).then_with(|| a.name.cmp(&b.name)));
        wrong.truncate(count);
        wrong
    }
}

impl ClassificationMeter {
    /// A meter without photographs.
    #[must_use]
    pub const fn new(classes: Classes) -> Self {
        Self { classes, images: Vec::new() }
    }

    /// The classes it tells apart.
    #[must_use]
    pub const fn classes(&self) -> &Classes {
        &self.classes
    }

    /// The photographs, in the order in which they were added.
    #[must_use]
    pub fn images(&self) -> &[Predicted] {
        &self.images
    }

    /// Adds a photograph.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a class or a number of logits that the meter does not have, [`Error::Mismatch`] where a
    /// logit is not finite; both name the photograph.
    pub fn add(&mut self, image: Predicted) -> Result<()> {
        let count = self.classes.len();
        let name = &image.name;
        if image.label >= count || image.logits.is_empty() || image.logits.iter().any(|way| way.len() != count) {
            let got: Vec<usize> = image.logits.iter().map(Vec::len).collect();
            let message = format!("{name}: class {} with logits {got:?}, expected {count} classes", image.label);
            return Err(Error::parameter("metrics", message));
        }
        if image.logits.iter().flatten().any(|logit| !logit.is_finite()) {
            return Err(Error::Mismatch(format!("{name}: a logit is not finite")));
        }
        self.images.push(image);
        Ok(())
    }

    /// The mean −ln of the right class's probability.
    #[must_use]
    pub fn nll(&self, calibration: &Calibration) -> f64 {
        let one = |image: &Predicted| -calibration.probabilities(&image.logits)[image.label].max(1e-300).ln();
        self.images.iter().map(one).sum::<f64>() / self.images.len().max(1) as f64
    }

    /// The temperature at which [`ClassificationMeter::nll`] is least, without biases, 0.05 to 20.
    ///
    /// # Errors
    /// [`Error::Parameter`] where no photograph was added.
    pub fn fit_temperature(&self) -> Result<f64> {
        self.refuse_empty()?;
        Ok(least(|temperature| self.nll(&Calibration::tempered(temperature))))
    }

    /// The temperature and the biases at which [`ClassificationMeter::nll`] is least (see [`fit`]), and the weights that
    /// `decide` asks for (see [`decision`]). Meant for photographs that are neither trained nor reported on.
    ///
    /// # Errors
    /// [`Error::Parameter`] where no photograph was added.
    pub fn calibrate(&self, decide: Decide) -> Result<Calibration> {
        let start = Calibration::tempered(self.fit_temperature()?);
        let calibration = fit::fit(&self.images, self.classes.len(), &start, fit::PRIOR);
        Ok(decision::decided(&self.images, self.classes.len(), calibration, decide))
    }

    /// The calibrated figures, with intervals where a bootstrap is asked for.
    ///
    /// # Errors
    /// [`Error::Parameter`] where no photograph was added, or [`Calibration::check`] refuses.
    pub fn scores(&self, calibration: &Calibration, bootstrap: Option<&Bootstrap>) -> Result<ClassificationScores> {
        self.refuse_empty()?;
        let count = self.classes.len();
        calibration.check(count)?;
        let seen = Seen::new(self, calibration);
        let ones = vec![1.0; self.images.len()];
        let figures = seen.figures(&ones);
        let intervals = match bootstrap {
            None => BTreeMap::new(),
            Some(bootstrap) => {
                let lesions: Vec<&str> = self.images.iter().map(|image| image.lesion.as_str()).collect();
                bootstrap.intervals(&lesions, |weights| seen.figures(weights).named())
            }
        };
        let names = self.classes.names();
        let per_image =
            self.images.iter().zip(&seen.calibrated).zip(&seen.taken).map(|((image, p), &taken)| ImageClass {
                name: image.name.clone(),
                lesion: image.lesion.clone(),
                label: names[image.label].clone(),
                predicted: names[taken].clone(),
                probabilities: p.clone(),
                probability: p[taken],
            });
        let mut lesions: Vec<&str> = self.images.iter().map(|image| image.lesion.as_str()).collect();
        lesions.sort_unstable();
        lesions.dedup();
        let confusion: Vec<Vec<u64>> =
            figures.confusion.iter().map(|row| row.iter().map(|&count| count as u64).collect()).collect();
        let melanoma = self.classes.melanoma().map(|at| &figures.classes[at]);
        Ok(ClassificationScores {
            images: self.images.len(),
            lesions: lesions.len(),
            accuracy: figures.accuracy,
            balanced_accuracy: figures.balanced_accuracy,
            macro_f1: figures.macro_f1,
            nll: self.nll(calibration),
            melanoma_recall: melanoma.map(|scores| scores.recall),
            melanoma_f1: melanoma.map(|scores| scores.f1),
            melanoma_auc: melanoma.and_then(|scores| scores.auc),
            melanoma_average_precision: melanoma.and_then(|scores| scores.average_precision),
            melanoma_recall_at_90_specificity: figures.melanoma_recall_at_specificity,
            ece: figures.ece,
            ece_calibrated: figures.ece_calibrated,
            temperature: calibration.temperature,
            class_bias: (0..count).map(|class| calibration.bias_of(class)).collect(),
            decision_weights: (0..count).map(|class| calibration.weight_of(class)).collect(),
            classes: figures.classes,
            confusion,
            intervals,
            per_image: per_image.collect(),
        })
    }

    /// The curve of one class against the rest; see [`curves`].
    #[must_use]
    pub fn curve(&self, class: usize, calibration: &Calibration) -> Vec<Point> {
        let scored = |image: &Predicted| Scored {
            score: calibration.probabilities(&image.logits).get(class).copied().unwrap_or(0.0),
            positive: image.label == class,
            weight: 1.0,
        };
        curve(&self.images.iter().map(scored).collect::<Vec<_>>())
    }

    /// The reliability diagram of the most probable class; see [`calibration`].
    #[must_use]
    pub fn reliability(&self, calibration: &Calibration) -> Vec<Bin> {
        let one = |image: &Predicted| top(&calibration.probabilities(&image.logits), image.label, 1.0);
        reliability(&self.images.iter().map(one).collect::<Vec<_>>())
    }

    fn refuse_empty(&self) -> Result<()> {
        if self.images.is_empty() { Err(Error::parameter("metrics", "no photograph was measured")) } else { Ok(()) }
    }
}

fn top(p: &[f64], label: usize, weight: f64) -> (f64, bool, f64) {
    let at = argmax(p);
    (p.get(at).copied().unwrap_or(0.0), at == label, weight)
}

/// Everything of a set of photographs that does not change from one resample to the next.
struct Seen<'a> {
    classes: &'a Classes,
    labels: Vec<usize>,
    raw: Vec<Vec<f64>>,
    calibrated: Vec<Vec<f64>>,
    /// The class that each is taken for.
    taken: Vec<usize>,
    /// For each class, the photographs with the highest probability of it first.
    orders: Vec<Vec<usize>>,
}

/// The figures of one resample.
struct Figures {
    accuracy: f64,
    balanced_accuracy: f64,
    macro_f1: f64,
    ece: f64,
    ece_calibrated: f64,
    melanoma: Option<usize>,
    melanoma_recall_at_specificity: Option<f64>,
    classes: Vec<ClassScores>,
    confusion: Vec<Vec<f64>>,
}

impl<'a> Seen<'a> {
    fn new(meter: &'a ClassificationMeter, calibration: &Calibration) -> Self {
        let by = |calibration: &Calibration| -> Vec<Vec<f64>> {
            meter.images.iter().map(|image| calibration.probabilities(&image.logits)).collect()
        };
        let calibrated = by(calibration);
        let taken = calibrated.iter().map(|p| calibration.decide(p)).collect();
        let order = |class: usize| {
            let mut order: Vec<usize> = (0..calibrated.len()).collect();
            order.sort_by(|&a, &b| calibrated[b][class].total_cmp(&calibrated[a][class]));
            order
        };
        let orders = (0..meter.classes.len()).map(order).collect();
        let labels = meter.images.iter().map(|image| image.label).collect();
        Self { classes: &meter.classes, labels, raw: by(&Calibration::default()), calibrated, taken, orders }
    }

    fn figures(&self, weights: &[f64]) -> Figures {
        let count = self.classes.len();
        let mut confusion = vec![vec![0.0; count]; count];
        for ((&taken, &label), weight) in self.taken.iter().zip(&self.labels).zip(weights) {
            confusion[label][taken] += weight;
        }
        let all: f64 = weights.iter().sum();
        let share = |part: f64, whole: f64| if whole > 0.0 { part / whole } else { 0.0 };
        let melanoma = self.classes.melanoma();
        let mut at_specificity = None;
        let classes: Vec<ClassScores> = (0..count)
            .map(|class| {
                let tp = confusion[class][class];
                let support: f64 = confusion[class].iter().sum();
                let found: f64 = confusion.iter().map(|row| row[class]).sum();
                let scored: Vec<Scored> = self.orders[class]
                    .iter()
                    .map(|&at| Scored {
                        score: self.calibrated[at][class],
                        positive: self.labels[at] == class,
                        weight: weights[at],
                    })
                    .collect();
                let points = curves::of_sorted(scored.iter());
                if melanoma == Some(class) {
                    at_specificity = recall_at_specificity(&points, SPECIFICITY);
                }
                ClassScores {
                    name: self.classes.names()[class].clone(),
                    support: support as usize,
                    precision: share(tp, found),
                    recall: share(tp, support),
                    f1: share(2.0 * tp, support + found),
                    specificity: share(all - support - found + tp, all - support),
                    auc: roc_auc(&points),
                    average_precision: average_precision(&points),
                }
            })
            .collect();
        let occur: Vec<&ClassScores> = classes.iter().filter(|scores| scores.support > 0).collect();
        let mean = |of: fn(&ClassScores) -> f64| {
            occur.iter().map(|scores| of(scores)).sum::<f64>() / occur.len().max(1) as f64
        };
        let error = |all: &[Vec<f64>]| {
            let tops: Vec<_> =
                all.iter().zip(&self.labels).zip(weights).map(|((p, &label), &weight)| top(p, label, weight)).collect();
            expected_calibration_error(&reliability(&tops))
        };
        Figures {
            accuracy: share((0..count).map(|class| confusion[class][class]).sum(), all),
            balanced_accuracy: mean(|scores| scores.recall),
            macro_f1: mean(|scores| scores.f1),
            ece: error(&self.raw),
            ece_calibrated: error(&self.calibrated),
            melanoma,
            melanoma_recall_at_specificity: at_specificity,
            classes,
            confusion,
        }
    }
}

impl Figures {
    /// What intervals are made of, by the names of the JSON object.
    fn named(&self) -> Vec<(String, f64)> {
        let mut named = vec![
            ("accuracy".to_owned(), self.accuracy),
            ("balanced_accuracy".to_owned(), self.balanced_accuracy),
            ("macro_f1".to_owned(), self.macro_f1),
            ("ece".to_owned(), self.ece),
            ("ece_calibrated".to_owned(), self.ece_calibrated),
        ];
        if let Some(scores) = self.melanoma.map(|at| &self.classes[at]) {
            named.push(("melanoma_recall".into(), scores.recall));
            named.push(("melanoma_f1".into(), scores.f1));
            let more = [
                ("melanoma_auc", scores.auc),
                ("melanoma_average_precision", scores.average_precision),
                ("melanoma_recall_at_90_specificity", self.melanoma_recall_at_specificity),
            ];
            named.extend(more.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
        }
        for scores in &self.classes {
            let always = [
                ("precision", scores.precision),
                ("recall", scores.recall),
                ("specificity", scores.specificity),
                ("f1", scores.f1),
            ];
            let where_known = [("auc", scores.auc), ("average_precision", scores.average_precision)];
            let known = where_known.into_iter().filter_map(|(figure, value)| Some((figure, value?)));
            named.extend(always.into_iter().chain(known).map(|(figure, of)| (format!("{figure}_{}", scores.name), of)));
        }
        named
    }
}
