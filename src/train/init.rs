//! First values of parameters, each drawn from (seed, parameter's name, index) alone.
//!
//! A weight starts with deviation sqrt(2 / fan-in) (He, Zhang, Ren, Sun 2015), the head's with a small one of its own, so
//! that the first probabilities lie near a half; a bias with 0; a norm's scale and running variance with 1.

use serde::{Deserialize, Serialize};

use crate::data::rng::Rng;
use crate::error::Result;
use crate::graph::{ParamInfo, ParamKind};
use crate::models::ResNet;
use crate::models::weights::Weights;
use crate::tensor::Tensor;

/// How values spread around 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Spread {
    /// Normal.
    #[default]
    Normal,
    /// Uniform, with the same deviation.
    Uniform,
}

/// Which side of a layer its first values suit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fan {
    /// The forward pass: deviation sqrt(2 / fan-in).
    #[default]
    In,
    /// The backward pass: deviation sqrt(2 / fan-out) for convolutions, and for a fully connected layer's weight and bias
    /// uniform values within 1 / sqrt(fan-in): torchvision's ResNets.
    Out,
}

/// How parameters start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Init {
    /// The run's seed.
    pub seed: u64,
    /// How values spread.
    pub spread: Spread,
    /// What the head's names begin with: `head` stands for `head.weight`, `fc` for `fc.weight`.
    pub head: String,
    /// The deviation of the head's weights; not with [`Fan::Out`].
    pub head_std: f32,
    /// Which side of a layer its values suit.
    #[serde(default)]
    pub fan: Fan,
    /// Parameters whose names end with one of these start with 0: the last norm of each block of a residual network.
    #[serde(default)]
    pub zero: Vec<String>,
}

impl Default for Init {
    fn default() -> Self {
        Self { seed: 0, spread: Spread::Normal, head: "head".into(), head_std: 0.05, fan: Fan::In, zero: Vec::new() }
    }
}

impl Init {
    /// torchvision's start of a ResNet; with `zero_last_norm` every block starts as the identity.
    #[must_use]
    pub fn resnet(net: &ResNet, seed: u64, zero_last_norm: bool) -> Self {
        let zero = if zero_last_norm { vec![net.last_norm().to_owned()] } else { Vec::new() };
        Self { seed, head: "fc".into(), fan: Fan::Out, zero, ..Self::default() }
    }

    /// First values for all parameters of a graph.
    ///
    /// # Errors
    /// [`crate::Error::Shape`], for a parameter whose shape overflows.
    pub fn fill(&self, params: &[ParamInfo]) -> Result<Weights> {
        let mut weights = Weights::new();
        for param in params {
            weights.insert(param.name.clone(), self.value(&param.name, &param.shape, param.kind)?);
        }
        if self.fan == Fan::Out {
            // A fully connected layer's bias is drawn as widely as its weight, whose shape it does not know.
            for param in params {
                let Some(owner) = param.name.strip_suffix(".weight") else { continue };
                let bias = format!("{owner}.bias");
                if let (ParamKind::Plain, &[outputs, inputs], Some(_)) =
                    (param.kind, param.shape.as_slice(), weights.get(&bias))
                {
                    let rng = Rng::new(self.seed, &bias, &[]);
                    let values = spread(Spread::Uniform, bound_as_deviation(inputs), &rng, outputs);
                    weights.insert(bias, Tensor::new([outputs], values)?);
                }
            }
        }
        Ok(weights)
    }

