//! What `nevus eval classify` has measured, as text and as a page.

use std::fmt::Write as _;
use std::path::Path;

use super::{ClassifyArgs, Report, Threshold};
use crate::cli::eval::{WORST, short};
use crate::cli::table::table;
use crate::data::{DecodeLimits, Labelled, read_photo};
use crate::error::Result;
use crate::report::classification::{
    FIGURES, Measured, ThresholdRow, calibrated_by, decided_by, figure, page, with_interval,
};
use crate::report::document::Tile;
use crate::train::classification::{Calibration, ClassScores, ImageClass};
use crate::train::{ClassificationMeter, ClassificationScores};

/// Pictures on the page.
const SHOWN: usize = 24;

/// The page, as HTML.
pub(super) fn html(
    report: &Report,
    meter: &ClassificationMeter,
    labelled: &Labelled,
    args: &ClassifyArgs,
    (calibration, origin): (&Calibration, &str),
) -> Result<String> {
    let mut worst = Vec::new();
    for image in report.scores.worst(SHOWN) {
        let Some(sample) = labelled.samples.iter().find(|sample| sample.id == image.name) else { continue };
        let lines = vec![
            short(&image.name).to_owned(),
            format!("is {}, taken for {} ({:.0} %)", image.label, image.predicted, 100.0 * image.probability),
        ];
        worst.push(Tile { picture: read_photo(&sample.image, &DecodeLimits::default())?, lines });
    }
    let name = |path: &Path| path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    let shown = format!("{}, in {} ways", report.view.name(), report.ways);
    let compared: Vec<(String, ClassificationScores)> =
        report.compared.iter().map(|one| (one.name.clone(), one.scores.clone())).collect();
    page(Measured {
        facts: vec![
            ("Data", format!("{}, {}", name(&args.data), report.split)),
            ("Weights", name(&report.weights)),
            ("Shown", if report.ways == 1 { report.view.name().into() } else { shown }),
            ("Computed on", report.device.clone()),
            ("Time", format!("{:.1} s", report.seconds)),
        ],
        meter,
        scores: &report.scores,
        compared: &compared,
        threshold: report.melanoma_threshold.as_ref().map(|found| ThresholdRow {
            wanted_recall: found.wanted_recall,
            chosen_on: found.chosen_on,
            point: found.point,
            measured: found.measured.as_ref().map(|reached| (report.split, reached.recall, reached.specificity)),
        }),
        calibration,
        origin,
        worst,
    })
}

/// The figures as text.
pub(super) fn text(report: &Report) -> String {
    let scores = &report.scores;
    let mut text = String::new();
    let ways = if report.ways > 1 { format!(", in {} ways", report.ways) } else { String::new() };
    let _ = writeln!(
        text,
        "{} photographs of {} lesions ({}), {}{ways}\ncalibrated by {}; taken for {}\n",
        scores.images,
        scores.lesions,
        report.split,
        report.view.name(),
        calibrated_by(scores),
        decided_by(scores)
    );
    let compared: Vec<(&str, &ClassificationScores)> = match report.compared.as_slice() {
        [] => vec![("value (95 % interval)", scores)],
        all => all.iter().map(|one| (one.name.as_str(), &one.scores)).collect(),
    };
    let head: Vec<&str> = std::iter::once("figure").chain(compared.iter().map(|(name, _)| *name)).collect();
    let row = |(key, name): &(&str, &str)| {
        let values = compared.iter().map(|(_, scores)| figure(scores, key).map_or("none".into(), with_interval));
        std::iter::once((*name).to_owned()).chain(values).collect::<Vec<_>>()
    };
    text += &table(&head, &FIGURES.iter().map(row).collect::<Vec<_>>(), &[]);
    let names: Vec<&str> = scores.classes.iter().map(|class| class.name.as_str()).collect();
    let head: Vec<&str> = ["is \\ taken for"]
        .into_iter()
        .chain(names.iter().copied())
        .chain(["precision", "recall", "F1", "AUC"])
        .collect();
    let row = |(class, counts): (&ClassScores, &Vec<u64>)| {
        let counts = counts.iter().map(u64::to_string);
        let figures = [Some(class.precision), Some(class.recall), Some(class.f1), class.auc];
        let figures = figures.map(|value| value.map_or("none".into(), |value| format!("{value:.3}")));
        std::iter::once(class.name.clone()).chain(counts).chain(figures).collect::<Vec<_>>()
    };
    let rows: Vec<_> = scores.classes.iter().zip(&scores.confusion).map(row).collect();
    let right: Vec<usize> = (1..head.len()).collect();
    let _ = writeln!(text, "\n{}", table(&head, &rows, &right).trim_end());
    if let Some(Threshold { wanted_recall, chosen_on, point, measured }) = &report.melanoma_threshold {
        let (recall, specificity) =
            measured.as_ref().map_or((point.recall, point.specificity()), |m| (m.recall, m.specificity));
        let _ = writeln!(
            text,
            "\nmelanoma from probability {:.4}: chosen on {chosen_on} for recall {wanted_recall:.2}; \
             here recall {recall:.3}, specificity {specificity:.3}",
            point.threshold
        );
    }
    let worst = scores.worst(WORST);
    if !worst.is_empty() {
        let row = |image: &&ImageClass| {
            let sure = format!("{:.3}", image.probability);
            vec![image.name.clone(), image.label.clone(), image.predicted.clone(), sure]
        };
        let rows: Vec<_> = worst.iter().map(row).collect();
        let _ = writeln!(
            text,
            "\n{}",
            table(&["surest mistakes", "is", "taken for", "probability"], &rows, &[3]).trim_end()
        );
    }
    text += &report.unreadable.line();
    let _ = writeln!(text, "\n{:.1} s on {}", report.seconds, report.device);
    text
}
