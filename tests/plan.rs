//! Plans against each other: rewritten and shared against naive, cut against whole, parts of a batch against the batch,
//! resumed against uninterrupted.
#![cfg(feature = "train")]

mod support;

use std::sync::OnceLock;

use nevus::graph::{Graph, ParamKind, Slab, Value};
use nevus::models::UNet;
use nevus::ops::cases::{Draw, Input};
use nevus::ops::conv2d::Conv2d;
use nevus::ops::reference::{self, Given};
use nevus::train::Init;
use nevus::train::step::{Loss, Normalisation, Optimizer, StepGraph, StepOptions, ema_slab};
use nevus::{Error, Gpu, GpuOptions, Params, Plan, PlanOptions, Tensor};

fn gpu() -> Option<Gpu> {
    static GPU: OnceLock<Option<Gpu>> = OnceLock::new();
    GPU.get_or_init(|| support::gpu(&support::options())).clone()
}

fn options(micro_batches: usize) -> StepOptions {
    StepOptions {
        net: UNet { base: 4, depth: 2, input: 3, output: 1, dropout: 0.3 },
        normalisation: Normalisation::default(),
        batch: 3,
        micro_batches,
        size: [16, 24],
        loss: Loss::BceDice,
        optimizer: Optimizer::Adamw { weight_decay: 0.01 },
        clip: 1.0,
        average: true,
        seed: 7,
    }
}

type Named = Vec<(String, Tensor)>;

/// One training in progress.
struct Run {
    options: StepOptions,
    plan: Plan,
    params: Params,
}

impl Run {
    fn new(gpu: &Gpu, options: StepOptions, plan_options: &PlanOptions) -> Self {
        let StepGraph { graph, loss, norm, control } = options.build().unwrap();
        let plan = Plan::new(gpu, &graph, &[loss, norm, control], plan_options).unwrap();
        let params = Params::new(gpu, &graph).unwrap();
        for (name, tensor) in &(Init { seed: 3, ..Init::default() }).fill(graph.params()).unwrap().tensors {
            params.set(name, tensor).unwrap();
        }
        params.copy(&Slab::Weights, &ema_slab()).unwrap();
        Self { options, plan, params }
    }

    /// The images and targets of step `step`, of the whole batch.
    fn data(&self, step: u64) -> [Tensor; 2] {
        let (n, [h, w]) = (self.options.batch, self.options.size);
        [
            Input::drawn([n, 3, h, w], Draw::Uniform(0.0, 1.0)).tensor(step * 2),
            Input::drawn([n, 1, h, w], Draw::Binary).tensor(step * 2 + 1),
        ]
    }

    /// Runs step `step`, from 1: loss, norm and control.
    fn step_on(&self, step: u64, data: &[Tensor; 2]) -> Vec<Tensor> {
        let parts = self.options.micro_batches;
        let mut given: Vec<(String, Tensor)> = Vec::new();
        for (name, whole) in ["image", "target"].iter().zip(data) {
            let mut shape = whole.shape().to_vec();
            shape[0] /= parts;
            for (m, part) in whole.data().chunks(whole.len() / parts).enumerate() {
                given.push((format!("{name}.{m}"), Tensor::new(shape.clone(), part.to_vec()).unwrap()));
            }
        }
        given.push(("step".into(), Tensor::full([1], step as f32)));
        given.push(("hyper".into(), self.options.optimizer.hyper(1e-3, step).unwrap()));
        given.push(("average".into(), Tensor::new([4], vec![0.9, 0.0, 0.0, 0.0]).unwrap()));
        let given: Vec<(&str, &Tensor)> = given.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
        self.plan.run(&self.params, &given).unwrap()
    }

    fn steps(&self, steps: impl IntoIterator<Item = u64>) -> Vec<Tensor> {
        steps.into_iter().flat_map(|step| self.step_on(step, &self.data(step))).collect()
    }

    fn slabs(&self) -> Vec<Slab> {
        let mut slabs = vec![Slab::Weights, ema_slab()];
        slabs.extend(self.options.optimizer.states());
        slabs
    }

