//! From a call of a kernel (op, shapes, layouts) to dispatches over windows of its operands.

use std::ops::Range;

use crate::error::{Error, Result};
use crate::gpu::{Caps, ParamBlock, Vars};
use crate::graph::{Layout, Op};

use super::Epilogue;

/// Floats between two possible starts of a binding: 256 bytes.
pub(super) const ALIGNMENT: usize = 64;

/// Floats by which such a start, and a whole number of quads, can lengthen a binding.
pub(super) const SLACK: usize = ALIGNMENT + 4;

/// A value as one call sees it. Its places are counted in floats: two elements in 16 bits lie in the place of one.
#[derive(Debug, Clone)]
pub struct Operand {
    /// Its logical shape.
    pub shape: Vec<usize>,
    /// How it lies in memory.
    pub layout: Layout,
    /// Where it is a range of the channels of a larger image: that image's channels, and the first of the range.
    pub within: Option<(usize, usize)>,
}

impl Operand {
    /// Floats before its first element, from the start of its buffer range.
    #[must_use]
    pub fn base(&self) -> usize {
        match (self.within, self.shape.as_slice()) {
            (Some((_, first)), &[_, _, h, w]) => first * h * w / self.layout.per_float(),
            _ => 0,
        }
    }

    /// Elements of one sample, pad lanes included.
    #[must_use]
    pub fn elements(&self) -> usize {
        let mut one = self.shape.clone();
        if let Some(n) = one.first_mut() {
            *n = 1;
        }
        self.layout.elements(&one)
    }

    /// Floats of one sample, from the first to the last of its elements.
    #[must_use]
    pub fn sample(&self) -> usize {
        self.elements() / self.layout.per_float()
    }

    /// Floats from one sample to the next.
    #[must_use]
    pub fn stride(&self) -> usize {
        match (self.within, self.shape.as_slice()) {
            (Some((channels, _)), &[_, _, h, w]) if self.layout == Layout::Plain => channels * h * w,
            (Some((channels, _)), &[_, _, h, w]) => channels.next_multiple_of(4) * h * w / self.layout.per_float(),
            _ => self.sample(),
        }
    }

    /// The most floats that a binding of one sample can take: it starts at a multiple of 256 bytes.
    #[must_use]
    pub fn span(&self) -> usize {
        let whole = |floats: usize| floats.is_multiple_of(ALIGNMENT);
        let slack = if whole(self.base()) && whole(self.stride()) { 0 } else { SLACK };
        self.sample().next_multiple_of(4) + slack
    }

    /// Floats of its buffer range: the whole of a larger value it is a part of.
    #[must_use]
    pub fn floats(&self) -> usize {
        match (self.within, self.shape.as_slice()) {
            (Some((channels, _)), &[n, _, h, w]) => self.layout.floats(&[n, channels, h, w]),
            _ => self.layout.floats(&self.shape),
        }
    }
}

/// Which of a call's values a binding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slot {
    /// An input.
    Input(usize),
    /// An output.
    Output(usize),
    /// Memory that lives only for the call.
    Workspace(usize),
    /// Where a call notes that a value was beyond the range in which it is stored.
    Guard,
}

/// A range of a value that a dispatch binds, in floats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Binding {
    /// The value.
    pub slot: Slot,
    /// First float, a multiple of 64.
    pub offset: usize,
    /// Floats, a multiple of 4.
    pub len: usize,
}

/// A binding of some samples of an operand, and where they start inside it.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    /// What to bind.
    pub binding: Binding,
    /// Elements from the binding's start to the first sample's first.
    pub base: u32,
    /// Elements from one sample to the next.
    pub stride: u32,
}

/// One dispatch, over the values of its call.
#[derive(Debug, Clone)]
pub struct Launch {
    /// Path below `shaders/` without its ending.
    pub shader: &'static str,
    /// Template variables.
    pub vars: Vars,
    /// The bytes of its `Params`.
    pub params: Vec<u8>,
    /// Bindings 1, 2, …
    pub bindings: Vec<Binding>,
    /// Workgroups along each axis.
    pub workgroups: [u32; 3],
    /// Estimated floating-point operations, or bytes where moving them takes longer.
    pub work: u64,
}

impl Launch {
    /// A launch of `shader` with its uniform block.
    pub fn new<P: ParamBlock>(shader: &'static str, params: &P, bindings: Vec<Binding>, workgroups: [u32; 3]) -> Self {
        let params = bytemuck::bytes_of(params).to_vec();
        let work = bindings.iter().map(|binding| binding.len as u64 * 4).sum();
        Self { shader, vars: Vars::new(), params, bindings, workgroups, work }
    }

    /// Sets a template variable.
    #[must_use]
    pub fn var(mut self, name: &'static str, value: impl Into<i64>) -> Self {
        self.vars.insert(name, value.into());
        self
    }

    /// Sets the estimated work.
    #[must_use]
    pub fn work(mut self, work: u64) -> Self {
        self.work = work;
        self
    }
}

/// A call's dispatches and the memory they need besides its operands.
#[derive(Debug, Clone, Default)]
pub struct Lowered {
    /// Floats of each workspace.
    pub workspaces: Vec<usize>,
    /// The dispatches, in order.
    pub launches: Vec<Launch>,
    /// What of them can be done once for many runs.
    pub derived: Derived,
}

