//! Grad-CAM on a device: of a network whose map can be worked out by hand, and of a ResNet.
#![cfg(feature = "train")]

mod support;

use nevus::graph::{Graph, ParamKind, Value};
use nevus::models::hashed::hashed;
use nevus::models::{ResNet, ResNetDepth};
use nevus::ops::conv2d::Conv2d;
use nevus::plan::{Params, Plan, PlanOptions};
use nevus::tensor::Tensor;
use nevus::train::explain::{activation, layers};
use nevus::train::{GradCam, Init};
use support::{gpu, options};

const SIZE: [usize; 2] = [20, 28];
/// Rows and columns of the patch that is painted red.
const PATCH: [std::ops::Range<usize>; 2] = [6..13, 15..24];

/// Three channels pass a 1×1 convolution unchanged, are averaged over the image, and weigh in on two classes: the first
/// by how red the image is less how green, the second by how blue.
fn by_hand() -> (Graph, Value) {
    let mut graph = Graph::new();
    let x = graph.input("image", [1, 3, SIZE[0], SIZE[1]]).unwrap();
    let weight = graph.param("conv.weight", [3, 3, 1, 1], ParamKind::Conv).unwrap();
    let y = graph.scoped("conv", |graph| graph.conv2d(Conv2d::padded(0), x, weight, None)).unwrap();
    let y = graph.scoped("features", |graph| graph.relu(y)).unwrap();
    let pooled = graph.scoped("pool", |graph| graph.global_avg_pool2d(y)).unwrap();
    let weight = graph.param("head.weight", [2, 3, 1, 1], ParamKind::Conv).unwrap();
    let logits = graph.scoped("head", |graph| graph.conv2d(Conv2d::padded(0), pooled, weight, None)).unwrap();
    (graph, logits)
}

const HEAD: [f32; 6] = [2.0, -1.0, 0.0, 0.0, 0.0, 3.0];

/// Green everywhere but for a red patch; a little blue in a corner.
fn picture() -> Tensor {
    let mut image = Tensor::zeros([1, 3, SIZE[0], SIZE[1]]);
    let [h, w] = SIZE;
    for (at, value) in image.data_mut().iter_mut().enumerate() {
        let (channel, y, x) = (at / (h * w), at / w % h, at % w);
        let red = PATCH[0].contains(&y) && PATCH[1].contains(&x);
        *value = match channel {
            0 if red => 0.9,
            1 if !red => 0.4,
            2 if y < 2 && x < 3 => 0.5,
            _ => 0.0,
        };
    }
    image
}

#[test]
fn the_map_is_the_one_worked_out_by_hand_and_lies_on_the_patch() {
    let Some(gpu) = gpu(&options()) else { return };
    for options in [PlanOptions::default(), PlanOptions::naive()] {
        let (graph, logits) = by_hand();
        let params = Params::new(&gpu, &graph).unwrap();
        let mut identity = Tensor::zeros([3, 3, 1, 1]);
        for channel in 0..3 {
            identity.data_mut()[channel * 4] = 1.0;
        }
        params.set("conv.weight", &identity).unwrap();
        params.set("head.weight", &Tensor::new([2, 3, 1, 1], HEAD.to_vec()).unwrap()).unwrap();
        let features = activation(&graph, "pool").unwrap();
        let cam = GradCam::new(&gpu, graph, (logits, features), "features", &options).unwrap();
        let image = picture();
        let area = SIZE[0] * SIZE[1];
        for class in 0..2 {
            let explained = cam.run(&params, &image, class).unwrap();
            assert_eq!(explained.map.shape(), [1, 1, SIZE[0], SIZE[1]]);
            let plane = |channel: usize| &image.data()[channel * area..][..area];
            let mean = |channel: usize| {
                let sum: f64 = plane(channel).iter().map(|value| f64::from(*value)).sum();
                (sum / area as f64) as f32
            };
            let logit: f32 = (0..3).map(|c| HEAD[3 * class + c] * mean(c)).sum();
            assert!((explained.logits.data()[class] - logit).abs() < 1e-5);
            assert!((0..3).all(|c| (explained.features.data()[c] - mean(c)).abs() < 1e-6));
            // A mean's gradient is 1/area at every pixel, so that each channel weighs as its head over the area.
            let alpha = |c: usize| HEAD[3 * class + c] / area as f32;
            for (at, got) in explained.map.data().iter().enumerate() {
                let wanted = (0..3).map(|c| alpha(c) * plane(c)[at]).sum::<f32>().max(0.0);
                assert!((got - wanted).abs() < 1e-7, "class {class} at {at}: {got}, expected {wanted}");
            }
        }
        let map = cam.run(&params, &image, 0).unwrap().map;
        let inside = |at: usize| PATCH[0].contains(&(at / SIZE[1])) && PATCH[1].contains(&(at % SIZE[1]));
        let weight: f32 = map.data().iter().sum();
        let on_patch: f32 = map.data().iter().enumerate().filter(|(at, _)| inside(*at)).map(|(_, v)| v).sum();
        assert!(weight > 0.0 && on_patch / weight > 0.999, "{on_patch} of {weight}");
        assert!(cam.run(&params, &image, 2).unwrap_err().to_string().contains("class 2"));
    }
}

