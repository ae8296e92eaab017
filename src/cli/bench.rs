//! `nevus bench …`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;

use super::table::table;
use super::{Context, SizeArg};
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::graph::{Graph, Value};
use crate::models::resnet::ResNetTraining;
use crate::models::{ResNet, ResNetDepth, UNet};
use crate::ops::cross_entropy::CrossEntropy;
use crate::ops::{OPS, cases};
use crate::plan::{Memory, Params, Plan};
use crate::tensor::Tensor;
use crate::train::Init;
use crate::train::step::{Loss, Normalisation, Optimizer, Rate, Step, StepOptions};

/// The commands below `nevus bench`.
#[derive(Debug, Subcommand)]
pub(super) enum BenchCommand {
    /// Times a U-Net on random input: the whole, and every kernel by the device's own clock
    Unet(UnetArgs),
    /// Times a ResNet-50 on random input: the whole, and every kernel by the device's own clock
    Resnet50(ResnetArgs),
}

/// Flags of `nevus bench unet`.
#[derive(Debug, Args)]
pub(super) struct UnetArgs {
    #[command(flatten)]
    common: CommonArgs,
    /// Height and width of the input, multiples of 16
    #[arg(long, default_value = "144x192", value_name = "HEIGHTxWIDTH")]
    size: SizeArg,
    /// Channels of the first level
    #[arg(long, default_value_t = 16, value_name = "B", value_parser = clap::value_parser!(u16).range(1..=512))]
    base: u16,
}

/// Flags of `nevus bench resnet50`.
#[derive(Debug, Args)]
pub(super) struct ResnetArgs {
    #[command(flatten)]
    common: CommonArgs,
    /// Height and width of the input
    #[arg(long, default_value = "224x224", value_name = "HEIGHTxWIDTH")]
    size: SizeArg,
    /// Classes that are told apart
    #[arg(long, default_value_t = 1000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    classes: u32,
}

/// Flags of every bench of a model.
#[derive(Debug, Args)]
struct CommonArgs {
    /// What to time
    #[arg(long, value_enum, default_value_t = Mode::Forward, value_name = "MODE")]
    mode: Mode,
    /// Photographs in one batch
    #[arg(long, default_value_t = 8, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    batch: u16,
    /// How often to run
    #[arg(long, default_value_t = 5, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    repeat: u32,
    /// Write the figures as one JSON object into FILE; without FILE print it on stdout in place of text
    #[arg(id = "json", long = "json", value_name = "FILE", num_args = 0..=1, default_missing_value = "-")]
    json: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
enum Mode {
    /// From photographs to logits
    Forward,
    /// A whole optimizer step: forward, backward, clipping, AdamW, average
    Train,
}

#[derive(Serialize)]
struct Report {
    device: String,
    model: Model,
    mode: Mode,
    batch: usize,
    height: usize,
    width: usize,
    repeat: u32,
    total_ms_min: f64,
    total_ms_median: f64,
    gflop: f64,
    /// Of the fastest run.
    gflops: f64,
    images_per_second: f64,
    /// What the plan takes on the device.
    peak_bytes: u64,
    memory: Memory,
    dispatches: usize,
    rows: Vec<Row>,
}

/// One shader of one node: all of its dispatches in a run.
#[derive(Debug, Serialize)]
struct Row {
    name: String,
    op: String,
    version: &'static str,
    dispatches: usize,
    ms_min: f64,
    ms_median: f64,
    percent_of_total: f64,
}

/// What is timed.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(untagged)]
enum Model {
    UNet(UNet),
    ResNet(ResNet),
}

impl std::fmt::Display for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::UNet(net) => write!(f, "U-Net base {}", net.base),
            Self::ResNet(net) => write!(f, "ResNet-{} of {} classes", net.depth.layers(), net.classes),
        }
    }
}

pub(super) fn run(command: &BenchCommand, context: &Context) -> Result<ExitCode> {
    match command {
        BenchCommand::Unet(UnetArgs { common, size, base }) => {
            let model = Model::UNet(UNet { base: usize::from(*base), ..UNet::default() });
            time(model, common, *size, &Init::default(), context)
        }
        BenchCommand::Resnet50(ResnetArgs { common, size, classes }) => {
            let net = ResNet::new(ResNetDepth::D50, *classes as usize);
            time(Model::ResNet(net), common, *size, &Init::resnet(&net, 0, false), context)
        }
    }
}

