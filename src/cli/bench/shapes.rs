//! Real layers' shapes for every op: those of ResNet-50 at 224×224 and of a U-Net of base 16.

use serde_json::{Value, json};

use crate::ops::cases::{Draw, Input};

/// A call of an op as a reference case would have it: its name, attributes and inputs.
pub(super) struct Shape {
    pub op: &'static str,
    /// What the layer is, in a few characters.
    pub label: String,
    pub attributes: Value,
    pub inputs: Vec<Input>,
    /// The inputs that get gradients; none for an op without.
    pub gradients: Vec<usize>,
}

/// Every op's shapes.
pub(super) fn all() -> Vec<Shape> {
    let mut all = convolutions();
    all.extend(layers());
    all.extend(losses());
    all.extend(optimizers());
    all
}

fn shape(op: &'static str, label: &str, attributes: Value, inputs: Vec<Input>, gradients: &[usize]) -> Shape {
    Shape { op, label: label.to_owned(), attributes, inputs, gradients: gradients.to_vec() }
}

fn convolutions() -> Vec<Shape> {
    // n, ci, co, h, w, kernel, stride
    let convolutions = [
        [1, 64, 64, 56, 56, 3, 1],
        [1, 128, 128, 28, 28, 3, 1],
        [1, 256, 256, 14, 14, 3, 1],
        [1, 512, 512, 7, 7, 3, 1],
        [1, 256, 64, 56, 56, 1, 1],
        [1, 64, 256, 56, 56, 1, 1],
        [1, 512, 1024, 28, 28, 1, 2],
        [1, 3, 64, 224, 224, 7, 2],
        [4, 16, 16, 144, 192, 3, 1],
        [4, 32, 32, 72, 96, 3, 1],
    ];
    let mut all: Vec<Shape> = convolutions
        .into_iter()
        .map(|[n, ci, co, h, w, k, stride]| {
            let attributes =
                json!({ "stride": [stride, stride], "padding": [k / 2, k / 2], "dilation": [1, 1], "groups": 1 });
            let inputs = vec![Input::normal([n, ci, h, w]), Input::normal([co, ci, k, k]), Input::normal([co])];
            shape("conv2d", &format!("{k}x{k} {ci}->{co} @{h}x{w}"), attributes, inputs, &[0, 1, 2])
        })
        .collect();
    for [n, ci, co, h, w] in [[1, 128, 64, 56, 56], [4, 32, 16, 72, 96]] {
        let attributes = json!({ "stride": [2, 2], "padding": [0, 0], "output_padding": [0, 0] });
        let inputs = vec![Input::normal([n, ci, h, w]), Input::normal([ci, co, 2, 2]), Input::normal([co])];
        all.push(shape("conv_transpose2d", &format!("2x2 {ci}->{co} @{h}x{w}"), attributes, inputs, &[0, 1, 2]));
    }
    all
}

fn layers() -> Vec<Shape> {
    let image = || Input::normal([4, 64, 56, 56]);
    let of_channels = || Input::normal([64]);
    let variance = Input::drawn([64], Draw::Uniform(0.5, 2.0));
    let norm = |training: bool| json!({ "training": training, "momentum": 0.1, "eps": 1e-5 });
    let normed = || vec![image(), of_channels(), of_channels(), of_channels(), variance.clone()];
    let pool = json!({ "kernel": [2, 2], "stride": [2, 2], "padding": [0, 0] });
    let stem = json!({ "kernel": [3, 3], "stride": [2, 2], "padding": [1, 1] });
    let rows = || Input::normal([1024, 1000]);
    let statistics = json!({ "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225] });
    vec![
        shape("batch_norm2d", "training 64 @56x56", norm(true), normed(), &[0, 1, 2]),
        shape("batch_norm2d", "inference 64 @56x56", norm(false), normed(), &[0, 1, 2]),
        shape("max_pool2d", "2x2 64 @56x56", pool.clone(), vec![image()], &[0]),
        shape("max_pool2d", "3x3 overlapping 64 @112x112", stem, vec![Input::normal([1, 64, 112, 112])], &[0]),
        shape("avg_pool2d", "2x2 64 @56x56", pool, vec![image()], &[0]),
        shape("global_avg_pool2d", "2048 @7x7", json!({}), vec![Input::normal([16, 2048, 7, 7])], &[0]),
        shape("relu", "64 @56x56", json!({}), vec![image()], &[0]),
        shape("sigmoid", "64 @56x56", json!({}), vec![image()], &[0]),
        shape("add", "64 @56x56", json!({}), vec![image(), image()], &[0, 1]),
        shape("mul", "64 @56x56", json!({}), vec![image(), image()], &[0, 1]),
        shape("scale", "64 @56x56", json!({ "factor": 0.5 }), vec![image()], &[0]),
        shape("concat", "64+64 @56x56", json!({ "dim": 1 }), vec![image(), image()], &[0, 1]),
        shape("slice", "32 of 64 @56x56", json!({ "dim": 1, "start": 16, "end": 48 }), vec![image()], &[0]),
        shape("resize_bilinear", "64 @56x56 -> 112x112", json!({ "size": [112, 112] }), vec![image()], &[0]),
        shape("normalize", "3 @224x224", statistics, vec![Input::normal([16, 3, 224, 224])], &[0]),
        shape(
            "linear",
            "2048->1000",
            json!({}),
            vec![Input::normal([32, 2048]), Input::normal([1000, 2048]), Input::normal([1000])],
            &[0, 1, 2],
        ),
        shape("softmax", "1000 classes", json!({ "dim": 1 }), vec![rows()], &[0]),
        shape("log_softmax", "1000 classes", json!({ "dim": 1 }), vec![rows()], &[0]),
    ]
}

fn losses() -> Vec<Shape> {
    let classes = || Input::drawn([1024], Draw::Classes(1000));
    let logits = || Input::normal([1024, 1000]);
    let map = || Input::normal([8, 1, 144, 192]);
    let mask = || Input::drawn([8, 1, 144, 192], Draw::Binary);
    let smoothed = json!({ "label_smoothing": 0.1, "reduction": "mean" });
    vec![
        shape("cross_entropy", "1000 classes", smoothed, vec![logits(), classes()], &[0]),
        shape("focal_loss", "1000 classes", json!({ "gamma": 2.0 }), vec![logits(), classes()], &[0]),
        shape("dice_loss", "@144x192", json!({ "smooth": 1.0 }), vec![map(), mask()], &[0]),
        shape("bce_with_logits", "@144x192", json!({ "reduction": "mean" }), vec![map(), mask()], &[0]),
    ]
}

fn optimizers() -> Vec<Shape> {
    let values = || Input::normal([1 << 21]);
    let positive = || Input::drawn([1 << 21], Draw::Uniform(0.0, 1.0));
    let adamw = json!({ "lr": 1e-3, "betas": [0.9, 0.999], "eps": 1e-8, "weight_decay": 0.01, "step": 3 });
    let sgd = json!({ "lr": 1e-3, "momentum": 0.9, "weight_decay": 0.01 });
    vec![
        shape("adamw", "2 M parameters", adamw, vec![values(), values(), values(), positive()], &[]),
        shape("sgd", "2 M parameters", sgd, vec![values(), values(), values()], &[]),
        shape("ema", "2 M parameters", json!({ "decay": 0.99 }), vec![values(), values()], &[]),
        shape("clip_grad_norm", "2 M parameters", json!({ "max_norm": 1.0 }), vec![values()], &[]),
    ]
}