    fn state(&self) -> Vec<Named> {
        self.slabs().iter().map(|slab| self.params.read(slab).unwrap()).collect()
    }

    fn weights(&self) -> Named {
        self.params.read(&Slab::Weights).unwrap()
    }

    fn gradients(&self) -> Named {
        self.plan.gradients().unwrap()
    }
}

fn bits(tensor: &Tensor) -> Vec<u32> {
    tensor.data().iter().map(|value| value.to_bits()).collect()
}

fn same_tensors(what: &str, a: &[Tensor], b: &[Tensor]) {
    assert_eq!(a.len(), b.len(), "{what}");
    for (at, (a, b)) in a.iter().zip(b).enumerate() {
        assert_eq!((a.shape(), bits(a)), (b.shape(), bits(b)), "{what}: {at}");
    }
}

fn same(what: &str, a: &Named, b: &Named) {
    assert_eq!(a.len(), b.len(), "{what}");
    for ((name, a), (other, b)) in a.iter().zip(b) {
        assert_eq!(name, other, "{what}");
        let differ = bits(a).iter().zip(bits(b)).filter(|(a, b)| *a != b).count();
        assert!(a.shape() == b.shape() && differ == 0, "{what}: {differ} of {} values of {name}", a.len());
    }
}

/// ‖a − b‖ / ‖b‖ over all of them.
fn distance(a: &Named, b: &Named) -> f64 {
    assert_eq!(a.len(), b.len());
    let values = |named: &Named| named.iter().flat_map(|(_, t)| t.data().to_vec()).collect::<Vec<f32>>();
    let (a, b) = (values(a), values(b));
    let difference: f64 = a.iter().zip(&b).map(|(a, b)| f64::from(a - b).powi(2)).sum();
    let norm: f64 = b.iter().map(|b| f64::from(*b).powi(2)).sum();
    assert!(norm > 0.0);
    (difference / norm).sqrt()
}

#[test]
fn sharing_memory_changes_no_bit() {
    let Some(gpu) = gpu() else { return };
    let shared = Run::new(&gpu, options(1), &PlanOptions::default());
    let apart = Run::new(&gpu, options(1), &PlanOptions { share: false, ..PlanOptions::default() });
    assert!(shared.plan.memory().pools < apart.plan.memory().pools, "nothing is shared");
    for step in 1..=3 {
        same_tensors("outputs", &shared.steps([step]), &apart.steps([step]));
        same("gradients", &shared.gradients(), &apart.gradients());
    }
    for (a, b) in shared.state().iter().zip(&apart.state()) {
        same("state", a, b);
    }
}

#[test]
fn rewriting_changes_nothing_that_counts() {
    let Some(gpu) = gpu() else { return };
    let real = Run::new(&gpu, options(1), &PlanOptions::default());
    let naive = Run::new(&gpu, options(1), &PlanOptions::naive());
    assert!(real.plan.dispatches() < naive.plan.dispatches(), "nothing is rewritten");
    let initial = real.weights();
    for step in 1..=3 {
        let (a, b) = (real.steps([step]), naive.steps([step]));
        let (a, b) = (a[0].data()[0], b[0].data()[0]);
        assert!(((a - b) / b).abs() <= 1e-5, "loss {a} and {b}");
        let apart = distance(&real.gradients(), &naive.gradients());
        assert!(apart <= 1e-5, "gradients differ by {apart:e} in step {step}");
    }
    let apart = distance(&real.weights(), &naive.weights());
    assert!(apart <= 1e-5, "weights differ by {apart:e}");
    assert!(distance(&real.weights(), &initial) > 1e-4, "nothing was learnt");
}