fn time(model: Model, args: &CommonArgs, size: SizeArg, init: &Init, context: &Context) -> Result<ExitCode> {
    let gpu = context.open_gpu()?;
    let (graph, outputs, inputs) = build(model, args, size)?;
    let plan = Plan::new(&gpu, &graph, &outputs, &context.plan_options(&gpu))?;
    context.say(format!("memory: {}", plan.memory()));
    let params = Params::new(&gpu, &graph)?;
    init.fill(graph.params())?.load(&params)?;
    let inputs: Vec<(&str, &Tensor)> =
        inputs.iter().filter(|(name, _)| plan.reads(name)).map(|(name, tensor)| (*name, tensor)).collect();
    let bar = context.progress("runs", u64::from(args.repeat));
    // The first run allocates and compiles.
    plan.run(&params, &inputs)?;
    let mut totals = Vec::new();
    for _ in 0..args.repeat {
        if context.cancelled() {
            return Err(Error::Cancelled);
        }
        let start = Instant::now();
        plan.run(&params, &inputs)?;
        totals.push(start.elapsed().as_secs_f64() * 1e3);
        bar.inc(1);
    }
    bar.finish_and_clear();
    let rows = profile(&gpu, &plan, &params, &inputs, args.repeat.min(5), context)?;
    let (total_ms_min, total_ms_median) = min_median(&mut totals);
    #[expect(clippy::cast_precision_loss, reason = "operations are counted for people")]
    let gflop = plan.flops() as f64 / 1e9;
    let report = Report {
        device: gpu.caps().describe(),
        model,
        mode: args.mode,
        batch: args.batch.into(),
        height: size.height,
        width: size.width,
        repeat: args.repeat,
        total_ms_min,
        total_ms_median,
        gflop,
        gflops: gflop / total_ms_min * 1e3,
        images_per_second: f64::from(args.batch) / total_ms_min * 1e3,
        peak_bytes: plan.memory().total(),
        memory: *plan.memory(),
        dispatches: plan.dispatches(),
        rows,
    };
    context.print_or_write(|| text(&report), &report)?;
    Ok(ExitCode::SUCCESS)
}

