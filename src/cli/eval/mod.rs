//! `nevus eval …`.

mod classify;
mod segment;

use std::path::Path;
use std::process::ExitCode;

use clap::{Subcommand, ValueEnum};

pub(super) use self::classify::{Way, ways};
use super::Context;
use crate::data::{Dataset, Sample, Split};
use crate::error::{Error, Result};

/// How many of the worst photographs are named.
const WORST: usize = 10;

/// The commands below `nevus eval`.
#[derive(Debug, Subcommand)]
pub(super) enum EvalCommand {
    /// Measures outlines against the masks of a data set
    Segment(segment::SegmentArgs),
    /// Measures a classifier against the diagnoses of a data set
    Classify(Box<classify::ClassifyArgs>),
}

pub(super) fn run(command: &EvalCommand, context: &Context) -> Result<ExitCode> {
    match command {
        EvalCommand::Segment(args) => segment::run(args, context),
        EvalCommand::Classify(args) => classify::run(args, context),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Side {
    Train,
    Val,
    Test,
    All,
}

/// The samples that are asked for, and what to call them.
fn side(dataset: &Dataset, wanted: Option<Side>) -> Result<(&'static str, Vec<Sample>)> {
    let wanted = wanted.unwrap_or(if dataset.has_split() { Side::Test } else { Side::All });
    let split = match wanted {
        Side::All => return Ok(("all", dataset.samples.clone())),
        Side::Train => Split::Train,
        Side::Val => Split::Val,
        Side::Test => Split::Test,
    };
    let samples = dataset.side(split);
    if samples.is_empty() {
        let name = split.name();
        let hint = if dataset.has_split() { "--split all" } else { "nevus data split, or --split all" };
        return Err(Error::data(&dataset.root, format!("no photograph is on the side {name} (hint: {hint})")));
    }
    Ok((split.name(), samples))
}

/// A sample's name without its folders.
fn short(id: &str) -> &str {
    Path::new(id).file_name().and_then(|name| name.to_str()).unwrap_or(id)
}
