//! Whole networks: the time of a run, and of each of its calls by the device's own clock.

use std::fmt::Write as _;
use std::time::Instant;

use serde::Serialize;

use super::BenchArgs;
use super::kinds::{self, Kind, kinds};
use super::rows::{Row, Rows, min_median};
use crate::cli::networks::{Mode, Network, Recipe};
use crate::cli::table::table;
use crate::cli::{Context, SizeArg, train};
use crate::error::{Error, Result};
use crate::gpu::{Gpu, Peaks};
use crate::models::{ResNet, ResNetDepth, UNet};
use crate::plan::{CallProfile, Memory, Params, Plan, PlanOptions, Precision};
use crate::tensor::Tensor;
use crate::train::Init;
use crate::train::step::{Loss, Optimizer};

#[derive(Serialize)]
pub(super) struct Report {
    device: String,
    peak_gflops: f64,
    peak_gbps: f64,
    model: Network,
    mode: Mode,
    /// Of a training step.
    optimizer: Option<Optimizer>,
    /// Of a U-Net's training step.
    loss: Option<Loss>,
    /// Of a training step, whether the weights' average is kept.
    average: Option<bool>,
    precision: Precision,
    batch: usize,
    height: usize,
    width: usize,
    repeat: u32,
    pub total_ms_min: f64,
    total_ms_median: f64,
    gflop: f64,
    /// Of the fastest run.
    gflops: f64,
    images_per_second: f64,
    /// What the plan takes on the device.
    peak_bytes: u64,
    memory: Memory,
    dispatches: usize,
    /// Calls by kernel and window, that with the most time first.
    kinds: Vec<Kind>,
    /// In the order in which they run.
    pub rows: Vec<Row>,
    /// The calls of the trace: the fastest of the runs whose calls were timed.
    #[serde(skip)]
    pub run: Vec<CallProfile>,
}

/// Times the network that `what` names.
pub(super) fn run(what: &str, args: &BenchArgs, gpu: &Gpu, peaks: &Peaks, context: &Context) -> Result<Report> {
    let (model, size, init) = match what {
        "unet" => {
            let net = UNet { base: usize::from(args.base), ..UNet::default() };
            (Network::UNet(net), args.size.unwrap_or(SizeArg { height: 144, width: 192 }), Init::default())
        }
        _ => {
            let net = ResNet::new(ResNetDepth::D50, args.classes as usize);
            let size = args.size.unwrap_or(SizeArg { height: 224, width: 224 });
            (Network::ResNet(net), size, Init::resnet(&net, 0, false))
        }
    };
    let (batch, size) = (usize::from(args.batch), [size.height, size.width]);
    let optimizer = train::optimizer(Recipe::default().optimizer, Some(args.optimizer), None, None);
    let recipe = Recipe { optimizer, loss: args.loss.into(), average: !args.no_average };
    let (graph, outputs) = model.graph(args.mode, recipe, batch, size)?;
    let inputs = model.inputs(args.mode, recipe, batch, size)?;
    let options = PlanOptions { recompute: args.recompute, ..context.plan_options(gpu) };
    let plan = Plan::new(gpu, &graph, &outputs, &options)?;
    context.say(format!("memory: {}", plan.memory()));
    let params = Params::new(gpu, &graph)?;
    init.fill(graph.params())?.load(&params)?;
    let inputs: Vec<(&str, &Tensor)> =
        inputs.iter().filter(|(name, _)| plan.reads(name)).map(|(name, tensor)| (*name, tensor)).collect();
    let bar = context.progress("runs", u64::from(args.repeat));
    // The first run allocates and compiles. A value beyond 16 bits is an error: another plan's time would be counted.
    let once = || plan.submit(&params, &inputs)?.wait();
    once()?;
    let mut totals = Vec::new();
    for _ in 0..args.repeat {
        if context.cancelled() {
            return Err(Error::Cancelled);
        }
        let start = Instant::now();
        once()?;
        totals.push(start.elapsed().as_secs_f64() * 1e3);
        bar.inc(1);
    }
    bar.finish_and_clear();
    let (mut rows, mut fastest) = (Rows::default(), Vec::new());
    if gpu.caps().timestamps {
        for _ in 0..args.repeat.min(5) {
            if context.cancelled() {
                return Err(Error::Cancelled);
            }
            let run = plan.profile(&params, &inputs)?;
            let length = |run: &[CallProfile]| run.iter().map(CallProfile::nanoseconds).sum::<f64>();
            if fastest.is_empty() || length(&run) < length(&fastest) {
                fastest.clone_from(&run);
            }
            rows.add(run.into_iter());
        }
    } else {
        tracing::warn!("the adapter takes no timestamps: no times of single kernels");
    }
    let (total_ms_min, total_ms_median) = min_median(&mut totals);
    #[expect(clippy::cast_precision_loss, reason = "operations are counted for people")]
    let gflop = plan.flops() as f64 / 1e9;
    let rows = rows.finish(peaks);
    Ok(Report {
        device: gpu.caps().describe(),
        peak_gflops: peaks.gflops,
        peak_gbps: peaks.gbps,
        model,
        mode: args.mode,
        optimizer: (args.mode == Mode::Train).then_some(recipe.optimizer),
        loss: (args.mode == Mode::Train && matches!(model, Network::UNet(_))).then_some(recipe.loss),
        average: (args.mode == Mode::Train).then_some(recipe.average),
        precision: context.precision,
        batch,
        height: size[0],
        width: size[1],
        repeat: args.repeat,
        total_ms_min,
        total_ms_median,
        gflop,
        gflops: gflop / total_ms_min * 1e3,
        images_per_second: f64::from(args.batch) / total_ms_min * 1e3,
        peak_bytes: plan.memory().total(),
        memory: *plan.memory(),
        dispatches: plan.dispatches(),
        kinds: kinds(&rows, peaks),
        rows,
        run: fastest,
    })
}

