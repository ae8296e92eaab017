//! Plans in 16 bits: as exact as that allows, in half the memory, and no value beyond their range goes unseen.
#![cfg(feature = "train")]

mod support;

use nevus::graph::{Graph, Value};
use nevus::models::{ResNet, ResNetDepth, UNet};
use nevus::ops::cases::Input;
use nevus::ops::conv2d::Conv2d;
use nevus::ops::harness;
use nevus::ops::{OPS, Version};
use nevus::plan::{PlannedCall, Precision};
use nevus::train::Init;
use nevus::train::step::{Loss, Normalisation, Optimizer, StepOptions};
use nevus::{Error, Gpu, Params, Plan, PlanOptions, Tensor};
use support::{gpu, options};

fn planned(gpu: &Gpu, graph: &Graph, outputs: &[Value], precision: Precision) -> Plan {
    Plan::new(gpu, graph, outputs, &PlanOptions { precision, ..PlanOptions::default() }).unwrap()
}

/// ‖got − expected‖ / ‖expected‖
fn error(got: &Tensor, expected: &Tensor) -> f64 {
    let squares = |values: &mut dyn Iterator<Item = f64>| values.map(|value| value * value).sum::<f64>().sqrt();
    let pairs = got.data().iter().zip(expected.data());
    let difference = squares(&mut pairs.map(|(&g, &e)| f64::from(g) - f64::from(e)));
    difference / squares(&mut expected.data().iter().map(|&e| f64::from(e)))
}

fn half_versions() -> impl Iterator<Item = &'static Version> {
    OPS.iter().flat_map(|room| room.kernels).flat_map(|kernel| kernel.versions).filter(|version| version.requires.half)
}

/// Runs a network in both precisions on one drawn image: the error of its logits, and both plans' bytes of activations
/// and of derived weights.
fn compared(gpu: &Gpu, graph: &Graph, logits: Value, init: &Init) -> (f64, [[u64; 2]; 2]) {
    let params = Params::new(gpu, graph).unwrap();
    init.fill(graph.params()).unwrap().load(&params).unwrap();
    let image = graph.values().iter().find(|info| info.name == "image").unwrap();
    let image = Input::normal(image.shape.clone()).tensor(5);
    let plans = [Precision::F32, Precision::F16].map(|precision| planned(gpu, graph, &[logits], precision));
    let [single, half] =
        [0, 1].map(|at| plans[at].submit(&params, &[("image", &image)]).unwrap().wait().unwrap().swap_remove(0));
    let stored = |plan: &Plan| plan.versions().values().filter(|version| version.contains("half")).count();
    assert_eq!(stored(&plans[0]), 0, "{:?}", plans[0].versions());
    assert!(stored(&plans[1]) > 2, "{:?}", plans[1].versions());
    let bytes = |plan: &Plan| [plan.memory().pools, plan.memory().derived];
    (error(&half, &single), [bytes(&plans[0]), bytes(&plans[1])])
}

/// Every layer rounds what it stores once, by 2⁻¹² of it on average, and the errors of ten layers or twenty add up like
/// steps of chance: 2e-3 is several times that, and far below what a wrong channel or tap would do.
const ALLOWED: f64 = 2e-3;

#[test]
fn a_unet_in_16_bits_is_close_and_takes_half_the_memory() {
    let Some(gpu) = gpu(&options()) else { return };
    let net = UNet { base: 8, depth: 3, ..UNet::default() };
    let mut graph = Graph::new();
    let image = graph.input("image", [2, 3, 40, 56]).unwrap();
    let normalised = graph.normalize(image, &[0.5, 0.4, 0.3], &[0.25, 0.2, 0.3]).unwrap();
    let logits = net.build(&mut graph, normalised).unwrap();
    let (error, [single, half]) = compared(&gpu, &graph, logits, &Init { seed: 3, ..Init::default() });
    println!("error {error:.2e}, activations and weights {single:?} and {half:?} bytes");
    assert!(error > 0.0 && error < ALLOWED, "{error}");
    assert!(half[0] * 100 < single[0] * 60, "{half:?} of {single:?} bytes");
}

#[test]
fn a_resnet_in_16_bits_is_close_and_takes_less_memory() {
    let Some(gpu) = gpu(&options()) else { return };
    let net = ResNet::new(ResNetDepth::D18, 5);
    let mut graph = Graph::new();
    let image = graph.input("image", [2, 3, 64, 48]).unwrap();
    let logits = net.build(&mut graph, image).unwrap();
    let (error, [single, half]) = compared(&gpu, &graph, logits, &Init::resnet(&net, 4, false));
    println!("error {error:.2e}, activations and weights {single:?} and {half:?} bytes");
    assert!(error > 0.0 && error < ALLOWED, "{error}");
    // Images so small are less than the largest weight with its norm folded in, which lies with them while it is rounded.
    let [single, half] = [single, half].map(|bytes| bytes.iter().sum::<u64>());
    assert!(half * 100 < single * 75, "{half} of {single} bytes");
}

