//! What a plan makes of a graph, against the same graph run node by node.

#[path = "support/shared.rs"]
mod shared;
mod support;

use nevus::graph::{Graph, ParamKind, Slab, Value};
use nevus::ops::batch_norm2d::BatchNorm2d;
use nevus::ops::cases::{Draw, Input};
use nevus::ops::conv_transpose2d::ConvTranspose2d;
use nevus::ops::conv2d::Conv2d;
use nevus::{Gpu, GpuOptions, Params, Plan, PlanOptions, Tensor};

use shared::{bits, gpu};

/// A convolution that keeps the size, with its parameters.
fn convolve(graph: &mut Graph, name: &str, x: Value, channels: usize, bias: bool) -> Value {
    let input = graph.shape(x)[1];
    let weight = graph.param(&format!("{name}.weight"), [channels, input, 3, 3], ParamKind::Conv).unwrap();
    let bias = bias.then(|| graph.param(&format!("{name}.bias"), [channels], ParamKind::Plain).unwrap());
    graph.conv2d(Conv2d::padded(1), x, weight, bias).unwrap()
}

/// Parameters drawn by name: variances above 0.
fn fill(gpu: &Gpu, graph: &Graph, seed: u64) -> Params {
    let params = Params::new(gpu, graph).unwrap();
    for (at, info) in graph.params().iter().enumerate() {
        let mut tensor = Input::normal(info.shape.clone()).tensor(seed + at as u64);
        if info.name.ends_with("var") {
            tensor.data_mut().iter_mut().for_each(|value| *value = value.abs() + 0.25);
        }
        params.set(&info.name, &tensor).unwrap();
    }
    params
}

/// Whether two runs differ by rounding alone.
fn close(what: &str, got: &[Tensor], expected: &[Tensor], tolerance: f64) {
    assert_eq!(got.len(), expected.len(), "{what}");
    for (got, expected) in got.iter().zip(expected) {
        nevus::ops::compare::within(got, expected, 1.0, tolerance).unwrap_or_else(|error| panic!("{what}: {error}"));
    }
}

/// Where a residual may come from.
#[derive(Debug, Clone, Copy, PartialEq)]
enum From {
    Input,
    Before,
    After,
    Slice,
    Itself,
}

/// conv + residual, with relu or without, its output perhaps a part of a larger value.
fn residual(from: From, channels: usize, relu: bool, joined: bool, bias: bool) -> (Graph, Vec<Value>) {
    let mut graph = Graph::new();
    let x = graph.input("x", [6, channels, 6, 9]).unwrap();
    let first = convolve(&mut graph, "first", x, channels, true);
    let first = graph.relu(first).unwrap();
    let wide = convolve(&mut graph, "wide", x, channels + 8, false);
    let main = convolve(&mut graph, "main", first, channels, bias);
    let other = match from {
        From::Input => x,
        From::Before => first,
        From::After => graph.sigmoid(wide).and_then(|wide| graph.slice(wide, 0, channels)).unwrap(),
        From::Slice => graph.slice(wide, 4, 4 + channels).unwrap(),
        From::Itself => convolve(&mut graph, "down", x, channels, false),
    };
    // The residual on either side.
    let sum = if channels.is_multiple_of(2) { graph.add(main, other) } else { graph.add(other, main) }.unwrap();
    let sum = if relu { graph.relu(sum).unwrap() } else { sum };
    let out = if joined { graph.concat(&[sum, wide]).unwrap() } else { sum };
    let last = convolve(&mut graph, "last", out, 5, true);
    (graph, vec![last])
}

#[test]
fn a_residual_in_the_epilogue_gives_the_bits_of_one_that_is_added() {
    let Some(gpu) = gpu() else { return };
    let low = support::gpu(&GpuOptions { max_binding: Some(8192), ..support::options() }).unwrap();
    for from in [From::Input, From::Before, From::After, From::Slice, From::Itself] {
        for (channels, relu, joined, bias) in [(8, true, true, false), (5, true, false, true), (4, false, true, true)] {
            let what = format!("{from:?}, {channels} channels, relu {relu}, joined {joined}");
            let (graph, wanted) = residual(from, channels, relu, joined, bias);
            let image = Input::normal([6, channels, 6, 9]).tensor(5);
            for only in [None, Some("conv2d/forward_1_direct"), Some("conv2d/forward_2_tiled")] {
                let only = only.map(|only| ("conv2d.forward".to_owned(), only.to_owned())).into_iter().collect();
                let options = PlanOptions { only, ..PlanOptions::default() };
                let run = |gpu: &Gpu, rewrite: bool| {
                    let plan = Plan::new(gpu, &graph, &wanted, &PlanOptions { rewrite, ..options.clone() }).unwrap();
                    let params = fill(gpu, &graph, 11);
                    (bits(&plan.run(&params, &[("x", &image)]).unwrap()), plan.dispatches())
                };
                let ((real, fewer), (naive, more)) = (run(&gpu, true), run(&gpu, false));
                assert!(real == naive, "{what}");
                // The relu of `first`, the sum, and its relu.
                assert!(fewer + 2 + usize::from(relu) <= more, "{what}: {fewer} and {more} dispatches");
                let (cut, pieces) = run(&low, true);
                assert!(cut == real && pieces > fewer, "{what}: cut into {pieces}");
            }
        }
    }
}

