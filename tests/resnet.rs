//! A ResNet on the device: which values a training step moves and which stay to the bit, what a partial file fills, and
//! where a stage's stride sits.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use nevus::Gpu;
use nevus::graph::{Graph, Slab};
use nevus::models::reference::{Case, Verdict};
use nevus::models::resnet::ResNetTraining;
use nevus::models::weights::{FAMILIARITY_SAMPLE, Meta};
use nevus::models::{ResNet, ResNetDepth, Stage, Weights};
use nevus::ops::cross_entropy::CrossEntropy;
use nevus::plan::{Params, Plan, PlanOptions};
use nevus::tensor::Tensor;
use nevus::train::step::{Optimizer, Step, StepGraph};
use nevus::train::{Init, StageRates};
use support::{gpu, options};

const SIZE: [usize; 2] = [33, 47];
const PART: usize = 3;
const OPTIMIZER: Optimizer = Optimizer::Adamw { weight_decay: 0.05 };

fn net() -> ResNet {
    ResNet { dropout: 0.2, ..ResNet::new(ResNetDepth::D18, 3) }
}

fn step(net: &ResNet, parts: usize, rates: &StageRates) -> StepGraph {
    let rate = |param: &nevus::graph::ParamInfo| rates.of(param);
    let step = Step { parts, optimizer: OPTIMIZER, clip: 1.0, average: true, rate: &rate };
    let mut graph = Graph::new();
    let number = graph.input("step", [1]).unwrap();
    let built = step.append(graph, |graph, m, running| {
        let image = graph.input(&format!("image.{m}"), [PART, 3, SIZE[0], SIZE[1]])?;
        let target = graph.input(&format!("target.{m}"), [PART])?;
        let key = nevus::models::DropoutKey { seed: 4, step: number, sample: (m * PART) as u32 };
        let training = ResNetTraining { running, frozen_norms: &rates.norms(), dropout: Some(key) };
        let logits = net.build_training(graph, image, training)?.logits;
        graph.cross_entropy(CrossEntropy::new(0.1)?, logits, target, None)
    });
    built.unwrap()
}

fn picture(seed: usize) -> Tensor {
    let len = PART * 3 * SIZE[0] * SIZE[1];
    let data = nevus::models::hashed::hashed("picture", len, seed as u64);
    Tensor::new([PART, 3, SIZE[0], SIZE[1]], data).unwrap()
}

fn filled(gpu: &Gpu, graph: &Graph) -> Params {
    let params = Params::new(gpu, graph).unwrap();
    Init::resnet(&net(), 9, false).fill(graph.params()).unwrap().load(&params).unwrap();
    params.copy(&Slab::Weights, &nevus::train::step::ema_slab()).unwrap();
    params
}

/// Runs one step on the pictures of these seeds, a part each; returns loss and norm.
fn run(plan: &Plan, params: &Params, number: u64, pictures: &[Tensor]) -> [f32; 2] {
    let target = Tensor::new([PART], vec![0.0, 2.0, 1.0]).unwrap();
    let hyper = OPTIMIZER.hyper(1e-3, number).unwrap();
    let average = Tensor::new([4], vec![0.9, 0.0, 0.0, 0.0]).unwrap();
    let number = Tensor::new([1], vec![number as f32]).unwrap();
    let names: Vec<_> = (0..pictures.len()).map(|m| (format!("image.{m}"), format!("target.{m}"))).collect();
    let mut inputs = vec![("step", &number), ("hyper", &hyper), ("average", &average)];
    for ((image, labels), picture) in names.iter().zip(pictures) {
        inputs.extend([(image.as_str(), picture), (labels.as_str(), &target)]);
    }
    let outputs = plan.run(params, &inputs).unwrap();
    [outputs[0].data()[0], outputs[1].data()[0]]
}

fn read(params: &Params, slab: &Slab) -> BTreeMap<String, Vec<u32>> {
    let values = params.read(slab).unwrap().into_iter();
    values.map(|(name, tensor)| (name, tensor.data().iter().map(|v| v.to_bits()).collect())).collect()
}

