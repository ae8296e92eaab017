//! Cases of whole models: logits, or the losses of a few steps and every gradient's norm. Weights and inputs are hashed.

use std::collections::BTreeSet;

use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::graph::{Graph, ParamInfo, ParamKind, Slab, Value};
use crate::models::hashed::hashed;
use crate::models::resnet::{ResNet, ResNetDepth, ResNetTraining, is_norm};
use crate::models::running::RunningStatistics;
use crate::models::unet::UNet;
use crate::ops::compare;
use crate::ops::cross_entropy::CrossEntropy;
use crate::ops::sgd::Sgd;
use crate::plan::{Params, Plan, PlanOptions};
use crate::tensor::Tensor;

use super::Case;

/// Bound of the relative error of logits and losses.
const VALUES: f64 = 1e-4;
/// Bound of the relative error of gradients' norms.
const GRADIENTS: f64 = 1e-3;

/// Inputs that are tried where a gradient's norm is off.
const DRAWS: u64 = 8;

/// The model of a case.
#[derive(Debug, Clone, Copy)]
pub(super) enum Net {
    UNet(UNet),
    ResNet(ResNet),
}

impl Net {
    fn logits(&self, graph: &mut Graph, x: Value, running: Option<&mut RunningStatistics>) -> Result<Value> {
        match (self, running) {
            (Self::UNet(net), _) => net.build(graph, x),
            (Self::ResNet(net), None) => net.build(graph, x),
            (Self::ResNet(net), Some(running)) => {
                let training = ResNetTraining { running, frozen_norms: &BTreeSet::new(), dropout: None };
                Ok(net.build_training(graph, x, training)?.logits)
            }
        }
    }

    /// Hashed values (in -1 to 1) as the case's generator gives them to a parameter (see the cases' own description).
    fn value(&self, param: &ParamInfo, v: f64) -> f64 {
        let leaf = param.name.rsplit('.').next().unwrap_or_default();
        if matches!(self, Self::ResNet(_)) && is_norm(&param.name) {
            return match leaf {
                "weight" if param.name.ends_with("bn3.weight") => 0.2 * (1.0 + 0.1 * v),
                "weight" => 1.0 + 0.1 * v,
                "running_var" => 1.0 + 0.5 * v,
                _ => 0.1 * v,
            };
        }
        match (param.kind, param.shape.as_slice()) {
            (ParamKind::ConvTranspose, &[i, _, kh, kw]) => (6.0 / ((i * kh * kw) as f64 / 4.0)).sqrt() * v,
            (_, [_, rest @ ..]) if !rest.is_empty() => (6.0 / rest.iter().product::<usize>() as f64).sqrt() * v,
            _ => 0.1 * v,
        }
    }

    fn fill(&self, params: &Params, graph: &Graph, seed: u64) -> Result<()> {
        for param in graph.params() {
            let drawn = hashed(&param.name, param.shape.iter().product(), seed);
            let data = drawn.into_iter().map(|v| self.value(param, f64::from(v)) as f32).collect();
            params.set(&param.name, &Tensor::new(param.shape.clone(), data)?)?;
        }
        Ok(())
    }
}

impl Case {
    /// The model of this name as the case wants it; `None` for an unknown name.
    pub(super) fn net(&self, model: &str) -> Option<Result<Net>> {
        if model == "unet" {
            let base = self.attribute::<usize>("base");
            return Some(base.map(|base| Net::UNet(UNet { base, ..UNet::default() })));
        }
        let layers = model.strip_prefix("resnet")?.parse::<u16>().ok()?;
        let depth = ResNetDepth::try_from(layers).ok()?;
        Some(self.resnet(depth).map(Net::ResNet))
    }

    fn resnet(&self, depth: ResNetDepth) -> Result<ResNet> {
        let net = ResNet::new(depth, self.attribute("classes")?);
        Ok(match self.attributes.get("stride_in") {
            Some(_) => ResNet { stride_in: self.attribute("stride_in")?, ..net },
            None => net,
        })
    }

