use std::collections::BTreeSet;

use crate::graph::{Graph, ParamKind};
use crate::models::weights::{Meta, Weights};
use crate::tensor::Tensor;

use super::*;

fn graph(net: &ResNet) -> Graph {
    let mut graph = Graph::new();
    let x = graph.input("image", [2, net.input, 33, 47]).unwrap();
    net.build(&mut graph, x).unwrap();
    graph
}

/// Weights with the names and shapes of a network, those that `keep` wants.
fn file(net: &ResNet, keep: impl Fn(&str) -> bool) -> Weights {
    let mut weights = Weights::new();
    for param in graph(net).params().iter().filter(|param| keep(&param.name)) {
        weights.insert(param.name.clone(), Tensor::zeros(param.shape.clone()));
    }
    weights
}

/// The numbers that torchvision's documentation gives for 1000 classes.
#[test]
fn as_many_parameters_as_torchvisions() {
    let expected = [11_689_512, 21_797_672, 25_557_032, 44_549_160];
    for (depth, expected) in ResNetDepth::ALL.into_iter().zip(expected) {
        let graph = graph(&ResNet::new(depth, 1000));
        let trained = graph.params().iter().filter(|param| param.kind.trainable());
        assert_eq!(trained.map(|param| param.shape.iter().product::<usize>()).sum::<usize>(), expected, "{depth:?}");
    }
}

#[test]
fn names_and_shapes_are_torchvisions() {
    let graph = graph(&ResNet::new(ResNetDepth::D50, 3));
    let shape = |name: &str| graph.params().iter().find(|param| param.name == name).unwrap().shape.clone();
    assert_eq!(shape("conv1.weight"), [64, 3, 7, 7]);
    assert_eq!(shape("layer1.0.downsample.0.weight"), [256, 64, 1, 1]);
    assert_eq!(shape("layer3.5.conv2.weight"), [256, 256, 3, 3]);
    assert_eq!(shape("layer4.2.bn3.running_var"), [2048]);
    assert_eq!((shape("fc.weight"), shape("fc.bias")), (vec![3, 2048], vec![3]));
    // 53 norms of four, 53 convolutions, the classifier's two.
    assert_eq!(graph.params().len(), 53 * 5 + 2);
    let buffers = graph.params().iter().filter(|param| param.kind == ParamKind::Buffer);
    assert!(buffers.clone().all(|param| param.name.contains(".running_")) && buffers.count() == 106);
}

#[test]
fn stages_have_their_sizes_wherever_the_stride_sits() {
    for stride_in in [StrideIn::Conv3x3, StrideIn::Conv1x1] {
        let net = ResNet { stride_in, ..ResNet::new(ResNetDepth::D50, 3) };
        let mut graph = Graph::new();
        let x = graph.input("image", [2, 3, 193, 257]).unwrap();
        let outputs = net.build_outputs(&mut graph, x).unwrap();
        let shapes = outputs.stages.map(|stage| graph.shape(stage).to_vec());
        let expected = [[2, 256, 49, 65], [2, 512, 25, 33], [2, 1024, 13, 17], [2, 2048, 7, 9]];
        assert_eq!(shapes, expected.map(Vec::from));
        assert_eq!((graph.shape(outputs.features), graph.shape(outputs.logits)), (&[2, 2048][..], &[2, 3][..]));
        let size = |name: &str| {
            let node = graph.nodes().iter().find(|node| node.name == name).unwrap();
            graph.shape(node.outputs[0])[2]
        };
        let at_first = stride_in == StrideIn::Conv1x1;
        assert_eq!(size("layer2.0.conv1"), if at_first { 25 } else { 49 });
        assert_eq!(size("layer2.0.conv2"), 25);
    }
}

#[test]
fn a_file_tells_its_network() {
    for depth in ResNetDepth::ALL {
        let net = ResNet { input: 4, ..ResNet::new(depth, 9) };
        assert_eq!(ResNet::from_weights(&file(&net, |_| true)).unwrap(), net);
    }
    let net = ResNet::new(ResNetDepth::D50, 9);
    let part = file(&net, |name| Stage::of(name).unwrap() < Stage::Layer3 || name == "layer3.0.conv1.weight");
    assert_eq!(ResNet::from_weights(&part).unwrap(), ResNet::default());
    let mut weights = file(&net, |_| true);
    let told = ResNet { stride_in: StrideIn::Conv1x1, dropout: 0.25, ..net };
    let mut meta = Meta::new();
    meta.set_architecture(&told).unwrap();
    assert_eq!(meta.architecture.clone().unwrap()["depth"], 50);
    assert_eq!(meta.architecture.clone().unwrap()["stride_in"], "1x1");
    weights.set_meta(&meta);
    assert_eq!(ResNet::from_weights(&weights).unwrap(), told);
}

#[test]
fn other_files_are_refused() {
    let message = |weights: &Weights| ResNet::from_weights(weights).unwrap_err().to_string();
    let net = ResNet::new(ResNetDepth::D18, 9);
    let mut weights = Weights::new();
    assert!(message(&weights).contains("no conv1.weight"));
    let mut meta = Meta::new();
    meta.set_architecture(&crate::models::UNet::default()).unwrap();
    weights.set_meta(&meta);
    assert!(message(&weights).contains("not a ResNet"));
    let mut weights = file(&net, |_| true);
    weights.insert("fc.weight", Tensor::zeros([9, 100]));
    assert!(message(&weights).contains("expected [classes, 512]"));
    let mut weights = file(&net, |_| true);
    weights.insert("layer3.6.conv1.weight", Tensor::zeros([256, 256, 3, 3]));
    assert!(message(&weights).contains("[2, 2, 7, 2] blocks"));
    let mut weights = file(&net, |_| true);
    weights.insert("layer1.0.conv1.weight", Tensor::zeros([64, 64, 5, 5]));
    assert!(message(&weights).contains("[64, 64, 5, 5]"));
}

#[test]
fn bad_architectures_are_refused() {
    assert!(serde_json::from_str::<ResNet>(r#"{"depth": 51}"#).is_err());
    for net in [
        ResNet { classes: 0, ..ResNet::default() },
        ResNet { input: 65, ..ResNet::default() },
        ResNet { dropout: 1.0, ..ResNet::default() },
        ResNet { dropout: f32::NAN, ..ResNet::default() },
    ] {
        assert!(net.validate().is_err(), "{net:?}");
    }
    let mut graph = Graph::new();
    let x = graph.input("image", [1, 4, 32, 32]).unwrap();
    let error = ResNet::default().build(&mut graph, x).unwrap_err().to_string();
    assert!(error.contains("[n, 3, h, w]"), "{error}");
}

#[test]
fn every_parameter_has_a_stage_and_norms_are_told() {
    let graph = graph(&ResNet::new(ResNetDepth::D18, 3));
    let stages: BTreeSet<Stage> = graph.params().iter().map(|param| Stage::of(&param.name).unwrap()).collect();
    assert_eq!(stages.into_iter().collect::<Vec<_>>(), Stage::ALL);
    let norms = graph.params().iter().filter(|param| is_norm(&param.name)).count();
    assert_eq!(norms, 20 * 4);
    assert!(is_norm("layer2.0.downsample.1.weight") && !is_norm("layer2.0.downsample.0.weight") && !is_norm("bn"));
    assert_eq!((Stage::of("head.weight"), "layer5".parse::<Stage>().is_err()), (None, true));
    for stage in Stage::ALL {
        assert_eq!(stage.name().parse::<Stage>().unwrap(), stage);
    }
}
