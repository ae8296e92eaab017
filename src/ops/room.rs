//! What an op's room must hold. Nothing here has a default: what is missing does not compile.

use crate::error::{Error, Result};
use crate::gpu::{Caps, Field};
use crate::graph::{Graph, Layout, Op, Value};
use crate::tensor::Tensor;

use super::cases::Case;
use super::{Call, Epilogue, Lowered, Twin};

/// What appends a reference case's op to a graph.
pub type FromCase = fn(&mut Graph, &str, &Attributes<'_>, &[Value]) -> Result<Vec<Value>>;

/// The layouts of a call: the op, the shapes of inputs and outputs, and the layouts the inputs have now.
pub type ChooseLayouts = fn(&dyn Op, &[&[usize]], &[&[usize]], &[Layout]) -> Option<Layouts>;

/// What a version expects of itself for a call.
pub type Pays = fn(&Prospect<'_>) -> Worth;

/// Whether a version is worth taking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Worth {
    /// It would pass one of the adapter's limits.
    Impossible,
    /// Versions before it are expected to be faster.
    Slower,
    /// It is expected to be faster than those before it.
    Faster,
}

/// What is known of a call when its version is chosen.
#[derive(Debug, Clone, Copy)]
pub struct Prospect<'a> {
    /// The adapter.
    pub caps: &'a Caps,
    /// The op with its parameters.
    pub op: &'a dyn Op,
    /// The shapes of its inputs.
    pub inputs: &'a [&'a [usize]],
    /// The shapes of its outputs.
    pub outputs: &'a [&'a [usize]],
    /// Whether the plan leaves parameters as they are, so that what is derived from them is computed once.
    pub fixed: bool,
}

/// An op's room.
#[derive(Debug)]
pub struct Room {
    /// Also the name of its folders, `shaders/NAME` and `src/ops/NAME`, and of its tests in `tests/ops.rs`.
    pub name: &'static str,
    /// The ops that reference cases name and this room answers for.
    pub ops: &'static [&'static str],
    /// Forward, backward_data, …: each with its twin and its versions.
    pub kernels: &'static [Kernel],
    /// Small crooked calls of every kernel, with one line of why.
    pub cases: fn() -> Vec<Case>,
    /// Appends the op of a reference case to a graph: its name, attributes and inputs; returns the outputs.
    pub from_case: FromCase,
    /// Which kernels give the gradient.
    pub gradient: Gradient,
}

/// How an op is differentiated.
#[derive(Debug)]
pub enum Gradient {
    /// By these kernels.
    Kernels(&'static [&'static str]),
    /// Not at all.
    None {
        /// Why there is no gradient.
        why: &'static str,
    },
}

/// One computation of a room.
#[derive(Debug)]
pub struct Kernel {
    /// `ROOM.KERNEL`, as [`Op::kernel`] gives it.
    pub name: &'static str,
    /// The same in plain loops on the CPU.
    pub twin: Twin,
    /// Plainest first; the last that an adapter can run, the shapes allow and that pays is taken.
    pub versions: &'static [Version],
    /// What can be computed on the output before it is written.
    pub epilogues: &'static [Epilogue],
    /// Bound of the relative error ‖got − expected‖ / ‖expected‖ in f32.
    pub tolerance: f64,
}

/// One way to compute a kernel.
#[derive(Debug, Clone, Copy)]
pub struct Version {
    /// The main shader: its path below `shaders/` without its ending, which labels everything.
    pub shader: &'static str,
    /// Every shader it dispatches, with the fields of its uniform block.
    pub shaders: &'static [ShaderInfo],
    /// What the adapter must have, and the plan must allow.
    pub requires: Requires,
    /// Whether operands may be channel ranges of a larger C4 value.
    pub views: bool,
    /// Whether it is worth taking for these shapes, where nothing was measured on the adapter.
    pub pays: Pays,
    /// Whether it only adds products, so that whole numbers come out exactly.
    pub exact: bool,
    /// The layouts it takes for these shapes, given those the inputs have now; `None` where it cannot.
    pub layouts: ChooseLayouts,
    /// The dispatches of a call.
    pub lower: fn(&Call<'_>) -> Result<Lowered>,
}

impl Version {
    /// [`Version::pays`] of a version that is better than those before it wherever it can run.
    pub const ALWAYS: Pays = |_| Worth::Faster;
}

/// A shader and its uniform block.
#[derive(Debug, Clone, Copy)]
pub struct ShaderInfo {
    /// Path below `shaders/` without its ending.
    pub path: &'static str,
    /// The fields of its `Params`.
    pub fields: &'static [Field],
}

/// What must be given for a version to run.
#[derive(Debug, Clone, Copy)]
pub struct Requires {
    /// Subgroups of a size that kernels broadcast in: [`Caps::broadcast_lanes`].
    pub subgroup: bool,
    /// A plan that stores images and their convolutions' weights in 16 bits: the version reads or writes such.
    pub half: bool,
    /// Cooperative matrices: [`Caps::matrix`].
    pub matrix: bool,
}

impl Requires {
    /// Nothing beyond WebGPU's core.
    pub const NOTHING: Self = Self { subgroup: false, half: false, matrix: false };
    /// Storage in 16 bits, which needs nothing of the adapter.
    pub const HALF: Self = Self { half: true, ..Self::NOTHING };