#[test]
fn a_sum_stays_where_the_convolution_is_read_again() {
    let Some(gpu) = gpu() else { return };
    let mut graph = Graph::new();
    let x = graph.input("x", [2, 4, 5, 7]).unwrap();
    let main = convolve(&mut graph, "main", x, 4, false);
    let sum = graph.add(main, x).unwrap();
    let twice = graph.add(main, main).unwrap();
    let image = Input::normal([2, 4, 5, 7]).tensor(5);
    for wanted in [vec![sum, main], vec![sum, twice], vec![twice]] {
        let run = |options: &PlanOptions| {
            let plan = Plan::new(&gpu, &graph, &wanted, options).unwrap();
            (bits(&plan.run(&fill(&gpu, &graph, 3), &[("x", &image)]).unwrap()), plan.dispatches())
        };
        assert_eq!(run(&PlanOptions::default()), run(&PlanOptions::naive()));
    }
}

/// Batch normalisation by running statistics, with its parameters.
fn norm(graph: &mut Graph, name: &str, x: Value) -> Value {
    let channels = graph.shape(x)[1];
    let of_channels = ["weight", "bias", "running_mean", "running_var"]
        .map(|part| graph.param(&format!("{name}.bn.{part}"), [channels], ParamKind::Plain).unwrap());
    graph.batch_norm2d(BatchNorm2d::default(), x, of_channels).unwrap().remove(0)
}

/// Two blocks with a norm after every convolution, one of them joined with what comes in, and a transposed one.
fn normed(batch: usize) -> (Graph, Value) {
    let mut graph = Graph::new();
    let x = graph.input("x", [batch, 3, 6, 10]).unwrap();
    let first = convolve(&mut graph, "first", x, 8, false);
    let first = norm(&mut graph, "first", first);
    let first = graph.relu(first).unwrap();
    let second = convolve(&mut graph, "second", first, 8, true);
    let second = norm(&mut graph, "second", second);
    let sum = graph.add(second, first).unwrap();
    let sum = graph.relu(sum).unwrap();
    let weight = graph.param("up.weight", [8, 5, 2, 2], ParamKind::ConvTranspose).unwrap();
    let up = graph.conv_transpose2d(ConvTranspose2d::upsampling(2).unwrap(), sum, weight, None).unwrap();
    let up = norm(&mut graph, "up", up);
    let last = convolve(&mut graph, "last", up, 1, true);
    (graph, last)
}

#[test]
fn norms_are_folded_and_follow_their_parameters() {
    let Some(gpu) = gpu() else { return };
    let low = support::gpu(&GpuOptions { max_binding: Some(8192), ..support::options() }).unwrap();
    let (graph, last) = normed(5);
    let image = Input::normal([5, 3, 6, 10]).tensor(5);
    let plan = |gpu: &Gpu, options: &PlanOptions| Plan::new(gpu, &graph, &[last], options).unwrap();
    let (real, naive) = (plan(&gpu, &PlanOptions::default()), plan(&gpu, &PlanOptions::naive()));
    // Three norms, two relus and a sum.
    assert!(real.dispatches() + 6 <= naive.dispatches(), "{} and {}", real.dispatches(), naive.dispatches());
    assert!(real.memory().derived > 0 && naive.memory().derived == 0);
    let params = fill(&gpu, &graph, 1);
    let run = |plan: &Plan, params: &Params| plan.run(params, &[("x", &image)]).unwrap();
    let first = run(&real, &params);
    close("folded", &first, &run(&naive, &params), 1e-5);
    assert_eq!(bits(&run(&real, &params)), bits(&first), "the second run");
    let cut = plan(&low, &PlanOptions::default());
    assert!(cut.dispatches() > real.dispatches());
    assert_eq!(bits(&run(&cut, &fill(&low, &graph, 1))), bits(&first), "cut");

    // One parameter set, a whole slab copied, and other parameters in between.
    let mut last = first.clone();
    for (name, shape) in
        [("second.bn.running_mean", 8), ("up.weight", 0), ("first.bn.running_var", 8), ("first.bn.bias", 8)]
    {
        let shape = if shape == 0 { vec![8, 5, 2, 2] } else { vec![shape] };
        params.set(name, &Input::drawn(shape, Draw::Uniform(0.5, 2.0)).tensor(77)).unwrap();
        let now = run(&real, &params);
        close(name, &now, &run(&naive, &params), 1e-5);
        assert_ne!(bits(&now), bits(&last), "{name} changes nothing");
        last = now;
    }
    let average = Slab::State("ema".into());
    params.copy(&Slab::Weights, &average).unwrap();
    let view = params.view(&average).unwrap();
    assert_eq!(bits(&run(&real, &view)), bits(&last), "the view");
    params.set_in(&average, "up.bn.bias", &Tensor::full([5], 3.0)).unwrap();
    close("the view, changed", &run(&real, &view), &run(&naive, &view), 1e-5);
    assert_ne!(bits(&run(&real, &view)), bits(&last));
    assert_eq!(bits(&run(&real, &params)), bits(&last), "the weights behind the view");
    close("other parameters", &run(&real, &fill(&gpu, &graph, 40)), &run(&naive, &fill(&gpu, &graph, 40)), 1e-5);
    assert_eq!(bits(&run(&real, &params)), bits(&last), "and back");
}

