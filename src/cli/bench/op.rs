//! Single kernels: every version of every kernel of the ops asked for, on real layers' shapes.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use super::BenchArgs;
use super::rows::{Row, Rows};
use super::shapes::{self, Shape};
use super::trace::after_each_other;
use crate::cli::Context;
use crate::cli::table::table;
use crate::error::{Error, Result};
use crate::gpu::{Gpu, Peaks};
use crate::graph::{Graph, Op, Value};
use crate::ops::pointwise::Add;
use crate::ops::{Attributes, Kernel, OPS, Room, Version};
use crate::plan::{CallProfile, Params, Plan, PlanOptions, Precision};
use crate::tensor::Tensor;

#[derive(Serialize)]
pub(super) struct Report {
    device: String,
    peak_gflops: f64,
    peak_gbps: f64,
    repeat: u32,
    pub rows: Vec<Row>,
    /// The calls of the trace.
    #[serde(skip)]
    pub run: Vec<CallProfile>,
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

/// The layers' shapes to time, each with its room: of these rooms those that `layers` name by a part, all where it is
/// empty.
fn wanted<'a>(
    rooms: &[&'static Room],
    shapes: &'a [Shape],
    layers: &[String],
) -> Result<Vec<(&'static Room, &'a Shape)>> {
    let of = |room: &'static Room| {
        shapes.iter().filter(|shape| room.ops.contains(&shape.op)).map(move |shape| (room, shape))
    };
    let all: Vec<_> = rooms.iter().flat_map(|&room| of(room)).collect();
    if let Some(layer) = layers.iter().find(|&layer| !all.iter().any(|(_, shape)| shape.label.contains(layer))) {
        let known: Vec<&str> = all.iter().map(|(_, shape)| shape.label.as_str()).collect();
        let message = format!("no layer has {layer:?} in its name, expected a part of one of: {}", known.join(", "));
        return Err(Error::parameter("bench", message));
    }
    let asked = |label: &str| layers.is_empty() || layers.iter().any(|layer| label.contains(layer));
    Ok(all.into_iter().filter(|(_, shape)| asked(&shape.label)).collect())
}

/// For each turn the versions that may run, by kernel: the n-th of every kernel at once, for kernels do not hinder each
/// other. One turn without a limit where the plan is to choose.
fn turns(room: &Room, taken: bool) -> Vec<BTreeMap<String, String>> {
    if taken {
        return vec![BTreeMap::new()];
    }
    let most = room.kernels.iter().map(|kernel| kernel.versions.len()).max().unwrap_or(0);
    let turn = |at: usize| {
        let version = |kernel: &Kernel| Some((kernel.name.to_owned(), kernel.versions.get(at)?.shader.to_owned()));
        room.kernels.iter().filter_map(version).collect()
    };
    (0..most).map(turn).collect()
}

pub(super) fn run(args: &BenchArgs, gpu: &Gpu, peaks: &Peaks, context: &Context) -> Result<Report> {
    let (rooms, shapes) = (rooms(&args.what)?, shapes::all());
    let wanted = wanted(&rooms, &shapes, &args.layer)?;
    let (mut rows, mut run) = (Vec::new(), Vec::new());
    for room in &rooms {
        if args.layer.is_empty() && !wanted.iter().any(|(other, _)| other.name == room.name) {
            tracing::warn!("{} has no shapes of its own: see the models (unet, resnet50)", room.name);
        }
    }
    let bar = context.progress("shapes", wanted.len() as u64);
    for (room, shape) in wanted {
        let Built { graph, outputs, given } = build(room, shape)?;
        let params = Params::new(gpu, &graph)?;
        for only in turns(room, args.taken) {
            let asked = |call: &CallProfile| match only.get(call.kernel) {
                // A version that cannot take the shape gave way to another, which has its own turn.
                Some(version) => version == call.version,
                // Conversions of layouts are another room's.
                None => args.taken && room.kernels.iter().any(|kernel| kernel.name == call.kernel),
            };
            let half = |version: &Version| version.requires.half && only.values().any(|only| only == version.shader);
            let precision = match room.kernels.iter().flat_map(|kernel| kernel.versions).any(half) {
                true => Precision::F16,
                false => Precision::F32,
            };
            let options = PlanOptions { rewrite: false, only: only.clone(), precision, ..context.plan_options(gpu) };
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
                kept.add(calls.filter(asked));
            }
            run.extend(kept.fastest().cloned());
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
        run: after_each_other(run),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(layers: &[&str]) -> Result<Vec<String>> {
        let layers: Vec<String> = layers.iter().map(|&layer| layer.into()).collect();
        let shapes = shapes::all();
        let found = wanted(&rooms(&["conv2d".into(), "conv_transpose2d".into()])?, &shapes, &layers)?;
        Ok(found.into_iter().map(|(room, shape)| format!("{} {}", room.name, shape.label)).collect())
    }

    #[test]
    fn layers_are_named_by_a_part() {
        assert_eq!(labels(&["3x3 64->64"]).unwrap(), ["conv2d 3x3 64->64 @56x56"]);
        let two = labels(&["2x2 128->64 @56x56", "7x7 3->64"]).unwrap();
        assert_eq!(two, ["conv2d 7x7 3->64 @224x224", "conv_transpose2d 2x2 128->64 @56x56"]);
        assert!(labels(&[]).unwrap().len() > 10);
        let error = labels(&["7x7", "9x9"]).unwrap_err().to_string();
        assert!(error.contains("9x9") && error.contains("3x3 64->64 @56x56"), "{error}");
    }

    #[test]
    fn every_version_has_its_turn() {
        let room = rooms(&["conv2d".into()]).unwrap()[0];
        let turns_of_all = turns(room, false);
        for kernel in room.kernels {
            let seen: Vec<&str> = turns_of_all.iter().filter_map(|t| t.get(kernel.name)).map(String::as_str).collect();
            let versions: Vec<&str> = kernel.versions.iter().map(|version| version.shader).collect();
            assert_eq!(seen, versions);
        }
        assert_eq!(turns(room, true), [BTreeMap::new()]);
    }
}