/// For people: the calls, the slowest first, and the whole.
pub(super) fn text(report: &Report) -> String {
    let mut text = String::new();
    let row = |row: &&Row| {
        vec![
            row.name.clone(),
            row.version.clone(),
            row.shape.clone(),
            format!("{:.3}", row.ms_min),
            format!("{:.3}", row.ms_median),
            format!("{:.1}", row.gflops),
            format!("{:.1}", row.gbps),
            format!("{:.0}", row.percent_of_peak),
            format!("{:.1}", row.percent_of_total),
        ]
    };
    if !report.rows.is_empty() {
        let mut rows: Vec<&Row> = report.rows.iter().collect();
        rows.sort_by(|a, b| b.ms_min.total_cmp(&a.ms_min));
        let rows: Vec<_> = rows.iter().map(row).collect();
        let head = ["name", "version", "shape", "ms min", "ms median", "GFLOP/s", "GB/s", "% of peak", "% of all"];
        text += &table(&head, &rows, &[3, 4, 5, 6, 7, 8]);
        text.push('\n');
        text += &kinds::text(&report.kinds);
        text.push('\n');
    }
    let Report { precision, batch, height, width, device, total_ms_min, total_ms_median, gflop, .. } = report;
    let mode = if report.mode == Mode::Train { "training step" } else { "forward" };
    let _ = writeln!(text, "{}, {mode}, {precision}, batch {batch}, {height}x{width} on {device}", report.model);
    let _ = writeln!(text, "total {total_ms_min:.1} ms (median {total_ms_median:.1}) for {gflop:.2} GFLOP");
    let _ = writeln!(
        text,
        "{:.1} GFLOP/s, {:.2} images/s; the device's peaks are {:.1} GFLOP/s and {:.1} GB/s",
        report.gflops, report.images_per_second, report.peak_gflops, report.peak_gbps
    );
    let _ = writeln!(text, "{}", report.memory);
    text
}
