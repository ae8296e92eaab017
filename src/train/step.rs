//! One training step as one graph: forward, backward, clip, optimizer, running statistics, average.
//!
//! [`Step`] is the part that every network shares; [`StepOptions`] is the step of a segmentation.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::graph::{Graph, ParamInfo, SEGMENT, Slab, Value};
use crate::models::weights::{Normalisation as MetaNormalisation, Weights};
use crate::models::{DropoutKey, RunningStatistics, UNet};
use crate::ops::adamw::AdamW;
use crate::ops::sgd::Sgd;
use crate::plan::{Plan, PlanOptions};
use crate::tensor::Tensor;

/// What is minimised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Loss {
    /// Binary cross-entropy, mean over pixels.
    Bce,
    /// Dice loss, mean over images (Milletari, Navab, Ahmadi 2016).
    Dice,
    /// The sum of both.
    BceDice,
}

/// How gradients become updates.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "name")]
pub enum Optimizer {
    /// Gradient descent with momentum; the decay is added to the gradient.
    Sgd {
        /// Share of the last step that is kept.
        momentum: f32,
        /// Weight decay.
        weight_decay: f32,
    },
    /// Adam with decoupled decay (Loshchilov, Hutter 2019), β 0.9 and 0.999.
    Adamw {
        /// Weight decay.
        weight_decay: f32,
    },
}

impl Optimizer {
    /// The slabs of its state.
    #[must_use]
    pub fn states(&self) -> Vec<Slab> {
        let names: &[&str] = match self {
            Self::Sgd { .. } => &["momentum"],
            Self::Adamw { .. } => &["exp_avg", "exp_avg_sq"],
        };
        names.iter().map(|&name| Slab::State(name.into())).collect()
    }

    fn adamw(weight_decay: f32) -> Result<AdamW> {
        AdamW::new(0.9, 0.999, 1e-8, f64::from(weight_decay))
    }

    /// The input `hyper` of optimizer step `step`, from 1.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a decay out of range.
    pub fn hyper(&self, lr: f64, step: u64) -> Result<Tensor> {
        let values = match *self {
            Self::Sgd { .. } => [lr as f32, 0.0, 0.0, 0.0],
            Self::Adamw { weight_decay } => Self::adamw(weight_decay)?.hyper(lr, step).map(|v| v as f32),
        };
        Tensor::new([4], values.to_vec())
    }
}

/// The slab of the averaged weights.
#[must_use]
pub fn ema_slab() -> Slab {
    Slab::State("ema".into())
}

/// A training step to be built.
#[derive(Debug, Clone, Copy)]
pub struct StepOptions {
    /// The network.
    pub net: UNet,
    /// Mean and deviation of the image's channels, which the network subtracts and divides by.
    pub normalisation: Normalisation,
    /// Samples of one step.
    pub batch: usize,
    /// Parts the batch is run in, one after the other; their gradients are added.
    pub micro_batches: usize,
    /// Height and width.
    pub size: [usize; 2],
    /// What is minimised.
    pub loss: Loss,
    /// How gradients become updates.
    pub optimizer: Optimizer,
    /// The gradient's norm is clipped to this; infinite for no clipping.
    pub clip: f32,
    /// Whether an average of the weights is kept, in [`ema_slab`].
    pub average: bool,
    /// Keys dropout.
    pub seed: u32,
}

/// Mean and deviation by channel, of values from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Normalisation {
    /// Means.
    pub mean: [f32; 3],
    /// Deviations, above 0.
    pub std: [f32; 3],
}

impl Default for Normalisation {
    /// ImageNet's.
    fn default() -> Self {
        Self { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] }
    }
}

impl From<&Normalisation> for MetaNormalisation {
    fn from(normalisation: &Normalisation) -> Self {
        Self { mean: normalisation.mean.to_vec(), std: normalisation.std.to_vec() }
    }
}

impl Normalisation {
    /// What a weights file's metadata say, else ImageNet's.
    ///
    /// # Errors
    /// [`Error::Weights`] where it has not three channels.
    pub fn of(weights: &Weights) -> Result<Self> {
        let Some(MetaNormalisation { mean, std }) = weights.meta()?.normalisation else { return Ok(Self::default()) };
        let three = |values: &[f32]| <[f32; 3]>::try_from(values).ok();
        match (three(&mean), three(&std)) {
            (Some(mean), Some(std)) => Ok(Self { mean, std }),
            _ => Err(weights.error("its normalisation has not three channels")),
        }
    }
}

