//! Reference cases: safetensors files that say what PyTorch gives for an op or a model, and whether nevus agrees.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use safetensors::{Dtype, SafeTensors};

use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::graph::{Graph, Slab, Value};
use crate::ops::{Attributes, OPS, Room, compare};
use crate::plan::{Params, Plan, PlanOptions};
use crate::tensor::Tensor;

use super::hashed::hashed;
use super::unet::UNet;

/// A case file.
#[derive(Debug, Clone)]
pub struct Case {
    /// Where it came from.
    pub path: PathBuf,
    /// The op's name, or the model's.
    pub subject: Subject,
    /// Its attributes: a JSON object.
    pub attributes: serde_json::Value,
    /// Its tensors, by name; class indices as whole f32 numbers.
    pub tensors: BTreeMap<String, Tensor>,
}

/// What a case is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// An op.
    Op(String),
    /// A whole model.
    Model(String),
}

/// A case's result.
#[derive(Debug)]
pub enum Verdict {
    /// It holds; the worst error, as a share of what is allowed.
    Passed(f64),
    /// It cannot run, and why.
    Skipped(String),
    /// It does not hold.
    Failed(String),
}

/// Largest case file that is read.
const MAX_BYTES: u64 = 1 << 30;

impl Case {
    /// Reads a case file.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Weights`] where it is no case.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let size = std::fs::metadata(path).map_err(Error::io(path))?.len();
        if size > MAX_BYTES {
            return Err(Error::weights(path, format!("has {size} bytes, more than a case can have")));
        }
        let bytes = std::fs::read(path).map_err(Error::io(path))?;
        let wrong = |error: safetensors::SafeTensorError| Error::weights(path, error.to_string());
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(wrong)?;
        let metadata = header.metadata().clone().unwrap_or_default();
        let subject = match (metadata.get("op"), metadata.get("model")) {
            (Some(op), _) => Subject::Op(op.clone()),
            (None, Some(model)) => Subject::Model(model.clone()),
            _ => return Err(Error::weights(path, "its metadata names neither an op nor a model")),
        };
        let attributes = serde_json::from_str(metadata.get("attrs").map_or("{}", String::as_str))
            .map_err(|error| Error::weights(path, format!("attrs: {error}")))?;
        let file = SafeTensors::deserialize(&bytes).map_err(wrong)?;
        let mut tensors = BTreeMap::new();
        for (name, view) in file.iter() {
            let data: Vec<f32> = match view.dtype() {
                Dtype::F32 => {
                    view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
                }
                Dtype::I64 => {
                    let word = |b: &[u8]| i64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]);
                    view.data().chunks_exact(8).map(|b| word(b) as f32).collect()
                }
                other => return Err(Error::weights(path, format!("{name} is {other:?}, expected F32 or I64"))),
            };
            tensors.insert(name.to_owned(), Tensor::new(view.shape().to_vec(), data)?);
        }
        Ok(Self { path: path.to_path_buf(), subject, attributes, tensors })
    }

    /// The case files below a folder, sorted.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Data`] where there is none.
    pub fn find(folder: impl AsRef<Path>) -> Result<Vec<PathBuf>> {
        let folder = folder.as_ref();
        let mut found = Vec::new();
        let mut open = vec![folder.to_path_buf()];
        while let Some(dir) = open.pop() {
            for entry in std::fs::read_dir(&dir).map_err(Error::io(&dir))? {
                let path = entry.map_err(Error::io(&dir))?.path();
                if path.is_dir() {
                    open.push(path);
                } else if path.extension().is_some_and(|ending| ending == "safetensors") {
                    found.push(path);
                }
            }
        }
        found.sort();
        match found.is_empty() {
            true => Err(Error::data(folder, "holds no .safetensors case")),
            false => Ok(found),
        }
    }

    /// The name it is listed under: its file's.
    #[must_use]
    pub fn name(&self) -> String {
        self.path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned())
    }

    /// The room that answers for it.
    #[must_use]
    pub fn room(&self) -> Option<&'static Room> {
        let Subject::Op(op) = &self.subject else { return None };
        OPS.iter().find(|room| room.ops.contains(&op.as_str()))
    }

    /// Runs it by plans made with `options`.
    #[must_use]
    pub fn check(&self, gpu: &Gpu, options: &PlanOptions) -> Verdict {
        let checked = match &self.subject {
            Subject::Op(op) => match self.room() {
                None => return Verdict::Skipped(format!("no room answers for the op {op}")),
                Some(room) => self.check_op(gpu, room, op, options),
            },
            Subject::Model(model) if model == "unet" => self.check_unet(gpu, options),
            Subject::Model(model) => return Verdict::Skipped(format!("no model {model}")),
        };
        match checked {
            Ok(share) => Verdict::Passed(share),
            Err(error) => Verdict::Failed(error.to_string()),
        }
    }

    fn numbered(&self, prefix: &str) -> Vec<Tensor> {
        (0..).map_while(|at| self.tensors.get(&format!("{prefix}.{at}")).cloned()).collect()
    }

    fn check_op(&self, gpu: &Gpu, room: &Room, op: &str, options: &PlanOptions) -> Result<f64> {
        let inputs = self.numbered("input");
        if inputs.is_empty() {
            return Err(Error::weights(&self.path, "has no input.0"));
        }
        let attributes = Attributes { op, json: &self.attributes, inputs: &inputs };
        let mut graph = Graph::new();
        let mut values = Vec::with_capacity(inputs.len());
        for (at, input) in inputs.iter().enumerate() {
            values.push(graph.input(&format!("input.{at}"), input.shape())?);
        }
        let outputs = (room.from_case)(&mut graph, op, &attributes, &values)?;
        let mut wanted: Vec<(String, Value, f64)> = Vec::new();
        let forward = if op == "batch_norm2d" { 2e-5 } else { 1e-5 };
        for (at, &output) in outputs.iter().enumerate() {
            let name = format!("output.{at}");
            if self.tensors.contains_key(&name) {
                wanted.push((name, output, forward));
            }
        }
        let mut given: Vec<(String, Tensor)> =
            inputs.iter().enumerate().map(|(at, tensor)| (format!("input.{at}"), tensor.clone())).collect();
        if let Some(seed) = self.tensors.get("grad_output.0") {
            let gradient = graph.input("grad_output.0", seed.shape())?;
            given.push(("grad_output.0".into(), seed.clone()));
            let differentiable: Vec<usize> =
                (0..inputs.len()).filter(|at| self.tensors.contains_key(&format!("grad_input.{at}"))).collect();
            let wrt: Vec<Value> = differentiable.iter().map(|&at| values[at]).collect();
            let sum = std::sync::Arc::new(crate::ops::pointwise::Add);
            let gradients = graph.gradients_from(
                &[(outputs[0], gradient)],
                &wrt,
                &(sum as std::sync::Arc<dyn crate::graph::Op>),
            )?;
            for (at, gradient) in differentiable.into_iter().zip(gradients) {
                let none = || Error::Mismatch(format!("input {at} got no gradient"));
                wanted.push((format!("grad_input.{at}"), gradient.ok_or_else(none)?, 5e-5));
            }
        }
        let expected =
            self.tensors.keys().filter(|name| name.starts_with("output.") || name.starts_with("grad_input."));
        if expected.count() != wanted.len() {
            return Err(Error::Mismatch("the op gives fewer outputs than the case has".into()));
        }
        let values: Vec<Value> = wanted.iter().map(|(_, value, _)| *value).collect();
        let params = Params::new(gpu, &graph)?;
        let plan = Plan::new(gpu, &graph, &values, options)?;
        // What a gradient alone reads (a seed that nothing needs, say) is not an input of the plan.
        let used: Vec<(&str, &Tensor)> =
            given.iter().filter(|(name, _)| plan.reads(name)).map(|(name, tensor)| (name.as_str(), tensor)).collect();
        let got = plan.run(&params, &used)?;
        let scale = inputs.iter().flat_map(|t| t.data()).fold(0f32, |most, v| most.max(v.abs()));
        let mut worst = 0f64;
        for ((name, _, bound), got) in wanted.iter().zip(&got) {
            let at = |error: Error| Error::Mismatch(format!("{name}: {error}"));
            worst = worst.max(compare::within(got, &self.tensors[name], f64::from(scale), *bound).map_err(at)? / bound);
        }
        Ok(worst)
    }

    fn attribute<T: serde::de::DeserializeOwned>(&self, key: &str) -> Result<T> {
        serde_json::from_value(self.attributes[key].clone())
            .map_err(|error| Error::weights(&self.path, format!("attribute {key}: {error}")))
    }

    /// The parameters as the case's generator fills them (see the cases' own description).
    fn fill(params: &Params, seed: u64) -> Result<()> {
        let names: Vec<(String, Vec<usize>)> =
            params.table().entries().iter().map(|entry| (entry.name.clone(), entry.shape.clone())).collect();
        for (name, shape) in names {
            let len = shape.iter().product();
            let factor = match *shape.as_slice() {
                [i, _, kh, kw] if name.contains("upconv") => (6.0 / ((i * kh * kw) as f64 / 4.0)).sqrt(),
                [_, i, kh, kw] => (6.0 / (i * kh * kw) as f64).sqrt(),
                _ => 0.1,
            };
            let data = hashed(&name, len, seed).into_iter().map(|v| (f64::from(v) * factor) as f32).collect();
            params.set(&name, &Tensor::new(shape, data)?)?;
        }
        Ok(())
    }

    fn check_unet(&self, gpu: &Gpu, options: &PlanOptions) -> Result<f64> {
        let (seed, base) = (self.attribute::<u64>("seed")?, self.attribute::<usize>("base")?);
        let shape = self.attribute::<Vec<usize>>("input")?;
        let input = Tensor::new(shape.clone(), hashed("input", shape.iter().product(), seed))?;
        let net = UNet { base, ..UNet::default() };
        let mut graph = Graph::new();
        let x = graph.input("image", shape.clone())?;
        let logits = net.build(&mut graph, x, None)?;
        match self.attribute::<String>("mode")?.as_str() {
            "eval" => {
                let params = Params::new(gpu, &graph)?;
                Self::fill(&params, seed)?;
                let plan = Plan::new(gpu, &graph, &[logits], options)?;
                let logits = plan.run(&params, &[("image", &input)])?.remove(0);
                self.compare_logits(&logits)
            }
            "train" => self.train_unet(gpu, options, graph, logits, &input, seed),
            mode => Err(Error::weights(&self.path, format!("mode is {mode}, expected eval or train"))),
        }
    }

    fn compare_logits(&self, logits: &Tensor) -> Result<f64> {
        const BOUND: f64 = 1e-4;
        let missing = || Error::weights(&self.path, "has no logits");
        let expected = self.tensors.get("logits").ok_or_else(missing)?;
        let (&[n, c, h, w], &[_, _, eh, ew]) = (logits.shape(), expected.shape()) else {
            return Err(Error::Mismatch("logits have not four dimensions".into()));
        };
        let every = if (eh, ew) == (h, w) { 1 } else { 7 };
        let mut picked = Vec::with_capacity(expected.len());
        for plane in logits.data().chunks(h * w) {
            for y in (0..h).step_by(every) {
                picked.extend((0..w).step_by(every).map(|x| plane[y * w + x]));
            }
        }
        let picked = Tensor::new([n, c, h.div_ceil(every), w.div_ceil(every)], picked)?;
        let mut worst = compare::within(&picked, expected, 1.0, BOUND)?;
        if let Some(norm) = self.tensors.get("logits_norm") {
            let got = logits.data().iter().map(|&v| f64::from(v).powi(2)).sum::<f64>().sqrt();
            let got = Tensor::new(norm.shape().to_vec(), vec![got as f32])?;
            let at = |error: Error| Error::Mismatch(format!("logits_norm: {error}"));
            worst = worst.max(compare::within(&got, norm, 1.0, BOUND).map_err(at)?);
        }
        Ok(worst / BOUND)
    }

    fn train_unet(
        &self,
        gpu: &Gpu,
        options: &PlanOptions,
        mut graph: Graph,
        logits: Value,
        input: &Tensor,
        seed: u64,
    ) -> Result<f64> {
        let shape = graph.shape(logits).to_vec();
        let drawn = hashed("target", shape.iter().product(), seed);
        let target = Tensor::new(shape.clone(), drawn.into_iter().map(|v| f32::from(u8::from(v > 0.2))).collect())?;
        let (lr, momentum) = (self.attribute::<f32>("lr")?, self.attribute::<f32>("momentum")?);
        let t = graph.input("target", shape)?;
        let loss = graph.bce_with_logits(logits, t)?;
        let wrt: Vec<Value> = graph.params().iter().map(|param| param.value).collect();
        let gradients = graph.gradients(loss, &wrt)?;
        for (&param, gradient) in wrt.iter().zip(gradients) {
            let none = || Error::Mismatch("a parameter got no gradient".into());
            graph.place_gradient(param, gradient.ok_or_else(none)?)?;
        }
        let slab = |graph: &mut Graph, slab| graph.slab(slab);
        let gradients = slab(&mut graph, Slab::Gradients);
        let [_, control] = graph.clip_grad_norm(&[gradients], loss, f32::INFINITY)?;
        let weights = slab(&mut graph, Slab::Weights);
        let momentum_buffer = slab(&mut graph, Slab::State("momentum".into()));
        let hyper = graph.constant("hyper", Tensor::new([4], vec![lr, 0.0, 0.0, 0.0])?);
        let segments = graph.param_table().len() / crate::graph::SEGMENT * 2;
        let segments = graph.constant("segments", Tensor::full([segments], 1.0));
        let sgd = crate::ops::sgd::Sgd::new(momentum, 0.0)?;
        graph.sgd(sgd, [weights, gradients, momentum_buffer, hyper, control, segments])?;
        let params = Params::new(gpu, &graph)?;
        Self::fill(&params, seed)?;
        let plan = Plan::new(gpu, &graph, &[loss], options)?;
        let missing = || Error::weights(&self.path, "has no losses");
        let expected = self.tensors.get("losses").ok_or_else(missing)?;
        let mut losses = Vec::with_capacity(expected.len());
        let mut worst = 0f64;
        for step in 0..expected.len() {
            losses.push(plan.run(&params, &[("image", input), ("target", &target)])?[0].data()[0]);
            if step > 0 {
                continue;
            }
            for (name, gradient) in plan.gradients()? {
                let Some(norm) = self.tensors.get(&format!("grad_norm.{name}")) else {
                    return Err(Error::weights(&self.path, format!("has no grad_norm.{name}")));
                };
                let got = gradient.data().iter().map(|&v| f64::from(v).powi(2)).sum::<f64>().sqrt();
                let got = Tensor::new(norm.shape().to_vec(), vec![got as f32])?;
                let at = |error: Error| Error::Mismatch(format!("grad_norm.{name}: {error}"));
                worst = worst.max(compare::within(&got, norm, 1.0, 1e-3).map_err(at)? / 1e-3);
            }
        }
        let losses = Tensor::new(expected.shape().to_vec(), losses)?;
        let at = |error: Error| Error::Mismatch(format!("losses: {error}"));
        Ok(worst.max(compare::within(&losses, expected, 1.0, 1e-4).map_err(at)? / 1e-4))
    }
}