/// The first launches of a call that read its weight and nothing else, and write its first workspaces and nothing else:
/// a plan that does not change the weight runs them when it has changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Derived {
    /// How many launches.
    pub launches: usize,
    /// How many workspaces.
    pub workspaces: usize,
}

/// One call of a kernel version.
#[derive(Debug)]
pub struct Call<'a> {
    /// The op with its parameters.
    pub op: &'a dyn Op,
    /// What it reads: the op's inputs, then what the epilogue does.
    pub inputs: &'a [Operand],
    /// What it writes.
    pub outputs: &'a [Operand],
    /// What to compute on the first output before it is written.
    pub epilogue: Option<Epilogue>,
    /// The adapter.
    pub caps: &'a Caps,
}

impl Call<'_> {
    /// The operand of a slot.
    ///
    /// # Panics
    /// For a workspace or a number the call does not have: a mistake in a room's dispatch.
    #[must_use]
    pub fn operand(&self, slot: Slot) -> &Operand {
        match slot {
            Slot::Input(at) => &self.inputs[at],
            Slot::Output(at) => &self.outputs[at],
            Slot::Workspace(_) | Slot::Guard => panic!("a workspace is no operand"),
        }
    }

    /// The inputs of the op itself, without what the epilogue reads.
    #[must_use]
    pub fn own_inputs(&self) -> &[Operand] {
        &self.inputs[..self.inputs.len() - self.epilogue.map_or(0, Epilogue::operands)]
    }

    /// The whole of an operand in one binding.
    ///
    /// # Errors
    /// [`Error::Plan`] where it passes the adapter's limit.
    pub fn whole(&self, slot: Slot) -> Result<Binding> {
        let len = self.operand(slot).floats();
        self.check(len)?;
        Ok(Binding { slot, offset: 0, len })
    }

    /// A range of a workspace of `len` floats from `offset` on.
    #[must_use]
    pub fn workspace(&self, index: usize, offset: usize, len: usize) -> Binding {
        Binding { slot: Slot::Workspace(index), offset, len: len.next_multiple_of(4) }
    }

    /// Refuses a binding of `floats` beyond the adapter's limit.
    ///
    /// # Errors
    /// [`Error::Plan`].
    pub fn check(&self, floats: usize) -> Result<()> {
        let bytes = floats as u64 * 4;
        match bytes <= self.caps.max_binding {
            true => Ok(()),
            false => Err(Error::Plan {
                message: format!(
                    "{}: needs {bytes} bytes in one binding, the adapter allows {}",
                    self.op.kernel(),
                    self.caps.max_binding
                ),
                hint: "a smaller --size; batches are cut by themselves, and images too large by channels where the \
                       kernel allows it"
                    .into(),
            }),
        }
    }

    /// The samples `batch` of an operand.
    #[must_use]
    pub fn window(&self, slot: Slot, batch: &Range<usize>) -> Window {
        let operand = self.operand(slot);
        let first = operand.base() + batch.start * operand.stride();
        let last = operand.base() + (batch.end - 1) * operand.stride() + operand.sample();
        let offset = first / ALIGNMENT * ALIGNMENT;
        let len = (last - offset).next_multiple_of(4);
        let binding = Binding { slot, offset, len };
        let [base, stride] = [first - offset, operand.stride()].map(|floats| floats * operand.layout.per_float());
        Window { binding, base: base as u32, stride: stride as u32 }
    }

    /// The batch (the first dimension of the first of `slots`) in runs whose windows all keep to the adapter's limit.
    /// What a sample's result is must not depend on its run.
    ///
    /// # Errors
    /// [`Error::Plan`] where one sample alone passes the limit.
    pub fn batches(&self, slots: &[Slot]) -> Result<Vec<Range<usize>>> {
        let n = self.operand(slots[0]).shape.first().copied().unwrap_or(1);
        let limit = usize::try_from(self.caps.max_binding / 4).unwrap_or(usize::MAX);
        let mut most = n;
        for &slot in slots {
            let operand = self.operand(slot);
            if operand.floats() > limit {
                self.check(operand.span())?;
                most = most.min(1 + (limit - operand.span()) / operand.stride().max(1));
            }
        }
        let mut runs = Vec::with_capacity(n.div_ceil(most));
        let mut at = 0;
        while at < n {
            runs.push(at..(at + most).min(n));
            at += most;
        }
        Ok(runs)
    }

    /// Floating-point operations of the whole call.
    #[must_use]
    pub fn flops(&self) -> u64 {
        let shapes = |operands: &[Operand]| operands.iter().map(|o| o.shape.clone()).collect::<Vec<_>>();
        let (inputs, outputs) = (shapes(self.own_inputs()), shapes(self.outputs));
        let inputs: Vec<&[usize]> = inputs.iter().map(Vec::as_slice).collect();
        let outputs: Vec<&[usize]> = outputs.iter().map(Vec::as_slice).collect();
        self.op.flops(&inputs, &outputs)
    }
}

/// Workgroups for `count` of them along one axis, folded into two where one axis is too short; a shader gets its
/// number back as `workgroup_id.y * num_workgroups.x + workgroup_id.x`.
#[must_use]
pub fn fold(count: usize) -> [u32; 2] {
    const AXIS: usize = 65_535;
    let y = count.div_ceil(AXIS).max(1);
    [count.div_ceil(y) as u32, y as u32]
}