    /// First values for one parameter.
    ///
    /// # Errors
    /// [`crate::Error::Shape`] where its shape overflows.
    pub fn value(&self, name: &str, shape: &[usize], kind: ParamKind) -> Result<Tensor> {
        let len = crate::tensor::checked_len(shape).unwrap_or(0);
        if self.zero.iter().any(|ending| name.ends_with(ending.as_str())) {
            return Tensor::new(shape, vec![0.0; len]);
        }
        if self.fan == Fan::Out {
            let (way, std) = match (kind, shape) {
                (ParamKind::Conv, &[out, _, kh, kw]) => (self.spread, (2.0 / (out * kh * kw).max(1) as f64).sqrt()),
                (ParamKind::Plain, &[_, inputs]) => (Spread::Uniform, bound_as_deviation(inputs)),
                _ => return constant(name, shape, len),
            };
            return Tensor::new(shape, spread(way, std, &Rng::new(self.seed, name, &[]), len));
        }
        let Some(fan_in) = fan_in(shape, kind) else {
            return constant(name, shape, len);
        };
        let head = name.strip_prefix(&self.head).is_some_and(|rest| rest.starts_with('.'));
        #[expect(clippy::cast_precision_loss, reason = "a fan-in is far below 2^52")]
        let std = if head { f64::from(self.head_std) } else { (2.0 / fan_in as f64).sqrt() };
        Tensor::new(shape, spread(self.spread, std, &Rng::new(self.seed, name, &[]), len))
    }
}

/// A norm's scale and running variance start with 1, biases and running means with 0.
fn constant(name: &str, shape: &[usize], len: usize) -> Result<Tensor> {
    let one = name.ends_with("weight") || name.ends_with("running_var");
    Tensor::new(shape, vec![f32::from(u8::from(one)); len])
}

/// The deviation of uniform values within 1 / sqrt(inputs).
fn bound_as_deviation(inputs: usize) -> f64 {
    1.0 / (3.0 * inputs.max(1) as f64).sqrt()
}

/// How many products an output of the layer sums; `None` for a parameter that multiplies none.
///
/// A transposed convolution's kernels are taken not to overlap, as 2×2 at stride 2: each output sums over channels alone.
fn fan_in(shape: &[usize], kind: ParamKind) -> Option<usize> {
    match (kind, shape) {
        (ParamKind::ConvTranspose, &[ci, ..]) => Some(ci.max(1)),
        (ParamKind::Conv, [_, rest @ ..]) => Some(rest.iter().product::<usize>().max(1)),
        (ParamKind::Plain, &[_, inputs]) => Some(inputs.max(1)),
        _ => None,
    }
}