/// x and a convolution of it; with `apart`, its output is stored before relu takes its negative values away.
fn convolution(apart: bool) -> (Graph, Vec<Value>) {
    let mut graph = Graph::new();
    let x = graph.input("x", [1, 4, 6, 5]).unwrap();
    let weight = graph.param("conv.weight", [8, 4, 3, 3], nevus::graph::ParamKind::Conv).unwrap();
    let y = graph.scoped("conv", |graph| graph.conv2d(Conv2d::padded(1), x, weight, None)).unwrap();
    let z = graph.relu(y).unwrap();
    let pooled = graph.global_avg_pool2d(z).unwrap();
    let outputs = if apart { vec![pooled, y] } else { vec![pooled] };
    (graph, outputs)
}

fn runs(plan: &Plan, params: &Params, x: &Tensor) -> Result<Vec<Tensor>, Error> {
    plan.submit(params, &[("x", x)])?.wait()
}

fn scaled(tensor: &Tensor, factor: f32) -> Tensor {
    let mut scaled = tensor.clone();
    scaled.data_mut().iter_mut().for_each(|value| *value *= factor);
    scaled
}

fn constant(shape: [usize; 4], value: f32) -> Tensor {
    Tensor::new(shape, vec![value; shape.iter().product()]).unwrap()
}

#[test]
fn a_value_beyond_16_bits_is_seen_and_the_run_done_in_32() {
    let Some(gpu) = gpu(&options()) else { return };
    let (graph, outputs) = convolution(true);
    let params = Params::new(&gpu, &graph).unwrap();
    let weight = Input::normal([8, 4, 3, 3]).tensor(1);
    params.set("conv.weight", &weight).unwrap();
    let [single, half] = [Precision::F32, Precision::F16].map(|precision| planned(&gpu, &graph, &outputs, precision));
    let x = Input::normal([1, 4, 6, 5]).tensor(2);
    // Relu makes zeros of sums far below 0, but these are stored before it.
    params.set("conv.weight", &constant([8, 4, 3, 3], 1.0)).unwrap();
    let negative = constant([1, 4, 6, 5], -60_000.0);
    let seen = runs(&half, &params, &negative);
    assert!(matches!(&seen, Err(Error::Range { name }) if name == "conv"), "{seen:?}");
    let [expected, got] = [&single, &half].map(|plan| plan.run(&params, &[("x", &negative)]).unwrap());
    assert_eq!(got, expected, "the run is repeated in 32 bits");
    // What one run noted is no other run's.
    params.set("conv.weight", &weight).unwrap();
    assert!(runs(&half, &params, &x).is_ok());
    // The input itself, and what is no number.
    for factor in [1e6, f32::INFINITY, f32::NAN] {
        let seen = runs(&half, &params, &scaled(&x, factor));
        assert!(matches!(&seen, Err(Error::Range { name }) if name == "x"), "{factor}: {seen:?}");
    }
    // A weight: its note stays as long as it does.
    params.set("conv.weight", &scaled(&weight, 1e6)).unwrap();
    for _ in 0..2 {
        let seen = runs(&half, &params, &x);
        assert!(matches!(&seen, Err(Error::Range { name }) if name == "conv.weight"), "{seen:?}");
    }
    params.set("conv.weight", &weight).unwrap();
    assert!(runs(&half, &params, &x).is_ok());
}

#[test]
fn what_relu_takes_away_before_it_is_stored_is_within_range() {
    let Some(gpu) = gpu(&options()) else { return };
    let (graph, outputs) = convolution(false);
    let params = Params::new(&gpu, &graph).unwrap();
    params.set("conv.weight", &constant([8, 4, 3, 3], 1.0)).unwrap();
    let half = planned(&gpu, &graph, &outputs, Precision::F16);
    let pooled = runs(&half, &params, &constant([1, 4, 6, 5], -60_000.0)).unwrap().swap_remove(0);
    assert!(pooled.data().iter().all(|&value| value == 0.0));
}