/// Trains with bindings of at most `limit` bytes and with the adapter's own, and compares every bit.
fn cut(limit: u64, options: StepOptions, plan_options: &PlanOptions) {
    let Some(gpu) = gpu() else { return };
    let Some(low) = support::gpu(&GpuOptions { max_binding: Some(limit), ..support::options() }) else { return };
    let whole = Run::new(&gpu, options, plan_options);
    let cut = Run::new(&low, options, plan_options);
    let (more, fewer) = (cut.plan.dispatches(), whole.plan.dispatches());
    println!("{more} dispatches where {fewer} would do");
    assert!(more > fewer, "nothing is cut");
    for step in 1..=2 {
        same_tensors("outputs", &cut.steps([step]), &whole.steps([step]));
        same("gradients", &cut.gradients(), &whole.gradients());
    }
    for (a, b) in cut.state().iter().zip(&whole.state()) {
        same("state", a, b);
    }
}

#[test]
fn a_low_limit_of_bindings_changes_no_bit() {
    // One image of the last level's join has 49152 bytes, the batch three times that.
    cut(53_248, StepOptions { size: [16, 96], ..options(1) }, &PlanOptions::default());
}

#[test]
fn slabs_beyond_the_limit_are_cut_to_the_same_bits() {
    const SHAPE: [usize; 4] = [50, 1, 40, 25];
    let Some(gpu) = gpu() else { return };
    let Some(low) = support::gpu(&GpuOptions { max_binding: Some(65_536), ..support::options() }) else { return };
    let mut graph = Graph::new();
    let param = graph.param("p", SHAPE, ParamKind::Plain).unwrap();
    let target = graph.input("target", SHAPE).unwrap();
    let loss = graph.bce_with_logits(param, target).unwrap();
    let gradient = graph.gradients(loss, &[param]).unwrap()[0].unwrap();
    graph.place_gradient(param, gradient).unwrap();
    let gradients = graph.slab(Slab::Gradients);
    let [norm, control] = graph.clip_grad_norm(&[gradients], loss, 1e-3).unwrap();
    let weights = graph.slab(Slab::Weights);
    let moments = ["m", "v"].map(|name| graph.slab(Slab::State(name.into())));
    let optimizer = Optimizer::Adamw { weight_decay: 0.01 };
    let hyper = graph.constant("hyper", optimizer.hyper(1e-2, 1).unwrap());
    let segments = graph.param_table().len() / nevus::graph::SEGMENT * 2;
    let segments = graph.constant("segments", Tensor::full([segments], 1.0));
    let op = nevus::ops::adamw::AdamW::new(0.9, 0.999, 1e-8, 0.01).unwrap();
    graph.adamw(op, [weights, gradients, moments[0], moments[1], hyper, control, segments]).unwrap();
    let average = graph.slab(ema_slab());
    let decay = graph.constant("average", Tensor::new([4], vec![0.5, 0.0, 0.0, 0.0]).unwrap());
    graph.ema([average, weights, decay, control]).unwrap();
    let run = |gpu: &Gpu| {
        let plan = Plan::new(gpu, &graph, &[loss, norm, control], &PlanOptions::default()).unwrap();
        let params = Params::new(gpu, &graph).unwrap();
        params.set("p", &Input::normal(SHAPE).tensor(1)).unwrap();
        let outputs = plan.run(&params, &[("target", &Input::drawn(SHAPE, Draw::Binary).tensor(2))]).unwrap();
        let slabs = [Slab::Weights, Slab::State("m".into()), Slab::State("v".into()), ema_slab()];
        (outputs, slabs.map(|slab| params.read(&slab).unwrap()), plan.dispatches())
    };
    let (whole, cut) = (run(&gpu), run(&low));
    assert!(cut.2 > whole.2, "nothing is cut");
    same_tensors("outputs", &cut.0, &whole.0);
    for (a, b) in cut.1.iter().zip(&whole.1) {
        same("state", a, b);
    }
}

#[test]
fn a_limit_that_one_sample_passes_is_refused() {
    let low = GpuOptions { max_binding: Some(2048), ..support::options() };
    let Some(gpu) = support::gpu(&low) else { return };
    let StepGraph { graph, loss, .. } = options(1).build().unwrap();
    let error = Plan::new(&gpu, &graph, &[loss], &PlanOptions::default()).unwrap_err();
    let message = error.to_string();
    assert!(matches!(error, Error::Plan { .. }), "{message}");
    assert!(message.contains("hint") && message.contains("2048"), "{message}");
}

