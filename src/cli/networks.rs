//! The networks that are timed and tuned, as graphs of random values.

use std::collections::BTreeSet;

use clap::ValueEnum;
use serde::Serialize;

use crate::error::Result;
use crate::graph::{Graph, Value};
use crate::models::resnet::ResNetTraining;
use crate::models::{ResNet, UNet};
use crate::ops::cases::{Draw, Input};
use crate::ops::cross_entropy::CrossEntropy;
use crate::tensor::Tensor;
use crate::train::step::{Loss, Normalisation, Optimizer, Rate, Step, StepOptions};

/// What of a network runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Mode {
    /// From photographs to logits
    Forward,
    /// A whole optimizer step: forward, backward, clipping, update, average
    Train,
}

/// A network.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(untagged)]
pub(super) enum Network {
    UNet(UNet),
    ResNet(ResNet),
}

/// How a training step updates, and what a U-Net's minimises.
#[derive(Debug, Clone, Copy)]
pub(super) struct Recipe {
    pub optimizer: Optimizer,
    pub loss: Loss,
    /// Whether the weights' average is kept.
    pub average: bool,
}

impl Default for Recipe {
    fn default() -> Self {
        Self { optimizer: Optimizer::Adamw { weight_decay: 1e-4 }, loss: Loss::BceDice, average: true }
    }
}

impl std::fmt::Display for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::UNet(net) => write!(f, "U-Net base {}", net.base),
            Self::ResNet(net) => write!(f, "ResNet-{} of {} classes", net.depth.layers(), net.classes),
        }
    }
}

impl Network {
    /// Its graph for `n` photographs of height `h` and width `w`, and what it gives.
    pub(super) fn graph(self, mode: Mode, recipe: Recipe, n: usize, [h, w]: [usize; 2]) -> Result<(Graph, Vec<Value>)> {
        let normalisation = Normalisation::default();
        if mode == Mode::Forward {
            let mut graph = Graph::new();
            let x = graph.input("image", [n, 3, h, w])?;
            let x = graph.normalize(x, &normalisation.mean, &normalisation.std)?;
            let logits = match self {
                Self::UNet(net) => net.build(&mut graph, x)?,
                Self::ResNet(net) => net.build(&mut graph, x)?,
            };
            return Ok((graph, vec![logits]));
        }
        let step = match self {
            Self::UNet(net) => {
                let options = StepOptions {
                    net,
                    normalisation,
                    batch: n,
                    micro_batches: 1,
                    size: [h, w],
                    loss: recipe.loss,
                    optimizer: recipe.optimizer,
                    clip: 1.0,
                    average: recipe.average,
                    seed: 0,
                };
                options.build()?
            }
            Self::ResNet(net) => {
                let step = Step {
                    parts: 1,
                    optimizer: recipe.optimizer,
                    clip: 1.0,
                    average: recipe.average,
                    rate: &Rate::usual,
                };
                step.append(Graph::new(), |graph, _, running| {
                    let image = graph.input("image.0", [n, 3, h, w])?;
                    let target = graph.input("target.0", [n])?;
                    let x = graph.normalize(image, &normalisation.mean, &normalisation.std)?;
                    let training = ResNetTraining { running, frozen_norms: &BTreeSet::new(), dropout: None };
                    let logits = net.build_training(graph, x, training)?.logits;
                    graph.cross_entropy(CrossEntropy::new(0.0)?, logits, target, None)
                })?
            }
        };
        Ok((step.graph, vec![step.loss, step.norm]))
    }

    /// Random values for the inputs of its graph, by name.
    pub(super) fn inputs(
        self,
        mode: Mode,
        recipe: Recipe,
        n: usize,
        [h, w]: [usize; 2],
    ) -> Result<Vec<(&'static str, Tensor)>> {
        let image = Input::drawn([n, 3, h, w], Draw::Uniform(0.0, 1.0)).tensor(1);
        if mode == Mode::Forward {
            return Ok(vec![("image", image)]);
        }
        let target = match self {
            Self::UNet(_) => Input::drawn([n, 1, h, w], Draw::Binary),
            Self::ResNet(net) => Input::drawn([n], Draw::Classes(net.classes)),
        };
        Ok(vec![
            ("image.0", image),
            ("target.0", target.tensor(2)),
            ("step", Tensor::new([1], vec![1.0])?),
            ("hyper", recipe.optimizer.hyper(1e-4, 1)?),
            ("average", Tensor::new([4], vec![0.99, 0.0, 0.0, 0.0])?),
        ])
    }
}