    pub(super) fn check_model(&self, gpu: &Gpu, net: &Net, options: &PlanOptions) -> Result<f64> {
        let seed = self.attribute::<u64>("seed")?;
        let shape = self.attribute::<Vec<usize>>("input")?;
        let input = Tensor::new(shape.clone(), hashed("input", shape.iter().product(), seed))?;
        let mut graph = Graph::new();
        let x = graph.input("image", shape)?;
        match self.attribute::<String>("mode")?.as_str() {
            "eval" => {
                let logits = net.logits(&mut graph, x, None)?;
                let params = Params::new(gpu, &graph)?;
                net.fill(&params, &graph, seed)?;
                let plan = Plan::new(gpu, &graph, &[logits], options)?;
                self.compare_logits(&plan.run(&params, &[("image", &input)])?.remove(0))
            }
            "train" => self.check_training(gpu, net, options, graph, x, &input, seed),
            mode => Err(Error::weights(&self.path, format!("mode is {mode}, expected eval or train"))),
        }
    }

    fn expected(&self, name: &str) -> Result<&Tensor> {
        self.tensors.get(name).ok_or_else(|| Error::weights(&self.path, format!("has no {name}")))
    }

    fn compare_logits(&self, logits: &Tensor) -> Result<f64> {
        let expected = self.expected("logits")?;
        let picked = match (logits.shape(), expected.shape()) {
            (&[n, c, h, w], &[_, _, eh, ew]) if (eh, ew) != (h, w) => every_seventh(logits, [n, c, h, w])?,
            _ => logits.clone(),
        };
        let mut worst = compare::within(&picked, expected, 1.0, VALUES)?;
        if let Some(norm) = self.tensors.get("logits_norm") {
            worst = worst.max(self.compare_norm("logits_norm", logits, norm, VALUES)?);
        }
        Ok(worst / VALUES)
    }

    fn compare_norm(&self, name: &str, tensor: &Tensor, norm: &Tensor, bound: f64) -> Result<f64> {
        let got = tensor.data().iter().map(|&v| f64::from(v).powi(2)).sum::<f64>().sqrt();
        let got = Tensor::new(norm.shape().to_vec(), vec![got as f32])?;
        compare::within(&got, norm, 1.0, bound).map_err(|error| Error::Mismatch(format!("{name}: {error}")))
    }

    /// What is learned: the loss, and the target's values.
    fn loss(&self, net: &Net, graph: &mut Graph, logits: Value, seed: u64) -> Result<(Value, Tensor)> {
        match net {
            Net::UNet(_) => {
                let shape = graph.shape(logits).to_vec();
                let drawn = hashed("target", shape.iter().product(), seed);
                let data = drawn.into_iter().map(|v| f32::from(u8::from(v > 0.2))).collect();
                let target = graph.input("target", shape.clone())?;
                Ok((graph.bce_with_logits(logits, target)?, Tensor::new(shape, data)?))
            }
            Net::ResNet(_) => {
                let labels = self.attribute::<Vec<f32>>("labels")?;
                let target = graph.input("target", [labels.len()])?;
                let loss = graph.cross_entropy(CrossEntropy::new(0.0)?, logits, target, None)?;
                Ok((loss, Tensor::new([labels.len()], labels)?))
            }
        }
    }

    /// The norms of the last run's gradients.
    fn compare_gradients(&self, plan: &Plan, moved: &BTreeSet<&str>) -> Result<f64> {
        let mut worst = 0f64;
        for (name, gradient) in plan.gradients()?.iter().filter(|(name, _)| moved.contains(name.as_str())) {
            let key = format!("grad_norm.{name}");
            worst = worst.max(self.compare_norm(&key, gradient, self.expected(&key)?, GRADIENTS)? / GRADIENTS);
        }
        Ok(worst)
    }