#[test]
fn frozen_stages_stay_to_the_bit_and_the_others_move() {
    let Some(gpu) = gpu(&options()) else { return };
    let rates = StageRates {
        frozen: [Stage::Stem, Stage::Layer1, Stage::Layer2].into(),
        frozen_norms: [Stage::Layer3].into(),
        lr: [(Stage::Layer3, 0.1)].into(),
    };
    let built = step(&net(), 1, &rates);
    // Nothing is differentiated below the lowest layer that learns: those nodes are the forward pass's alone.
    let frozen = |name: &str| ["conv1", "bn1", "maxpool", "layer1", "layer2"].iter().any(|part| name.starts_with(part));
    let backward =
        built.graph.nodes().iter().filter(|node| frozen(&node.name) && node.op.kernel().contains("backward"));
    assert_eq!(backward.map(|node| node.name.as_str()).collect::<Vec<_>>(), Vec::<&str>::new());
    let params = filled(&gpu, &built.graph);
    let plan = Plan::new(&gpu, &built.graph, &[built.loss, built.norm], &PlanOptions::default()).unwrap();
    let before = read(&params, &Slab::Weights);
    for number in 1..=2 {
        let [loss, norm] = run(&plan, &params, number, &[picture(1)]);
        assert!(loss.is_finite() && norm > 0.0, "{loss} {norm}");
    }
    let after = read(&params, &Slab::Weights);
    for (name, values) in &before {
        let stage = Stage::of(name).unwrap();
        let stays = rates.frozen.contains(&stage) || stage == Stage::Layer3 && nevus::models::resnet::is_norm(name);
        assert_eq!(*values == after[name], stays, "{name}");
    }
}

#[test]
fn a_step_that_is_not_finite_changes_nothing() {
    let Some(gpu) = gpu(&options()) else { return };
    let built = step(&net(), 1, &StageRates::default());
    let params = filled(&gpu, &built.graph);
    let plan = Plan::new(&gpu, &built.graph, &[built.loss, built.norm], &PlanOptions::default()).unwrap();
    run(&plan, &params, 1, &[picture(1)]);
    let slabs: Vec<Slab> =
        [Slab::Weights, nevus::train::step::ema_slab()].into_iter().chain(OPTIMIZER.states()).collect();
    let state = || slabs.iter().map(|slab| read(&params, slab)).collect::<Vec<_>>();
    let before = state();
    let mut broken = picture(2);
    broken.data_mut()[7] = f32::INFINITY;
    run(&plan, &params, 2, &[broken]);
    assert!(state() == before, "a step that is not finite changed something");
    run(&plan, &params, 2, &[picture(2)]);
    let after = state();
    assert!(after.iter().zip(&before).all(|(a, b)| a != b), "a step after it changed nothing");
}

/// Two parts move the running statistics as two batches one after the other would, weights being equal: the first part's
/// move is known from a step on it alone.
#[test]
fn parts_of_a_batch_move_the_running_statistics_in_turn() {
    let Some(gpu) = gpu(&options()) else { return };
    let running = |pictures: &[Tensor]| {
        let built = step(&net(), pictures.len(), &StageRates::default());
        let params = filled(&gpu, &built.graph);
        let plan = Plan::new(&gpu, &built.graph, &[built.loss, built.norm], &PlanOptions::default()).unwrap();
        run(&plan, &params, 1, pictures);
        let all: BTreeMap<_, _> = params.read(&Slab::Weights).unwrap().into_iter().collect();
        all["bn1.running_mean"].data().to_vec()
    };
    let (first, second) = (running(&[picture(1)]), running(&[picture(2)]));
    let both = running(&[picture(1), picture(2)]);
    // The stem sees the images alone, so its batch means are those of the single steps: 0.9 (0.1 a) + 0.1 b.
    for ((a, b), both) in first.iter().zip(&second).zip(&both) {
        let expected = 0.9 * a + b;
        assert!((both - expected).abs() <= 1e-5 * (a.abs() + b.abs()) + 1e-7, "{both} is not {expected}");
    }
    assert!(first.iter().any(|v| v.abs() > 1e-4) && first != second);
}

