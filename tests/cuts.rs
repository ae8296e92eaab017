//! What an adapter cannot bind at once is cut, and no bit of the result depends on where.

#[path = "support/shared.rs"]
mod shared;
mod support;

use std::collections::BTreeMap;
use std::sync::Arc;

use nevus::gpu::Caps;
use nevus::graph::{Graph, Layout, Op, ParamKind, Slab, Value};
use nevus::ops::batch_norm2d::BatchNorm2d;
use nevus::ops::cases::{Draw, Input};
use nevus::ops::conv_transpose2d::ConvTranspose2d;
use nevus::ops::conv2d::Conv2d;
use nevus::ops::max_pool2d::MaxPool2d;
use nevus::ops::{Call, Epilogue, OPS, Operand, Slot, harness, pointwise};
use nevus::{Error, Gpu, GpuOptions, Params, Plan, PlanOptions, Tensor};

use shared::{bits, gpu};

fn low(limit: u64) -> Gpu {
    support::gpu(&GpuOptions { max_binding: Some(limit), ..support::options() }).unwrap()
}

/// Kernels that reduce over the batch or write images: each of their versions is cut by some case.
const CUT: &[&str] = &[
    "conv2d.forward",
    "conv2d.backward_data",
    "conv2d.backward_weight",
    "conv_transpose2d.forward",
    "conv_transpose2d.backward_data",
    "conv_transpose2d.backward_weight",
    "batch_norm2d.forward",
    "batch_norm2d.inference",
    "batch_norm2d.backward",
    "batch_norm2d.inference_backward",
    "reduce.channel_sum",
    "max_pool2d.forward",
    "max_pool2d.backward",
    "avg_pool2d.forward",
    "resize_bilinear.forward",
    "pointwise.relu",
    "pointwise.add",
];

#[test]
fn every_version_gives_the_same_bits_however_it_is_cut() {
    let Some(gpu) = gpu() else { return };
    let mut cut: BTreeMap<&str, usize> = BTreeMap::new();
    let limits = [512, 1024, 2048, 4096, 8192].map(low);
    for room in OPS {
        for case in (room.cases)() {
            let kernel = nevus::ops::kernel(case.op.kernel()).unwrap();
            // What works in place changes its input, and has no second run.
            if !CUT.contains(&kernel.name) || !case.op.in_place().is_empty() {
                continue;
            }
            // The epilogue that reads the most, where there is one.
            let epilogue = kernel.epilogues.last().copied();
            let mut tensors = case.tensors();
            let shapes: Vec<&[usize]> = tensors.iter().map(Tensor::shape).collect();
            let shape = case.op.outputs(&shapes).unwrap().swap_remove(0);
            let extras = 0..epilogue.map_or(0, Epilogue::operands) as u64;
            tensors.extend(extras.map(|at| Input::normal(shape.clone()).tensor(0x0add + at)));
            for version in kernel.versions {
                let count = cut.entry(version.shader).or_default();
                let prepare = |gpu: &Gpu| harness::prepare(gpu, version, &*case.op, &tensors, epilogue);
                let Ok(whole) = prepare(&gpu).unwrap() else {
                    // This adapter has no subgroups of the right size, say.
                    *count += usize::from(version.requires.missing(gpu.caps()).is_some());
                    continue;
                };
                let expected = bits(&whole.run().unwrap());
                for low in &limits {
                    match prepare(low) {
                        Ok(pieces) => {
                            let pieces = pieces.unwrap();
                            if pieces.sequence.len() > whole.sequence.len() {
                                *count += 1;
                                let limit = low.caps().max_binding;
                                let what = format!("{} by {} within {limit}", case.describe(), version.shader);
                                let got = pieces.run().unwrap_or_else(|error| panic!("{what}: {error}"));
                                assert!(bits(&got) == expected, "{what}");
                            }
                        }
                        Err(Error::Plan { message, hint }) => {
                            assert!(message.contains(kernel.name) && hint.contains("--size"), "{message} ({hint})");
                        }
                        Err(error) => panic!("{error}"),
                    }
                }
            }
        }
    }
    println!("{cut:#?}");
    let never: Vec<_> = cut.iter().filter(|(_, count)| **count == 0).collect();
    assert!(never.is_empty(), "never cut: {never:?}");
}

struct Net {
    graph: Graph,
    /// Batch statistics, or running ones.
    training: bool,
}

