//! Cases of one op: outputs and gradients.

use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::graph::{Graph, Value};
use crate::ops::{Attributes, Room, compare};
use crate::plan::{Params, Plan, PlanOptions};
use crate::tensor::Tensor;

use super::Case;

impl Case {
    fn numbered(&self, prefix: &str) -> Vec<Tensor> {
        (0..).map_while(|at| self.tensors.get(&format!("{prefix}.{at}")).cloned()).collect()
    }

    pub(super) fn check_op(&self, gpu: &Gpu, room: &Room, op: &str, options: &PlanOptions) -> Result<f64> {
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
}
