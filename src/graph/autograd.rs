//! Reverse-mode differentiation: gradients are nodes, appended to the graph they differentiate.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::tensor::Tensor;

use super::{Graph, Op, Value};

/// What an op's gradient sees: the node, the gradients of its outputs, and which inputs want theirs.
pub struct GradientContext<'a> {
    /// The graph to append to.
    pub graph: &'a mut Graph,
    node: usize,
    outputs: Vec<Option<Value>>,
    wanted: Vec<bool>,
    given: Vec<Option<Value>>,
}

impl GradientContext<'_> {
    /// The node's input.
    #[must_use]
    pub fn input(&self, index: usize) -> Value {
        self.graph.nodes[self.node].inputs[index]
    }

    /// The number of the node's inputs.
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.given.len()
    }

    /// The node's output.
    #[must_use]
    pub fn output(&self, index: usize) -> Value {
        self.graph.nodes[self.node].outputs[index]
    }

    /// The gradient that reached an output, where one did.
    #[must_use]
    pub fn output_gradient(&self, index: usize) -> Option<Value> {
        self.outputs[index]
    }

    /// The gradient of the node's first output.
    ///
    /// # Errors
    /// [`Error::Parameter`] where only another output was used for the loss.
    pub fn gradient(&self) -> Result<Value> {
        let kernel = || self.graph.nodes[self.node].op.kernel();
        self.outputs[0].ok_or_else(|| Error::parameter(kernel(), "only its first output has a gradient"))
    }

    /// Whether the gradient of an input is needed.
    #[must_use]
    pub fn wants(&self, index: usize) -> bool {
        self.wanted.get(index).copied().unwrap_or(false)
    }

    /// Gives the gradient of an input.
    pub fn give(&mut self, index: usize, gradient: Value) {
        self.given[index] = Some(gradient);
    }
}

impl Graph {
    /// Appends the nodes that give d(sum of `outputs` · their gradients) / d(`wrt`). `sum` is the op that adds two
    /// values where gradients meet. A value that no output depends on gets `None`.
    ///
    /// # Errors
    /// [`Error::Parameter`] for an op without a gradient on the way, [`Error::Shape`] for a gradient of another shape
    /// than its output.
    pub fn gradients_from(
        &mut self,
        outputs: &[(Value, Value)],
        wrt: &[Value],
        sum: &Arc<dyn Op>,
    ) -> Result<Vec<Option<Value>>> {
        let count = self.nodes.len();
        let mut needs = vec![false; self.values.len()];
        for &value in wrt {
            needs[value.0] = true;
        }
        for node in &self.nodes {
            if node.inputs.iter().any(|input| needs[input.0]) {
                for output in &node.outputs {
                    needs[output.0] = true;
                }
            }
        }
        let mut gradients: Vec<Option<Value>> = vec![None; self.values.len()];
        for &(output, gradient) in outputs {
            if self.shape(output) != self.shape(gradient) {
                let expected = format!("{:?}", self.shape(output));
                return Err(Error::shape("gradients", "gradient of an output", expected, self.shape(gradient)));
            }
            self.meet(&mut gradients[output.0], gradient, sum)?;
        }
        for node in (0..count).rev() {
            let of_outputs: Vec<_> = self.nodes[node].outputs.iter().map(|output| gradients[output.0]).collect();
            let wanted: Vec<_> = self.nodes[node].inputs.iter().map(|input| needs[input.0]).collect();
            if of_outputs.iter().all(Option::is_none) || !wanted.contains(&true) {
                continue;
            }
            let op = Arc::clone(&self.nodes[node].op);
            let name = self.nodes[node].name.clone();
            let inputs = self.nodes[node].inputs.clone();
            let given = vec![None; inputs.len()];
            let scope = std::mem::replace(&mut self.scope, vec![name]);
            let mut context = GradientContext { graph: self, node, outputs: of_outputs, wanted: wanted.clone(), given };
            let result = op.gradient(&mut context);
            let given = context.given;
            self.scope = scope;
            result?;
            for ((input, gradient), wanted) in inputs.into_iter().zip(given).zip(wanted) {
                if let (Some(gradient), true) = (gradient, wanted) {
                    self.meet(&mut gradients[input.0], gradient, sum)?;
                }
            }
        }
        Ok(wrt.iter().map(|value| gradients[value.0]).collect())
    }

    /// [`Graph::gradients_from`] a scalar loss, whose own gradient is 1.
    ///
    /// # Errors
    /// [`Error::Shape`] for a loss of more than one element; else as [`Graph::gradients_from`].
    pub fn gradients_of(&mut self, loss: Value, wrt: &[Value], sum: &Arc<dyn Op>) -> Result<Vec<Option<Value>>> {
        let shape = self.shape(loss).to_vec();
        if shape.iter().product::<usize>() != 1 {
            return Err(Error::shape("gradients", "loss", "one element", &shape));
        }
        let one = self.constant("one", Tensor::full(shape, 1.0));
        self.gradients_from(&[(loss, one)], wrt, sum)
    }

    fn meet(&mut self, known: &mut Option<Value>, gradient: Value, sum: &Arc<dyn Op>) -> Result<()> {
        *known = Some(match *known {
            None => gradient,
            Some(other) => self.push_arc(Arc::clone(sum), &[other, gradient])?[0],
        });
        Ok(())
    }
}
