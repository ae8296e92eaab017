//! Where a step went wrong: the first value that is not finite.

use std::fmt;

use crate::error::Result;
use crate::gpu::Gpu;
use crate::graph::{Graph, Slab, Source, Value};
use crate::plan::{Params, Plan, PlanOptions};
use crate::tensor::Tensor;

/// Bytes of values that one run of a replay brings back.
const GROUP_BYTES: usize = 256 << 20;

/// The first value of a graph, in the order in which it runs, that holds NaN or infinity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NonFinite {
    /// What it is: `the input image.0`, `the parameter head.weight`, `relu.forward in down.0.conv1`.
    pub what: String,
    /// How many of its elements are not finite.
    pub count: usize,
    /// How many it has.
    pub elements: usize,
}

impl fmt::Display for NonFinite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} of {} values)", self.what, self.count, self.elements)
    }
}

impl NonFinite {
    fn find(what: impl FnOnce() -> String, values: &Tensor) -> Option<Self> {
        let count = values.data().iter().filter(|value| !value.is_finite()).count();
        (count > 0).then(|| Self { what: what(), count, elements: values.len() })
    }
}

/// Looks through inputs, then parameters, then every node's output in order, computed anew without fusion and, where
/// the budget allows it, without sharing memory; no slab is changed. `None` where all of them are finite.
///
/// # Errors
/// As [`Plan::new`] and [`Plan::run`]: such a run needs more memory than the graph's own plan.
pub fn first_non_finite(
    gpu: &Gpu,
    graph: &Graph,
    params: &Params,
    inputs: &[(&str, &Tensor)],
    options: &PlanOptions,
) -> Result<Option<NonFinite>> {
    for (name, tensor) in inputs {
        if let Some(found) = NonFinite::find(|| format!("the input {name}"), tensor) {
            return Ok(Some(found));
        }
    }
    for (name, tensor) in params.read(&Slab::Weights)? {
        if let Some(found) = NonFinite::find(|| format!("the parameter {name}"), &tensor) {
            return Ok(Some(found));
        }
    }
    let graph = graph.without_effects();
    let shared = PlanOptions { rewrite: false, recompute: false, ..options.clone() };
    let unshared = PlanOptions { share: false, ..shared.clone() };
    for group in groups(&graph) {
        let plan = Plan::new(gpu, &graph, &group, &unshared);
        let plan = plan.or_else(|_| Plan::new(gpu, &graph, &group, &shared))?;
        let given: Vec<_> = inputs.iter().copied().filter(|(name, _)| plan.reads(name)).collect();
        let outputs = plan.run(params, &given)?;
        for (&value, tensor) in group.iter().zip(&outputs) {
            if let Some(found) = NonFinite::find(|| described(&graph, value), tensor) {
                return Ok(Some(found));
            }
        }
    }
    Ok(None)
}

/// The outputs of nodes that change nothing in place, in order, in groups of bounded size.
fn groups(graph: &Graph) -> Vec<Vec<Value>> {
    let mut groups = vec![Vec::new()];
    let mut bytes = 0;
    let pure = graph.nodes().iter().filter(|node| node.op.in_place().is_empty());
    for value in pure.flat_map(|node| node.outputs.iter().copied()) {
        let size = graph.shape(value).iter().product::<usize>() * 4;
        if bytes + size > GROUP_BYTES && bytes > 0 {
            groups.push(Vec::new());
            bytes = 0;
        }
        bytes += size;
        if let Some(group) = groups.last_mut() {
            group.push(value);
        }
    }
    groups.retain(|group| !group.is_empty());
    groups
}

fn described(graph: &Graph, value: Value) -> String {
    let info = graph.info(value);
    match info.source {
        Source::Node { node, output } => {
            let kernel = graph.nodes()[node].op.kernel();
            let which = if output == 0 { String::new() } else { format!(" (output {output})") };
            match info.name == kernel {
                true => format!("{kernel}{which}"),
                false => format!("{kernel}{which} in {}", info.name),
            }
        }
        _ => info.name.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::GpuOptions;
    use crate::graph::ParamKind;
    use crate::ops::sgd::Sgd;

    /// x → scale → scale → relu, with a parameter and an optimizer's step.
    fn graph() -> Graph {
        let mut graph = Graph::new();
        let x = graph.input("x", [1]).unwrap();
        let w = graph.param("w", [1], ParamKind::Plain).unwrap();
        let product = graph.mul(x, w).unwrap();
        let large = graph.scoped("first", |g| g.scale(product, 1e15)).unwrap();
        let larger = graph.scoped("second", |g| g.scale(large, 1e15)).unwrap();
        let last = graph.scoped("last", |g| g.relu(larger)).unwrap();
        let gradient = graph.gradients(last, &[w]).unwrap()[0].unwrap();
        graph.place_gradient(w, gradient).unwrap();
        let (weights, gradients) = (graph.slab(Slab::Weights), graph.slab(Slab::Gradients));
        let momentum = graph.slab(Slab::State("momentum".into()));
        let hyper = graph.constant("hyper", Tensor::new([4], vec![1.0, 0.0, 0.0, 0.0]).unwrap());
        let control = graph.constant("control", Tensor::new([4], vec![1.0, 1.0, 1.0, 0.0]).unwrap());
        let segments = graph.constant("segments", Tensor::new([2], vec![1.0, 0.0]).unwrap());
        let sgd = Sgd::new(0.0, 0.0).unwrap();
        graph.sgd(sgd, [weights, gradients, momentum, hyper, control, segments]).unwrap();
        graph
    }

    fn find(x: f32, w: f32) -> Option<NonFinite> {
        let gpu = Gpu::new(&GpuOptions::default()).unwrap();
        let graph = graph();
        let params = Params::new(&gpu, &graph).unwrap();
        params.set("w", &Tensor::new([1], vec![w]).unwrap()).unwrap();
        let before = params.read(&Slab::Weights).unwrap();
        let x = Tensor::new([1], vec![x]).unwrap();
        let found = first_non_finite(&gpu, &graph, &params, &[("x", &x)], &PlanOptions::default()).unwrap();
        let after = params.read(&Slab::Weights).unwrap();
        let bits = |all: &[(String, Tensor)]| all[0].1.data().iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&before), bits(&after));
        found
    }

    #[test]
    fn names_the_first_value_that_is_not_finite() {
        assert_eq!(find(3.0, 1.0), None);
        let second = find(1e10, 1.0).unwrap();
        assert_eq!((second.count, second.elements), (1, 1));
        assert!(second.what.contains("scale") && second.what.ends_with("in second"), "{second}");
        let first = find(1e30, 1.0).unwrap();
        assert!(first.what.ends_with("in first"), "{first}");
        assert_eq!(find(f32::NAN, 0.0).unwrap().to_string(), "the input x (1 of 1 values)");
        assert_eq!(find(0.0, f32::INFINITY).unwrap().to_string(), "the parameter w (1 of 1 values)");
    }
}