    /// What the adapter lacks, in words.
    #[must_use]
    pub fn missing(&self, caps: &Caps) -> Option<String> {
        if self.matrix && caps.matrix.is_none() {
            return Some("needs cooperative matrices of f16, which the adapter does not have".into());
        }
        (self.subgroup && caps.broadcast_lanes().is_none()).then(|| {
            let reaches = if caps.addresses { "with" } else { "without" };
            format!(
                "needs subgroups of exactly 8, or of 16 by addresses, the adapter has {:?} {reaches} addresses",
                caps.adapter.subgroup
            )
        })
    }
}

/// The layouts of a call's operands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layouts {
    /// Of each input.
    pub inputs: Vec<Layout>,
    /// Of each output.
    pub outputs: Vec<Layout>,
}

impl Layouts {
    /// These layouts.
    #[must_use]
    pub fn new(inputs: impl Into<Vec<Layout>>, outputs: impl Into<Vec<Layout>>) -> Self {
        Self { inputs: inputs.into(), outputs: outputs.into() }
    }

    /// These, with every layout that has a twin in 16 bits as that.
    #[must_use]
    pub fn halved(mut self) -> Self {
        for layout in self.inputs.iter_mut().chain(&mut self.outputs) {
            *layout = layout.half().unwrap_or(*layout);
        }
        self
    }
}

/// The attributes of a reference case: a JSON object.
#[derive(Debug, Clone, Copy)]
pub struct Attributes<'a> {
    /// The op's name, for errors.
    pub op: &'a str,
    /// The object.
    pub json: &'a serde_json::Value,
    /// The case's inputs, for what must be known while the graph is built.
    pub inputs: &'a [Tensor],
}

impl Attributes<'_> {
    fn fail(&self, key: &str, expected: &str) -> Error {
        Error::parameter(self.op, format!("attribute {key:?} is {}, expected {expected}", self.json[key]))
    }

    /// A number.
    ///
    /// # Errors
    /// [`Error::Parameter`] where it is absent or no number.
    pub fn number(&self, key: &str) -> Result<f64> {
        self.json[key].as_f64().ok_or_else(|| self.fail(key, "a number"))
    }

    /// A whole number from 0.
    ///
    /// # Errors
    /// [`Error::Parameter`] where it is absent or something else.
    pub fn index(&self, key: &str) -> Result<usize> {
        let number = self.json[key].as_u64().and_then(|v| usize::try_from(v).ok());
        number.ok_or_else(|| self.fail(key, "a whole number"))
    }

    /// A pair of whole numbers from 0; `default` where it is absent.
    ///
    /// # Errors
    /// [`Error::Parameter`] where it is something else.
    pub fn pair(&self, key: &str, default: [usize; 2]) -> Result<[usize; 2]> {
        if self.json[key].is_null() {
            return Ok(default);
        }
        let numbers = self.numbers(key)?;
        match numbers.as_slice() {
            &[a, b] if a >= 0.0 && b >= 0.0 && a.fract() == 0.0 && b.fract() == 0.0 => Ok([a as usize, b as usize]),
            _ => Err(self.fail(key, "two whole numbers")),
        }
    }

    /// A list of numbers.
    ///
    /// # Errors
    /// [`Error::Parameter`] where it is absent or something else.
    pub fn numbers(&self, key: &str) -> Result<Vec<f64>> {
        let list = self.json[key].as_array().ok_or_else(|| self.fail(key, "a list of numbers"))?;
        list.iter().map(|v| v.as_f64().ok_or_else(|| self.fail(key, "a list of numbers"))).collect()
    }

    /// A truth value; `false` where it is absent.
    #[must_use]
    pub fn flag(&self, key: &str) -> bool {
        self.json[key].as_bool().unwrap_or(false)
    }
}
