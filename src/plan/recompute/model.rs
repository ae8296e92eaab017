//! What the search knows of a program: sizes of values, what calls cost and read, and the bytes alive at each call.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::graph::{Source, Value, View};
use crate::plan::draft::Draft;
use crate::plan::lower::Home;
use crate::plan::rewrite::Program;

/// Operations that moving one byte counts as: what is cheap in arithmetic still has to read and write.
const OPERATIONS_A_BYTE: u64 = 4;

/// A call as the search sees it; values are numbers into [`Model::bytes`], those in pools alone.
#[derive(Debug, Clone, Default)]
pub(super) struct Entry {
    /// Each once.
    pub inputs: Vec<usize>,
    pub outputs: Vec<usize>,
    /// Bytes that live only while it runs.
    pub workspace: u64,
    /// Operations and moved bytes, at least 1.
    pub cost: u64,
    /// Whether running it again changes nothing but memory and time.
    pub repeatable: bool,
    /// Whether it changes something in place: after it, what came before may not be computed again.
    pub changes: bool,
    /// How its output shares memory with its inputs, where the plan runs no kernel for it.
    pub view: Option<View>,
}

/// A program's calls and values.
#[derive(Debug, Clone, Default)]
pub(super) struct Model {
    pub calls: Vec<Entry>,
    /// Of each value.
    pub bytes: Vec<u64>,
    /// The call that gives each value.
    pub producer: Vec<usize>,
    /// Values that are read after the last call.
    pub outputs: Vec<usize>,
}

impl Model {
    /// What `draft` made of `program`.
    pub fn new(program: &Program<'_>, draft: &Draft) -> Self {
        let Draft { steps, lowered, flops, .. } = draft;
        let mut model = Self { calls: vec![Entry::default(); program.calls.len()], ..Self::default() };
        let mut run = vec![false; program.calls.len()];
        for ((step, lowered), flops) in steps.steps.iter().zip(lowered).zip(flops) {
            let Some(entry) = model.calls.get_mut(step.call) else { continue };
            entry.workspace = entry.workspace.max(lowered.workspaces.iter().map(|&floats| floats as u64 * 4).sum());
            entry.cost += flops;
            run[step.call] |= Arc::ptr_eq(&step.op, &program.calls[step.call].op);
        }
        let placed = program.graph.placed_gradients().iter().map(|&(_, value)| value);
        let wanted: HashSet<Value> = placed.chain(program.outputs.iter().copied()).collect();
        let mut numbers: HashMap<Value, usize> = HashMap::new();
        for (at, call) in program.calls.iter().enumerate() {
            let changes = !call.op.in_place().is_empty();
            for &output in call.outputs.iter().filter(|_| !changes) {
                let item = steps.values.get(&output).map(|&item| &steps.items[item]);
                if let Some(item) = item.filter(|item| matches!(item.home, Home::Pool)) {
                    numbers.insert(output, model.bytes.len());
                    model.calls[at].outputs.push(model.bytes.len());
                    model.bytes.push(item.layout.floats(&item.shape) as u64 * 4);
                    model.producer.push(at);
                }
            }
            let shapes: Vec<&[usize]> = call.inputs.iter().map(|&value| program.graph.shape(value)).collect();
            let slab = |value: &Value| matches!(program.graph.info(*value).source, Source::Slab(_));
            let entry = &mut model.calls[at];
            for number in call.inputs.iter().filter_map(|value| numbers.get(value)) {
                if !entry.inputs.contains(number) {
                    entry.inputs.push(*number);
                }
            }
            entry.view = if run[at] { None } else { call.op.view(&shapes) };
            entry.changes = changes;
            entry.repeatable = !changes
                && entry.outputs.len() == call.outputs.len()
                && !call.outputs.iter().any(|output| wanted.contains(output))
                && !call.inputs.iter().any(slab);
            let moved = entry.inputs.iter().chain(&entry.outputs).map(|&value| model.bytes[value]).sum::<u64>();
            entry.cost += if entry.view.is_some() { 1 } else { OPERATIONS_A_BYTE * moved + 1 };
        }
        model.outputs = program.outputs.iter().filter_map(|value| numbers.get(value).copied()).collect();
        model
    }

