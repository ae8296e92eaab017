//! The page of a classifier's measurement: confusion, curves, calibration, and what it got wrong.

use super::document::{Cell, Tile};
use super::{Document, Legend, LineChart, Series, line_chart};
use crate::error::Result;
use crate::train::classification::Calibration;
use crate::train::classification::calibration::Bin;
use crate::train::classification::curves::{Point, average_precision, roc_auc};
use crate::train::{ClassificationMeter, ClassificationScores, Interval};

/// What the page shows.
#[derive(Debug)]
pub struct Measured<'a> {
    /// Facts for its head: data, weights, device.
    pub facts: Vec<(&'a str, String)>,
    /// What was measured.
    pub meter: &'a ClassificationMeter,
    /// Its figures.
    pub scores: &'a ClassificationScores,
    /// The same photographs shown in other ways, each with its name.
    pub compared: &'a [(String, ClassificationScores)],
    /// The threshold for a wanted recall of melanomas.
    pub threshold: Option<ThresholdRow>,
    /// How its logits became probabilities.
    pub calibration: &'a Calibration,
    /// Where that comes from: what follows "Calibrated by …,".
    pub origin: &'a str,
    /// Photographs that were taken for something else.
    pub worst: Vec<Tile>,
}

/// A threshold for a wanted recall of melanomas, and what it gives.
#[derive(Debug, Clone)]
pub struct ThresholdRow {
    /// The share of the melanomas that was to be found.
    pub wanted_recall: f64,
    /// The side it was chosen on.
    pub chosen_on: &'static str,
    /// What it gives there.
    pub point: Point,
    /// The side that was measured, where that is another, with the recall and specificity there.
    pub measured: Option<(&'static str, f64, f64)>,
}

/// The figures that stand side by side: their name in JSON, and for people.
pub const FIGURES: [(&str, &str); 9] = [
    ("accuracy", "accuracy"),
    ("balanced_accuracy", "balanced accuracy"),
    ("macro_f1", "mean F1"),
    ("melanoma_recall", "melanoma recall"),
    ("melanoma_f1", "melanoma F1"),
    ("melanoma_auc", "melanoma AUC"),
    ("melanoma_recall_at_90_specificity", "melanoma recall at 90 % specificity"),
    ("ece", "ECE"),
    ("ece_calibrated", "ECE, calibrated"),
];

/// A figure by its name in JSON, with its interval.
#[must_use]
pub fn figure(scores: &ClassificationScores, name: &str) -> Option<(f64, Option<Interval>)> {
    let value = match name {
        "accuracy" => Some(scores.accuracy),
        "balanced_accuracy" => Some(scores.balanced_accuracy),
        "macro_f1" => Some(scores.macro_f1),
        "melanoma_recall" => scores.melanoma_recall,
        "melanoma_f1" => scores.melanoma_f1,
        "melanoma_auc" => scores.melanoma_auc,
        "melanoma_recall_at_90_specificity" => scores.melanoma_recall_at_90_specificity,
        "ece" => Some(scores.ece),
        "ece_calibrated" => Some(scores.ece_calibrated),
        _ => None,
    }?;
    Some((value, scores.intervals.get(name).copied()))
}

/// A figure with its interval, for people.
#[must_use]
pub fn with_interval((value, interval): (f64, Option<Interval>)) -> String {
    match interval {
        None => format!("{value:.3}"),
        Some(Interval { low, high }) => format!("{value:.3} ({low:.3}–{high:.3})"),
    }
}

/// What makes logits into probabilities, for people: the temperature, and the biases where there are some.
#[must_use]
pub fn calibrated_by(scores: &ClassificationScores) -> String {
    let temperature = format!("the temperature {:.3}", scores.temperature);
    match scores.class_bias.iter().all(|bias| *bias == 0.0) {
        true => temperature,
        false => format!("{temperature} and the biases {}", by_class(scores, &scores.class_bias, true)),
    }
}

/// What decides what a photograph is taken for, for people.
#[must_use]
pub fn decided_by(scores: &ClassificationScores) -> String {
    let first = scores.decision_weights.first().copied().unwrap_or(1.0);
    match scores.decision_weights.iter().all(|weight| *weight == first) {
        true => "the most probable class".into(),
        false => {
            let weights = by_class(scores, &scores.decision_weights, false);
            format!("the class of the greatest weight · probability, weights {weights}")
        }
    }
}

fn by_class(scores: &ClassificationScores, values: &[f64], sign: bool) -> String {
    let named = scores.classes.iter().zip(values).map(|(class, value)| match sign {
        true => format!("{} {value:+.3}", class.name),
        false => format!("{} {value:.3}", class.name),
    });
    named.collect::<Vec<_>>().join(", ")
}

/// The page as HTML.
pub fn page(measured: Measured<'_>) -> Result<String> {
    let Measured { facts, meter, scores, compared, threshold, calibration, origin, worst } = measured;
    let mut page = Document::new("A classifier, measured");
    page.fact("Photographs", format!("{} of {} lesions", scores.images, scores.lesions));
    for (name, value) in facts {
        page.fact(name, value);
    }
    figures(&mut page, scores, compared);
    classes(&mut page, scores);
    let points: Vec<(String, Vec<Point>)> = meter
        .classes()
        .names()
        .iter()
        .enumerate()
        .map(|(class, name)| (name.clone(), meter.curve(class, calibration)))
        .filter(|(_, points)| !points.is_empty())
        .collect();
    page.charts(
        "Each class against the rest",
        "Left: what share of a class is found, over the share of the rest that is found with it. Right: how much of \
         what is found is right, over the share that is found.",
        &[roc(&points)?, precision_recall(&points)?],
    );
    if let Some(ThresholdRow { wanted_recall, chosen_on, point, measured }) = threshold {
        let about =
            format!("The highest threshold that finds {:.0} % of the melanomas on {chosen_on}.", 100.0 * wanted_recall);
        let row = |side: &str, recall: f64, specificity: f64| {
            let numbers = [point.threshold, recall, specificity].map(|value| Cell::Number(format!("{value:.3}")));
            std::iter::once(Cell::Text(side.to_owned())).chain(numbers).collect::<Vec<_>>()
        };
        let mut rows = vec![row(chosen_on, point.recall, point.specificity())];
        rows.extend(measured.map(|(side, recall, specificity)| row(side, recall, specificity)));
        let head = ["side", "probability from which to say melanoma", "recall", "specificity"];
        page.table("A threshold for melanomas", &about, &head, &rows);
    }
    page.charts(
        "Do probabilities mean what they say?",
        &format!(
            "Photographs by the probability of their most probable class; on the diagonal as many are right as the network \
             says. Calibrated by {}, {origin}.",
            calibrated_by(scores)
        ),
        &[reliability(&meter.reliability(&Calibration::default()), &meter.reliability(calibration))?],
    );
    if !worst.is_empty() {
        page.tiles("The surest mistakes", "Each with what it is and what it was taken for.", &worst)?;
    }
    Ok(page.finish())
}

fn figures(page: &mut Document, scores: &ClassificationScores, compared: &[(String, ClassificationScores)]) {
    let all: Vec<(&str, &ClassificationScores)> = match compared.is_empty() {
        true => vec![("value", scores)],
        false => compared.iter().map(|(name, scores)| (name.as_str(), scores)).collect(),
    };
    let head: Vec<&str> = std::iter::once("figure").chain(all.iter().map(|(name, _)| *name)).collect();
    let row = |(key, name): &(&str, &str)| {
        let values = all.iter().map(|(_, scores)| figure(scores, key));
        let cell = |value| Cell::Number(Option::map_or(value, "none".into(), with_interval));
        std::iter::once(Cell::Text((*name).to_owned())).chain(values.map(cell)).collect::<Vec<_>>()
    };
    let about = "In brackets 95 % of what other draws of as many lesions would give (bootstrap by lesion).";
    page.table("Figures", about, &head, &FIGURES.iter().map(row).collect::<Vec<_>>());
}

fn classes(page: &mut Document, scores: &ClassificationScores) {
    let names: Vec<&str> = scores.classes.iter().map(|class| class.name.as_str()).collect();
    let rows: Vec<Vec<Cell>> = scores
        .confusion
        .iter()
        .zip(&names)
        .map(|(counts, name)| {
            let all = counts.iter().sum::<u64>().max(1) as f64;
            let cell = |&count: &u64| Cell::Shaded(count.to_string(), count as f64 / all);
            std::iter::once(Cell::Text((*name).to_owned())).chain(counts.iter().map(cell)).collect()
        })
        .collect();
    let head: Vec<&str> = std::iter::once("is \\ taken for").chain(names.iter().copied()).collect();
    page.table(
        "What is taken for what",
        &format!("Rows are what photographs show, columns what they were taken for: {}.", decided_by(scores)),
        &head,
        &rows,
    );
    let number = |value: Option<f64>| Cell::Number(value.map_or("none".into(), |value| format!("{value:.3}")));
    let rows: Vec<Vec<Cell>> = scores
        .classes
        .iter()
        .map(|class| {
            vec![
                Cell::Text(class.name.clone()),
                Cell::Number(class.support.to_string()),
                number(Some(class.precision)),
                number(Some(class.recall)),
                number(Some(class.specificity)),
                number(Some(class.f1)),
                number(class.auc),
                number(class.average_precision),
            ]
        })
        .collect();
    let head = ["class", "photographs", "precision", "recall", "specificity", "F1", "ROC AUC", "average precision"];
    page.table("Class by class", "", &head, &rows);
}

fn diagonal() -> Series {
    Series::new("", vec![(0.0, 0.0), (1.0, 1.0)])
}

fn roc(points: &[(String, Vec<Point>)]) -> Result<String> {
    let mut series: Vec<Series> = points
        .iter()
        .map(|(name, points)| {
            let name = format!("{name}, AUC {:.3}", roc_auc(points).unwrap_or(f64::NAN));
            Series::new(name, points.iter().map(|point| (point.false_alarms, point.recall)).collect())
        })
        .collect();
    series.push(Series { name: "by chance".into(), ..diagonal() });
    line_chart(&LineChart {
        title: "ROC".into(),
        x: "share of the rest (1 − specificity)".into(),
        y: "recall".into(),
        y_range: Some((0.0, 1.0)),
        series,
        legend: Legend::LowerRight,
    })
}

fn precision_recall(points: &[(String, Vec<Point>)]) -> Result<String> {
    let series = points.iter().map(|(name, points)| {
        let name = format!("{name}, area {:.3}", average_precision(points).unwrap_or(f64::NAN));
        // The curve begins where something is found.
        Series::new(name, points.iter().skip(1).map(|point| (point.recall, point.precision)).collect())
    });
    line_chart(&LineChart {
        title: "Precision over recall".into(),
        x: "recall".into(),
        y: "precision".into(),
        y_range: Some((0.0, 1.0)),
        series: series.collect(),
        legend: Legend::LowerLeft,
    })
}

fn reliability(before: &[Bin], after: &[Bin]) -> Result<String> {
    let line = |name: &str, bins: &[Bin]| {
        let filled = bins.iter().filter(|bin| bin.count > 0.0);
        Series::new(name, filled.map(|bin| (bin.confidence, bin.accuracy)).collect())
    };
    line_chart(&LineChart {
        title: "Reliability".into(),
        x: "probability of the most probable class".into(),
        y: "share that is right".into(),
        y_range: Some((0.0, 1.0)),
        series: vec![
            line("as trained", before),
            line("calibrated", after),
            Series { name: "as it should be".into(), ..diagonal() },
        ],
        legend: Legend::LowerRight,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Classes;
    use crate::train::{Bootstrap, Predicted};

    #[test]
    fn the_page_has_every_part() {
        let mut meter = ClassificationMeter::new(Classes::three());
        for i in 0..30u8 {
            let label = usize::from(i % 3);
            let mut logits = vec![0.1 * f32::from(i % 7), 0.2, 0.3];
            logits[if i % 5 == 0 { 0 } else { label }] += 2.0;
            let name = format!("spot <{i}>");
            meter.add(Predicted { lesion: name.clone(), name, label, logits: vec![logits] }).unwrap();
        }
        let bias = vec![-0.2, 0.1, 0.1];
        let calibration = Calibration { temperature: 1.3, bias, decision: vec![2.0, 0.5, 1.0] };
        let scores = meter.scores(&calibration, Some(&Bootstrap { resamples: 20, seed: 1 })).unwrap();
        let worst = scores.worst(1)[0];
        let tile = Tile { picture: image::RgbImage::new(40, 30), lines: vec![worst.name.clone()] };
        let point = meter.curve(0, &calibration)[3];
        let text = page(Measured {
            facts: vec![("Weights", "resnet50 & co".into())],
            meter: &meter,
            scores: &scores,
            compared: &[("whole image".into(), scores.clone()), ("lesion crop".into(), scores.clone())],
            threshold: Some(ThresholdRow {
                wanted_recall: 0.9,
                chosen_on: "val",
                point,
                measured: Some(("test", 0.875, 0.625)),
            }),
            calibration: &calibration,
            origin: "kept in the weights",
            worst: vec![tile],
        })
        .unwrap();
        for wanted in [
            "resnet50 &amp; co",
            "lesion crop",
            "melanoma AUC",
            "What is taken for what",
            "spot &lt;",
            "90 %",
            "0.625",
            "1.300 and the biases MEL -0.200, NV +0.100, Other_SC +0.100, kept",
            "weights MEL 2.000, NV 0.500, Other_SC 1.000",
        ] {
            assert!(text.contains(wanted), "{wanted}");
        }
        assert_eq!(text.matches("data:image/svg+xml").count(), 3);
        for unwanted in ["http://", "https://", "<script"] {
            assert!(!text.contains(unwanted), "{unwanted}");
        }
    }
}
