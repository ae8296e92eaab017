//! `nevus eval …`.

mod classify;
mod segment;

use std::path::Path;
use std::process::ExitCode;

use clap::{Subcommand, ValueEnum};
use serde::Serialize;

use super::{Context, StorageArgs};
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

impl EvalCommand {
    /// Its flags for how values are stored.
    pub(super) fn storage(&self) -> StorageArgs {
        match self {
            Self::Segment(args) => args.storage,
            Self::Classify(args) => args.storage,
        }
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
    let test = dataset.has_side(Split::Test);
    if wanted.is_none() && !test {
        let why = if dataset.has_split() { "the split has no test" } else { "no split is known" };
        tracing::warn!(
            "{why}: these are all the photographs, whatever of them the weights were trained on \
             (--split-file names the sides, RUN/split.csv those of a training)"
        );
    }
    let split = match wanted.unwrap_or(if test { Side::Test } else { Side::All }) {
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

/// The photographs that could not be read, by name: they are left out, and the command ends with 1.
#[derive(Debug, Default, Serialize)]
#[serde(transparent)]
struct LeftOut(Vec<String>);

impl LeftOut {
    /// Says that a photograph is left out, and keeps its name.
    fn add(&mut self, context: &Context, id: &str, reason: &str) {
        context.say(format!("error: {id} is left out: {reason}"));
        self.0.push(id.to_owned());
    }

    /// A line that names them; empty where there is none.
    fn line(&self) -> String {
        match self.0.len() {
            0 => String::new(),
            1 => format!("\n1 photograph could not be read and is left out: {}\n", self.0[0]),
            many => format!("\n{many} photographs could not be read and are left out: {}\n", self.0.join(", ")),
        }
    }

    fn exit_code(&self) -> ExitCode {
        if self.0.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

/// A sample's name without its folders.
fn short(id: &str) -> &str {
    Path::new(id).file_name().and_then(|name| name.to_str()).unwrap_or(id)
}
