//! The tuner on this machine's adapter: what it measures, what it refuses, and that plans follow it.

mod support;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use nevus::graph::{Graph, Value};
use nevus::ops::cases::Input;
use nevus::ops::conv2d::Conv2d;
use nevus::plan::PlannedCall;
use nevus::tune::{Subject, subjects, tune};
use nevus::{Gpu, GpuOptions, Params, Plan, PlanOptions, Tensor};

/// A convolution and a sigmoid on its output.
fn graph() -> (Graph, Value) {
    let mut graph = Graph::new();
    let x = graph.input("x", [2, 8, 13, 21]).unwrap();
    let weight = graph.input("weight", [6, 8, 3, 3]).unwrap();
    let y = graph.conv2d(Conv2d::padded(1), x, weight, None).unwrap();
    let y = graph.sigmoid(y).unwrap();
    (graph, y)
}

fn found(gpu: &Gpu) -> Vec<Subject> {
    let (graph, y) = graph();
    let calls = PlannedCall::all(&graph, &[y], &PlanOptions::default(), gpu.caps()).unwrap();
    subjects(calls, &BTreeSet::new(), gpu.caps())
}

fn run(gpu: &Gpu, options: &PlanOptions) -> (Tensor, Plan) {
    let (graph, y) = graph();
    let plan = Plan::new(gpu, &graph, &[y], options).unwrap();
    let inputs = [Input::normal([2, 8, 13, 21]).tensor(1), Input::normal([6, 8, 3, 3]).tensor(2)];
    let params = Params::new(gpu, &graph).unwrap();
    let mut outputs = plan.run(&params, &[("x", &inputs[0]), ("weight", &inputs[1])]).unwrap();
    (outputs.remove(0), plan)
}

#[test]
fn every_class_gets_a_row_that_plans_follow() {
    let Some(gpu) = support::gpu(&support::options()) else { return };
    let subjects = found(&gpu);
    let kernels: Vec<&str> = subjects.iter().map(|subject| subject.kernel.name).collect();
    assert_eq!(kernels, ["conv2d.forward", "pointwise.sigmoid"]);
    let mut told = Vec::new();
    let tuned = tune(&gpu, &subjects, None, &mut |done, subject| {
        told.push((done, subject.kernel.name));
        true
    });
    let tuned = tuned.unwrap();
    assert_eq!(told, [(0, "conv2d.forward"), (1, "pointwise.sigmoid")]);
    assert!(tuned.rejected.is_empty(), "{:?}", tuned.rejected);
    assert_eq!((tuned.left, tuned.table.len()), (0, 2));
    for subject in &subjects {
        let row = tuned.table.get(subject.kernel.name, &subject.class).unwrap();
        let candidate = |shader: &str| subject.candidates.iter().any(|version| version.shader == shader);
        assert!(candidate(&row.version) && candidate(&row.usual), "{row:?}");
        assert_eq!(row.usual, subject.call.version.shader);
        assert!(row.ms > 0.0 && row.gflops > 0.0, "{row:?}");
        match row.version == row.usual {
            true => assert_eq!(row.ms, row.usual_ms),
            false => assert!(row.gain() > 1.0 / (1.0 - nevus::tune::MARGIN) - 1e-3, "{row:?}"),
        }
    }
    let (expected, _) = run(&gpu, &PlanOptions::default());
    // Whatever was the fastest, a table of the plainest versions is followed too.
    let mut plainest = tuned.table.clone();
    for subject in &subjects {
        let mut row = tuned.table.get(subject.kernel.name, &subject.class).unwrap().clone();
        row.version = subject.candidates[0].shader.into();
        plainest.insert(row);
    }
    for table in [tuned.table, plainest] {
        let options = PlanOptions { table: Some(Arc::new(table.clone())), ..PlanOptions::default() };
        let (got, plan) = run(&gpu, &options);
        for row in table.rows() {
            assert_eq!(plan.versions()[row.kernel.as_str()], row.version);
        }
        nevus::ops::compare::within(&got, &expected, 1.0, 1e-5).unwrap();
    }
}

#[test]
fn what_was_not_reached_is_counted() {
    let Some(gpu) = support::gpu(&support::options()) else { return };
    let subjects = found(&gpu);
    let stopped = tune(&gpu, &subjects, None, &mut |done, _| done < 1).unwrap();
    assert_eq!((stopped.table.len(), stopped.left), (1, 1));
    let late = tune(&gpu, &subjects, Some(Duration::ZERO), &mut |_, _| true).unwrap();
    assert_eq!((late.table.len(), late.left), (0, 2));
}

/// A folder with one shader in which `from` is replaced by `to`.
fn tampered(shader: &str, from: &str, to: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("shaders").join(format!("{shader}.wgsl"));
    let text = std::fs::read_to_string(source).unwrap();
    assert!(text.contains(from), "{shader} has changed: it lacks {from:?}");
    let path = folder.path().join(format!("{shader}.wgsl"));
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text.replace(from, to)).unwrap();
    folder
}

#[test]
fn a_version_that_strays_or_does_not_compile_is_rejected_and_not_taken() {
    let wide = "pointwise/unary_2_wide";
    let line = "let e = exp(-abs(x));";
    for (to, why) in [("let e = exp(-abs(x)) * 1.01;", "worst at"), ("let e = no_such_thing(x);", "no_such_thing")] {
        let folder = tampered(wide, line, to);
        let options = GpuOptions { shaders: Some(folder.path().into()), ..support::options() };
        let Some(gpu) = support::gpu(&options) else { return };
        let subjects = found(&gpu);
        let sigmoid = subjects.iter().find(|subject| subject.kernel.name == "pointwise.sigmoid").unwrap();
        let tuned = tune(&gpu, std::slice::from_ref(sigmoid), None, &mut |_, _| true).unwrap();
        let rejected: Vec<_> = tuned.rejected.iter().map(|rejected| rejected.version).collect();
        assert_eq!(rejected, [wide]);
        assert!(tuned.rejected[0].why.contains(why), "{}", tuned.rejected[0].why);
        let row = tuned.table.get("pointwise.sigmoid", &sigmoid.class).unwrap();
        assert_eq!(row.version, "pointwise/unary_1_direct");
        assert_eq!(tuned.table.origin.shaders, gpu.shaders().digest());
    }
}