    #[expect(clippy::too_many_arguments, reason = "what check_model has made")]
    fn check_training(
        &self,
        gpu: &Gpu,
        net: &Net,
        options: &PlanOptions,
        mut graph: Graph,
        x: Value,
        input: &Tensor,
        seed: u64,
    ) -> Result<f64> {
        let mut running = RunningStatistics::new();
        let logits = net.logits(&mut graph, x, Some(&mut running))?;
        let (loss, target) = self.loss(net, &mut graph, logits, seed)?;
        let (lr, momentum) = (self.attribute::<f32>("lr")?, self.attribute::<f32>("momentum")?);
        let trained: Vec<ParamInfo> = graph.params().iter().filter(|param| param.kind.trainable()).cloned().collect();
        let wrt: Vec<Value> = trained.iter().map(|param| param.value).collect();
        let gradients = graph.gradients(loss, &wrt)?;
        for (param, gradient) in trained.iter().zip(gradients) {
            let none = || Error::Mismatch(format!("{} got no gradient", param.name));
            graph.place_gradient(param.value, gradient.ok_or_else(none)?)?;
        }
        let gradients = graph.slab(Slab::Gradients);
        let [_, control] = graph.clip_grad_norm(&[gradients], loss, f32::INFINITY)?;
        running.update(&mut graph, control)?;
        let (weights, buffer) = (graph.slab(Slab::Weights), graph.slab(Slab::State("momentum".into())));
        let hyper = graph.constant("hyper", Tensor::new([4], vec![lr, 0.0, 0.0, 0.0])?);
        let segments = graph.param_table().len() / crate::graph::SEGMENT * 2;
        let segments = graph.constant("segments", Tensor::full([segments], 1.0));
        graph.sgd(Sgd::new(momentum, 0.0)?, [weights, gradients, buffer, hyper, control, segments])?;
        let moved: BTreeSet<&str> = trained.iter().map(|param| param.name.as_str()).collect();
        if self.tensors.keys().filter(|name| name.starts_with("grad_norm.")).count() != moved.len() {
            return Err(Error::weights(&self.path, "has norms of other gradients than the model"));
        }
        let plan = Plan::new(gpu, &graph, &[loss], options)?;
        let start = || -> Result<Params> {
            let params = Params::new(gpu, &graph)?;
            net.fill(&params, &graph, seed)?;
            Ok(params)
        };
        let step = |params: &Params, input: &Tensor| -> Result<f32> {
            Ok(plan.run(params, &[("image", input), ("target", &target)])?[0].data()[0])
        };
        let params = start()?;
        let expected = self.expected("losses")?;
        let mut losses = vec![step(&params, input)?];
        let mut gradients = self.compare_gradients(&plan, &moved);
        for _ in 1..expected.len() {
            losses.push(step(&params, input)?);
        }
        // Where an activation lies within rounding of zero, ReLU's gradient is as right on either side, and a narrow
        // layer's norm tells them apart. Inputs that differ in their last bit round otherwise; an error stays.
        for draw in 1..=DRAWS {
            let Err(error) = &gradients else { break };
            tracing::warn!(case = self.name(), %error, draw, "trying inputs that differ in the last bit");
            step(&start()?, &nudged(input, draw)?)?;
            gradients = self.compare_gradients(&plan, &moved).map_err(|_| Error::Mismatch(error.to_string()));
        }
        let mut worst = gradients?;
        let losses = Tensor::new(expected.shape().to_vec(), losses)?;
        let at = |error: Error| Error::Mismatch(format!("losses: {error}"));
        worst = worst.max(compare::within(&losses, expected, 1.0, VALUES).map_err(at)? / VALUES);
        for (name, tensor) in params.read(&Slab::Weights)? {
            let Some(expected) = self.tensors.get(&format!("after.{name}")) else { continue };
            let at = |error: Error| Error::Mismatch(format!("after.{name}: {error}"));
            worst = worst.max(compare::within(&tensor, expected, 1.0, VALUES).map_err(at)? / VALUES);
        }
        Ok(worst)
    }
}

/// The same values, each up to one bit of its mantissa's last away.
fn nudged(input: &Tensor, draw: u64) -> Result<Tensor> {
    let drawn = hashed("nudge", input.len(), draw);
    let data = input.data().iter().zip(drawn).map(|(&v, by)| match by {
        ..-0.333 => v.next_down(),
        0.333.. => v.next_up(),
        _ => v,
    });
    Tensor::new(input.shape().to_vec(), data.collect())
}

/// Every seventh row and column.
fn every_seventh(logits: &Tensor, [n, c, h, w]: [usize; 4]) -> Result<Tensor> {
    let mut picked = Vec::new();
    for plane in logits.data().chunks(h * w) {
        for y in (0..h).step_by(7) {
            picked.extend((0..w).step_by(7).map(|x| plane[y * w + x]));
        }
    }
    Tensor::new([n, c, h.div_ceil(7), w.div_ceil(7)], picked)
}