#[test]
fn parts_of_a_batch_give_the_gradients_of_the_batch() {
    let Some(gpu) = gpu() else { return };
    let whole = Run::new(&gpu, options(1), &PlanOptions::default());
    let parts = Run::new(&gpu, options(3), &PlanOptions::default());
    let (a, b) = (parts.steps([1]), whole.steps([1]));
    let (a, b) = (a[0].data()[0], b[0].data()[0]);
    assert!(((a - b) / b).abs() <= 1e-5, "loss {a} and {b}");
    let apart = distance(&parts.gradients(), &whole.gradients());
    assert!(apart <= 1e-5, "gradients differ by {apart:e}");
    for ((name, a), (_, b)) in parts.gradients().iter().zip(&whole.gradients()) {
        let apart = distance(&vec![(name.clone(), a.clone())], &vec![(name.clone(), b.clone())]);
        assert!(apart <= 1e-5, "the gradient of {name} differs by {apart:e}");
    }
}

#[test]
fn stopped_and_resumed_is_as_if_never_stopped() {
    let Some(gpu) = gpu() else { return };
    let straight = Run::new(&gpu, options(1), &PlanOptions::default());
    let losses = straight.steps(1..=20);
    let first = Run::new(&gpu, options(1), &PlanOptions::default());
    same_tensors("outputs before the stop", &first.steps(1..=10), &losses[..30]);
    let saved = first.state();
    drop(first);
    let second = Run::new(&gpu, options(1), &PlanOptions::default());
    for (slab, tensors) in second.slabs().iter().zip(&saved) {
        for (name, tensor) in tensors {
            second.params.set_in(slab, name, tensor).unwrap();
        }
    }
    same_tensors("outputs after the stop", &second.steps(11..=20), &losses[30..]);
    for (a, b) in second.state().iter().zip(&straight.state()) {
        same("state", a, b);
    }
}

#[test]
fn an_image_with_a_nan_changes_nothing() {
    let Some(gpu) = gpu() else { return };
    let run = Run::new(&gpu, options(1), &PlanOptions::default());
    run.steps([1]);
    let before = run.state();
    for bad in [f32::NAN, f32::INFINITY] {
        let mut data = run.data(2);
        data[0].data_mut()[100] = bad;
        let outputs = run.step_on(2, &data);
        assert_eq!(outputs[2].data()[2], 0.0, "the step was taken: {outputs:?}");
        for (a, b) in run.state().iter().zip(&before) {
            same("state after a NaN", a, b);
        }
    }
    let outputs = run.steps([2]);
    assert_eq!(outputs[2].data()[2], 1.0, "{outputs:?}");
    assert!(distance(&run.weights(), &before[0]) > 0.0);
}

/// Bytes that this process holds, where the system says.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? * 1024)
}

#[test]
fn a_budget_that_is_too_small_is_refused_before_anything_is_allocated() {
    let Some(gpu) = gpu() else { return };
    let mut graph = Graph::new();
    let mut x = graph.input("x", [1, 16, 1024, 1024]).unwrap();
    for _ in 0..1000 {
        x = graph.sigmoid(x).unwrap();
    }
    let before = resident();
    let options = PlanOptions { share: false, budget: Some(1 << 30), ..PlanOptions::default() };
    let error = Plan::new(&gpu, &graph, &[x], &options).unwrap_err();
    let Error::Plan { message, hint } = &error else { panic!("{error}") };
    assert!(message.contains("1024.0 MiB are free"), "{message}");
    assert!(hint.contains("--batch") && hint.contains("--size"), "{hint}");
    if let (Some(before), Some(after)) = (before, resident()) {
        assert!(after < before + (512 << 20), "{} MiB were allocated", (after - before) >> 20);
    }
    // The same graph with shared memory keeps to the budget, and says so.
    let plan = Plan::new(&gpu, &graph, &[x], &PlanOptions { share: true, ..options }).unwrap();
    assert!(plan.memory().total() < 1 << 30, "{}", plan.memory());
    assert!(plan.memory().unshared > 60 << 30, "{}", plan.memory());
}

