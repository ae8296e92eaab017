//! The program `nevus`: one file a subcommand, flags in, exit code out.
//!
//! Results go to stdout, messages to stderr. The exit code is 0 where everything went well, 1 where something failed,
//! 2 for wrong usage.

mod analyze;
mod bench;
mod check;
mod classes;
mod classify;
mod context;
mod data;
mod devices;
mod eval;
mod familiar;
mod generate;
mod model;
mod networks;
mod photos;
mod segment;
mod sides;
mod size;
mod storage;
mod table;
mod train;
mod tune;
mod weights;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

pub use self::context::{Context, GlobalArgs};
pub use self::size::SizeArg;
use self::storage::StorageArgs;
use crate::error::{Error, Result};
use crate::plan::Precision;

/// Outlines skin lesions on photographs, with a network that it trains itself, on any GPU and without CUDA.
///
/// What it says is no diagnosis.
#[derive(Debug, Parser)]
#[command(name = "nevus", version, propagate_version = true, arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    global: GlobalArgs,
    #[command(subcommand)]
    command: Command,
}

/// One line each: the arguments are in the file of its name, with `run` beside them.
#[derive(Debug, Subcommand)]
enum Command {
    /// Lists the GPU adapters, what they offer, and which one would be used
    Devices(devices::DevicesArgs),
    /// Looks at data sets, splits them, draws synthetic ones
    #[command(subcommand)]
    Data(data::DataCommand),
    /// Outlines, measures, classifies and explains the lesions on photographs, on one page
    Analyze(analyze::AnalyzeArgs),
    /// Outlines the lesions on photographs
    Segment(segment::SegmentArgs),
    /// Says what the lesions on photographs are, each class with its probability
    Classify(classify::ClassifyArgs),
    /// Measures weights on a data set
    #[command(subcommand)]
    Eval(eval::EvalCommand),
    /// Runs every version of every kernel on this adapter against its twin, and against reference cases
    Check(check::CheckArgs),
    /// Times kernels or a whole network on this adapter, beside what the device can do at most
    Bench(bench::BenchArgs),
    /// Measures which version of each kernel is the fastest on this adapter, and lets plans choose by it
    Tune(tune::TuneArgs),
    /// Looks at weights files, converts and compares them
    #[command(subcommand)]
    Weights(weights::WeightsCommand),
    /// Trains a network
    #[command(subcommand)]
    Train(train::TrainCommand),
    /// Prints a shell's completion script
    Completions(generate::CompletionsArgs),
    /// Prints the manual page, or writes one for every command
    Man(generate::ManArgs),
}

impl Command {
    /// Whether it measures, before its first plan, what nobody has measured on the adapter. A training run does not: its
    /// table is fixed at its start.
    fn tunes(&self) -> bool {
        matches!(self, Self::Analyze(_) | Self::Segment(_) | Self::Classify(_) | Self::Eval(_))
    }

    /// How it stores values.
    fn precision(&self) -> Precision {
        let given = match self {
            Self::Analyze(args) => args.storage,
            Self::Segment(args) => args.storage,
            Self::Classify(args) => args.storage,
            Self::Eval(command) => command.storage(),
            Self::Bench(args) => args.storage,
            Self::Tune(args) => args.storage,
            _ => StorageArgs::default(),
        };
        given.precision.into()
    }

    fn run(&self, context: &Context) -> Result<ExitCode> {
        match self {
            Self::Devices(args) => devices::run(args, context),
            Self::Data(command) => data::run(command, context),
            Self::Eval(command) => eval::run(command, context),
            Self::Bench(args) => bench::run(args, context),
            Self::Check(args) => check::run(args, context),
            Self::Tune(args) => tune::run(args, context),
            Self::Analyze(args) => analyze::run(args, context),
            Self::Segment(args) => segment::run(args, context),
            Self::Classify(args) => classify::run(args, context),
            Self::Weights(command) => weights::run(command, context),
            Self::Train(command) => train::run(command, context),
            Self::Completions(args) => generate::completions(args, context),
            Self::Man(args) => generate::man(args, context),
        }
    }
}

/// Runs the program on the process's arguments.
#[must_use]
pub fn main() -> ExitCode {
    let Cli { global, command } = Cli::parse();
    let context = Context { tunes: command.tunes(), precision: command.precision(), ..Context::new(global) };
    let ended = context.catch_interrupts().and_then(|()| command.run(&context));
    ended.unwrap_or_else(|error| {
        report(&error);
        ExitCode::FAILURE
    })
}

/// The program's arguments, as clap has them: what completions and manual pages are made from.
#[must_use]
pub fn command() -> clap::Command {
    Cli::command()
}

/// One line that says what went wrong, and one that says what helps.
fn report(error: &Error) {
    let text = error.to_string();
    match text.strip_suffix(')').and_then(|text| text.split_once(" (hint: ")) {
        Some((message, hint)) => eprintln!("error: {message}\n hint: {hint}"),
        None => eprintln!("error: {text}"),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_arguments_do_not_contradict_each_other() {
        super::command().debug_assert();
    }
}
