//! Graphs of ops: nodes, values with checked shapes, parameters, and autograd that appends gradient nodes to the same
//! graph. It knows no single op, no buffer and no time.

mod autograd;
mod layout;
mod op;
mod params;

use std::collections::HashSet;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::tensor::{Tensor, checked_len};

pub use autograd::GradientContext;
pub use layout::{Layout, PANEL};
pub use op::{Op, View};
pub use params::{ParamEntry, ParamInfo, ParamKind, ParamTable, SEGMENT};

/// A value of a graph: what a node gives, an input, a constant, a parameter or a slab.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Value(pub(crate) usize);

/// A slab: one buffer with a place for every parameter, at equal offsets in every slab (see [`ParamTable`]).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Slab {
    /// The parameters themselves.
    Weights,
    /// The gradients that [`Graph::place_gradient`] puts there; a plan's own.
    Gradients,
    /// A named state kept with the parameters, an optimizer's moments for one.
    State(String),
}

/// Where a value comes from.
#[derive(Debug, Clone)]
pub enum Source {
    /// Given at every run, by name.
    Input,
    /// Given once, in the graph.
    Constant(Tensor),
    /// A parameter, by its place in [`Graph::params`].
    Param(usize),
    /// A whole slab.
    Slab(Slab),
    /// An output of a node.
    Node {
        /// The node's place in [`Graph::nodes`].
        node: usize,
        /// Which of its outputs.
        output: usize,
    },
}

/// What a graph knows of a value.
#[derive(Debug, Clone)]
pub struct ValueInfo {
    /// Sizes of the dimensions, outermost first.
    pub shape: Vec<usize>,
    /// The name of an input or a parameter; else that of its node.
    pub name: String,
    /// Where it comes from.
    pub source: Source,
}

/// One call of an op.
#[derive(Debug, Clone)]
pub struct Node {
    /// The op with its parameters.
    pub op: Arc<dyn Op>,
    /// What it reads, in the op's order.
    pub inputs: Vec<Value>,
    /// What it gives.
    pub outputs: Vec<Value>,
    /// Where in the model it stands: `down.0.conv1`, say.
    pub name: String,
}

/// Nodes in the order in which they were appended, which is an order in which they can run.
#[derive(Debug, Clone, Default)]
pub struct Graph {
    nodes: Vec<Node>,
    values: Vec<ValueInfo>,
    params: Vec<ParamInfo>,
    names: HashSet<String>,
    gradients: Vec<(usize, Value)>,
    effects: Vec<usize>,
    scope: Vec<String>,
}

impl Graph {
    /// An empty graph.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A value that every run is given under `name`.
    ///
    /// # Errors
    /// [`Error::Name`] where `name` is taken, [`Error::Shape`] where `shape` has no elements or overflows.
    pub fn input(&mut self, name: &str, shape: impl Into<Vec<usize>>) -> Result<Value> {
        let shape = checked(name, shape.into())?;
        self.claim("input", name)?;
        Ok(self.value(ValueInfo { shape, name: name.into(), source: Source::Input }))
    }

    /// A value that never changes.
    pub fn constant(&mut self, name: &str, tensor: Tensor) -> Value {
        let shape = tensor.shape().to_vec();
        self.value(ValueInfo { shape, name: name.into(), source: Source::Constant(tensor) })
    }

    /// A parameter under its file name; the same name again gives the same value.
    ///
    /// # Errors
    /// [`Error::Name`] where the name stands for something else, [`Error::Shape`] where the shape does not suit `kind`.
    pub fn param(&mut self, name: &str, shape: impl Into<Vec<usize>>, kind: ParamKind) -> Result<Value> {
        let shape = checked(name, shape.into())?;
        if let Some(known) = self.params.iter().find(|param| param.name == name) {
            if known.shape == shape && known.kind == kind {
                return Ok(known.value);
            }
            let message = format!("already has shape {:?}, not {shape:?}", known.shape);
            return Err(Error::Name { what: "parameter", name: name.into(), message });
        }
        kind.layout().check(name, &shape)?;
        if self.values.iter().any(|value| matches!(value.source, Source::Slab(_))) {
            let message = "comes after a slab was used, whose size it would change".into();
            return Err(Error::Name { what: "parameter", name: name.into(), message });
        }
        self.claim("parameter", name)?;
        let index = self.params.len();
        let value = self.value(ValueInfo { shape: shape.clone(), name: name.into(), source: Source::Param(index) });
        self.params.push(ParamInfo { name: name.into(), shape, kind, value });
        Ok(value)
    }

    /// A whole slab, flat: shape \[[`ParamTable::len`]\]. No parameter may be added after it.
    pub fn slab(&mut self, slab: Slab) -> Value {
        let same = |value: &ValueInfo| matches!(&value.source, Source::Slab(known) if *known == slab);
        if let Some(at) = self.values.iter().position(same) {
            return Value(at);
        }
        let shape = vec![self.param_table().len()];
        let name = format!("{slab:?}").to_lowercase();
        self.value(ValueInfo { shape, name, source: Source::Slab(slab) })
    }

