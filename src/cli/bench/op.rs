//! Single kernels: every version of every kernel of the ops asked for, on real layers' shapes.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use super::BenchArgs;
use super::rows::{Row, Rows};
use super::shapes::{self, Shape};
use crate::cli::Context;
use crate::cli::table::table;
use crate::error::{Error, Result};
use crate::gpu::{Gpu, Peaks};
use crate::graph::{Graph, Op, Value};
use crate::ops::pointwise::Add;
use crate::ops::{Attributes, OPS, Room};
use crate::plan::{Params, Plan, PlanOptions};
use crate::tensor::Tensor;

#[derive(Serialize)]
pub(super) struct Report {
    device: String,
    peak_gflops: f64,
    peak_gbps: f64,
    repeat: u32,
    pub rows: Vec<Row>,
}

/// The rooms that `names` ask for, by the room's name or that of one of its ops; all of them where none is named.
fn rooms(names: &[String]) -> Result<Vec<&'static Room>> {
    if names.is_empty() {
        return Ok(OPS.iter().collect());
    }
    let find = |name: &String| {
        let found = OPS.iter().find(|room| room.name == name || room.ops.contains(&name.as_str()));
        let known = || OPS.iter().map(|room| room.name).collect::<Vec<_>>().join(", ");
        found.ok_or_else(|| {
            Error::parameter("bench", format!("{name:?} is no op; expected unet, resnet50 or one of {}", known()))
        })
    };
    names.iter().map(find).collect()
}

/// A shape's op with its gradients as a graph.
struct Built {
    graph: Graph,
    outputs: Vec<Value>,
    /// The values of its inputs.
    given: Vec<(String, Tensor)>,
}

fn build(room: &Room, shape: &Shape) -> Result<Built> {
    let tensors: Vec<Tensor> = (1u64..).zip(&shape.inputs).map(|(seed, input)| input.tensor(seed)).collect();
    let mut graph = Graph::new();
    let mut given = Vec::with_capacity(tensors.len() + 1);
    let mut values = Vec::with_capacity(tensors.len());
    for (at, tensor) in tensors.iter().enumerate() {
        let name = format!("input.{at}");
        values.push(graph.input(&name, tensor.shape())?);
        given.push((name, tensor.clone()));
    }
    let attributes = Attributes { op: shape.op, json: &shape.attributes, inputs: &tensors };
    let mut outputs = (room.from_case)(&mut graph, shape.op, &attributes, &values)?;
    if !shape.gradients.is_empty() {
        let seed = graph.shape(outputs[0]).to_vec();
        let gradient = graph.input("gradient", seed.clone())?;
        given.push(("gradient".into(), crate::ops::cases::Input::normal(seed).tensor(99)));
        let wrt: Vec<Value> = shape.gradients.iter().map(|&at| values[at]).collect();
        let sum: Arc<dyn Op> = Arc::new(Add);
        outputs.extend(graph.gradients_from(&[(outputs[0], gradient)], &wrt, &sum)?.into_iter().flatten());
    }
    Ok(Built { graph, outputs, given })
}

pub(super) fn run(args: &BenchArgs, gpu: &Gpu, peaks: &Peaks, context: &Context) -> Result<Report> {
    let rooms = rooms(&args.what)?;
    let shapes = shapes::all();
    let mut rows = Vec::new();
    let wanted: Vec<(&Room, &Shape)> = rooms
        .iter()
        .flat_map(|&room| shapes.iter().filter(|shape| room.ops.contains(&shape.op)).map(move |shape| (room, shape)))
        .collect();
    for room in &rooms {
        if !wanted.iter().any(|(other, _)| other.name == room.name) {
            tracing::warn!("{} has no shapes of its own: see the models (unet, resnet50)", room.name);
        }
    }
    let bar = context.progress("shapes", wanted.len() as u64);
    for (room, shape) in wanted {
        let Built { graph, outputs, given } = build(room, shape)?;
        let params = Params::new(gpu, &graph)?;
        // The n-th version of every kernel at once: kernels do not hinder each other.
        let most = room.kernels.iter().map(|kernel| kernel.versions.len()).max().unwrap_or(0);
        for at in 0..most {
            let only: BTreeMap<String, String> = room
                .kernels
                .iter()
                .filter_map(|kernel| Some((kernel.name.to_owned(), kernel.versions.get(at)?.shader.to_owned())))
                .collect();
            let options = PlanOptions { rewrite: false, only: only.clone(), ..context.plan_options(gpu) };
            let plan = Plan::new(gpu, &graph, &outputs, &options)?;
            let inputs: Vec<(&str, &Tensor)> = given
                .iter()
                .filter(|(name, _)| plan.reads(name))
                .map(|(name, tensor)| (name.as_str(), tensor))
                .collect();
            // The first run allocates and compiles.
            plan.run(&params, &inputs)?;
            let mut kept = Rows::default();
            for _ in 0..args.repeat {
                if context.cancelled() {
                    return Err(Error::Cancelled);
                }
                let calls = plan.profile(&params, &inputs)?.into_iter().map(|mut call| {
                    call.name.clone_from(&shape.label);
                    call
                });
                // A version that cannot take the shape gave way to another, which has its own turn.
                kept.add(calls.filter(|call| only.get(call.kernel).is_some_and(|version| version == call.version)));
            }
            rows.extend(kept.finish(peaks));
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    rows.sort_by(|a: &Row, b: &Row| (&a.op, &a.shape, &a.version).cmp(&(&b.op, &b.shape, &b.version)));
    Ok(Report {
        device: gpu.caps().describe(),
        peak_gflops: peaks.gflops,
        peak_gbps: peaks.gbps,
        repeat: args.repeat,
        rows,
    })
}

pub(super) fn text(report: &Report) -> String {
    let rows: Vec<_> = report
        .rows
        .iter()
        .map(|row| {
            vec![
                row.version.to_owned(),
                row.name.clone(),
                format!("{:.3}", row.ms_min),
                format!("{:.3}", row.ms_median),
                format!("{:.1}", row.gflops),
                format!("{:.1}", row.gbps),
                format!("{:.0}", row.percent_of_peak),
            ]
        })
        .collect();
    let head = ["version", "layer", "ms min", "ms median", "GFLOP/s", "GB/s", "% of peak"];
    format!(
        "{}\n{}\npeaks: {:.1} GFLOP/s, {:.1} GB/s\n",
        table(&head, &rows, &[2, 3, 4, 5, 6]),
        report.device,
        report.peak_gflops,
        report.peak_gbps
    )
}
