//! ResNet (He, Zhang, Ren, Sun 2015) of 18, 34, 50 or 101 layers: image in, a logit for every class out.
//!
//! Parameters have torchvision's names and shapes: `conv1.weight`, `bn1.{weight,bias,running_mean,running_var}`,
//! `layer{1-4}.{i}.conv{1,2,3}.weight`, `layer{1-4}.{i}.bn{1,2,3}.…`, `layer{1-4}.0.downsample.{0,1}.…` and
//! `fc.{weight,bias}`.

mod describe;
mod stage;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::graph::{Graph, ParamKind, Value};
use crate::ops::batch_norm2d::BatchNorm2d;
use crate::ops::conv2d::Conv2d;
use crate::ops::dropout::Dropout;
use crate::ops::max_pool2d::MaxPool2d;

use super::running::RunningStatistics;
use super::unet::DropoutKey;

pub use stage::{Stage, is_norm};

/// How many layers a [`ResNet`] has: convolutions of the blocks, the first one, and the classifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "u16", try_from = "u16")]
pub enum ResNetDepth {
    /// Blocks of two 3×3 convolutions: 2, 2, 2, 2.
    D18,
    /// Blocks of two 3×3 convolutions: 3, 4, 6, 3.
    D34,
    /// Bottlenecks 1×1, 3×3, 1×1: 3, 4, 6, 3.
    D50,
    /// Bottlenecks 1×1, 3×3, 1×1: 3, 4, 23, 3.
    D101,
}

impl ResNetDepth {
    /// Every depth, the smallest first.
    pub const ALL: [Self; 4] = [Self::D18, Self::D34, Self::D50, Self::D101];

    /// The number of layers.
    #[must_use]
    pub fn layers(self) -> u16 {
        match self {
            Self::D18 => 18,
            Self::D34 => 34,
            Self::D50 => 50,
            Self::D101 => 101,
        }
    }

    /// Blocks of each stage.
    #[must_use]
    pub fn blocks(self) -> [usize; 4] {
        match self {
            Self::D18 => [2, 2, 2, 2],
            Self::D34 | Self::D50 => [3, 4, 6, 3],
            Self::D101 => [3, 4, 23, 3],
        }
    }

    /// Whether its blocks are bottlenecks.
    #[must_use]
    pub fn bottleneck(self) -> bool {
        self >= Self::D50
    }

    /// Channels that a stage gives for every channel of its blocks' inner convolutions.
    #[must_use]
    pub fn expansion(self) -> usize {
        if self.bottleneck() { 4 } else { 1 }
    }
}

impl From<ResNetDepth> for u16 {
    fn from(depth: ResNetDepth) -> Self {
        depth.layers()
    }
}

impl TryFrom<u16> for ResNetDepth {
    type Error = String;

    fn try_from(layers: u16) -> std::result::Result<Self, String> {
        let found = Self::ALL.into_iter().find(|depth| depth.layers() == layers);
        found.ok_or_else(|| format!("depth is {layers}, expected 18, 34, 50 or 101"))
    }
}

/// Which convolution of a stage's first bottleneck halves the image. Blocks without a bottleneck have it in their first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum StrideIn {
    /// The 3×3 ("v1.5"): torchvision's and timm's files.
    #[default]
    #[serde(rename = "3x3")]
    Conv3x3,
    /// The first 1×1 ("v1"): the paper's, Caffe's and Keras's files.
    #[serde(rename = "1x1")]
    Conv1x1,
}

/// A ResNet's architecture.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResNet {
    /// How many layers.
    pub depth: ResNetDepth,
    /// Classes that are told apart, the width of the logits.
    pub classes: usize,
    /// Channels of the image.
    pub input: usize,
    /// Where a stage's stride sits.
    pub stride_in: StrideIn,
    /// Probability that training drops a pooled feature before the classifier.
    pub dropout: f32,
}

impl Default for ResNet {
    /// torchvision's ResNet-50 for ImageNet.
    fn default() -> Self {
        Self { depth: ResNetDepth::D50, classes: 1000, input: 3, stride_in: StrideIn::Conv3x3, dropout: 0.0 }
    }
}