impl Net {
    /// A convolution without bias, and a norm.
    fn layer(&mut self, name: &str, x: Value, channels: usize, kernel: usize, stride: usize) -> Value {
        let graph = &mut self.graph;
        let input = graph.shape(x)[1];
        let weight =
            graph.param(&format!("{name}.weight"), [channels, input, kernel, kernel], ParamKind::Conv).unwrap();
        let conv = Conv2d::new([stride; 2], [kernel / 2; 2], [1; 2]).unwrap();
        let x = graph.scoped(name, |graph| graph.conv2d(conv, x, weight, None)).unwrap();
        let of_channels = ["weight", "bias", "running_mean", "running_var"]
            .map(|part| graph.param(&format!("{name}.bn.{part}"), [channels], ParamKind::Plain).unwrap());
        let norm = BatchNorm2d { training: self.training, ..BatchNorm2d::default() };
        graph.scoped(name, |graph| graph.batch_norm2d(norm, x, of_channels)).unwrap().remove(0)
    }

    /// The stem, bottleneck blocks as ResNet-50 has them, and a head: logits (n, classes, 1, 1).
    fn resnet(&mut self, x: Value, base: usize, blocks: &[usize], classes: usize) -> Value {
        let x = self.layer("stem", x, base, 7, 2);
        let x = self.graph.relu(x).unwrap();
        let mut x = self.graph.max_pool2d(MaxPool2d::new([3, 3], [2, 2], [1, 1]).unwrap(), x).unwrap();
        for (stage, &count) in blocks.iter().enumerate() {
            for block in 0..count {
                let (name, width) = (format!("layer{stage}.{block}"), base << stage);
                let stride = if block == 0 && stage > 0 { 2 } else { 1 };
                let y = self.layer(&format!("{name}.conv1"), x, width, 1, 1);
                let y = self.graph.relu(y).unwrap();
                let y = self.layer(&format!("{name}.conv2"), y, width, 3, stride);
                let y = self.graph.relu(y).unwrap();
                let y = self.layer(&format!("{name}.conv3"), y, width * 4, 1, 1);
                let same = block > 0;
                let other = if same { x } else { self.layer(&format!("{name}.down"), x, width * 4, 1, stride) };
                let sum = self.graph.add(y, other).unwrap();
                x = self.graph.relu(sum).unwrap();
            }
        }
        let x = self.graph.global_avg_pool2d(x).unwrap();
        let width = self.graph.shape(x)[1];
        let weight = self.graph.param("fc.weight", [classes, width, 1, 1], ParamKind::Conv).unwrap();
        let bias = self.graph.param("fc.bias", [classes], ParamKind::Plain).unwrap();
        self.graph.conv2d(Conv2d::default(), x, weight, Some(bias)).unwrap()
    }

    /// The whole step of a training by gradient descent: the loss, and what of the statistics is new.
    fn step(&mut self, logits: Value) -> Value {
        let graph = &mut self.graph;
        let target = graph.input("target", graph.shape(logits).to_vec()).unwrap();
        let loss = graph.bce_with_logits(logits, target).unwrap();
        let wrt: Vec<Value> = graph.params().iter().filter(|p| !p.name.contains("running")).map(|p| p.value).collect();
        let gradients = graph.gradients(loss, &wrt).unwrap();
        for (&param, gradient) in wrt.iter().zip(gradients) {
            graph.place_gradient(param, gradient.unwrap()).unwrap();
        }
        let gradients = graph.slab(Slab::Gradients);
        let [_, control] = graph.clip_grad_norm(&[gradients], loss, f32::INFINITY).unwrap();
        let (weights, momentum) = (graph.slab(Slab::Weights), graph.slab(Slab::State("momentum".into())));
        let hyper = graph.constant("hyper", Tensor::new([4], vec![0.1, 0.0, 0.0, 0.0]).unwrap());
        let segments = graph.param_table().len() / nevus::graph::SEGMENT * 2;
        let segments = graph.constant("segments", Tensor::full([segments], 1.0));
        let sgd = nevus::ops::sgd::Sgd::new(0.9, 0.0).unwrap();
        graph.sgd(sgd, [weights, gradients, momentum, hyper, control, segments]).unwrap();
        loss
    }
}

