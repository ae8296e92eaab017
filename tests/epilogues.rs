//! Training steps whose elementwise ops went into the kernels before them, against the same steps node by node.

#[path = "support/shared.rs"]
mod shared;
mod support;

use nevus::graph::{Graph, ParamKind, Value};
use nevus::ops::batch_norm2d::BatchNorm2d;
use nevus::ops::cases::{Draw, Input};
use nevus::ops::conv_transpose2d::ConvTranspose2d;
use nevus::ops::conv2d::Conv2d;
use nevus::ops::max_pool2d::MaxPool2d;
use nevus::plan::PlannedCall;
use nevus::{Gpu, GpuOptions, Params, Plan, PlanOptions};

use shared::{bits, gpu};

/// A convolution that keeps the size.
fn convolve(graph: &mut Graph, name: &str, x: Value, channels: usize, kernel: usize) -> Value {
    let input = graph.shape(x)[1];
    let weight = graph.param(&format!("{name}.weight"), [channels, input, kernel, kernel], ParamKind::Conv).unwrap();
    graph.conv2d(Conv2d::padded(kernel / 2), x, weight, None).unwrap()
}

/// Batch normalisation in training of a convolution.
fn layer(graph: &mut Graph, name: &str, x: Value, channels: usize, kernel: usize) -> Vec<Value> {
    let x = convolve(graph, name, x, channels, kernel);
    let of_channels = ["weight", "bias", "running_mean", "running_var"]
        .map(|part| graph.param(&format!("{name}.bn.{part}"), [channels], ParamKind::Plain).unwrap());
    let norm = BatchNorm2d { training: true, ..BatchNorm2d::default() };
    graph.batch_norm2d(norm, x, of_channels).unwrap()
}

/// A stem and two blocks, the first with a convolution on its shortcut: 7 relus and sums.
fn resnet(graph: &mut Graph, x: Value) -> (Value, Vec<Value>) {
    let stem = layer(graph, "stem", x, 6, 3);
    let x = graph.relu(stem[0]).unwrap();
    let x = graph.max_pool2d(MaxPool2d::new([3, 3], [2, 2], [1, 1]).unwrap(), x).unwrap();
    let y = layer(graph, "one.a", x, 8, 3)[0];
    let y = graph.relu(y).unwrap();
    let y = layer(graph, "one.b", y, 9, 1)[0];
    let shortcut = layer(graph, "one.down", x, 9, 1);
    let y = graph.add(y, shortcut[0]).unwrap();
    let x = graph.relu(y).unwrap();
    let y = layer(graph, "two.a", x, 4, 1)[0];
    let y = graph.relu(y).unwrap();
    let y = layer(graph, "two.b", y, 9, 3)[0];
    let y = graph.add(y, x).unwrap();
    let y = graph.relu(y).unwrap();
    (convolve(graph, "head", y, 1, 1), [&stem[1..3], &shortcut[1..3]].concat())
}

/// One level down and up again: 4 relus.
fn unet(graph: &mut Graph, x: Value) -> (Value, Vec<Value>) {
    let down = convolve(graph, "down", x, 8, 3);
    let skip = graph.relu(down).unwrap();
    let y = graph.max_pool2d(MaxPool2d::new([2, 2], [2, 2], [0, 0]).unwrap(), skip).unwrap();
    let y = convolve(graph, "bottom.a", y, 12, 3);
    let y = graph.relu(y).unwrap();
    let y = convolve(graph, "bottom.b", y, 12, 3);
    let y = graph.relu(y).unwrap();
    let weight = graph.param("up.weight", [12, 8, 2, 2], ParamKind::ConvTranspose).unwrap();
    let y = graph.conv_transpose2d(ConvTranspose2d::upsampling(2).unwrap(), y, weight, None).unwrap();
    let y = graph.concat(&[y, skip]).unwrap();
    let y = convolve(graph, "up.conv", y, 5, 3);
    let y = graph.relu(y).unwrap();
    (convolve(graph, "head", y, 1, 1), Vec::new())
}

struct Net {
    graph: Graph,
    /// The loss, all gradients, and some of the statistics.
    wanted: Vec<Value>,
    target: Vec<usize>,
}

const IMAGE: [usize; 4] = [3, 3, 10, 14];

fn net(build: fn(&mut Graph, Value) -> (Value, Vec<Value>)) -> Net {
    let mut graph = Graph::new();
    let x = graph.input("x", IMAGE).unwrap();
    let (logits, statistics) = build(&mut graph, x);
    let target = graph.shape(logits).to_vec();
    let given = graph.input("target", target.clone()).unwrap();
    let loss = graph.bce_with_logits(logits, given).unwrap();
    let wrt: Vec<Value> = graph.params().iter().filter(|p| !p.name.contains("running")).map(|p| p.value).collect();
    let gradients = graph.gradients(loss, &wrt).unwrap().into_iter().map(Option::unwrap);
    let wanted = std::iter::once(loss).chain(gradients).chain(statistics).collect();
    Net { graph, wanted, target }
}