/// What the training of a [`ResNet`] needs besides the image.
#[derive(Debug)]
pub struct ResNetTraining<'a> {
    /// Takes note of what the norms' running statistics become; one for all parts of a batch.
    pub running: &'a mut RunningStatistics,
    /// The stages whose norms use their running statistics and leave them as they are.
    pub frozen_norms: &'a BTreeSet<Stage>,
    /// Keys dropout; `None` for none.
    pub dropout: Option<DropoutKey>,
}

/// What a [`ResNet`] gives.
#[derive(Debug, Clone, Copy)]
pub struct ResNetOutputs {
    /// A logit for every class, (n, classes).
    pub logits: Value,
    /// The last stage's channels, each averaged over the image: (n, [`ResNet::features`]).
    pub features: Value,
    /// What `layer1` to `layer4` give, (n, c, h, w), with h and w a quarter of the image's, an eighth, and so on.
    pub stages: [Value; 4],
}

impl ResNet {
    /// A network for so many classes, else torchvision's.
    #[must_use]
    pub fn new(depth: ResNetDepth, classes: usize) -> Self {
        Self { depth, classes, ..Self::default() }
    }

    /// Refuses sizes that no graph can be made of.
    ///
    /// # Errors
    /// [`Error::Parameter`].
    pub fn validate(&self) -> Result<()> {
        for (what, value, most) in [("classes", self.classes, 100_000), ("input", self.input, 64)] {
            if value == 0 || value > most {
                return Err(Error::parameter("resnet", format!("{what} is {value}, expected 1 to {most}")));
            }
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return Err(Error::parameter("resnet", format!("dropout is {}, expected 0 to below 1", self.dropout)));
        }
        Ok(())
    }

    /// Channels of the last stage: what the classifier reads.
    #[must_use]
    pub fn features(&self) -> usize {
        512 * self.depth.expansion()
    }

    /// What the name of each block's last norm's weight ends with: zero there makes a fresh block the identity (Goyal et
    /// al. 2017).
    #[must_use]
    pub fn last_norm(&self) -> &'static str {
        if self.depth.bottleneck() { ".bn3.weight" } else { ".bn2.weight" }
    }

    /// Appends the network for inference on x (n, input, h, w), normalised; returns logits (n, classes).
    ///
    /// # Errors
    /// [`Error::Shape`] where the image has other channels.
    pub fn build(&self, graph: &mut Graph, x: Value) -> Result<Value> {
        Ok(self.build_outputs(graph, x)?.logits)
    }

    /// [`ResNet::build`] with what the stages give.
    ///
    /// # Errors
    /// As [`ResNet::build`].
    pub fn build_outputs(&self, graph: &mut Graph, x: Value) -> Result<ResNetOutputs> {
        Builder { net: self, graph, training: None }.network(x)
    }

    /// Appends the network for training on x (n, input, h, w), normalised: its norms use the batch's statistics, but for
    /// those of the frozen stages. Whoever makes the step lets [`ResNetTraining::running`] append its update.
    ///
    /// # Errors
    /// As [`ResNet::build`]; [`Error::Shape`] where a norm that is not frozen sees fewer than two values a channel.
    pub fn build_training(&self, graph: &mut Graph, x: Value, training: ResNetTraining<'_>) -> Result<ResNetOutputs> {
        Builder { net: self, graph, training: Some(training) }.network(x)
    }
}

struct Builder<'a> {
    net: &'a ResNet,
    graph: &'a mut Graph,
    training: Option<ResNetTraining<'a>>,
}