fn fill(gpu: &Gpu, graph: &Graph) -> Params {
    let params = Params::new(gpu, graph).unwrap();
    for (at, info) in graph.params().iter().enumerate() {
        let fan: usize = info.shape[1..].iter().product();
        let draw = match info.name.as_str() {
            name if name.ends_with("var") => Draw::Uniform(0.5, 2.0),
            name if name.ends_with("bn.weight") => Draw::Uniform(0.5, 1.5),
            _ => Draw::Normal(0.0, (fan as f32).sqrt().recip()),
        };
        params.set(&info.name, &Input::drawn(info.shape.clone(), draw).tensor(at as u64)).unwrap();
    }
    params
}

#[test]
fn a_cut_batch_has_the_statistics_and_gradients_of_the_batch() {
    let Some(gpu) = gpu() else { return };
    let mut net = Net { graph: Graph::new(), training: true };
    let x = net.graph.input("x", [6, 3, 28, 36]).unwrap();
    let logits = net.resnet(x, 4, &[1, 2], 3);
    let loss = net.step(logits);
    let image = Input::normal([6, 3, 28, 36]).tensor(1);
    let target = Input::drawn([6, 3, 1, 1], Draw::Binary).tensor(2);
    let direct = ["conv2d", "batch_norm2d", "reduce", "max_pool2d", "pointwise"];
    let first_versions = OPS.iter().filter(|room| direct.contains(&room.name)).flat_map(|room| room.kernels);
    let first_versions: BTreeMap<String, String> =
        first_versions.map(|kernel| (kernel.name.to_owned(), kernel.versions[0].shader.to_owned())).collect();
    for only in [BTreeMap::new(), first_versions] {
        let options = PlanOptions { only, ..PlanOptions::default() };
        let run = |gpu: &Gpu| {
            let plan = Plan::new(gpu, &net.graph, &[loss, logits], &options).unwrap();
            let params = fill(gpu, &net.graph);
            let mut seen = Vec::new();
            for _ in 0..2 {
                seen.extend(bits(&plan.run(&params, &[("x", &image), ("target", &target)]).unwrap()));
                let gradients: Vec<Tensor> = plan.gradients().unwrap().into_iter().map(|(_, tensor)| tensor).collect();
                assert!(gradients.iter().flat_map(|tensor| tensor.data()).any(|value| *value != 0.0));
                seen.extend(bits(&gradients));
            }
            let weights: Vec<Tensor> = params.read(&Slab::Weights).unwrap().into_iter().map(|(_, t)| t).collect();
            seen.extend(bits(&weights));
            (seen, plan.dispatches())
        };
        let (whole, fewer) = run(&gpu);
        // One sample takes 16128 bytes, and four of the stem's output as many.
        for limit in [17_000, 24_000, 40_000] {
            let (cut, more) = run(&low(limit));
            assert!(more > fewer, "nothing is cut at {limit}");
            assert!(cut == whole, "{limit}: {more} dispatches for {fewer} change bits");
        }
    }
}