#[test]
fn folded_norms_follow_a_training_plan_on_the_same_parameters() {
    let Some(gpu) = gpu() else { return };
    let (graph, logits) = normed(2);
    let image = Input::normal([2, 3, 6, 10]).tensor(5);
    let params = fill(&gpu, &graph, 1);
    let (mut step, logits_again) = normed(2);
    let target = step.input("target", [2, 1, 12, 20]).unwrap();
    let loss = step.bce_with_logits(logits_again, target).unwrap();
    let wrt: Vec<Value> = step.params().iter().filter(|p| !p.name.contains("running")).map(|p| p.value).collect();
    let gradients = step.gradients(loss, &wrt).unwrap();
    for (&param, gradient) in wrt.iter().zip(gradients) {
        step.place_gradient(param, gradient.unwrap()).unwrap();
    }
    let gradients = step.slab(Slab::Gradients);
    let [_, control] = step.clip_grad_norm(&[gradients], loss, f32::INFINITY).unwrap();
    let (weights, momentum) = (step.slab(Slab::Weights), step.slab(Slab::State("momentum".into())));
    let hyper = step.constant("hyper", Tensor::new([4], vec![1e-4, 0.0, 0.0, 0.0]).unwrap());
    let segments = step.param_table().len() / nevus::graph::SEGMENT * 2;
    let segments = step.constant("segments", Tensor::full([segments], 1.0));
    let sgd = nevus::ops::sgd::Sgd::new(0.0, 0.0).unwrap();
    step.sgd(sgd, [weights, gradients, momentum, hyper, control, segments]).unwrap();
    let train = Plan::new(&gpu, &step, &[loss], &PlanOptions::default()).unwrap();
    assert_eq!(train.memory().derived, 0, "a plan that changes its parameters keeps nothing derived from them");
    let real = Plan::inference(&gpu, &graph, &[logits]).unwrap();
    let naive = Plan::new(&gpu, &graph, &[logits], &PlanOptions::naive()).unwrap();
    let target = Input::drawn([2, 1, 12, 20], Draw::Binary).tensor(6);
    let mut before = real.run(&params, &[("x", &image)]).unwrap();
    for _ in 0..2 {
        train.run(&params, &[("x", &image), ("target", &target)]).unwrap();
        let now = real.run(&params, &[("x", &image)]).unwrap();
        close("after a step", &now, &naive.run(&params, &[("x", &image)]).unwrap(), 1e-5);
        assert_ne!(bits(&now), bits(&before), "nothing was learnt");
        before = now;
    }
}