/// A submit of one thread may take the callback that another waits for: that one must not think its read-back lost.
#[test]
fn threads_share_a_device() {
    let Some(gpu) = gpu() else { return };
    std::thread::scope(|scope| {
        for thread in 0u8..4 {
            let gpu = &gpu;
            scope.spawn(move || {
                let value = [f32::from(thread); 64];
                for _ in 0..300 {
                    let buffer = gpu.buffer_with("a thread's", &value).unwrap();
                    assert_eq!(gpu.read(&buffer, 0, 64).unwrap(), value);
                }
            });
        }
    });
}

/// Runs a small graph on the device and by the twins, and compares.
fn on_both(gpu: &Gpu, graph: &Graph, given: &[(&str, &Tensor)], wanted: &[Value]) -> Vec<Tensor> {
    let plan = Plan::inference(gpu, graph, wanted).unwrap();
    let read: Vec<_> = given.iter().copied().filter(|(name, _)| plan.reads(name)).collect();
    let got = plan.run(&Params::new(gpu, graph).unwrap(), &read).unwrap();
    let arrays: Given<f64> = given.iter().map(|(name, tensor)| ((*name).to_owned(), (*tensor).into())).collect();
    let expected = reference::run::<f64>(graph, &arrays, wanted).unwrap();
    for (got, expected) in got.iter().zip(&expected) {
        nevus::ops::compare::within(got, &expected.into(), 1.0, 1e-6).unwrap();
    }
    got
}

#[test]
fn what_no_output_needs_is_not_planned() {
    let Some(gpu) = gpu() else { return };
    let mut graph = Graph::new();
    let x = graph.input("x", [2, 5]).unwrap();
    let unused = graph.input("unused", [2, 5]).unwrap();
    let y = graph.sigmoid(x).unwrap();
    let dead = graph.mul(y, unused).unwrap();
    graph.sigmoid(dead).unwrap();
    for options in [PlanOptions::default(), PlanOptions::naive()] {
        let plan = Plan::new(&gpu, &graph, &[y], &options).unwrap();
        assert!(plan.reads("x") && !plan.reads("unused"));
        assert_eq!(plan.dispatches(), 1);
        let params = Params::new(&gpu, &graph).unwrap();
        let tensor = Input::normal([2, 5]).tensor(1);
        plan.run(&params, &[("x", &tensor)]).unwrap();
        let error = plan.run(&params, &[("x", &tensor), ("unused", &tensor)]).unwrap_err().to_string();
        assert!(error.contains("unused"), "{error}");
        let error = plan.run(&params, &[]).unwrap_err().to_string();
        assert!(error.contains("\"x\"") && error.contains("not given"), "{error}");
        let error = plan.run(&params, &[("x", &Tensor::zeros([5, 2]))]).unwrap_err().to_string();
        assert!(error.contains("[5, 2]") && error.contains("[2, 5]"), "{error}");
    }
}

#[test]
fn a_loss_in_the_middle_keeps_its_upstream_gradient() {
    let Some(gpu) = gpu() else { return };
    let (x, target) = (Input::normal([2, 1, 3, 5]).tensor(1), Input::drawn([2, 1, 3, 5], Draw::Binary).tensor(2));
    let gradient_of = |factor: Option<f32>| {
        let mut graph = Graph::new();
        let value = graph.input("x", [2, 1, 3, 5]).unwrap();
        let t = graph.input("target", [2, 1, 3, 5]).unwrap();
        let loss = graph.bce_with_logits(value, t).unwrap();
        let total = factor.map_or(loss, |factor| graph.scale(loss, factor).unwrap());
        let gradient = graph.gradients(total, &[value]).unwrap()[0].unwrap();
        on_both(&gpu, &graph, &[("x", &x), ("target", &target)], &[gradient]).remove(0)
    };
    let (plain, scaled) = (gradient_of(None), gradient_of(Some(-3.0)));
    for (a, b) in plain.data().iter().zip(scaled.data()) {
        assert!((a * -3.0 - b).abs() <= 1e-6 * b.abs(), "{a} and {b}");
    }
}