/// How fast a parameter moves, as factors of the learning rate and of the weight decay.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Rate {
    /// Factor of the learning rate; 0 freezes: no gradient is computed, and the value stays to the bit.
    pub lr: f32,
    /// Factor of the weight decay.
    pub decay: f32,
}

impl Rate {
    /// Does not move.
    pub const FROZEN: Self = Self { lr: 0.0, decay: 0.0 };

    /// What is usual for a parameter: the whole learning rate, and decay for weights, not for biases and norms.
    #[must_use]
    pub fn usual(param: &ParamInfo) -> Self {
        Self { lr: 1.0, decay: if param.shape.len() > 1 { 1.0 } else { 0.0 } }
    }
}

/// How losses become a step, whatever the network.
pub struct Step<'a> {
    /// Parts the batch is run in, one after the other; their gradients are added.
    pub parts: usize,
    /// How gradients become updates.
    pub optimizer: Optimizer,
    /// The gradient's norm is clipped to this; infinite for no clipping.
    pub clip: f32,
    /// Whether an average of the weights is kept, in [`ema_slab`].
    pub average: bool,
    /// How fast each parameter moves; buffers are not asked for.
    pub rate: &'a dyn Fn(&ParamInfo) -> Rate,
}

impl Step<'_> {
    /// Appends a step to `graph`. `part` appends the forward pass of a part of the batch, by its number from 0, and
    /// returns its mean loss; it lets its norms take note of their running statistics. Of each part's loss as large a
    /// share counts as of the others'.
    ///
    /// The graph then has the inputs `hyper` \[4\] (see [`Optimizer::hyper`]) and, where an average is kept, `average` \[4\] (its
    /// decay, then zeros) besides those that `part` makes. Weights, moments, running statistics and the average stay as they are, to
    /// the bit, where loss or norm is not finite.
    ///
    /// # Errors
    /// [`Error::Parameter`] where there is no part, no parameter moves, or one that should does not reach the loss; those
    /// of `part`.
    pub fn append(
        &self,
        mut graph: Graph,
        mut part: impl FnMut(&mut Graph, usize, &mut RunningStatistics) -> Result<Value>,
    ) -> Result<StepGraph> {
        let mut running = RunningStatistics::new();
        let mut total: Option<(Value, Vec<Value>)> = None;
        let mut moving = Vec::new();
        for m in 0..self.parts {
            let loss = part(&mut graph, m, &mut running)?;
            let loss = match self.parts {
                1 => loss,
                parts => graph.scale(loss, 1.0 / parts as f32)?,
            };
            moving = graph.params().iter().filter(|param| self.rate(param).lr != 0.0).map(|p| p.value).collect();
            if moving.is_empty() {
                return Err(Error::parameter("train", "every parameter is frozen, so there is nothing to learn"));
            }
            let gradients = graph.gradients(loss, &moving)?;
            let unreached = |&value: &Value| {
                Error::parameter("train", format!("the parameter {} does not reach the loss", graph.info(value).name))
            };
            let gradients = gradients.into_iter().zip(&moving).map(|(g, value)| g.ok_or_else(|| unreached(value)));
            let gradients = gradients.collect::<Result<Vec<_>>>()?;
            total = Some(match total {
                None => (loss, gradients),
                Some((sum, sums)) => {
                    let added = sums.into_iter().zip(gradients).map(|(a, b)| graph.add(a, b));
                    let added = added.collect::<Result<_>>()?;
                    (graph.add(sum, loss)?, added)
                }
            });
        }
        let (loss, gradients) = total.ok_or_else(|| Error::parameter("train", "the batch is empty"))?;
        for (param, gradient) in moving.into_iter().zip(gradients) {
            graph.place_gradient(param, gradient)?;
        }
        let gradients = graph.slab(Slab::Gradients);
        let [norm, control] = graph.clip_grad_norm(&[gradients], loss, self.clip)?;
        running.update(&mut graph, control)?;
        self.update(&mut graph, gradients, control)?;
        Ok(StepGraph { graph, loss, norm, control })
    }

    fn rate(&self, param: &ParamInfo) -> Rate {
        if param.kind.trainable() { (self.rate)(param) } else { Rate::FROZEN }
    }

    /// The optimizer's step and the average's.
    fn update(&self, graph: &mut Graph, gradients: Value, control: Value) -> Result<()> {
        let weights = graph.slab(Slab::Weights);
        let hyper = graph.input("hyper", [4])?;
        let table = graph.param_table();
        let mut segments = vec![0.0; table.len() / SEGMENT * 2];
        for (entry, param) in table.entries().iter().zip(graph.params()) {
            let Rate { lr, decay } = self.rate(param);
            let first = entry.offset / SEGMENT;
            let last = (entry.offset + entry.floats).div_ceil(SEGMENT);
            for segment in first..last {
                segments[segment * 2] = lr;
                segments[segment * 2 + 1] = if lr == 0.0 { 0.0 } else { decay };
            }
        }
        let segments = graph.constant("segments", Tensor::new([segments.len()], segments)?);
        let states: Vec<Value> = self.optimizer.states().into_iter().map(|slab| graph.slab(slab)).collect();
        match (self.optimizer, states.as_slice()) {
            (Optimizer::Sgd { momentum, weight_decay }, &[buffer]) => {
                let op = Sgd::new(momentum, weight_decay)?;
                graph.sgd(op, [weights, gradients, buffer, hyper, control, segments])?;
            }
            (Optimizer::Adamw { weight_decay }, &[first, second]) => {
                let op = Optimizer::adamw(weight_decay)?;
                graph.adamw(op, [weights, gradients, first, second, hyper, control, segments])?;
            }
            _ => return Err(Error::parameter("train", "an optimizer without its state")),
        }
        if !self.average {
            return Ok(());
        }
        let average = graph.slab(ema_slab());
        let decay = graph.input("average", [4])?;
        graph.ema([average, weights, decay, control])?;
        Ok(())
    }
}

