//! Parameters of a graph and their places in the slabs.

use super::{Layout, Value};

/// What a parameter is, which decides how it lies on the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ParamKind {
    /// A bias, a norm's scale, a linear layer's weight.
    Plain,
    /// What a model keeps beside its weights and no optimizer moves: a norm's running mean or variance.
    Buffer,
    /// A convolution's weight (co, ci, kh, kw).
    Conv,
    /// A transposed convolution's weight (ci, co, kh, kw).
    ConvTranspose,
}

impl ParamKind {
    /// Its layout on the device.
    #[must_use]
    pub fn layout(self) -> Layout {
        match self {
            Self::Plain | Self::Buffer => Layout::Plain,
            Self::Conv => Layout::Oihw4,
            Self::ConvTranspose => Layout::Iohw4,
        }
    }

    /// Whether gradients can move it.
    #[must_use]
    pub fn trainable(self) -> bool {
        self != Self::Buffer
    }
}

/// A parameter of a graph.
#[derive(Debug, Clone)]
pub struct ParamInfo {
    /// Its name in files.
    pub name: String,
    /// Its shape in files.
    pub shape: Vec<usize>,
    /// What it is.
    pub kind: ParamKind,
    /// Its value in the graph.
    pub value: Value,
}

/// Parameters start at multiples of this many floats (256 bytes), so that each can be bound by itself.
pub const SEGMENT: usize = 64;

/// Where every parameter stands in a slab.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParamTable {
    entries: Vec<ParamEntry>,
    len: usize,
}

/// One parameter of a [`ParamTable`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParamEntry {
    /// Its name in files.
    pub name: String,
    /// Its shape in files.
    pub shape: Vec<usize>,
    /// Its layout on the device.
    pub layout: Layout,
    /// First float in the slab, a multiple of [`SEGMENT`].
    pub offset: usize,
    /// Floats it takes in its layout.
    pub floats: usize,
}

impl ParamTable {
    pub(super) fn new(params: &[ParamInfo]) -> Self {
        let mut len = 0;
        let entries = params.iter().map(|param| {
            let layout = param.kind.layout();
            let floats = layout.floats(&param.shape);
            let offset = len;
            len += floats.next_multiple_of(SEGMENT);
            ParamEntry { name: param.name.clone(), shape: param.shape.clone(), layout, offset, floats }
        });
        let entries = entries.collect();
        Self { entries, len: len.max(SEGMENT) }
    }

    /// The parameters, in the order of the graph.
    #[must_use]
    pub fn entries(&self) -> &[ParamEntry] {
        &self.entries
    }

    /// Floats in a slab, a multiple of [`SEGMENT`].
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no parameter.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The number of values in all parameters, pads not counted.
    #[must_use]
    pub fn count(&self) -> usize {
        self.entries.iter().map(|entry| entry.shape.iter().product::<usize>()).sum()
    }
}