#[test]
fn gradients_that_meet_are_added() {
    let Some(gpu) = gpu() else { return };
    let data = Input::normal([3, 7]).tensor(1);
    let mut graph = Graph::new();
    let x = graph.input("x", [3, 7]).unwrap();
    let other = graph.input("other", [3, 7]).unwrap();
    // x² + x + 4x, twice the same value into one op, and three readers.
    let square = graph.mul(x, x).unwrap();
    let sum = graph.add(square, x).unwrap();
    let four = graph.scale(x, 4.0).unwrap();
    let y = graph.add(sum, four).unwrap();
    let seed = graph.constant("seed", Tensor::full([3, 7], 1.0));
    let add: std::sync::Arc<dyn nevus::graph::Op> = std::sync::Arc::new(nevus::ops::pointwise::Add);
    let gradients = graph.gradients_from(&[(y, seed)], &[x, other], &add).unwrap();
    assert!(gradients[1].is_none(), "nothing depends on the other input");
    let got = on_both(&gpu, &graph, &[("x", &data), ("other", &data)], &[gradients[0].unwrap()]).remove(0);
    for (got, x) in got.data().iter().zip(data.data()) {
        assert!((got - (2.0 * x + 5.0)).abs() <= 1e-5, "{got} at {x}");
    }
}

#[test]
fn a_join_that_is_a_view_gives_the_bits_of_one_that_is_copied() {
    let Some(gpu) = gpu() else { return };
    for channels in [[8, 4, 6], [4, 12, 3], [5, 2, 3]] {
        let mut graph = Graph::new();
        let x = graph.input("x", [2, 3, 7, 10]).unwrap();
        let convolve = |graph: &mut Graph, name: &str, x: Value, channels: usize| {
            let input = graph.shape(x)[1];
            let weight = graph.param(name, [channels, input, 3, 3], ParamKind::Conv).unwrap();
            graph.conv2d(Conv2d::padded(1), x, weight, None).unwrap()
        };
        let parts = ["a", "b", "c"].map(|name| (name, channels[usize::from(name.as_bytes()[0] - b'a')]));
        let parts: Vec<Value> = parts.iter().map(|(name, count)| convolve(&mut graph, name, x, *count)).collect();
        let joined = graph.concat(&parts).unwrap();
        let y = convolve(&mut graph, "out", joined, 5);
        let gradients = {
            let seed = graph.input("seed", [2, 5, 7, 10]).unwrap();
            let params: Vec<Value> = graph.params().iter().map(|param| param.value).collect();
            let add: std::sync::Arc<dyn nevus::graph::Op> = std::sync::Arc::new(nevus::ops::pointwise::Add);
            graph.gradients_from(&[(y, seed)], &params, &add).unwrap()
        };
        let wanted: Vec<Value> = std::iter::once(y).chain(gradients.into_iter().flatten()).collect();
        let params = Params::new(&gpu, &graph).unwrap();
        for (at, info) in graph.params().iter().enumerate() {
            params.set(&info.name, &Input::normal(info.shape.clone()).tensor(at as u64)).unwrap();
        }
        let (image, seed) = (Input::normal([2, 3, 7, 10]).tensor(77), Input::normal([2, 5, 7, 10]).tensor(9));
        let run = |rewrite: bool| {
            let options = PlanOptions { rewrite, ..PlanOptions::default() };
            let plan = Plan::new(&gpu, &graph, &wanted, &options).unwrap();
            (plan.run(&params, &[("x", &image), ("seed", &seed)]).unwrap(), plan.dispatches())
        };
        let ((viewed, fewer), (copied, more)) = (run(true), run(false));
        same_tensors("join", &viewed, &copied);
        // The transposed weight of the data gradient is kept.
        assert_eq!(fewer + 1 < more, channels[0] % 4 == 0, "{channels:?}: {fewer} and {more} dispatches");
    }
}