    /// Puts `gradient` at the place of the parameter `param` in [`Slab::Gradients`].
    ///
    /// # Errors
    /// [`Error::Name`] where `param` is none or has one already, [`Error::Shape`] where the shapes differ.
    pub fn place_gradient(&mut self, param: Value, gradient: Value) -> Result<()> {
        let Source::Param(index) = self.info(param).source else {
            let name = self.info(param).name.clone();
            return Err(Error::Name { what: "value", name, message: "is not a parameter".into() });
        };
        let shape = self.shape(param).to_vec();
        if shape != self.shape(gradient) {
            let what = format!("gradient of {}", self.info(param).name);
            return Err(Error::shape("place_gradient", what, format!("{shape:?}"), self.shape(gradient)));
        }
        if self.gradients.iter().any(|&(known, _)| known == index) {
            let name = self.info(param).name.clone();
            return Err(Error::Name { what: "parameter", name, message: "already has a gradient".into() });
        }
        self.gradients.push((index, gradient));
        Ok(())
    }

    /// Appends a node and returns its outputs.
    ///
    /// # Errors
    /// What the op says of its inputs' shapes, with the node's place in the model.
    pub fn push(&mut self, op: impl Op, inputs: &[Value]) -> Result<Vec<Value>> {
        self.push_arc(Arc::new(op), inputs)
    }

    /// [`Graph::push`] for an op whose type is not known: that of a [case](crate::ops::cases::Case), say.
    ///
    /// # Errors
    /// As [`Graph::push`].
    pub fn push_arc(&mut self, op: Arc<dyn Op>, inputs: &[Value]) -> Result<Vec<Value>> {
        let shapes: Vec<&[usize]> = inputs.iter().map(|&value| self.shape(value)).collect();
        let outputs = op.outputs(&shapes)?;
        let node = self.nodes.len();
        let name = match self.scope.is_empty() {
            true => op.kernel().to_owned(),
            false => self.scope.join("."),
        };
        let kept = |value: Value| matches!(self.info(value).source, Source::Slab(_) | Source::Param(_));
        if op.in_place().iter().any(|&(input, _)| kept(inputs[input])) {
            self.effects.push(node);
        }
        let outputs = outputs.into_iter().enumerate().map(|(output, shape)| {
            self.values.push(ValueInfo { shape, name: name.clone(), source: Source::Node { node, output } });
            Value(self.values.len() - 1)
        });
        let outputs: Vec<Value> = outputs.collect();
        self.nodes.push(Node { op, inputs: inputs.to_vec(), outputs: outputs.clone(), name });
        Ok(outputs)
    }

    /// [`Graph::push`] for an op with one output.
    ///
    /// # Errors
    /// As [`Graph::push`]; [`Error::Parameter`] where the op has not exactly one output.
    pub fn push1(&mut self, op: impl Op, inputs: &[Value]) -> Result<Value> {
        let kernel = op.kernel();
        match self.push(op, inputs)?.as_slice() {
            &[value] => Ok(value),
            more => Err(Error::parameter(kernel, format!("has {} outputs, one was expected", more.len()))),
        }
    }

    /// Names the nodes that `build` appends: `down.0` within `unet` gives `unet.down.0`.
    ///
    /// # Errors
    /// Those of `build`.
    pub fn scoped<T>(&mut self, name: &str, build: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.scope.push(name.to_owned());
        let result = build(self);
        self.scope.pop();
        result
    }

    /// The shape of a value.
    #[must_use]
    pub fn shape(&self, value: Value) -> &[usize] {
        &self.values[value.0].shape
    }

    /// What is known of a value.
    #[must_use]
    pub fn info(&self, value: Value) -> &ValueInfo {
        &self.values[value.0]
    }

    /// Every value, by number.
    #[must_use]
    pub fn values(&self) -> &[ValueInfo] {
        &self.values
    }

    /// Every node, in order.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Every parameter, in the order of declaration.
    #[must_use]
    pub fn params(&self) -> &[ParamInfo] {
        &self.params
    }

    /// The gradients that were placed: (place in [`Graph::params`], value).
    #[must_use]
    pub fn placed_gradients(&self) -> &[(usize, Value)] {
        &self.gradients
    }

    /// The nodes that change a slab or a parameter, which run even where nobody reads their outputs.
    #[must_use]
    pub fn effects(&self) -> &[usize] {
        &self.effects
    }

    /// The graph without its changes of slabs: a plan of it computes values and leaves every parameter as it is.
    #[must_use]
    pub fn without_effects(&self) -> Self {
        Self { effects: Vec::new(), ..self.clone() }
    }

    /// Where every parameter stands in the slabs.
    #[must_use]
    pub fn param_table(&self) -> ParamTable {
        ParamTable::new(&self.params)
    }

    /// The node that gives `value`, where one does.
    #[must_use]
    pub fn producer(&self, value: Value) -> Option<usize> {
        match self.values[value.0].source {
            Source::Node { node, .. } => Some(node),
            _ => None,
        }
    }

    fn value(&mut self, info: ValueInfo) -> Value {
        self.values.push(info);
        Value(self.values.len() - 1)
    }

    fn claim(&mut self, what: &'static str, name: &str) -> Result<()> {
        match self.names.insert(name.to_owned()) {
            true => Ok(()),
            false => Err(Error::Name { what, name: name.into(), message: "is already taken".into() }),
        }
    }
}

fn checked(name: &str, shape: Vec<usize>) -> Result<Vec<usize>> {
    match checked_len(&shape) {
        Some(len) if len > 0 && u32::try_from(len).is_ok() => Ok(shape),
        _ => Err(Error::shape(name, "shape", "1 to 2^32 - 1 elements", &shape)),
    }
}