#[test]
fn an_image_too_large_alone_is_cut_along_its_channels() {
    let Some(gpu) = gpu() else { return };
    let mut graph = Graph::new();
    let x = graph.input("x", [2, 3, 24, 40]).unwrap();
    let residual = graph.input("residual", [2, 70, 24, 40]).unwrap();
    let residual = graph.sigmoid(residual).unwrap();
    let weight = graph.param("weight", [70, 3, 3, 3], ParamKind::Conv).unwrap();
    let y = graph.conv2d(Conv2d::padded(1), x, weight, None).unwrap();
    let y = graph.add(y, residual).unwrap();
    let y = graph.relu(y).unwrap();
    let of_channels = ["weight", "bias", "running_mean", "running_var"]
        .map(|part| graph.param(&format!("bn.{part}"), [70], ParamKind::Plain).unwrap());
    let normed = graph.batch_norm2d(BatchNorm2d { training: true, ..BatchNorm2d::default() }, y, of_channels).unwrap();
    let y = graph.batch_norm2d(BatchNorm2d::default(), normed[0], of_channels).unwrap()[0];
    let pooled = graph.max_pool2d(MaxPool2d::new([2, 2], [2, 2], [0, 0]).unwrap(), y).unwrap();
    let small = graph.resize_bilinear(y, [5, 7]).unwrap();
    let mean = graph.global_avg_pool2d(y).unwrap();
    let down = graph.param("down", [6, 70, 1, 1], ParamKind::Conv).unwrap();
    let out = graph.conv2d(Conv2d::default(), pooled, down, None).unwrap();
    let seed = graph.constant("seed", Input::normal([2, 70, 12, 20]).tensor(8));
    let sum: Arc<dyn Op> = Arc::new(pointwise::Add);
    let gradients = graph.gradients_from(&[(pooled, seed)], &[of_channels[0], of_channels[1]], &sum);
    let wanted: Vec<Value> =
        [out, small, mean, normed[1], normed[2]].into_iter().chain(gradients.unwrap().into_iter().flatten()).collect();
    let images = [Input::normal([2, 3, 24, 40]).tensor(1), Input::normal([2, 70, 24, 40]).tensor(2)];
    let run = |gpu: &Gpu| {
        let plan = Plan::new(gpu, &graph, &wanted, &PlanOptions::default()).unwrap();
        let params = fill(gpu, &graph);
        let got = plan.run(&params, &[("x", &images[0]), ("residual", &images[1])]).unwrap();
        (bits(&got), plan.dispatches())
    };
    let (whole, fewer) = run(&gpu);
    // One image of 72 channels has 276480 bytes; a register tile writes 32 of them, 122880 bytes.
    for limit in [130_000, 200_000] {
        let (cut, more) = run(&low(limit));
        assert!(more > fewer, "nothing is cut at {limit}");
        assert!(cut == whole, "{limit}: {more} dispatches for {fewer} change bits");
    }
}

#[test]
fn what_cannot_be_cut_is_refused_by_name() {
    let Some(_) = gpu() else { return };
    let low = low(130_000);
    let mut graph = Graph::new();
    let x = graph.input("x", [2, 64, 24, 40]).unwrap();
    let x = graph.sigmoid(x).unwrap();
    let weight = graph.param("weight", [8, 64, 3, 3], ParamKind::Conv).unwrap();
    let y = graph.scoped("deep.down", |graph| graph.conv2d(Conv2d::padded(1), x, weight, None)).unwrap();
    let Err(Error::Plan { message, hint }) = Plan::new(&low, &graph, &[y], &PlanOptions::default()) else {
        panic!("planned")
    };
    assert!(message.starts_with("deep.down: conv2d.forward: needs 245760 bytes in one binding"), "{message}");
    assert!(hint.contains("--size"), "{hint}");
}

/// The largest binding that every WebGPU adapter has.
const LIMIT: u64 = 128 << 20;

/// The network itself, by the step that `nevus train classify` runs.
#[cfg(feature = "train")]
#[test]
fn a_resnet_50s_step_of_64_at_224_is_planned_within_128_mib() {
    use std::collections::BTreeSet;

    use nevus::models::resnet::ResNetTraining;
    use nevus::models::{ResNet, ResNetDepth};
    use nevus::ops::cross_entropy::CrossEntropy;
    use nevus::train::step::{Optimizer, Rate, Step};

    let Some(_) = gpu() else { return };
    let low = low(LIMIT);
    let optimizer = Optimizer::Sgd { momentum: 0.9, weight_decay: 0.0 };
    let [few, all] = [2, 64].map(|batch| {
        let step = Step { parts: 1, optimizer, clip: f32::INFINITY, average: true, rate: &Rate::usual };
        let step = step.append(Graph::new(), |graph, _, running| {
            let image = graph.input("image.0", [batch, 3, 224, 224])?;
            let target = graph.input("target.0", [batch])?;
            let training = ResNetTraining { running, frozen_norms: &BTreeSet::new(), dropout: None };
            let logits = ResNet::new(ResNetDepth::D50, 3).build_training(graph, image, training)?.logits;
            graph.cross_entropy(CrossEntropy::new(0.0)?, logits, target, None)
        });
        step.unwrap().plan(&low, &PlanOptions::default()).unwrap()
    });
    println!("{}; {} dispatches", all.memory(), all.dispatches());
    assert!(all.memory().total() > 2 << 30);
    assert!(all.dispatches() > few.dispatches(), "nothing is cut");
}

