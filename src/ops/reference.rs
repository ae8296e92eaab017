//! Whole graphs on the CPU by the ops' twins: what the GPU's plans are compared with, and, in f64, what finite
//! differences are taken of.

use std::collections::HashMap;

use crate::error::{Error, Result};
use crate::graph::{Graph, Source, Value};

use super::{Array, Real, TwinWidth, kernel};

/// What a run starts from: inputs and parameters by name.
pub type Given<T> = HashMap<String, Array<T>>;

/// Computes `wanted` by the twins.
///
/// # Errors
/// [`Error::Name`] for an input or parameter that is not given, [`Error::Parameter`] for slabs, which only plans have.
pub fn run<T: TwinWidth>(graph: &Graph, given: &Given<T>, wanted: &[Value]) -> Result<Vec<Array<T>>> {
    let mut values: Vec<Option<Array<T>>> = vec![None; graph.values().len()];
    for (slot, info) in values.iter_mut().zip(graph.values()) {
        match &info.source {
            Source::Input | Source::Param(_) => {
                let absent = || Error::Name { what: "input", name: info.name.clone(), message: "is not given".into() };
                *slot = Some(given.get(&info.name).cloned().ok_or_else(absent)?);
            }
            Source::Constant(tensor) => *slot = Some(tensor.into()),
            Source::Slab(_) | Source::Node { .. } => {}
        }
    }
    for node in graph.nodes() {
        let absent = || Error::parameter(node.op.kernel(), "reads a slab, which only plans have");
        let inputs: Option<Vec<&Array<T>>> = node.inputs.iter().map(|input| values[input.0].as_ref()).collect();
        let inputs = inputs.ok_or_else(absent)?;
        let unknown = || Error::parameter(node.op.kernel(), "is not a kernel of any room");
        let outputs = kernel(node.op.kernel()).ok_or_else(unknown)?.twin.run(&*node.op, &inputs)?;
        for (&value, output) in node.outputs.iter().zip(outputs) {
            values[value.0] = Some(output);
        }
    }
    let missing = || Error::parameter("reference", "a wanted value was not computed");
    wanted.iter().map(|value| values[value.0].clone().ok_or_else(missing)).collect()
}

/// Σ a·b: the number whose gradient is seeded with `b`.
#[must_use]
pub fn dot<T: Real>(a: &Array<T>, b: &Array<T>) -> f64 {
    a.data.iter().zip(&b.data).map(|(x, y)| x.wide() * y.wide()).sum()
}
