//! `nevus data …`.

mod describe;
mod phantom;
mod split;

use std::process::ExitCode;

use clap::Subcommand;

use super::Context;
use crate::error::Result;

/// The commands below `nevus data`.
#[derive(Debug, Subcommand)]
pub(super) enum DataCommand {
    /// Counts a data set's classes, sizes, gaps and repeats
    Describe(describe::DescribeArgs),
    /// Draws a split into train, val and test that keeps each lesion on one side
    Split(split::SplitArgs),
    /// Draws synthetic photographs of lesions with exact masks and labels
    Phantom(phantom::PhantomArgs),
}

pub(super) fn run(command: &DataCommand, context: &Context) -> Result<ExitCode> {
    match command {
        DataCommand::Describe(args) => describe::run(args, context),
        DataCommand::Split(args) => split::run(args, context),
        DataCommand::Phantom(args) => phantom::run(args, context),
    }
}