    /// What it costs to run these calls.
    pub fn cost(&self, calls: &[usize]) -> f64 {
        calls.iter().map(|&call| self.calls[call].cost).sum::<u64>() as f64
    }
}

/// Where one computation of a value lives.
#[derive(Debug, Clone, Copy)]
struct Object {
    bytes: u64,
    /// Positions of the first and the last call that touches it; none yet where the first is after the last.
    first: usize,
    last: usize,
    /// The object whose channels it is a range of.
    within: Option<usize>,
}

/// The bytes alive at each call of a sequence; kept from one to the next for its buffers.
#[derive(Debug, Default)]
pub(super) struct Profile {
    /// Of the sequence it was filled for last.
    pub live: Vec<u64>,
    objects: Vec<Object>,
    /// The object that a value's latest computation is.
    latest: Vec<usize>,
    /// Bytes that begin and that end at each position.
    changes: Vec<[u64; 2]>,
}

impl Profile {
    /// Follows `sequence`, in which every value is computed before it is read.
    pub fn fill(&mut self, model: &Model, sequence: &[usize]) {
        self.objects.clear();
        self.latest.clear();
        self.latest.resize(model.bytes.len(), usize::MAX);
        for (at, &call) in sequence.iter().enumerate() {
            let entry = &model.calls[call];
            for &output in &entry.outputs {
                self.latest[output] = self.objects.len();
                let bytes = model.bytes[output];
                self.objects.push(Object { bytes, first: usize::MAX, last: 0, within: None });
            }
            if !self.share(entry) {
                entry.inputs.iter().chain(&entry.outputs).for_each(|&value| self.touch(value, at));
            }
        }
        model.outputs.iter().for_each(|&value| self.touch(value, sequence.len().saturating_sub(1)));
        self.changes.clear();
        self.changes.resize(sequence.len() + 1, [0; 2]);
        for at in 0..self.objects.len() {
            let Object { first, last, .. } = self.objects[at];
            let mut root = at;
            while let Some(whole) = self.objects[root].within {
                root = whole;
            }
            if first <= last {
                let whole = &mut self.objects[root];
                (whole.first, whole.last) = (whole.first.min(first), whole.last.max(last));
            }
        }
        for object in self.objects.iter().filter(|object| object.within.is_none() && object.first <= object.last) {
            self.changes[object.first][0] += object.bytes;
            self.changes[object.last + 1][1] += object.bytes;
        }
        self.live.clear();
        let mut alive = 0;
        for (&call, [begins, ends]) in sequence.iter().zip(&self.changes) {
            alive = alive + begins - ends;
            self.live.push(alive + model.calls[call].workspace);
        }
    }

    fn touch(&mut self, value: usize, at: usize) {
        let object = &mut self.objects[self.latest[value]];
        (object.first, object.last) = (object.first.min(at), object.last.max(at));
    }

    /// Lets a view share its inputs' memory, as [`crate::plan::views`] will; whether it could.
    fn share(&mut self, entry: &Entry) -> bool {
        let Some(&output) = entry.outputs.first() else { return false };
        let output = self.latest[output];
        match entry.view {
            Some(View::Concat) => {
                // A part that is a range of something else already is copied, and all the others with it.
                if entry.inputs.iter().any(|&part| self.objects[self.latest[part]].within.is_some()) {
                    return false;
                }
                for &part in &entry.inputs {
                    self.objects[self.latest[part]].within = Some(output);
                }
                true
            }
            Some(View::Slice { .. }) => {
                self.objects[output].within = entry.inputs.first().map(|&source| self.latest[source]);
                true
            }
            None => false,
        }
    }
}