#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "32 bits of a draw; rounds")]
fn spread(spread: Spread, std: f64, rng: &Rng, len: usize) -> Vec<f32> {
    let unit = |bits: u64| (bits as f64 + 0.5) / 4_294_967_296.0;
    let value = |index: u64| {
        let bits = rng.at(index);
        let (a, b) = (unit(bits >> 32), unit(bits & 0xFFFF_FFFF));
        let drawn = match spread {
            // Box and Muller 1958.
            Spread::Normal => (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos(),
            Spread::Uniform => (2.0 * a - 1.0) * 3f64.sqrt(),
        };
        (drawn * std) as f32
    };
    (0..len as u64).map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(values: &[f32]) -> (f64, f64) {
        let n = values.len() as f64;
        let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
        (mean, (values.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / n).sqrt())
    }

    #[test]
    fn deviations_are_those_asked_for() {
        for spread in [Spread::Normal, Spread::Uniform] {
            let init = Init { seed: 3, spread, ..Init::default() };
            let cases = [
                ("down.0.conv1.weight", vec![256, 32, 3, 3], ParamKind::Conv, (2.0f64 / 288.0).sqrt()),
                ("up.0.upconv.weight", vec![256, 128, 2, 2], ParamKind::ConvTranspose, (2.0f64 / 256.0).sqrt()),
                ("layer.weight", vec![512, 128], ParamKind::Plain, (2.0f64 / 128.0).sqrt()),
                ("head.weight", vec![4, 16384, 1, 1], ParamKind::Conv, 0.05),
                ("header.weight", vec![4, 16384, 1, 1], ParamKind::Conv, (2.0f64 / 16384.0).sqrt()),
            ];
            for (name, shape, kind, expected) in cases {
                let tensor = init.value(name, &shape, kind).unwrap();
                let (mean, std) = moments(tensor.data());
                assert!((std / expected - 1.0).abs() < 0.02, "{name}: {std} is not {expected}");
                assert!(mean.abs() < 0.02 * expected, "{name}: {mean}");
                assert_eq!(tensor.first_not_finite(), None);
            }
        }
    }

    #[test]
    fn normal_and_uniform_have_their_shapes() {
        let within = |spread, bound: f32| {
            let values = super::spread(spread, 1.0, &Rng::new(1, "w", &[]), 100_000);
            values.iter().filter(|v| v.abs() < bound).count() as f64 / 100_000.0
        };
        assert!((within(Spread::Normal, 1.0) - 0.6827).abs() < 0.005);
        assert!((within(Spread::Normal, 2.0) - 0.9545).abs() < 0.003);
        assert!((within(Spread::Uniform, 1.0) - 0.5774).abs() < 0.005);
        assert_eq!(within(Spread::Uniform, 1.7321), 1.0);
    }

    #[test]
    fn biases_are_zero_and_scales_one() {
        let init = Init::default();
        let first = |name: &str| init.value(name, &[3], ParamKind::Plain).unwrap().into_data();
        assert_eq!(first("head.bias"), [0.0; 3]);
        assert_eq!(first("bn1.weight"), [1.0; 3]);
        assert_eq!(first("bn1.running_var"), [1.0; 3]);
        assert_eq!(first("bn1.running_mean"), [0.0; 3]);
    }

    #[test]
    fn a_resnet_starts_as_torchvisions() {
        let net = ResNet::new(crate::models::ResNetDepth::D18, 7);
        let mut graph = crate::graph::Graph::new();
        let x = graph.input("image", [1, 3, 32, 32]).unwrap();
        net.build(&mut graph, x).unwrap();
        let weights = Init::resnet(&net, 5, true).fill(graph.params()).unwrap();
        let (_, std) = moments(weights.tensors["layer3.0.conv1.weight"].data());
        assert!((std / (2.0f64 / (256.0 * 9.0)).sqrt() - 1.0).abs() < 0.02, "{std}");
        let bound = 1.0 / 512f32.sqrt();
        for name in ["fc.weight", "fc.bias"] {
            let values = weights.tensors[name].data();
            assert!(values.iter().all(|v| v.abs() <= bound), "{name}");
            assert!(values.iter().any(|v| v.abs() > 0.5 * bound), "{name}");
        }
        let all = |name: &str, value: f32| weights.tensors[name].data().iter().all(|&v| v == value);
        assert!(all("layer1.0.bn1.weight", 1.0) && all("layer1.0.bn2.weight", 0.0) && all("layer1.0.bn2.bias", 0.0));
        assert!(all("bn1.running_var", 1.0) && all("layer2.0.downsample.1.running_mean", 0.0));
        assert!(all("layer2.0.downsample.1.weight", 1.0));
        let plain = Init::resnet(&net, 5, false).fill(graph.params()).unwrap();
        assert!(plain.tensors["layer1.0.bn2.weight"].data().iter().all(|&v| v == 1.0));
        assert_eq!(plain.tensors["fc.weight"], weights.tensors["fc.weight"]);
    }

    #[test]
    fn values_depend_on_seed_name_and_index_alone() {
        let shape = [4, 3, 3, 3];
        let draw = |seed, name: &str, shape: &[usize]| {
            Init { seed, ..Init::default() }.value(name, shape, ParamKind::Conv).unwrap().into_data()
        };
        let values = draw(7, "a.weight", &shape);
        assert_eq!(values, draw(7, "a.weight", &shape));
        assert_ne!(values, draw(8, "a.weight", &shape));
        assert_ne!(values, draw(7, "b.weight", &shape));
        assert_eq!(values[..54], draw(7, "a.weight", &[2, 3, 3, 3])[..]);
        assert!(Init::default().value("w", &[usize::MAX, 2], ParamKind::Conv).is_err());
    }
}