/// A plan for inference reads the statistics that training moved.
#[test]
fn inference_shares_the_running_statistics() {
    let Some(gpu) = gpu(&options()) else { return };
    let built = step(&net(), 1, &StageRates::default());
    let params = filled(&gpu, &built.graph);
    let plan = Plan::new(&gpu, &built.graph, &[built.loss, built.norm], &PlanOptions::default()).unwrap();
    let mut graph = Graph::new();
    let x = graph.input("image", [PART, 3, SIZE[0], SIZE[1]]).unwrap();
    let logits = net().build(&mut graph, x).unwrap();
    let inference = Plan::inference(&gpu, &graph, &[logits]).unwrap();
    let image = picture(3);
    let before = inference.run(&params, &[("image", &image)]).unwrap().remove(0);
    run(&plan, &params, 1, &[picture(1)]);
    let after = inference.run(&params, &[("image", &image)]).unwrap().remove(0);
    assert_ne!(before, after);
    // The same values in parameters of their own give the same logits: nothing else decides.
    let copy = Params::new(&gpu, &graph).unwrap();
    for (name, tensor) in params.read(&Slab::Weights).unwrap() {
        copy.set(&name, &tensor).unwrap();
    }
    assert_eq!(inference.run(&copy, &[("image", &image)]).unwrap().remove(0), after);
}