#[test]
fn norms_stay_where_they_cannot_be_folded() {
    let Some(gpu) = gpu() else { return };
    let image = Input::normal([2, 3, 6, 10]).tensor(5);
    // One weight with two norms; a convolution that is read again; a weight that is no parameter.
    let mut graph = Graph::new();
    let x = graph.input("x", [2, 3, 6, 10]).unwrap();
    let once = convolve(&mut graph, "shared", x, 4, true);
    let again = convolve(&mut graph, "shared", x, 4, true);
    let (once, again) = (norm(&mut graph, "a", once), norm(&mut graph, "b", again));
    let read = convolve(&mut graph, "read", x, 4, false);
    let normed = norm(&mut graph, "c", read);
    let given = graph.input("given", [4, 3, 1, 1]).unwrap();
    let free = graph.conv2d(Conv2d::default(), x, given, None).unwrap();
    let free = norm(&mut graph, "d", free);
    let given = Input::normal([4, 3, 1, 1]).tensor(8);
    for (wanted, folds) in [(vec![once, again], 2), (vec![normed, read], 0), (vec![free], 0), (vec![normed], 1)] {
        let run = |options: &PlanOptions| {
            let plan = Plan::new(&gpu, &graph, &wanted, options).unwrap();
            let mut inputs = vec![("x", &image)];
            inputs.extend(plan.reads("given").then_some(("given", &given)));
            (plan.run(&fill(&gpu, &graph, 3), &inputs).unwrap(), plan.dispatches())
        };
        let ((real, fewer), (naive, more)) = (run(&PlanOptions::default()), run(&PlanOptions::naive()));
        close("folded", &real, &naive, 1e-5);
        assert_eq!(more - fewer, folds, "{wanted:?}");
    }
}

/// Winograd's weights at the points, which are kept from run to run.
#[test]
fn what_a_call_makes_of_its_weight_follows_it() {
    let Some(gpu) = gpu() else { return };
    let mut graph = Graph::new();
    let x = graph.input("x", [2, 5, 9, 11]).unwrap();
    let first = convolve(&mut graph, "first", x, 8, true);
    let last = convolve(&mut graph, "last", first, 6, false);
    let image = Input::normal([2, 5, 9, 11]).tensor(5);
    let versions = nevus::ops::kernel("conv2d.forward").unwrap().versions;
    let runs = |version: &&str| {
        let version = versions.iter().find(|v| v.shader == *version).unwrap();
        version.requires.missing(gpu.caps()).is_none()
    };
    let by = ["conv2d/forward_4_winograd2", "conv2d/forward_5_winograd4", "conv2d/forward_17_fused_winograd4_subgroup"];
    for version in by.into_iter().filter(runs) {
        let only: std::collections::BTreeMap<_, _> = [("conv2d.forward".to_owned(), version.to_owned())].into();
        let plan = |rewrite: bool, outputs: &[Value]| {
            let options = PlanOptions { only: only.clone(), rewrite, ..PlanOptions::default() };
            Plan::new(&gpu, &graph, outputs, &options).unwrap()
        };
        let (real, naive) = (plan(true, &[last]), plan(false, &[last]));
        assert_eq!(real.versions()["conv2d.forward"], version);
        assert_eq!(real.dispatches() + 2, naive.dispatches(), "{version}: one dispatch less a convolution");
        assert!(real.memory().derived > 0 && naive.memory().derived == 0);
        let params = fill(&gpu, &graph, 1);
        let run = |plan: &Plan, params: &Params| bits(&plan.run(params, &[("x", &image)]).unwrap());
        let before = run(&real, &params);
        assert!(before == run(&naive, &params) && before == run(&real, &params), "{version}");
        params.set("last.weight", &Input::normal([6, 8, 3, 3]).tensor(77)).unwrap();
        let after = run(&real, &params);
        assert!(after != before && after == run(&naive, &params), "{version}");
        let other = fill(&gpu, &graph, 40);
        assert!(run(&real, &other) == run(&naive, &other), "{version}: other parameters");
        assert!(run(&real, &params) == after, "{version}: and back");
    }
}

/// What is made of parameters alone is a view of them in part; what reads an input still runs every time.
#[test]
fn a_view_among_what_runs_once_leaves_the_rest_to_every_run() {
    let Some(gpu) = gpu() else { return };
    let mut graph = Graph::new();
    let x = graph.input("x", [1, 8, 5, 6]).unwrap();
    let [a, b] = ["a", "b"].map(|name| graph.param(name, [1, 4, 5, 6], ParamKind::Plain).unwrap());
    let joined = graph.concat(&[a, b]).unwrap();
    let positive = graph.relu(joined).unwrap();
    let y = graph.add(x, positive).unwrap();
    let params = fill(&gpu, &graph, 5);
    let plans =
        [PlanOptions::default(), PlanOptions::naive()].map(|options| Plan::new(&gpu, &graph, &[y], &options).unwrap());
    for seed in 0..3 {
        let x = Input::normal([1, 8, 5, 6]).tensor(seed);
        let [got, expected] = [0, 1].map(|at: usize| plans[at].run(&params, &[("x", &x)]).unwrap());
        assert_eq!(bits(&got), bits(&expected), "{seed}");
    }
}