#[test]
fn every_version_in_16_bits_sees_a_value_beyond_them() {
    let Some(gpu) = gpu(&options()) else { return };
    let (mut seen, mut lacking) = (Vec::new(), Vec::new());
    for (room, kernel) in OPS.iter().flat_map(|room| room.kernels.iter().map(move |kernel| (room, kernel))) {
        for version in kernel.versions.iter().filter(|version| version.requires.half) {
            if let Some(missing) = version.requires.missing(gpu.caps()) {
                println!("skipped: {} {missing}", version.shader);
                lacking.push(version.shader);
                continue;
            }
            // Nothing is beyond a sigmoid.
            let cases = (room.cases)().into_iter().filter(|case| case.op.kernel() == kernel.name);
            let mut cases = cases.filter(|_| kernel.name != "pointwise.sigmoid");
            let stores = |case: &nevus::ops::cases::Case| {
                let shapes: Vec<&[usize]> = case.inputs.iter().map(|input| input.shape.as_slice()).collect();
                let lowered = harness::lower(version, &*case.op, &shapes, gpu.caps(), None).unwrap();
                lowered.is_ok_and(|(_, outputs, _)| outputs[0].layout.is_half())
            };
            let Some(case) = cases.find(stores) else { continue };
            let prepared =
                |tensors: &[Tensor]| harness::prepare(&gpu, version, &*case.op, tensors, None).unwrap().unwrap();
            let mut tensors = case.tensors();
            assert!(prepared(&tensors).run().is_ok(), "{}: {}", version.shader, case.describe());
            tensors[0] = scaled(&tensors[0], 1e9);
            let far = prepared(&tensors).run();
            assert!(matches!(far, Err(Error::Range { .. })), "{}: {}", version.shader, case.describe());
            seen.push(version.shader);
        }
    }
    for version in half_versions().filter(|version| !lacking.contains(&version.shader)) {
        assert!(seen.contains(&version.shader), "no case of {} stores in 16 bits: {seen:?}", version.shader);
    }
}

#[test]
fn training_is_refused() {
    let Some(gpu) = gpu(&options()) else { return };
    let net = UNet { base: 4, depth: 1, ..UNet::default() };
    let (normalisation, loss, optimizer) =
        (Normalisation::default(), Loss::BceDice, Optimizer::Adamw { weight_decay: 0.01 });
    let step = StepOptions {
        net,
        normalisation,
        batch: 1,
        micro_batches: 1,
        size: [8, 8],
        loss,
        optimizer,
        clip: 1.0,
        average: true,
        seed: 7,
    };
    let step = step.build().unwrap();
    let options = PlanOptions { precision: Precision::F16, ..PlanOptions::default() };
    let refused = Plan::new(&gpu, &step.graph, &[step.loss], &options);
    assert!(matches!(&refused, Err(Error::Plan { message, .. }) if message.contains("inference")), "{refused:?}");
}

/// Which plans take versions in 16 bits needs no device.
#[test]
fn a_plan_in_32_bits_takes_no_version_in_16() {
    let (graph, outputs) = convolution(true);
    let caps = nevus::gpu::Caps::for_tests(Some(8), true);
    let taken = |options: &PlanOptions| -> Vec<&str> {
        let calls = PlannedCall::all(&graph, &outputs, options, &caps).unwrap();
        calls.iter().map(|call| call.version.shader).collect()
    };
    let half = PlanOptions { precision: Precision::F16, ..PlanOptions::default() };
    assert!(taken(&half).contains(&"conv2d/forward_9_half_subgroup"), "{:?}", taken(&half));
    let single = taken(&PlanOptions::default());
    assert!(single.iter().all(|version| !version.contains("half")), "{single:?}");
    // Not even one that is asked for.
    let only = [("conv2d.forward".to_owned(), "conv2d/forward_8_half".to_owned())].into();
    let asked = taken(&PlanOptions { only, ..PlanOptions::default() });
    assert!(asked.contains(&"conv2d/forward_1_direct"), "{asked:?}");
    // Where those in 16 bits are to be avoided, the others take their place.
    let avoid = half_versions().map(|version| version.shader.to_owned()).filter(|name| name.starts_with("conv2d/"));
    let avoiding = taken(&PlanOptions { avoid: avoid.collect(), ..half.clone() });
    assert!(avoiding.contains(&"conv2d/forward_10_rows_subgroup"), "{avoiding:?}");
    let avoid = ["layout/convert_3_half".to_owned()].into();
    let avoiding = taken(&PlanOptions { avoid, ..half.clone() });
    assert_eq!(avoiding, single, "without a way there and back nothing is in 16 bits");
}

/// The name says of a version what it requires: people choose by it.
#[test]
fn versions_in_16_bits_are_named_so_and_come_last() {
    for kernel in OPS.iter().flat_map(|room| room.kernels) {
        let halves: Vec<bool> = kernel.versions.iter().map(|version| version.requires.half).collect();
        assert!(halves.is_sorted(), "{}", kernel.name);
        for version in kernel.versions {
            assert_eq!(version.requires.half, version.shader.contains("_half"), "{}", version.shader);
        }
    }
}
