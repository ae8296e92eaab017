//! The U-Net (Ronneberger, Fischer, Brox 2015) with same-size convolutions: image in, logits of the same size out.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::graph::{Graph, ParamKind, Value};
use crate::models::weights::Weights;
use crate::ops::conv_transpose2d::ConvTranspose2d;
use crate::ops::conv2d::Conv2d;
use crate::ops::dropout::Dropout;
use crate::ops::max_pool2d::MaxPool2d;

/// A U-Net's architecture. Parameters are named `down.{i}.conv{1,2}`, `bottom.conv{1,2}`,
/// `up.{i}.{upconv,conv1,conv2}` (`up.0` is the deepest) and `head`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UNet {
    /// Channels of the first level; each level below has twice as many.
    pub base: usize,
    /// Levels above the bottom: height and width must be multiples of 2^depth.
    pub depth: usize,
    /// Channels of the image.
    pub input: usize,
    /// Channels of the logits.
    pub output: usize,
    /// Probability that training drops an activation between the two convolutions of a block.
    pub dropout: f32,
}

impl Default for UNet {
    fn default() -> Self {
        Self { base: 16, depth: 4, input: 3, output: 1, dropout: 0.0 }
    }
}

/// What training needs besides the image.
#[derive(Debug, Clone, Copy)]
pub struct DropoutKey {
    /// The run's seed.
    pub seed: u32,
    /// The optimizer step, a value of shape \[1\].
    pub step: Value,
    /// The number of the batch's first sample within the whole batch.
    pub sample: u32,
}

impl DropoutKey {
    /// The key of one layer's masks: the run's seed with the layer's name (FNV-1a).
    #[must_use]
    pub fn layer(&self, name: &str) -> u32 {
        let start = self.seed ^ 0x811c_9dc5;
        name.bytes().fold(start, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
    }
}

impl UNet {
    /// Refuses sizes that no graph can be made of.
    ///
    /// # Errors
    /// [`Error::Parameter`].
    pub fn validate(&self) -> Result<()> {
        let bounds = [
            ("base", self.base, 512),
            ("depth", self.depth, 8),
            ("input", self.input, 64),
            ("output", self.output, 64),
        ];
        for (what, value, most) in bounds {
            if value == 0 || value > most {
                return Err(Error::parameter("unet", format!("{what} is {value}, expected 1 to {most}")));
            }
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return Err(Error::parameter("unet", format!("dropout is {}, expected 0 to below 1", self.dropout)));
        }
        Ok(())
    }

    /// The number that height and width must be multiples of.
    #[must_use]
    pub fn multiple(&self) -> usize {
        1 << self.depth
    }

    /// The U-Net that a weights file describes in its metadata.
    ///
    /// # Errors
    /// [`Error::Weights`] where the metadata describe none.
    pub fn from_weights(weights: &Weights) -> Result<Self> {
        let described = weights.meta()?.architecture_as().map_err(|message| weights.error(message))?;
        described.ok_or_else(|| weights.error("its metadata describes no U-Net (nevus.architecture)"))
    }

    /// Appends the network on x (n, input, h, w), normalised as the weights' metadata say; returns logits (n, output, h, w).
    ///
    /// # Errors
    /// [`Error::Shape`] where h or w is no multiple of 2^depth, or the image has other channels.
    pub fn build(&self, graph: &mut Graph, x: Value) -> Result<Value> {
        self.append(graph, x, None)
    }

    /// [`UNet::build`] for training: with dropout, where the network has any.
    ///
    /// # Errors
    /// As [`UNet::build`].
    pub fn build_training(&self, graph: &mut Graph, x: Value, dropout: DropoutKey) -> Result<Value> {
        self.append(graph, x, Some(dropout))
    }

    fn append(&self, graph: &mut Graph, x: Value, dropout: Option<DropoutKey>) -> Result<Value> {
        self.validate()?;
        let shape = graph.shape(x).to_vec();
        let multiple = self.multiple();
        let fits =
            matches!(shape.as_slice(), &[_, c, h, w] if c == self.input && h % multiple == 0 && w % multiple == 0);
        if !fits {
            let expected = format!("[n, {}, h, w] with h and w multiples of {multiple}", self.input);
            return Err(Error::shape("unet", "image", expected, &shape));
        }
        let width = |level: usize| self.base << level;
        let mut x = x;
        let mut skips = Vec::with_capacity(self.depth);
        for level in 0..self.depth {
            x = self.block(graph, &format!("down.{level}"), x, width(level), dropout)?;
            skips.push(x);
            x = graph.max_pool2d(MaxPool2d::new([2, 2], [2, 2], [0, 0])?, x)?;
        }
        x = self.block(graph, "bottom", x, width(self.depth), dropout)?;
        for (at, skip) in skips.into_iter().rev().enumerate() {
            let channels = width(self.depth - 1 - at);
            let name = format!("up.{at}");
            let input = graph.shape(x)[1];
            let weight =
                graph.param(&format!("{name}.upconv.weight"), [input, channels, 2, 2], ParamKind::ConvTranspose)?;
            let bias = graph.param(&format!("{name}.upconv.bias"), [channels], ParamKind::Plain)?;
            let enlarged = graph.scoped(&format!("{name}.upconv"), |graph| {
                graph.conv_transpose2d(ConvTranspose2d::upsampling(2)?, x, weight, Some(bias))
            })?;
            let joined = graph.scoped(&name, |graph| graph.concat(&[enlarged, skip]))?;
            x = self.block(graph, &name, joined, channels, dropout)?;
        }
        convolution(graph, "head", x, self.output, 1)
    }

    fn block(
        &self,
        graph: &mut Graph,
        name: &str,
        x: Value,
        channels: usize,
        dropout: Option<DropoutKey>,
    ) -> Result<Value> {
        let first = convolution(graph, &format!("{name}.conv1"), x, channels, 3)?;
        let mut first = graph.relu(first)?;
        if let Some(key) = dropout
            && self.dropout > 0.0
        {
            let op = Dropout { sample: key.sample, ..Dropout::new(self.dropout, key.layer(name))? };
            first = graph.scoped(name, |graph| graph.dropout(op, first, key.step))?;
        }
        let second = convolution(graph, &format!("{name}.conv2"), first, channels, 3)?;
        graph.relu(second)
    }
}

/// A convolution of stride 1 that keeps the size, with its parameters `name.weight` and `name.bias`.
fn convolution(graph: &mut Graph, name: &str, x: Value, channels: usize, kernel: usize) -> Result<Value> {
    let input = graph.shape(x)[1];
    let weight = graph.param(&format!("{name}.weight"), [channels, input, kernel, kernel], ParamKind::Conv)?;
    let bias = graph.param(&format!("{name}.bias"), [channels], ParamKind::Plain)?;
    graph.scoped(name, |graph| graph.conv2d(Conv2d::padded(kernel / 2), x, weight, Some(bias)))
}
