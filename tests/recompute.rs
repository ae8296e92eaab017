//! Training steps that compute values again against steps that keep them: the same bits, in less memory.
#![cfg(feature = "train")]

mod support;

use nevus::graph::{Graph, Slab};
use nevus::models::resnet::ResNetTraining;
use nevus::models::{DropoutKey, ResNet, ResNetDepth, UNet};
use nevus::ops::cases::{Draw, Input};
use nevus::ops::cross_entropy::CrossEntropy;
use nevus::train::step::{Loss, Normalisation, Optimizer, Rate, Step, StepGraph, StepOptions, ema_slab};
use nevus::train::{Init, StageRates};
use nevus::{Error, Gpu, Params, Plan, PlanOptions, Tensor};
use support::{gpu, options};

const OPTIMIZER: Optimizer = Optimizer::Adamw { weight_decay: 0.01 };

fn unet(net: UNet, batch: usize, micro_batches: usize, size: [usize; 2]) -> StepGraph {
    let (normalisation, loss) = (Normalisation::default(), Loss::BceDice);
    let options = StepOptions {
        net,
        normalisation,
        batch,
        micro_batches,
        size,
        loss,
        optimizer: OPTIMIZER,
        clip: 1.0,
        average: true,
        seed: 7,
    };
    options.build().unwrap()
}

fn resnet(depth: ResNetDepth, part: usize, parts: usize, [h, w]: [usize; 2]) -> StepGraph {
    let net = ResNet { dropout: 0.2, ..ResNet::new(depth, 3) };
    let mut graph = Graph::new();
    let number = graph.input("step", [1]).unwrap();
    let step = Step { parts, optimizer: OPTIMIZER, clip: 1.0, average: true, rate: &Rate::usual };
    let built = step.append(graph, |graph, m, running| {
        let image = graph.input(&format!("image.{m}"), [part, 3, h, w])?;
        let target = graph.input(&format!("target.{m}"), [part])?;
        let key = DropoutKey { seed: 4, step: number, sample: (m * part) as u32 };
        let norms = StageRates::default().norms();
        let training = ResNetTraining { running, frozen_norms: &norms, dropout: Some(key) };
        let logits = net.build_training(graph, image, training)?.logits;
        graph.cross_entropy(CrossEntropy::new(0.1)?, logits, target, None)
    });
    built.unwrap()
}

fn plan(gpu: &Gpu, step: &StepGraph, recompute: bool) -> Plan {
    let options = PlanOptions { recompute, ..PlanOptions::default() };
    Plan::new(gpu, &step.graph, &[step.loss, step.control], &options).unwrap()
}

fn filled(gpu: &Gpu, graph: &Graph) -> Params {
    let params = Params::new(gpu, graph).unwrap();
    Init { seed: 3, ..Init::default() }.fill(graph.params()).unwrap().load(&params).unwrap();
    params.copy(&Slab::Weights, &ema_slab()).unwrap();
    params
}

/// Runs `steps` steps on drawn inputs; `classes` for targets that are classes.
fn train(plan: &Plan, graph: &Graph, params: &Params, steps: u64, classes: Option<usize>) -> Vec<Vec<u32>> {
    let mut outputs = Vec::new();
    for step in 1..=steps {
        let mut given = Vec::new();
        for (at, info) in graph.values().iter().enumerate() {
            let shape = info.shape.clone();
            let tensor = match info.name.as_str() {
                name if !plan.reads(name) => continue,
                "step" => Tensor::full([1], step as f32),
                "hyper" => OPTIMIZER.hyper(1e-3, step).unwrap(),
                "average" => Tensor::new([4], vec![0.9, 0.0, 0.0, 0.0]).unwrap(),
                name if name.starts_with("target.") => {
                    let draw = classes.map_or(Draw::Binary, Draw::Classes);
                    Input::drawn(shape, draw).tensor(step * 1000 + at as u64)
                }
                _ => Input::drawn(shape, Draw::Uniform(0.0, 1.0)).tensor(step * 1000 + at as u64),
            };
            given.push((info.name.clone(), tensor));
        }
        let given: Vec<(&str, &Tensor)> = given.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
        outputs.extend(plan.run(params, &given).unwrap().iter().map(bits));
    }
    outputs
}

fn bits(tensor: &Tensor) -> Vec<u32> {
    tensor.data().iter().map(|value| value.to_bits()).collect()
}

