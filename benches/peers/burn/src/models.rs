//! The networks in burn's modules: ResNet-50 as torchvision's, the U-Net as nevus's.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig, ConvTranspose2d, ConvTranspose2dConfig};
use burn::nn::pool::{AdaptiveAvgPool2d, AdaptiveAvgPool2dConfig, MaxPool2d, MaxPool2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};

/// Classes of ResNet-50.
pub const CLASSES: usize = 1000;

fn convolution(channels: [usize; 2], kernel: usize, stride: usize, bias: bool, device: &Device) -> Conv2d {
    let p = kernel / 2;
    Conv2dConfig::new(channels, [kernel, kernel])
        .with_stride([stride, stride])
        .with_padding(PaddingConfig2d::Explicit(p, p, p, p))
        .with_bias(bias)
        .init(device)
}

/// A convolution without bias, and its norm.
#[derive(Module, Debug)]
struct Normed {
    conv: Conv2d,
    norm: BatchNorm,
}

impl Normed {
    fn new(channels: [usize; 2], kernel: usize, stride: usize, device: &Device) -> Self {
        Self {
            conv: convolution(channels, kernel, stride, false, device),
            norm: BatchNormConfig::new(channels[1]).init(device),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.norm.forward(self.conv.forward(x))
    }
}

#[derive(Module, Debug)]
struct Bottleneck {
    reduce: Normed,
    spatial: Normed,
    expand: Normed,
    shortcut: Option<Normed>,
}

impl Bottleneck {
    fn new(ci: usize, width: usize, stride: usize, device: &Device) -> Self {
        let co = width * 4;
        Self {
            reduce: Normed::new([ci, width], 1, 1, device),
            spatial: Normed::new([width, width], 3, stride, device),
            expand: Normed::new([width, co], 1, 1, device),
            shortcut: (ci != co || stride != 1).then(|| Normed::new([ci, co], 1, stride, device)),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let y = relu(self.reduce.forward(x.clone()));
        let y = relu(self.spatial.forward(y));
        let y = self.expand.forward(y);
        let x = match &self.shortcut {
            Some(shortcut) => shortcut.forward(x),
            None => x,
        };
        relu(y + x)
    }
}

/// ResNet-50 (He et al. 2015), the stride in the 3×3 convolutions.
#[derive(Module, Debug)]
pub struct ResNet50 {
    stem: Normed,
    pool: MaxPool2d,
    blocks: Vec<Bottleneck>,
    average: AdaptiveAvgPool2d,
    head: Linear,
}

impl ResNet50 {
    pub fn new(device: &Device) -> Self {
        let mut blocks = Vec::new();
        let mut channels = 64;
        for (width, count, stride) in [(64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)] {
            for at in 0..count {
                blocks.push(Bottleneck::new(channels, width, if at == 0 { stride } else { 1 }, device));
                channels = width * 4;
            }
        }
        Self {
            stem: Normed::new([3, 64], 7, 2, device),
            pool: MaxPool2dConfig::new([3, 3])
                .with_strides([2, 2])
                .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                .init(),
            blocks,
            average: AdaptiveAvgPool2dConfig::new([1, 1]).init(),
            head: LinearConfig::new(channels, CLASSES).init(device),
        }
    }

    /// Photographs (n, 3, h, w) to logits (n, classes).
    pub fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        let mut x = self.pool.forward(relu(self.stem.forward(x)));
        for block in &self.blocks {
            x = block.forward(x);
        }
        self.head.forward(self.average.forward(x).flatten::<2>(1, 3))
    }
}

/// Two 3×3 convolutions, each with relu.
#[derive(Module, Debug)]
struct Block {
    first: Conv2d,
    second: Conv2d,
}

impl Block {
    fn new(ci: usize, co: usize, device: &Device) -> Self {
        Self { first: convolution([ci, co], 3, 1, true, device), second: convolution([co, co], 3, 1, true, device) }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        relu(self.second.forward(relu(self.first.forward(x))))
    }
}

/// The U-Net of `src/models/unet.rs`: four levels above the bottom, no norms.
#[derive(Module, Debug)]
pub struct UNet {
    down: Vec<Block>,
    pool: MaxPool2d,
    bottom: Block,
    up: Vec<ConvTranspose2d>,
    joined: Vec<Block>,
    head: Conv2d,
}

impl UNet {
    pub fn new(base: usize, device: &Device) -> Self {
        let width: Vec<usize> = (0..5).map(|level| base << level).collect();
        let enlarge = |level: usize| {
            ConvTranspose2dConfig::new([width[level + 1], width[level]], [2, 2]).with_stride([2, 2]).init(device)
        };
        Self {
            down: (0..4).map(|at| Block::new(if at == 0 { 3 } else { width[at - 1] }, width[at], device)).collect(),
            pool: MaxPool2dConfig::new([2, 2]).init(),
            bottom: Block::new(width[3], width[4], device),
            up: (0..4).rev().map(enlarge).collect(),
            joined: (0..4).rev().map(|level| Block::new(width[level] * 2, width[level], device)).collect(),
            head: convolution([base, 1], 1, 1, true, device),
        }
    }

    /// Photographs (n, 3, h, w) to logits (n, 1, h, w).
    pub fn forward(&self, mut x: Tensor<4>) -> Tensor<4> {
        let mut skips = Vec::new();
        for block in &self.down {
            x = block.forward(x);
            skips.push(x.clone());
            x = self.pool.forward(x);
        }
        x = self.bottom.forward(x);
        for ((up, block), skip) in self.up.iter().zip(&self.joined).zip(skips.into_iter().rev()) {
            x = block.forward(Tensor::cat(vec![up.forward(x), skip], 1));
        }
        self.head.forward(x)
    }
}