impl Builder<'_> {
    fn network(mut self, x: Value) -> Result<ResNetOutputs> {
        let net = *self.net;
        net.validate()?;
        let shape = self.graph.shape(x);
        if !matches!(shape, &[_, c, _, _] if c == net.input) {
            return Err(Error::shape("resnet", "image", format!("[n, {}, h, w]", net.input), shape));
        }
        let x = self.convolution("conv1", x, [64, 7, 2])?;
        let x = self.norm("bn1", Stage::Stem, x)?;
        let x = self.graph.scoped("relu", |graph| graph.relu(x))?;
        let pool = MaxPool2d::new([3, 3], [2, 2], [1, 1])?;
        let mut x = self.graph.scoped("maxpool", |graph| graph.max_pool2d(pool, x))?;
        let mut stages = [x; 4];
        for (at, blocks) in net.depth.blocks().into_iter().enumerate() {
            for block in 0..blocks {
                let stride = if at > 0 && block == 0 { 2 } else { 1 };
                x = self.block(&format!("layer{}.{block}", at + 1), Stage::LAYERS[at], x, 64 << at, stride)?;
            }
            stages[at] = x;
        }
        let features = self.graph.scoped("avgpool", |graph| {
            let pooled = graph.global_avg_pool2d(x)?;
            graph.flatten(pooled)
        })?;
        let logits = self.classifier(features)?;
        Ok(ResNetOutputs { logits, features, stages })
    }

    fn block(&mut self, name: &str, stage: Stage, x: Value, width: usize, stride: usize) -> Result<Value> {
        let depth = self.net.depth;
        let out = width * depth.expansion();
        let (first, second) = match (depth.bottleneck(), self.net.stride_in) {
            (true, StrideIn::Conv3x3) => (1, stride),
            _ => (stride, 1),
        };
        let kernel = if depth.bottleneck() { 1 } else { 3 };
        let mut y = self.convolution(&format!("{name}.conv1"), x, [width, kernel, first])?;
        y = self.norm(&format!("{name}.bn1"), stage, y)?;
        y = self.graph.scoped(name, |graph| graph.relu(y))?;
        y = self.convolution(&format!("{name}.conv2"), y, [width, 3, second])?;
        y = self.norm(&format!("{name}.bn2"), stage, y)?;
        if depth.bottleneck() {
            y = self.graph.scoped(name, |graph| graph.relu(y))?;
            y = self.convolution(&format!("{name}.conv3"), y, [out, 1, 1])?;
            y = self.norm(&format!("{name}.bn3"), stage, y)?;
        }
        let mut shortcut = x;
        if stride != 1 || self.graph.shape(x)[1] != out {
            shortcut = self.convolution(&format!("{name}.downsample.0"), x, [out, 1, stride])?;
            shortcut = self.norm(&format!("{name}.downsample.1"), stage, shortcut)?;
        }
        self.graph.scoped(name, |graph| {
            let sum = graph.add(y, shortcut)?;
            graph.relu(sum)
        })
    }

    /// A square convolution without a bias: channels, kernel, stride.
    fn convolution(&mut self, name: &str, x: Value, [channels, kernel, stride]: [usize; 3]) -> Result<Value> {
        let input = self.graph.shape(x)[1];
        let shape = [channels, input, kernel, kernel];
        let weight = self.graph.param(&format!("{name}.weight"), shape, ParamKind::Conv)?;
        let op = Conv2d::new([stride; 2], [kernel / 2; 2], [1, 1])?;
        self.graph.scoped(name, |graph| graph.conv2d(op, x, weight, None))
    }

    fn norm(&mut self, name: &str, stage: Stage, x: Value) -> Result<Value> {
        let c = self.graph.shape(x)[1];
        let mut param = |leaf: &str, kind| self.graph.param(&format!("{name}.{leaf}"), [c], kind);
        let of_channels = [
            param("weight", ParamKind::Plain)?,
            param("bias", ParamKind::Plain)?,
            param("running_mean", ParamKind::Buffer)?,
            param("running_var", ParamKind::Buffer)?,
        ];
        let training = self.training.as_mut().filter(|training| !training.frozen_norms.contains(&stage));
        self.graph.scoped(name, |graph| match training {
            Some(training) => training.running.batch_norm2d(graph, x, of_channels),
            None => Ok(graph.batch_norm2d(BatchNorm2d::default(), x, of_channels)?[0]),
        })
    }

    fn classifier(&mut self, features: Value) -> Result<Value> {
        let mut x = features;
        let key = self.training.as_ref().and_then(|training| training.dropout);
        if let Some(key) = key.filter(|_| self.net.dropout > 0.0) {
            let op = Dropout { sample: key.sample, ..Dropout::new(self.net.dropout, key.layer("fc"))? };
            x = self.graph.scoped("dropout", |graph| graph.dropout(op, x, key.step))?;
        }
        let (classes, width) = (self.net.classes, self.net.features());
        let weight = self.graph.param("fc.weight", [classes, width], ParamKind::Plain)?;
        let bias = self.graph.param("fc.bias", [classes], ParamKind::Plain)?;
        self.graph.scoped("fc", |graph| graph.linear(x, weight, bias))
    }
}