#[test]
fn a_resnets_last_layer_weighs_as_its_classifier_and_every_layer_can_be_asked() {
    let Some(gpu) = gpu(&options()) else { return };
    let net = ResNet::new(ResNetDepth::D18, 3);
    let build = || {
        let mut graph = Graph::new();
        let image = graph.input("image", [1, 3, 64, 96]).unwrap();
        let outputs = net.build_outputs(&mut graph, image).unwrap();
        (graph, outputs)
    };
    let (graph, outputs) = build();
    let params = Params::new(&gpu, &graph).unwrap();
    let weights = Init::resnet(&net, 7, false).fill(graph.params()).unwrap();
    weights.load(&params).unwrap();
    let image = Tensor::new([1, 3, 64, 96], hashed("image", 3 * 64 * 96, 5)).unwrap();
    let stages = Plan::inference(&gpu, &graph, &outputs.stages).unwrap().run(&params, &[("image", &image)]).unwrap();

    let (graph, outputs) = build();
    assert_eq!(activation(&graph, "layer4").unwrap(), outputs.stages[3]);
    let names = layers(&graph);
    assert!(["conv1", "layer1", "layer3.1", "layer4.1.conv2"].iter().all(|name| names.iter().any(|n| n == name)));
    let pair = (outputs.logits, outputs.features);
    let cam = GradCam::new(&gpu, graph, pair, "layer4", &PlanOptions::default()).unwrap();
    let explained = cam.run(&params, &image, 2).unwrap();
    let (last, area) = (&stages[3], 2 * 3);
    assert_eq!((last.shape(), explained.map.shape()), (&[1, 512, 2, 3][..], &[1, 1, 2, 3][..]));
    // Behind the mean over the image stands fc: channel c weighs fc.weight[2, c] / (h·w).
    let fc = &weights.get("fc.weight").unwrap().data()[2 * 512..];
    for (at, got) in explained.map.data().iter().enumerate() {
        let sum: f64 = (0..512).map(|c| f64::from(fc[c]) * f64::from(last.data()[c * area + at])).sum();
        let wanted = (sum / area as f64).max(0.0);
        assert!((f64::from(*got) - wanted).abs() < 1e-4 * (1.0 + wanted), "{at}: {got}, expected {wanted}");
    }

    for (layer, shape) in [("layer2", [1, 1, 8, 12]), ("layer3.0.conv1", [1, 1, 4, 6]), ("conv1", [1, 1, 32, 48])] {
        let (graph, outputs) = build();
        let pair = (outputs.logits, outputs.features);
        let cam = GradCam::new(&gpu, graph, pair, layer, &PlanOptions::default()).unwrap();
        let map = cam.run(&params, &image, 0).unwrap().map;
        assert_eq!(map.shape(), shape);
        assert!(map.data().iter().all(|value| value.is_finite() && *value >= 0.0), "{layer}");
    }
    for layer in ["layer5", "layer", "fc", ""] {
        let (graph, outputs) = build();
        let pair = (outputs.logits, outputs.features);
        let error = GradCam::new(&gpu, graph, pair, layer, &PlanOptions::default()).unwrap_err().to_string();
        assert!(error.contains("layer4.1"), "{layer}: {error}");
    }
}
