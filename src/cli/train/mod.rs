//! `nevus train`.

mod classify;
mod progress;
mod recipe;
mod segment;

use std::process::ExitCode;

use clap::Subcommand;

pub(super) use self::recipe::{LossArg, OptimizerArg, optimizer};
use super::Context;
use crate::error::Result;

/// What is trained.
#[derive(Debug, Subcommand)]
pub(super) enum TrainCommand {
    /// Trains a U-Net on photographs and masks
    Segment(Box<segment::SegmentArgs>),
    /// Trains a ResNet on photographs and their diagnoses
    Classify(Box<classify::ClassifyArgs>),
}

pub(super) fn run(command: &TrainCommand, context: &Context) -> Result<ExitCode> {
    match command {
        TrainCommand::Segment(args) => segment::run(args, context),
        TrainCommand::Classify(args) => classify::run(args, context),
    }
}