fn fill(gpu: &Gpu, graph: &Graph) -> Params {
    let params = Params::new(gpu, graph).unwrap();
    for (at, info) in graph.params().iter().enumerate() {
        let draw = if info.name.ends_with("var") { Draw::Uniform(0.5, 2.0) } else { Draw::Normal(0.1, 0.5) };
        params.set(&info.name, &Input::drawn(info.shape.clone(), draw).tensor(11 + at as u64)).unwrap();
    }
    params
}

impl Net {
    fn run(&self, gpu: &Gpu, options: &PlanOptions) -> (Vec<Vec<u32>>, usize) {
        let plan = Plan::new(gpu, &self.graph, &self.wanted, options).unwrap();
        let image = Input::normal(IMAGE).tensor(5);
        let target = Input::drawn(self.target.clone(), Draw::Binary).tensor(6);
        let outputs = plan.run(&fill(gpu, &self.graph), &[("x", &image), ("target", &target)]).unwrap();
        (bits(&outputs), plan.dispatches())
    }

    /// Against the plan node by node, which has at least `fused` dispatches more: as usual, by every version of
    /// `kernels`, cut, and with values computed again. No elementwise op is left for itself.
    fn check(&self, gpu: &Gpu, kernels: &[&str], fused: usize) {
        let (expected, most) = self.run(gpu, &PlanOptions::naive());
        let options = PlanOptions::default();
        let calls = PlannedCall::all(&self.graph, &self.wanted, &options, gpu.caps()).unwrap();
        let alone: Vec<_> = calls.iter().map(|call| call.op.kernel()).filter(|k| k.starts_with("pointwise")).collect();
        assert!(alone.is_empty(), "{alone:?}");
        let (got, dispatches) = self.run(gpu, &options);
        assert!(got == expected, "as usual");
        assert!(dispatches + fused <= most, "{dispatches} and {most} dispatches");
        let low = support::gpu(&GpuOptions { max_binding: Some(9216), ..support::options() }).unwrap();
        let (cut, pieces) = self.run(&low, &options);
        assert!(cut == expected && pieces > dispatches, "cut into {pieces}");
        let (again, _) = self.run(gpu, &PlanOptions { recompute: true, ..options.clone() });
        assert!(again == expected, "with values computed again");
        for name in kernels {
            for version in nevus::ops::kernel(name).unwrap().versions {
                let only = [((*name).to_owned(), version.shader.to_owned())].into();
                let (real, naive) = (PlanOptions { only, ..options.clone() }, PlanOptions::naive());
                let naive = PlanOptions { only: real.only.clone(), ..naive };
                assert!(self.run(gpu, &real).0 == self.run(gpu, &naive).0, "{}", version.shader);
            }
        }
    }
}

#[test]
fn a_residual_networks_step_keeps_its_bits() {
    let Some(gpu) = gpu() else { return };
    // Each relu and sum once forward; backward each relu, and the sum where the second block's paths meet.
    net(resnet).check(&gpu, &["conv2d.backward_data", "batch_norm2d.forward"], 14);
}

#[test]
fn a_u_nets_step_keeps_its_bits() {
    let Some(gpu) = gpu() else { return };
    let kernels = ["conv_transpose2d.backward_data", "max_pool2d.backward"];
    net(unet).check(&gpu, &kernels, 9);
}

/// The second norm reads the statistics of the first, which thus cannot wait for what is added to its output.
#[test]
fn a_norm_stays_before_those_who_read_its_statistics() {
    let Some(gpu) = gpu() else { return };
    let mut graph = Graph::new();
    let x = graph.input("x", IMAGE).unwrap();
    let first = layer(&mut graph, "first", x, 4, 3);
    let convolved = convolve(&mut graph, "second", x, 4, 3);
    let of_channels =
        ["weight", "bias"].map(|part| graph.param(&format!("second.bn.{part}"), [4], ParamKind::Plain).unwrap());
    let norm = BatchNorm2d { training: true, ..BatchNorm2d::default() };
    let [weight, bias] = of_channels;
    let second = graph.batch_norm2d(norm, convolved, [weight, bias, first[1], first[2]]).unwrap();
    let other = graph.sigmoid(second[0]).unwrap();
    let sum = graph.add(first[0], other).unwrap();
    let wanted = [sum, second[1], second[2]];
    let run = |options: &PlanOptions| {
        let plan = Plan::new(&gpu, &graph, &wanted, options).unwrap();
        bits(&plan.run(&fill(&gpu, &graph), &[("x", &Input::normal(IMAGE).tensor(5))]).unwrap())
    };
    assert!(run(&PlanOptions::default()) == run(&PlanOptions::naive()));
}