/// Trains with and without, and compares outputs, gradients, weights, running statistics, moments and the average.
fn same_bits_in_less_memory(gpu: &Gpu, step: &StepGraph, classes: Option<usize>) {
    let (kept, again) = (plan(gpu, step, false), plan(gpu, step, true));
    let recomputed = again.memory().recomputed.unwrap();
    println!("{}", again.memory());
    assert!(kept.memory().recomputed.is_none());
    assert_eq!(recomputed.pools_kept, kept.memory().pools);
    assert!(recomputed.calls > 0 && again.memory().pools < kept.memory().pools, "{}", again.memory());
    assert_eq!((again.flops() - kept.flops(), kept.flops()), (recomputed.flops, recomputed.flops_once));
    assert!(again.dispatches() > kept.dispatches(), "nothing runs again");
    assert_eq!(again.versions(), kept.versions());
    let params = [filled(gpu, &step.graph), filled(gpu, &step.graph)];
    let start = params[0].read(&Slab::Weights).unwrap();
    let losses = train(&kept, &step.graph, &params[0], 3, classes);
    assert!(losses.iter().flatten().all(|&bits| f32::from_bits(bits).is_finite()));
    assert_eq!(losses, train(&again, &step.graph, &params[1], 3, classes));
    let named = |tensors: Vec<(String, Tensor)>| -> Vec<(String, Vec<u32>)> {
        tensors.into_iter().map(|(name, tensor)| (name, bits(&tensor))).collect()
    };
    assert!(named(kept.gradients().unwrap()) == named(again.gradients().unwrap()), "other gradients");
    for slab in [Slab::Weights, ema_slab()].into_iter().chain(OPTIMIZER.states()) {
        let [a, b] = [0, 1].map(|at: usize| named(params[at].read(&slab).unwrap()));
        for (a, b) in a.iter().zip(&b) {
            assert!(a == b, "{slab:?}: {} has other bits", a.0);
        }
    }
    assert!(named(start) != named(params[1].read(&Slab::Weights).unwrap()), "nothing was learnt");
}

#[test]
fn a_unet_with_dropout_learns_the_same_to_the_bit() {
    let Some(gpu) = gpu(&options()) else { return };
    let net = UNet { base: 4, depth: 2, input: 3, output: 1, dropout: 0.3 };
    for parts in [1, 2] {
        same_bits_in_less_memory(&gpu, &unet(net, 4, parts, [32, 48]), None);
    }
}

#[test]
fn a_resnet_with_batch_norm_learns_the_same_to_the_bit() {
    let Some(gpu) = gpu(&options()) else { return };
    for parts in [1, 2] {
        same_bits_in_less_memory(&gpu, &resnet(ResNetDepth::D18, 2, parts, [65, 97]), Some(3));
    }
}

/// The sizes that the memory of training is promised for. Nothing is allocated.
#[test]
fn a_large_step_takes_half_of_its_values_and_half_of_that_again() {
    let Some(gpu) = gpu(&options()) else { return };
    let step = unet(UNet { base: 16, ..UNet::default() }, 16, 1, [448, 592]);
    let (kept, again) = (plan(&gpu, &step, false), plan(&gpu, &step, true));
    let (kept, again) = (kept.memory(), again.memory());
    // Of the values as they stand after fusion, each computed once.
    let apart = PlanOptions { share: false, ..PlanOptions::default() };
    let values = Plan::new(&gpu, &step.graph, &[step.loss, step.control], &apart).unwrap();
    let values = values.memory();
    assert!(kept.pools * 2 <= values.unshared - values.workspaces, "{kept}; each by itself: {values}");
    assert!(again.pools * 2 <= kept.pools, "{again}");
    let recomputed = again.recomputed.unwrap();
    assert!(recomputed.flops * 2 < recomputed.flops_once, "more than half of the work again: {again}");
    let shown = again.to_string();
    let expected = format!("; recompute: {} calls again, +", recomputed.calls);
    assert!(shown.contains(&expected) && shown.contains(" % work, pools "), "{shown}");
}

#[test]
fn a_large_resnet_takes_half() {
    let Some(gpu) = gpu(&options()) else { return };
    let step = resnet(ResNetDepth::D50, 32, 1, [224, 224]);
    let again = plan(&gpu, &step, true);
    let recomputed = again.memory().recomputed.unwrap();
    assert!(again.memory().pools * 2 <= recomputed.pools_kept, "{}", again.memory());
    assert!(recomputed.flops * 4 < recomputed.flops_once, "{}", again.memory());
}

#[test]
fn a_step_that_does_not_fit_is_told_of_it_and_then_fits() {
    let Some(gpu) = gpu(&options()) else { return };
    let step = unet(UNet { base: 8, ..UNet::default() }, 4, 1, [96, 128]);
    let needed = plan(&gpu, &step, false).memory().total();
    let planned = |recompute: bool, budget: u64| {
        let options = PlanOptions { recompute, budget: Some(budget), ..PlanOptions::default() };
        Plan::new(&gpu, &step.graph, &[step.loss, step.control], &options)
    };
    let hint = |error: Error| match error {
        Error::Plan { hint, .. } => hint,
        error => panic!("{error}"),
    };
    let told = hint(planned(false, needed - 1).unwrap_err());
    assert!(["--recompute", "--batch", "--size", "--micro-batch"].iter().all(|knob| told.contains(knob)), "{told}");
    assert!(planned(true, needed - 1).unwrap().memory().total() < needed);
    let told = hint(planned(true, 1 << 20).unwrap_err());
    assert!(!told.contains("--recompute") && told.contains("--batch"), "{told}");
    // What runs forward alone keeps nothing that it could compute again.
    let mut graph = Graph::new();
    let image = graph.input("image", [4, 3, 96, 128]).unwrap();
    let logits = UNet { base: 8, ..UNet::default() }.build(&mut graph, image).unwrap();
    let error = Plan::new(&gpu, &graph, &[logits], &PlanOptions { budget: Some(1 << 20), ..PlanOptions::default() });
    let told = hint(error.unwrap_err());
    assert!(!told.contains("--recompute"), "{told}");
}
