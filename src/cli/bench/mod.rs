//! `nevus bench`.

mod compare;
mod kinds;
mod model;
mod op;
mod rows;
mod shapes;
mod trace;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use super::context::to_json;
use super::networks::Mode;
use super::storage::PrecisionArg;
use super::train::{LossArg, OptimizerArg};
use super::{Context, SizeArg, StorageArgs};
use crate::data::save::write_atomic;
use crate::error::{Error, Result};
use crate::gpu::Peaks;
use crate::plan::CallProfile;
use compare::Old;

/// Flags of `nevus bench`.
#[derive(Debug, Args)]
pub(super) struct BenchArgs {
    /// `unet` or `resnet50`, or ops by name; without any every op
    what: Vec<String>,
    /// Of a network, what to time
    #[arg(long, value_enum, default_value_t = Mode::Forward, value_name = "MODE")]
    mode: Mode,
    /// Of a network's training step, compute values again in the backward pass rather than keep them
    #[arg(long)]
    recompute: bool,
    /// Of a network, photographs in one batch
    #[arg(long, default_value_t = 8, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    batch: u16,
    /// Of a network, height and width of the input; without it 144x192 for unet and 224x224 for resnet50
    #[arg(long, value_name = "HEIGHTxWIDTH")]
    size: Option<SizeArg>,
    /// Of unet, channels of the first level
    #[arg(long, default_value_t = 16, value_name = "B", value_parser = clap::value_parser!(u16).range(1..=512))]
    base: u16,
    /// Of resnet50, classes that are told apart
    #[arg(long, default_value_t = 1000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    classes: u32,
    /// Of a training step, what makes updates of gradients; sgd has momentum 0.9
    #[arg(long, value_enum, default_value_t = OptimizerArg::Adamw)]
    optimizer: OptimizerArg,
    /// Of unet's training step, what is minimised
    #[arg(long, value_enum, default_value_t = LossArg::BceDice)]
    loss: LossArg,
    /// Of a training step, leave out the average of the weights
    #[arg(long)]
    no_average: bool,
    #[command(flatten)]
    pub(super) storage: StorageArgs,
    /// Of ops, only the layers with LAYER in their name, such as "3x3 64->64"; can be given several times
    #[arg(long, value_name = "LAYER")]
    layer: Vec<String>,
    /// Of ops, only the version that a plan takes
    #[arg(long)]
    taken: bool,
    /// How often to run
    #[arg(long, default_value_t = 5, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    repeat: u32,
    /// Write the figures as one JSON object into FILE; without FILE print it on stdout in place of text
    #[arg(id = "json", long = "json", value_name = "FILE", num_args = 0..=1, default_missing_value = "-")]
    json: Option<PathBuf>,
    /// Print what got slower than in the JSON of an older run, and end with exit code 1 where something did
    #[arg(long, value_name = "OLD.json")]
    compare: Option<PathBuf>,
    /// With --compare, by which share something must be slower to count
    #[arg(long, default_value_t = 0.1, value_name = "SHARE", requires = "compare")]
    slower: f64,
    /// Write a run's calls and dispatches, by the device's clock, as a trace that Perfetto opens
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
}

pub(super) fn run(args: &BenchArgs, context: &Context) -> Result<ExitCode> {
    let model = args.what.iter().find(|name| ["unet", "resnet50"].contains(&name.as_str()));
    if model.is_some() && args.what.len() > 1 {
        let message = format!("a network is timed alone, got {:?}", args.what.join(" "));
        return Err(Error::parameter("bench", message));
    }
    if args.recompute && (model.is_none() || args.mode != Mode::Train) {
        let message = "only a training step keeps values that it can compute again (hint: unet --mode train)";
        return Err(Error::parameter("bench --recompute", message));
    }
    if args.storage.precision == PrecisionArg::F16 && model.is_none() {
        let message = "is a network's; of an op every version is timed, those in 16 bits too";
        return Err(Error::parameter("bench --precision", message));
    }
    if model.is_some() && (!args.layer.is_empty() || args.taken) {
        return Err(Error::parameter("bench", "--layer and --taken choose among ops' layers, not within a network"));
    }
    // Read first: a file that is none should not cost the time of a bench.
    let old = args.compare.as_deref().map(Old::read).transpose()?;
    let gpu = context.open_gpu()?;
    let peaks = Peaks::measure(&gpu)?;
    match model {
        Some(name) => {
            let report = model::run(name, args, &gpu, &peaks, context)?;
            context.print_or_write(|| model::text(&report), &report)?;
            finish(args, old, &report, &report.run, context)
        }
        None => {
            let report = op::run(args, &gpu, &peaks, context)?;
            context.print_or_write(|| op::text(&report), &report)?;
            finish(args, old, &report, &report.run, context)
        }
    }
}

/// Writes the trace, and compares with the older run.
fn finish(
    args: &BenchArgs,
    old: Option<Old>,
    report: &impl Serialize,
    run: &[CallProfile],
    context: &Context,
) -> Result<ExitCode> {
    if let Some(path) = &args.trace {
        write_json(path, &trace::trace(run))?;
    }
    let Some(old) = old else { return Ok(ExitCode::SUCCESS) };
    let compared = old.compare(report, args.slower)?;
    context.say(compared.text(args.slower).trim_end());
    Ok(if compared.slower.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn write_json(path: &Path, object: &impl Serialize) -> Result<()> {
    let text = to_json(object)?;
    write_atomic(path, |out| writeln!(out, "{text}").map_err(Error::io(path)))
}
