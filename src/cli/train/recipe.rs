//! The flags that every training takes in the same way.

use std::path::Path;

use clap::ValueEnum;

use crate::error::{Error, Result};
use crate::models::Weights;
use crate::report::{LineChart, Series, line_chart};
use crate::train::{Decay, MetricsTable, Row};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum OptimizerArg {
    Sgd,
    Adamw,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ScheduleArg {
    Constant,
    Step,
    Cosine,
}

impl ScheduleArg {
    /// The decay of a run of so many steps.
    pub(super) fn decay(self, total: u64) -> Decay {
        match self {
            Self::Constant => Decay::Constant,
            Self::Step => Decay::Step { every: (total / 3).max(1), factor: 0.1 },
            Self::Cosine => Decay::Cosine { total, end: 0.0 },
        }
    }
}

/// A digest of the file that weights came from.
pub(super) fn digest(weights: &Weights) -> Result<String> {
    let path = weights.path.clone().ok_or_else(|| Error::parameter("--init", "has no file"))?;
    let bytes = std::fs::read(&path).map_err(Error::io(&path))?;
    Ok(blake3::hash(&bytes).to_hex()[..32].to_owned())
}

/// A chart of a run's table: file, title, what stands beside it, its columns.
pub(super) type Chart<'a> = (&'a str, &'a str, &'a str, &'a [&'a str]);

/// Draws charts from the run's table, each as SVG.
pub(super) fn charts<'a>(run: &Path, charts: &[Chart<'a>]) -> Result<Vec<(&'a str, String)>> {
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
        };
        Ok((file, line_chart(&chart)?))
    };
    charts.iter().map(draw).collect()
}

/// Writes drawn charts into the run's folder.
pub(super) fn write_charts(run: &Path, drawn: &[(&str, String)]) -> Result<()> {
    for (file, svg) in drawn {
        let path = run.join(file);
        crate::data::save::write_atomic(&path, |out| out.write_all(svg.as_bytes()).map_err(Error::io(&path)))?;
    }
    Ok(())
}
