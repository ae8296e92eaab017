//! Works made ready: each gives a closure that does it once.

use std::time::Instant;

use burn::module::Module;
use burn::nn::loss::{BinaryCrossEntropyLossConfig, CrossEntropyLossConfig};
use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{GradientsParams, ModuleOptimizer, SgdConfig};
use burn::tensor::module::{conv_transpose2d, conv2d};
use burn::tensor::ops::{ConvOptions, ConvTransposeOptions};
use burn::tensor::{Device, Distribution, Int, Tensor, TensorData};
use peer_talk::{Convolution, Mode, Model, Network, Part, Run, Work, since};

use crate::models::{CLASSES, ResNet50, UNet};

/// As nevus bench trains.
const LR: f64 = 1e-4;
const MOMENTUM: f64 = 0.9;
const DECAY: f32 = 1e-4;

/// The work as something to run on a device.
pub fn make(work: Work, device: &Device) -> Run {
    match work {
        Work::Convolution(layer, part) => convolution(layer, part, device.clone()),
        Work::Model(model) if model.mode == Mode::Forward => forward(&model, device.clone()),
        Work::Model(model) => training(&model, device.clone().autodiff()),
    }
}

fn text(error: impl std::fmt::Debug) -> String {
    format!("{error:?}")
}

/// Random photographs in host memory.
fn image(model: &Model) -> TensorData {
    let shape = [model.batch, 3, model.size[0], model.size[1]];
    TensorData::new(peer_talk::random(shape.iter().product()), shape)
}

/// From photographs in host memory to logits there.
fn forward(model: &Model, device: Device) -> Run {
    let data = image(model);
    match model.model {
        Network::Resnet50 => {
            let net = ResNet50::new(&device);
            timed_forward(move || net.forward(Tensor::from_data(data.clone(), &device)))
        }
        Network::Unet => {
            let net = UNet::new(model.base.unwrap_or(16), &device);
            timed_forward(move || net.forward(Tensor::from_data(data.clone(), &device)))
        }
    }
}

fn timed_forward<const D: usize>(net: impl Fn() -> Tensor<D> + 'static) -> Run {
    Box::new(move || {
        let start = Instant::now();
        let logits = net();
        let shape = logits.dims().to_vec();
        logits.try_into_data().map_err(text)?;
        Ok((since(start), shape))
    })
}

/// A step: forward, backward, SGD with momentum.
fn training(model: &Model, device: Device) -> Run {
    let data = image(model);
    match model.model {
        Network::Resnet50 => {
            let classes: Vec<i32> = (0..model.batch).map(|at| (at * 37 % CLASSES) as i32).collect();
            let classes = TensorData::new(classes, [model.batch]);
            let loss = CrossEntropyLossConfig::new().init(&device);
            let net = ResNet50::new(&device);
            timed_step(net, device.clone(), move |net| {
                let target = Tensor::<1, Int>::from_data(classes.clone(), &device);
                loss.forward(net.forward(Tensor::from_data(data.clone(), &device)), target)
            })
        }
        Network::Unet => {
            let shape = [model.batch, 1, model.size[0], model.size[1]];
            let mask: Vec<i32> = (0..shape.iter().product::<usize>()).map(|at| (at / 97 % 2) as i32).collect();
            let mask = TensorData::new(mask, shape);
            let loss = BinaryCrossEntropyLossConfig::new().with_logits(true).init(&device);
            let net = UNet::new(model.base.unwrap_or(16), &device);
            timed_step(net, device.clone(), move |net| {
                let target = Tensor::<4, Int>::from_data(mask.clone(), &device);
                loss.forward(net.forward(Tensor::from_data(data.clone(), &device)), target)
            })
        }
    }
}

fn timed_step<M: Module + 'static>(net: M, device: Device, loss_of: impl Fn(&M) -> Tensor<1> + 'static) -> Run {
    let momentum = MomentumConfig::new().with_momentum(MOMENTUM).with_dampening(0.0);
    let decay = WeightDecayConfig::new(DECAY);
    let mut optimizer: ModuleOptimizer =
        SgdConfig::new().with_momentum(Some(momentum)).with_weight_decay(Some(decay)).init();
    let mut net = Some(net);
    Box::new(move || {
        let module = net.take().ok_or("a step failed before")?;
        let start = Instant::now();
        let loss = loss_of(&module);
        let gradients = GradientsParams::from_grads(loss.backward(), &module);
        net = Some(optimizer.step(LR, module, gradients));
        loss.try_into_data().map_err(text)?;
        device.sync().map_err(text)?;
        Ok((since(start), Vec::new()))
    })
}

/// One of a convolution's three computations, on operands that stay on the device. Of a gradient the forward before it
/// is not timed.
fn convolution(layer: Convolution, part: Part, device: Device) -> Run {
    let Convolution { transposed, ci, co, kernel, stride, padding, size, .. } = layer;
    let normal = Distribution::Normal(0.0, 1.0);
    let place = if part == Part::Forward { device.clone() } else { device.clone().autodiff() };
    let channels = if transposed { [ci, co] } else { [co, ci] };
    let mut x = Tensor::<4>::random([1, ci, size[0], size[1]], normal, &place);
    let mut weight = Tensor::<4>::random([channels[0], channels[1], kernel, kernel], normal, &place);
    let bias = (part == Part::Forward).then(|| Tensor::<1>::random([co], normal, &place));
    match part {
        Part::Forward => {}
        Part::BackwardData => x = x.require_grad(),
        Part::BackwardWeight => weight = weight.require_grad(),
    }
    Box::new(move || {
        let start = Instant::now();
        let (x, weight) = (x.clone(), weight.clone());
        let y = if transposed {
            let options = ConvTransposeOptions::new([stride; 2], [padding; 2], [0; 2], [1; 2], 1);
            conv_transpose2d(x.clone(), weight.clone(), bias.clone(), options)
        } else {
            conv2d(x.clone(), weight.clone(), bias.clone(), ConvOptions::new([stride; 2], [padding; 2], [1; 2], 1))
        };
        device.sync().map_err(text)?;
        if part == Part::Forward {
            return Ok((since(start), y.dims().to_vec()));
        }
        let start = Instant::now();
        let mut gradients = y.backward();
        let of = if part == Part::BackwardData { x } else { weight };
        let gradient = of.grad_remove(&mut gradients).ok_or("burn gave no gradient")?;
        device.sync().map_err(text)?;
        Ok((since(start), gradient.dims().to_vec()))
    })
}