type Named = (&'static str, Tensor);

/// The graph, what it gives, and random values for its inputs.
fn build(model: Model, args: &CommonArgs, size: SizeArg) -> Result<(Graph, Vec<Value>, Vec<Named>)> {
    let (n, h, w) = (usize::from(args.batch), size.height, size.width);
    let image = cases::Input::drawn([n, 3, h, w], cases::Draw::Uniform(0.0, 1.0)).tensor(1);
    let normalisation = Normalisation::default();
    if args.mode == Mode::Forward {
        let mut graph = Graph::new();
        let x = graph.input("image", [n, 3, h, w])?;
        let x = graph.normalize(x, &normalisation.mean, &normalisation.std)?;
        let logits = match model {
            Model::UNet(net) => net.build(&mut graph, x, None)?,
            Model::ResNet(net) => net.build(&mut graph, x)?,
        };
        return Ok((graph, vec![logits], vec![("image", image)]));
    }
    let optimizer = Optimizer::Adamw { weight_decay: 1e-4 };
    let (step, target) = match model {
        Model::UNet(net) => {
            let options = StepOptions {
                net,
                normalisation,
                batch: n,
                micro_batches: 1,
                size: [h, w],
                loss: Loss::BceDice,
                optimizer,
                clip: 1.0,
                seed: 0,
            };
            (options.build()?, cases::Input::drawn([n, 1, h, w], cases::Draw::Binary))
        }
        Model::ResNet(net) => {
            let step = Step { parts: 1, optimizer, clip: 1.0, rate: &Rate::usual };
            let step = step.append(Graph::new(), |graph, _, running| {
                let image = graph.input("image.0", [n, 3, h, w])?;
                let target = graph.input("target.0", [n])?;
                let x = graph.normalize(image, &normalisation.mean, &normalisation.std)?;
                let training = ResNetTraining { running, frozen_norms: &BTreeSet::new(), dropout: None };
                let logits = net.build_training(graph, x, training)?.logits;
                graph.cross_entropy(CrossEntropy::new(0.0)?, logits, target, None)
            })?;
            (step, cases::Input::drawn([n], cases::Draw::Classes(net.classes)))
        }
    };
    let inputs = vec![
        ("image.0", image),
        ("target.0", target.tensor(2)),
        ("step", Tensor::new([1], vec![1.0])?),
        ("hyper", optimizer.hyper(1e-4, 1)?),
        ("average", Tensor::new([4], vec![0.99, 0.0, 0.0, 0.0])?),
    ];
    Ok((step.graph, vec![step.loss, step.norm], inputs))
}

/// Every node's shaders by the device's clock, the slowest first; nothing where the adapter takes no timestamps.
fn profile(
    gpu: &Gpu,
    plan: &Plan,
    params: &Params,
    inputs: &[(&str, &Tensor)],
    repeat: u32,
    context: &Context,
) -> Result<Vec<Row>> {
    if !gpu.caps().timestamps {
        tracing::warn!("the adapter takes no timestamps: no times of single kernels");
        return Ok(Vec::new());
    }
    let mut kept: BTreeMap<(String, &'static str), (usize, Vec<f64>)> = BTreeMap::new();
    for _ in 0..repeat {
        if context.cancelled() {
            return Err(Error::Cancelled);
        }
        let mut sums: BTreeMap<(String, &'static str), (usize, f64)> = BTreeMap::new();
        for timing in plan.profile(params, inputs)? {
            let node = timing.label.strip_suffix(timing.shader).unwrap_or(&timing.label).trim_end().to_owned();
            let sum = sums.entry((node, timing.shader)).or_default();
            sum.0 += 1;
            sum.1 += timing.nanoseconds / 1e6;
        }
        for (key, (dispatches, ms)) in sums {
            let all = kept.entry(key).or_default();
            all.0 = dispatches;
            all.1.push(ms);
        }
    }
    let mut rows: Vec<Row> = kept
        .into_iter()
        .map(|((name, version), (dispatches, mut times))| {
            let (ms_min, ms_median) = min_median(&mut times);
            Row { name, op: op(version).into(), version, dispatches, ms_min, ms_median, percent_of_total: 0.0 }
        })
        .collect();
    let total: f64 = rows.iter().map(|row| row.ms_min).sum();
    for row in &mut rows {
        row.percent_of_total = row.ms_min / total.max(f64::MIN_POSITIVE) * 100.0;
    }
    rows.sort_by(|a, b| b.ms_min.total_cmp(&a.ms_min));
    Ok(rows)
}

/// The kernel that a shader belongs to; the room's name where several kernels share it.
fn op(shader: &str) -> &'static str {
    let kernels = OPS.iter().flat_map(|room| room.kernels);
    let uses = |version: &crate::ops::Version| version.shaders.iter().any(|info| info.path == shader);
    let mut found = kernels.filter(|kernel| kernel.versions.iter().any(uses)).map(|kernel| kernel.name);
    match (found.next(), found.next()) {
        (Some(name), None) => name,
        (Some(name), Some(_)) => name.split('.').next().unwrap_or(name),
        (None, _) => "",
    }
}

fn min_median(values: &mut [f64]) -> (f64, f64) {
    values.sort_by(f64::total_cmp);
    let at = |index: usize| values.get(index).copied().unwrap_or(0.0);
    (at(0), (at(values.len().saturating_sub(1) / 2) + at(values.len() / 2)) / 2.0)
}

fn text(report: &Report) -> String {
    let mut text = String::new();
    let row = |row: &Row| {
        vec![
            row.name.clone(),
            row.op.clone(),
            row.version.to_owned(),
            row.dispatches.to_string(),
            format!("{:.3}", row.ms_min),
            format!("{:.3}", row.ms_median),
            format!("{:.1}", row.percent_of_total),
        ]
    };
    if !report.rows.is_empty() {
        let rows: Vec<_> = report.rows.iter().map(row).collect();
        text += &table(&["name", "op", "version", "dispatches", "ms min", "ms median", "%"], &rows, &[3, 4, 5, 6]);
        text.push('\n');
    }
    let Report { batch, height, width, device, total_ms_min, total_ms_median, gflop, .. } = report;
    let mode = if report.mode == Mode::Train { "training step" } else { "forward" };
    let _ = writeln!(text, "{}, {mode}, batch {batch}, {height}x{width} on {device}", report.model);
    let _ = writeln!(text, "total {total_ms_min:.1} ms (median {total_ms_median:.1}) for {gflop:.2} GFLOP");
    let _ = writeln!(text, "{:.1} GFLOP/s, {:.2} images/s", report.gflops, report.images_per_second);
    let _ = writeln!(text, "{}", report.memory);
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_median_of_few() {
        assert_eq!(super::min_median(&mut [3.0, 1.0, 2.0]), (1.0, 2.0));
        assert_eq!(super::min_median(&mut [4.0, 1.0]), (1.0, 2.5));
        assert_eq!(super::min_median(&mut []), (0.0, 0.0));
    }
}
