//! The flags that every training takes in the same way.

use std::path::Path;

use clap::ValueEnum;

use crate::error::{Error, Result};
use crate::models::weights::Start;
use crate::report::document::Cell;
use crate::report::{Document, LineChart, Series, line_chart};
use crate::train::step::{Loss, Optimizer};
use crate::train::{Decay, MetricsTable, Row, Schedule};

/// SGD's momentum where nothing says otherwise.
pub(super) const MOMENTUM: f32 = 0.9;
/// The licence of weights where nothing says otherwise.
pub(super) const LICENSE: &str = "as the training data's";

/// A norm to clip to, of which 0 is none.
pub(super) fn norm(text: &str) -> Result<f32, String> {
    let norm = text.parse::<f32>().map_err(|error| error.to_string())?;
    let sound = norm.is_finite() && norm >= 0.0;
    sound.then_some(norm).ok_or_else(|| "expected a number from 0".into())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum OptimizerArg {
    Sgd,
    Adamw,
}

/// What a segmentation minimises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum LossArg {
    Bce,
    Dice,
    BceDice,
}

impl From<LossArg> for Loss {
    fn from(loss: LossArg) -> Self {
        match loss {
            LossArg::Bce => Self::Bce,
            LossArg::Dice => Self::Dice,
            LossArg::BceDice => Self::BceDice,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ScheduleArg {
    Constant,
    Step,
    Cosine,
}

impl ScheduleArg {
    /// The decay of a run of so many steps.
    fn decay(self, total: u64) -> Decay {
        match self {
            Self::Constant => Decay::Constant,
            Self::Step => Decay::Step { every: (total / 3).max(1), factor: 0.1 },
            Self::Cosine => Decay::Cosine { total, end: 0.0 },
        }
    }
}

/// How gradients become updates: what no flag says stays as in `base`.
pub(in crate::cli) fn optimizer(
    base: Optimizer,
    kind: Option<OptimizerArg>,
    momentum: Option<f32>,
    weight_decay: Option<f32>,
) -> Optimizer {
    let (known, old) = match base {
        Optimizer::Sgd { momentum, weight_decay } => (momentum, weight_decay),
        Optimizer::Adamw { weight_decay } => (MOMENTUM, weight_decay),
    };
    let (momentum, weight_decay) = (momentum.unwrap_or(known), weight_decay.unwrap_or(old));
    match (kind, base) {
        (Some(OptimizerArg::Sgd), _) | (None, Optimizer::Sgd { .. }) => Optimizer::Sgd { momentum, weight_decay },
        (Some(OptimizerArg::Adamw), _) | (None, Optimizer::Adamw { .. }) => Optimizer::Adamw { weight_decay },
    }
}

/// The learning rates: what no flag says stays as in `base`. `total` is the run's length in steps where it is to be set
/// anew.
pub(super) fn schedule(
    base: Schedule,
    kind: Option<ScheduleArg>,
    lr: Option<f32>,
    warmup: u64,
    total: Option<u64>,
) -> Schedule {
    let decay = match (kind, base.decay, total) {
        (Some(kind), _, Some(total)) => kind.decay(total),
        (None, Decay::Cosine { end, .. }, Some(total)) => Decay::Cosine { total, end },
        (_, decay, _) => decay,
    };
    Schedule { base: lr.unwrap_or(base.base), warmup, decay }
}

/// Steps of a run; at least one more than the warm-up has.
pub(super) fn length(samples: usize, batch: usize, epochs: u64, warmup: u64) -> u64 {
    steps_per_epoch(samples, batch).saturating_mul(epochs).max(warmup.saturating_add(1))
}

/// Steps of an epoch, at least 1.
pub(super) fn steps_per_epoch(samples: usize, batch: usize) -> u64 {
    (samples / batch.max(1)).max(1) as u64
}

/// What a run started from, in words.
pub(super) fn started(start: Option<&Start>) -> String {
    start.map_or_else(|| "a fresh fill".into(), ToString::to_string)
}

/// A chart of a run's table: file, title, what stands beside it, its columns.
pub(super) type Chart<'a> = (&'a str, &'a str, &'a str, &'a [&'a str]);

/// Leaves an epoch's charts and `report.html` in the run's folder. That one of them cannot be written ends no training.
pub(super) fn leave(run: &Path, title: &str, facts: &[(&str, String)], wanted: &[Chart]) {
    let written = charts(run, wanted).and_then(|drawn| {
        write_files(run, &drawn)?;
        report(run, title, facts, drawn)
    });
    if let Err(error) = written {
        tracing::warn!(%error, "the curves were not drawn");
    }
}

/// Draws charts from the run's table, each as SVG.
fn charts<'a>(run: &Path, charts: &[Chart<'a>]) -> Result<Vec<(&'a str, String)>> {
    let (columns, rows) = MetricsTable::read(run.join("metrics.csv"))?;
    let series = |name: &str| {
        let at = columns.iter().position(|column| column == name);
        let point = |row: &Row| Some((row.epoch as f64, row.values.get(at?).copied().flatten()?));
        Series::new(name, rows.iter().filter_map(point).collect())
    };
    let draw = |&(file, title, y, names): &Chart<'a>| {
        let chart = LineChart {
            title: title.into(),
            x: "epoch".into(),
            y: y.into(),
            y_range: None,
            series: names.iter().map(|name| series(name)).collect(),
            ..LineChart::default()
        };
        Ok((file, line_chart(&chart)?))
    };
    charts.iter().map(draw).collect()
}

/// Writes files of text into the run's folder.
pub(super) fn write_files(run: &Path, drawn: &[(&str, String)]) -> Result<()> {
    for (file, text) in drawn {
        let path = run.join(file);
        crate::data::save::write_atomic(&path, |out| out.write_all(text.as_bytes()).map_err(Error::io(&path)))?;
    }
    Ok(())
}

/// Writes `report.html`: the charts and the table on one page.
fn report(run: &Path, title: &str, facts: &[(&str, String)], drawn: Vec<(&str, String)>) -> Result<()> {
    let (columns, rows) = MetricsTable::read(run.join("metrics.csv"))?;
    let mut page = Document::new(title);
    for (name, value) in facts {
        page.fact(*name, value);
    }
    page.fact("Epochs", rows.len().to_string());
    let drawn: Vec<String> = drawn.into_iter().map(|(_, svg)| svg).collect();
    page.charts("Curves", "The averaged weights are measured on val after every epoch.", &drawn);
    let head: Vec<&str> = std::iter::once("epoch").chain(columns.iter().map(String::as_str)).collect();
    let cell = |value: &Option<f64>| Cell::Number(value.map_or_else(String::new, |value| format!("{value:.5}")));
    let row = |row: &Row| {
        let epoch = Cell::Number(row.epoch.to_string());
        std::iter::once(epoch).chain(row.values.iter().map(cell)).collect::<Vec<_>>()
    };
    page.table("Epoch by epoch", "", &head, &rows.iter().map(row).collect::<Vec<_>>());
    write_files(run, &[("report.html", page.finish())])
}
