//! Where a step's values stopped to be finite.

use crate::error::Result;
use crate::gpu::Gpu;
use crate::graph::{Graph, Value};
use crate::ops::reduce::ChannelSum;
use crate::plan::{Params, Plan, PlanOptions};
use crate::tensor::Tensor;

/// Runs a step's graph once more, without rewriting it and with every value kept, and names the first op whose output is
/// not finite: its place in the model, and the kernel. `None` where all are finite.
///
/// The parameters stay as they are only if loss and gradient norm are not finite this time either.
pub(super) fn first_not_finite(
    gpu: &Gpu,
    graph: &Graph,
    params: &Params,
    inputs: &[(&str, &Tensor)],
    planning: &PlanOptions,
) -> Result<Option<String>> {
    let mut watched = graph.clone();
    let mut seen: Vec<(String, Value)> = Vec::new();
    for node in graph.nodes().iter().filter(|node| node.op.in_place().is_empty()) {
        for &output in &node.outputs {
            // A large value is looked at through its sums, which are not finite where it is not.
            let placed = graph.placed_gradients().iter().any(|&(_, value)| value == output);
            let shown = match graph.shape(output).len() {
                4 if !placed => watched.push1(ChannelSum, &[output])?,
                _ => output,
            };
            seen.push((format!("{} ({})", node.name, node.op.kernel()), shown));
        }
    }
    let outputs: Vec<Value> = seen.iter().map(|(_, value)| *value).collect();
    let options = PlanOptions { rewrite: false, ..planning.clone() };
    let plan = Plan::new(gpu, &watched, &outputs, &options)?;
    let used: Vec<(&str, &Tensor)> = inputs.iter().filter(|(name, _)| plan.reads(name)).copied().collect();
    let values = plan.run(params, &used)?;
    let bad = values.iter().position(|value| value.first_not_finite().is_some());
    Ok(bad.map(|at| seen[at].0.clone()))
}