#[test]
fn a_frozen_network_and_a_part_too_many_are_refused() {
    let rates = StageRates { frozen: Stage::ALL.into(), ..StageRates::default() };
    let rate = |param: &nevus::graph::ParamInfo| rates.of(param);
    for (parts, expected) in [(1, "every parameter is frozen"), (0, "the batch is empty")] {
        let step = Step { parts, optimizer: OPTIMIZER, clip: 1.0, average: true, rate: &rate };
        let error = step.append(Graph::new(), |graph, _, running| {
            let image = graph.input("image", [2, 3, 32, 32])?;
            let target = graph.input("target", [2])?;
            let training = ResNetTraining { running, frozen_norms: &BTreeSet::new(), dropout: None };
            let logits = net().build_training(graph, image, training)?.logits;
            graph.cross_entropy(CrossEntropy::new(0.0)?, logits, target, None)
        });
        let message = error.unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn partial_files_fill_what_they_hold() {
    let Some(gpu) = gpu(&options()) else { return };
    let net = net();
    let mut graph = Graph::new();
    let x = graph.input("image", [1, 3, 32, 32]).unwrap();
    net.build(&mut graph, x).unwrap();
    let params = filled(&gpu, &graph);
    let fresh = read(&params, &Slab::Weights);
    let mut file = Weights::new();
    for param in graph.params().iter().filter(|param| Stage::of(&param.name).unwrap() < Stage::Layer4) {
        file.insert(param.name.clone(), Tensor::full(param.shape.clone(), 0.25));
    }
    file.insert("bn1.num_batches_tracked", Tensor::full([1], 7.0));
    file.insert("fc.weight", Tensor::full([1000, 512], 0.5));
    file.insert("fc.bias", Tensor::full([1000], 0.5));
    file.insert("aux.weight", Tensor::full([2], 0.5));
    let report = file.load_partial(&params, "fc", None).unwrap();
    assert_eq!(report.unexpected, ["aux.weight"]);
    let replaced: Vec<_> = report.replaced.iter().map(|head| (head.name.as_str(), head.file[0])).collect();
    assert_eq!(replaced, [("fc.weight", 1000), ("fc.bias", 1000)]);
    assert!(report.missing.iter().all(|name| name.starts_with("layer4.")) && !report.missing.is_empty());
    assert!(!report.complete());
    let text = report.to_string();
    for expected in ["loaded 75 of 102 tensors", "fc.weight is [1000, 512] in the file, [3, 512] here", "aux.weight"] {
        assert!(text.contains(expected), "{text}");
    }
    for (name, values) in read(&params, &Slab::Weights) {
        let loaded = report.loaded.contains(&name);
        assert_eq!(values.iter().all(|&v| v == 0.25f32.to_bits()), loaded, "{name}");
        assert_eq!(values == fresh[&name], !loaded, "{name}");
    }
    // A head as wide for other classes, or for the same in another order; a sample of features is no part of a model.
    file.insert(FAMILIARITY_SAMPLE, Tensor::zeros([2, 512]));
    file.insert("fc.weight", Tensor::full([3, 512], 0.5));
    file.insert("fc.bias", Tensor::full([3], 0.5));
    let names = |names: [&str; 3]| names.map(str::to_owned);
    let head = |file: &Weights, classes: [&str; 3]| {
        fresh.iter().filter(|(name, _)| name.starts_with("fc.")).for_each(|(name, values)| {
            let values = values.iter().map(|&bits| f32::from_bits(bits)).collect();
            let shape = graph.params().iter().find(|param| param.name == *name).unwrap().shape.clone();
            params.set(name, &Tensor::new(shape, values).unwrap()).unwrap();
        });
        let report = file.load_partial(&params, "fc", Some(&names(classes))).unwrap();
        let now = read(&params, &Slab::Weights);
        let kept = ["fc.weight", "fc.bias"].map(|name| now[name] == fresh[name]);
        assert_eq!(kept[0], kept[1]);
        assert_eq!(report.replaced.len(), if kept[0] { 2 } else { 0 });
        assert_eq!(report.unexpected, ["aux.weight"]);
        (kept[0], report.to_string())
    };
    assert!(!head(&file, ["mole", "wart", "MEL"]).0, "a file that names no classes");
    file.set_meta(&Meta { classes: Some(names(["mole", "wart", "mel"]).to_vec()), ..Meta::new() });
    assert!(!head(&file, ["mole", "wart", "MEL"]).0);
    for classes in [["wart", "mole", "mel"], ["mole", "wart", "freckle"]] {
        let (afresh, said) = head(&file, classes);
        assert!(afresh, "{classes:?}");
        for expected in ["fc.bias is for other classes in the file", "the classes of the file: mole, wart, mel"] {
            assert!(said.contains(expected), "{said}");
        }
    }
    file.insert("layer2.0.conv1.weight", Tensor::zeros([1, 1, 3, 3]));
    let message = file.load_partial(&params, "fc", None).unwrap_err().to_string();
    assert!(message.contains("layer2.0.conv1.weight") && message.contains("[128, 64, 3, 3]"), "{message}");
    let mut other = Weights::new();
    other.insert("module.conv1.weight", Tensor::zeros([64, 3, 7, 7]));
    let message = other.load_partial(&params, "fc", None).unwrap_err().to_string();
    assert!(message.contains("no tensor in it belongs") && message.contains("module.conv1.weight"), "{message}");
    assert!(other.load(&params).unwrap_err().to_string().contains("is missing"));
}

/// The same weights and image with the stride in the first 1×1 and in the 3×3: PyTorch's numbers tell them apart.
#[test]
fn a_case_says_where_the_stride_sits() {
    let Some(gpu) = gpu(&options()) else { return };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/models");
    let mut case = Case::open(folder.join("resnet50.eval.1x1.safetensors")).unwrap();
    assert_eq!(case.attributes["stride_in"], "1x1");
    let verdict = |case: &Case| case.check(&gpu, &PlanOptions::default());
    assert!(matches!(verdict(&case), Verdict::Passed(_)), "{:?}", verdict(&case));
    case.attributes["stride_in"] = "3x3".into();
    assert!(matches!(verdict(&case), Verdict::Failed(_)));
    case.attributes["stride_in"] = "2x2".into();
    let Verdict::Failed(message) = verdict(&case) else { panic!("a stride in a 2x2") };
    assert!(message.contains("attribute stride_in"), "{message}");
}

#[test]
fn imagenet_parts_load_into_a_resnet50() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/weights");
    if !folder.is_dir() {
        eprintln!("SKIPPED: {} does not exist", folder.display());
        return;
    }
    let Some(gpu) = gpu(&options()) else { return };
    for (name, tensors, last) in [
        ("resnet50_imagenet_keras_conv1_to_layer3.safetensors", 220, "layer4.0.conv1.weight"),
        ("resnet50_torchvision_v1_stem_layer1_layer2.safetensors", 125, "layer3.0.conv1.weight"),
    ] {
        let weights = Weights::open(folder.join(name)).unwrap();
        let net = ResNet { classes: 3, ..ResNet::from_weights(&weights).unwrap() };
        assert_eq!(net, ResNet::new(ResNetDepth::D50, 3));
        let mut graph = Graph::new();
        let x = graph.input("image", [1, 3, 32, 32]).unwrap();
        net.build(&mut graph, x).unwrap();
        let params = Params::new(&gpu, &graph).unwrap();
        let report = weights.load_partial(&params, "fc", None).unwrap();
        assert_eq!((report.loaded.len(), report.missing.len()), (tensors, 267 - tensors), "{name}: {report}");
        assert!(report.unexpected.is_empty() && report.loaded.iter().any(|known| known == last), "{report}");
        assert!(report.missing.iter().any(|missing| missing == "fc.weight"), "{report}");
    }
}