#[test]
fn a_batch_of_64_at_224_is_planned_within_128_mib() {
    let Some(_) = gpu() else { return };
    let low = low(LIMIT);
    for training in [true, false] {
        let mut net = Net { graph: Graph::new(), training };
        let x = net.graph.input("x", [64, 3, 224, 224]).unwrap();
        let logits = net.resnet(x, 64, &[3, 4, 6, 3], 1000);
        let wanted = if training { net.step(logits) } else { logits };
        let plan = Plan::new(&low, &net.graph, &[wanted], &PlanOptions::default()).unwrap();
        println!("training {training}: {}; {} dispatches", plan.memory(), plan.dispatches());
        assert!(plan.memory().total() > 2 << 30 || !training);
    }
    // A U-Net's two ends: 64 channels at full size, joined to 128, and up from half of it.
    let mut net = Net { graph: Graph::new(), training: true };
    let x = net.graph.input("x", [64, 3, 224, 224]).unwrap();
    let skip = net.layer("down", x, 64, 3, 1);
    let skip = net.graph.relu(skip).unwrap();
    let y = net.graph.max_pool2d(MaxPool2d::new([2, 2], [2, 2], [0, 0]).unwrap(), skip).unwrap();
    let y = net.layer("bottom", y, 128, 3, 1);
    let y = net.graph.relu(y).unwrap();
    let weight = net.graph.param("up.weight", [128, 64, 2, 2], ParamKind::ConvTranspose).unwrap();
    let y = net.graph.conv_transpose2d(ConvTranspose2d::upsampling(2).unwrap(), y, weight, None).unwrap();
    let y = net.graph.concat(&[y, skip]).unwrap();
    let y = net.layer("up.conv", y, 64, 3, 1);
    let y = net.graph.relu(y).unwrap();
    let weight = net.graph.param("head.weight", [1, 64, 1, 1], ParamKind::Conv).unwrap();
    let logits = net.graph.conv2d(Conv2d::default(), y, weight, None).unwrap();
    let loss = net.step(logits);
    let plan = Plan::new(&low, &net.graph, &[loss], &PlanOptions::default()).unwrap();
    println!("U-Net: {}; {} dispatches", plan.memory(), plan.dispatches());
}

/// Bindings start at multiples of 256 bytes, so a window may be longer than what is in it; the limit holds all the same.
#[test]
fn no_window_passes_the_limit() {
    let op = pointwise::Relu;
    let mut cut = 0;
    for (shape, layout, within) in [
        ([7, 5, 3, 5], Layout::C4, None),
        ([7, 5, 3, 5], Layout::C4, Some((12, 4))),
        ([7, 8, 4, 4], Layout::C4, None),
        ([7, 16, 5, 3], Layout::C4, Some((40, 20))),
        ([9, 3, 5, 7], Layout::Plain, None),
        ([9, 1, 1, 3], Layout::Plain, None),
        ([9, 11, 13, 1], Layout::Plain, None),
    ] {
        let operand = Operand { shape: shape.to_vec(), layout, within };
        for limit in (64..6000).step_by(4).map(|bytes| bytes + bytes % 3) {
            let mut caps = Caps::for_tests(None, false);
            caps.max_binding = limit;
            let (inputs, outputs) = (std::slice::from_ref(&operand), std::slice::from_ref(&operand));
            let call = Call { op: &op, inputs, outputs, epilogue: None, caps: &caps };
            let slots = [Slot::Input(0), Slot::Output(0)];
            let Ok(channels) = call.channel_runs(&slots, 4) else { continue };
            let mut seen = 0;
            for run in &channels {
                assert_eq!(run.start % 4, 0);
                let batches = call.on_channels(&slots, run, |part| {
                    let batches = part.batches(&slots)?;
                    for batch in &batches {
                        let window = part.window(slots[0], batch).binding;
                        assert!(window.offset.is_multiple_of(64) && window.len.is_multiple_of(4));
                        let whole = operand.floats() as u64 * 4 <= limit;
                        assert!(window.len as u64 * 4 <= limit || whole, "{operand:?} {limit}: {batch:?} {window:?}");
                    }
                    Ok(batches)
                });
                let batches = batches.unwrap();
                cut += usize::from(batches.len() > 1 && channels.len() > 1);
                seen += run.len() * batches.iter().map(ExactSizeIterator::len).sum::<usize>();
            }
            assert_eq!(seen, shape[0] * shape[1], "{operand:?} {limit}");
        }
    }
    assert!(cut > 0, "nothing was cut both ways");
}