/// A training step's graph and what it gives.
#[derive(Debug)]
pub struct StepGraph {
    /// The graph: see [`Step::append`] for its inputs.
    pub graph: Graph,
    /// The loss over the whole batch.
    pub loss: Value,
    /// The gradient's norm before clipping.
    pub norm: Value,
    /// Norm, coefficient, and whether the step was taken.
    pub control: Value,
}

impl StepGraph {
    /// Plans the step: a run gives the loss and the control's values.
    ///
    /// # Errors
    /// As [`Plan::new`].
    pub fn plan(&self, gpu: &Gpu, options: &PlanOptions) -> Result<Plan> {
        Plan::new(gpu, &self.graph, &[self.loss, self.control], options)
    }
}

impl StepOptions {
    /// Builds the graph. Its inputs are `image.M` and `target.M` for every part M of the batch, `step` \[1\], and those of
    /// [`Step::append`].
    ///
    /// # Errors
    /// [`Error::Parameter`] for a batch that does not fall into equal parts; what the network refuses.
    pub fn build(&self) -> Result<StepGraph> {
        if self.micro_batches == 0 || !self.batch.is_multiple_of(self.micro_batches) || self.batch == 0 {
            let message = format!("a batch of {} does not fall into {} equal parts", self.batch, self.micro_batches);
            return Err(Error::parameter("train", message));
        }
        let part = self.batch / self.micro_batches;
        let [h, w] = self.size;
        let mut graph = Graph::new();
        let step = graph.input("step", [1])?;
        let optimizer = Step {
            parts: self.micro_batches,
            optimizer: self.optimizer,
            clip: self.clip,
            average: self.average,
            rate: &Rate::usual,
        };
        optimizer.append(graph, |graph, m, _| {
            let image = graph.input(&format!("image.{m}"), [part, self.net.input, h, w])?;
            let target = graph.input(&format!("target.{m}"), [part, self.net.output, h, w])?;
            let key = DropoutKey { seed: self.seed, step, sample: (m * part) as u32 };
            let normalised = graph.normalize(image, &self.normalisation.mean, &self.normalisation.std)?;
            let logits = self.net.build_training(graph, normalised, key)?;
            self.loss_of(graph, logits, target)
        })
    }

    fn loss_of(&self, graph: &mut Graph, logits: Value, target: Value) -> Result<Value> {
        match self.loss {
            Loss::Bce => graph.bce_with_logits(logits, target),
            Loss::Dice => graph.dice_loss(logits, target, 1.0),
            Loss::BceDice => {
                let (bce, dice) = (graph.bce_with_logits(logits, target)?, graph.dice_loss(logits, target, 1.0)?);
                graph.add(bce, dice)
            }
        }
    }
}
