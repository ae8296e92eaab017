//! What a kernel can do to its first output before it is written, in place of the ops that follow it.

use std::ops::Range;

use super::{Binding, Call, Launch, Slot, Window};

/// Elementwise ops that another kernel can carry out on its first output. What they read besides follows the call's own
/// inputs, in the output's shape and layout: first what is added, then what masks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Epilogue {
    /// max(x, 0)
    Relu,
    /// x + residual
    Add,
    /// max(x + residual, 0)
    AddRelu,
    /// x where mask > 0, else 0: relu's gradient, the mask being relu's output
    Mask,
    /// x + residual where mask > 0, else 0
    AddMask,
}

impl Epilogue {
    /// Both, this one first, where one pass can do them.
    #[must_use]
    pub fn then(self, next: Self) -> Option<Self> {
        match (self, next) {
            (Self::Add, Self::Relu) => Some(Self::AddRelu),
            (Self::Add, Self::Mask) => Some(Self::AddMask),
            _ => None,
        }
    }

    /// Whether it is max(x, 0), perhaps of a sum.
    #[must_use]
    pub fn relu(self) -> bool {
        matches!(self, Self::Relu | Self::AddRelu)
    }

    /// Whether it adds another value.
    #[must_use]
    pub fn adds(self) -> bool {
        matches!(self, Self::Add | Self::AddRelu | Self::AddMask)
    }

    /// Whether another value says where it is 0.
    #[must_use]
    pub fn masks(self) -> bool {
        matches!(self, Self::Mask | Self::AddMask)
    }

    /// How many other values it reads.
    #[must_use]
    pub fn operands(self) -> usize {
        usize::from(self.adds()) + usize::from(self.masks())
    }

    /// Whether the op that it stands for can be carried out by the kernel that gives the op's input `input`.
    #[must_use]
    pub fn takes(self, input: usize) -> bool {
        input == 0 || self == Self::Add
    }
}

/// What a call's epilogue reads of some samples.
#[derive(Debug, Clone, Copy)]
pub struct Extras {
    residual: Option<Window>,
    mask: Option<Window>,
}

impl Extras {
    /// Their bindings, in the order of the shaders.
    pub fn bindings(&self) -> impl Iterator<Item = Binding> {
        self.residual.into_iter().chain(self.mask).map(|window| window.binding)
    }

    /// Base and stride of what is added and of what masks, in floats; 0 for what there is not.
    #[must_use]
    pub fn floats(&self) -> [u32; 4] {
        let of = |window: Option<Window>| window.map_or([0; 2], |window| [window.base, window.stride]);
        let ([r_base, r_stride], [m_base, m_stride]) = (of(self.residual), of(self.mask));
        [r_base, r_stride, m_base, m_stride]
    }

    /// [`Extras::floats`] in groups of four.
    #[must_use]
    pub fn quads(&self) -> [u32; 4] {
        self.floats().map(|floats| floats / 4)
    }
}

impl Call<'_> {
    /// What the epilogue reads.
    pub fn extra_slots(&self) -> impl Iterator<Item = Slot> + use<> {
        (self.own_inputs().len()..self.inputs.len()).map(Slot::Input)
    }

    /// The samples `batch` of what the epilogue reads.
    #[must_use]
    pub fn extras(&self, batch: &Range<usize>) -> Extras {
        let mut windows = self.extra_slots().map(|slot| self.window(slot, batch));
        let mut next = |reads: bool| if reads { windows.next() } else { None };
        let residual = next(self.epilogue.is_some_and(Epilogue::adds));
        Extras { residual, mask: next(self.epilogue.is_some_and(Epilogue::masks)) }
    }
}

impl Launch {
    /// Tells a shader of the call's epilogue: `common/epilogue`.
    #[must_use]
    pub fn epilogue(self, call: &Call<'_>) -> Self {
        let is = |what: fn(Epilogue) -> bool| call.epilogue.is_some_and(what);
        self.var("relu", is(Epilogue::relu)).var("residual", is(Epilogue::adds)).var("mask", is(Epilogue::masks))
    }
}
