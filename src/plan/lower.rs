//! From a graph to steps: which nodes run, by which version of their kernel, on values in which layout.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::gpu::Caps;
use crate::graph::{Graph, Layout, Op, Slab, Source, Value};
use crate::ops::layout::Convert;
use crate::ops::{self, Epilogue, Kernel, Operand, Prospect, Version, Worth, same_bits};
use crate::tensor::Tensor;

use super::rewrite::{AGAIN, Call, Program};
use super::views::take_views;
use super::{PlanOptions, Precision};

/// Where a planned value lives.
#[derive(Debug, Clone)]
pub(super) enum Home {
    /// In a pool, from its first write to its last read.
    Pool,
    /// In a buffer of its own that is written only when parameters have changed.
    Derived,
    /// In a buffer of its own that every run fills.
    Input(String),
    /// In a buffer of its own that is filled once.
    Constant(Tensor),
    /// In a slab, from this float on.
    Slab(Slab, usize),
}

/// A value in one layout.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub shape: Vec<usize>,
    pub layout: Layout,
    pub home: Home,
    /// A range of the channels of another item: that item, and the first channel.
    pub within: Option<(usize, usize)>,
    pub name: String,
}

/// One call of a kernel version on items.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub op: Arc<dyn Op>,
    pub name: String,
    pub version: &'static Version,
    pub epilogue: Option<Epilogue>,
    pub inputs: Vec<usize>,
    pub outputs: Vec<usize>,
    /// The call it belongs to, itself or as a conversion for it; past the last call for what outputs need.
    pub call: usize,
}

/// The steps of a plan in order.
#[derive(Debug, Default)]
pub(super) struct Steps {
    pub items: Vec<Item>,
    pub steps: Vec<Step>,
    /// Whether parameters stay as they are.
    pub fixed: bool,
    /// How many of the first steps run only when parameters have changed.
    pub prelude: usize,
    /// The items of the wanted outputs, row-major.
    pub outputs: Vec<usize>,
    /// The item of each value in the layout that it was computed in.
    pub values: HashMap<Value, usize>,
    /// Kernel to the version that was taken first, for the record.
    pub versions: BTreeMap<&'static str, &'static str>,
}

pub(super) fn lower(program: &Program<'_>, options: &PlanOptions, caps: &Caps) -> Result<Steps> {
    let Program { graph, calls, outputs } = program;
    let fixed = !calls.iter().any(|call| changes_weights(graph, call));
    let (steps, known) = (Steps { fixed, ..Steps::default() }, HashMap::new());
    let mut lowering = Lowering { graph, options, caps, steps, known, wanted: outputs, at: 0 };
    for (at, call) in calls.iter().enumerate() {
        lowering.at = at;
        lowering.call(call, &calls[at + 1..])?;
    }
    lowering.at = calls.len();
    lowering.place_rest()?;
    for &output in *outputs {
        let item = lowering.item(output, Layout::Plain)?;
        lowering.steps.outputs.push(item);
    }
    let Lowering { mut steps, known, .. } = lowering;
    steps.values = known.into_iter().filter_map(|(value, items)| Some((value, *items.first()?))).collect();
    if options.rewrite {
        hoist(&mut steps);
        take_views(&mut steps);
    }
    Ok(steps)
}

fn changes_weights(graph: &Graph, call: &Call) -> bool {
    call.op.in_place().iter().any(|&(input, _)| {
        matches!(graph.info(call.inputs[input]).source, Source::Slab(Slab::Weights) | Source::Param(_))
    })
}

/// Moves the steps that depend on parameters and constants alone to the front, into the prelude.
fn hoist(steps: &mut Steps) {
    // A plan that changes the parameters would have to run them every time.
    if !steps.fixed {
        return;
    }
    let changed: HashSet<usize> = steps
        .steps
        .iter()
        .flat_map(|step| step.op.in_place().iter().map(|&(_, output)| step.outputs[output]))
        .collect();
    let mut derived = HashSet::new();
    let (prelude, rest): (Vec<Step>, Vec<Step>) = std::mem::take(&mut steps.steps).into_iter().partition(|step| {
        let fixed = |item: &usize| {
            matches!(steps.items[*item].home, Home::Constant(_) | Home::Slab(Slab::Weights, _))
                || derived.contains(item)
        };
        let own = |item: &usize| matches!(steps.items[*item].home, Home::Pool) && !changed.contains(item);
        let hoisted = step.inputs.iter().all(fixed) && step.outputs.iter().all(own);
        if hoisted {
            derived.extend(step.outputs.iter().copied());
        }
        hoisted
    });
    // What only the prelude reads is done with when it ends.
    let kept: HashSet<usize> = rest.iter().flat_map(|step| &step.inputs).chain(&steps.outputs).copied().collect();
    for item in derived.intersection(&kept) {
        steps.items[*item].home = Home::Derived;
    }
    steps.prelude = prelude.len();
    steps.steps = prelude;
    steps.steps.extend(rest);
}

struct Lowering<'a> {
    graph: &'a Graph,
    options: &'a PlanOptions,
    caps: &'a Caps,
    steps: Steps,
    /// The items of a value, one a layout.
    known: HashMap<Value, Vec<usize>>,
    wanted: &'a [Value],
    /// The call that is lowered.
    at: usize,
}

impl Lowering<'_> {
    fn call(&mut self, call: &Call, later: &[Call]) -> Result<()> {
        let shapes = |values: &[Value]| values.iter().map(|&v| self.graph.shape(v).to_vec()).collect::<Vec<_>>();
        let (input_shapes, output_shapes) = (shapes(call.own_inputs()), shapes(&call.outputs));
        let inputs: Vec<&[usize]> = input_shapes.iter().map(Vec::as_slice).collect();
        let outputs: Vec<&[usize]> = output_shapes.iter().map(Vec::as_slice).collect();
        let mut offered = Vec::with_capacity(inputs.len());
        for &input in call.own_inputs() {
            let item = self.first_item(input)?;
            offered.push(self.steps.items[item].layout);
        }
        let kernel = kernel_of(&*call.op)?;
        let prospect =
            Prospect { caps: self.caps, op: &*call.op, inputs: &inputs, outputs: &outputs, fixed: self.steps.fixed };
        let (version, mut layouts) = choose(kernel, &prospect, &offered, self.options)?;
        // What an epilogue reads lies as the output does.
        layouts.inputs.resize(call.inputs.len(), layouts.outputs[0]);
        let mut input_items = Vec::with_capacity(call.inputs.len());
        for (&input, &layout) in call.inputs.iter().zip(&layouts.inputs) {
            input_items.push(match call.name.ends_with(AGAIN) {
                true => self.item_anew(input, layout)?,
                false => self.item(input, layout)?,
            });
        }
        let mut output_items = Vec::with_capacity(call.outputs.len());
        for (at, (&output, &layout)) in call.outputs.iter().zip(&layouts.outputs).enumerate() {
            let shared = call.op.in_place().iter().find(|&&(_, o)| o == at).map(|&(input, _)| input);
            let item = match shared {
                Some(input) => {
                    let value = call.inputs[input];
                    let read_later = later.iter().any(|later| later.inputs.contains(&value));
                    let constant = matches!(self.steps.items[input_items[input]].home, Home::Constant(_));
                    if constant || read_later && !self.in_slab(value) || self.wanted.contains(&value) {
                        input_items[input] = self.convert(input_items[input], layout, Home::Pool)?;
                    }
                    input_items[input]
                }
                None => self.new_item(output, layout),
            };
            self.known.entry(output).or_default().push(item);
            output_items.push(item);
        }
        self.steps.versions.entry(kernel.name).or_insert(version.shader);
        self.steps.steps.push(Step {
            op: Arc::clone(&call.op),
            name: call.name.clone(),
            version,
            epilogue: call.epilogue,
            inputs: input_items,
            outputs: output_items,
            call: self.at,
        });
        Ok(())
    }

    fn in_slab(&self, value: Value) -> bool {
        matches!(self.graph.info(value).source, Source::Slab(_) | Source::Param(_))
    }

    /// A new item for an output; a parameter's gradient is written straight to its place.
    fn new_item(&mut self, value: Value, layout: Layout) -> usize {
        let table = self.graph.param_table();
        let placed = self
            .graph
            .placed_gradients()
            .iter()
            .find(|(param, placed)| *placed == value && table.entries()[*param].layout == layout);
        let home = placed.map_or(Home::Pool, |&(param, _)| Home::Slab(Slab::Gradients, table.entries()[param].offset));
        self.push_item(self.graph.shape(value).to_vec(), layout, home, self.graph.info(value).name.clone())
    }

    fn push_item(&mut self, shape: Vec<usize>, layout: Layout, home: Home, name: String) -> usize {
        self.steps.items.push(Item { shape, layout, home, within: None, name });
        self.steps.items.len() - 1
    }

    fn first_item(&mut self, value: Value) -> Result<usize> {
        if let Some(&item) = self.known.get(&value).and_then(|items| items.first()) {
            return Ok(item);
        }
        let info = self.graph.info(value);
        let (layout, home) = match &info.source {
            Source::Input => (Layout::Plain, Home::Input(info.name.clone())),
            Source::Constant(tensor) => (Layout::Plain, Home::Constant(tensor.clone())),
            Source::Slab(slab) => (Layout::Plain, Home::Slab(slab.clone(), 0)),
            &Source::Param(at) => {
                let table = self.graph.param_table();
                (table.entries()[at].layout, Home::Slab(Slab::Weights, table.entries()[at].offset))
            }
            Source::Node { .. } => {
                return Err(Error::Plan {
                    message: format!("a value of {} is read before it is computed", info.name),
                    hint: "this is a defect of a rewrite; plan without rewrites".into(),
                });
            }
        };
        if matches!(info.source, Source::Slab(Slab::Gradients)) {
            self.place_rest()?;
        }
        let item = self.push_item(info.shape.clone(), layout, home, info.name.clone());
        self.known.entry(value).or_default().push(item);
        Ok(item)
    }

    /// The item of a value in `layout`, converted where it is not there yet.
    fn item(&mut self, value: Value, layout: Layout) -> Result<usize> {
        let first = self.first_item(value)?;
        let known = &self.known[&value];
        if let Some(&item) = known.iter().find(|&&item| self.steps.items[item].layout == layout) {
            return Ok(item);
        }
        let item = self.convert(first, layout, Home::Pool)?;
        self.known.entry(value).or_default().push(item);
        Ok(item)
    }

    /// [`Lowering::item`] for a call that runs again: what is there all along is converted once more, for the item that it was
    /// converted to would have to be kept from the first time on.
    fn item_anew(&mut self, value: Value, layout: Layout) -> Result<usize> {
        let first = self.first_item(value)?;
        let Item { layout: own, home, .. } = &self.steps.items[first];
        match matches!(home, Home::Input(_)) && *own != layout {
            true => self.convert(first, layout, Home::Pool),
            false => self.item(value, layout),
        }
    }

    fn convert(&mut self, from: usize, to: Layout, home: Home) -> Result<usize> {
        let Item { shape, layout, name, .. } = self.steps.items[from].clone();
        if layout != Layout::Plain && to != Layout::Plain && layout.single() != to.single() {
            let plain = self.convert(from, Layout::Plain, Home::Pool)?;
            return self.convert(plain, to, home);
        }
        let op = Convert { from: layout, to };
        let kernel = kernel_of(&op)?;
        let shapes: &[&[usize]] = &[&shape];
        let prospect = Prospect { caps: self.caps, op: &op, inputs: shapes, outputs: shapes, fixed: self.steps.fixed };
        let (version, _) = choose(kernel, &prospect, &[layout], self.options)?;
        let item = self.push_item(shape, to, home, name.clone());
        let (op, epilogue) = (Arc::new(op) as Arc<dyn Op>, None);
        let (inputs, outputs, call) = (vec![from], vec![item], self.at);
        self.steps.steps.push(Step { op, name, version, epilogue, inputs, outputs, call });
        Ok(item)
    }

    /// Brings the gradients that are not where they belong to the slab of gradients.
    fn place_rest(&mut self) -> Result<()> {
        let table = self.graph.param_table();
        for &(param, value) in self.graph.placed_gradients() {
            let entry = &table.entries()[param];
            if self.graph.producer(value).is_some() && !self.known.contains_key(&value) {
                continue;
            }
            let first = self.first_item(value)?;
            let home = |item: &Item| matches!(&item.home, Home::Slab(Slab::Gradients, at) if *at == entry.offset);
            if !self.steps.items.iter().any(home) {
                self.convert(first, entry.layout, Home::Slab(Slab::Gradients, entry.offset))?;
            }
        }
        Ok(())
    }
}

fn kernel_of(op: &dyn Op) -> Result<&'static Kernel> {
    let unknown = || Error::Plan {
        message: format!("no room has a kernel {}", op.kernel()),
        hint: "an op's kernel must be listed in OPS".into(),
    };
    ops::kernel(op.kernel()).ok_or_else(unknown)
}

/// Whether values may be stored in 16 bits: asked for, and what takes them there and back is not forbidden.
fn halves(options: &PlanOptions) -> bool {
    let possible = |kernel: &Kernel| {
        let only = options.only.get(kernel.name);
        let mut halves = kernel.versions.iter().filter(|version| version.requires.half);
        halves.any(|v| !options.avoid.contains(v.shader) && only.is_none_or(|only| only == v.shader))
    };
    options.precision == Precision::F16 && ops::kernel("layout.convert").is_some_and(possible)
}

/// The last version that pays, of those that the adapter can run, the shapes allow and the options do not forbid; or that
/// which was measured to be faster than it.
fn choose(
    kernel: &'static Kernel,
    prospect: &Prospect<'_>,
    offered: &[Layout],
    options: &PlanOptions,
) -> Result<(&'static Version, ops::Layouts)> {
    let &Prospect { caps, op, inputs, outputs, .. } = prospect;
    let halves = halves(options);
    let precise = |version: &&Version| halves || !version.requires.half;
    let allowed = |version: &&Version| {
        precise(version)
            && !options.avoid.contains(version.shader)
            && options.only.get(kernel.name).is_none_or(|only| only == version.shader)
    };
    let versions: Vec<_> = match kernel.versions.iter().filter(allowed).collect::<Vec<_>>() {
        some if !some.is_empty() => some,
        _ => kernel.versions.iter().take(1).collect(),
    };
    let asked = options.only.contains_key(kernel.name);
    let unmeasured = asked || kernel.versions.len() < 2;
    let fitting = |version: &'static Version| {
        let runs = version.requires.missing(caps).is_none();
        runs.then(|| Some((version, (version.layouts)(op, inputs, outputs, offered)?))).flatten()
    };
    let expected = |version: &&'static Version| match (version.pays)(prospect) {
        Worth::Faster => true,
        Worth::Slower => asked,
        Worth::Impossible => false,
    };
    let usual = versions.iter().rev().copied().filter(expected).find_map(fitting);
    // A row says what is faster than the version that it was measured beside: where one with other results is usual, it says
    // nothing.
    let measured = options.table.as_ref().filter(|_| !unmeasured).and_then(|table| {
        let (beside, _) = usual.as_ref()?;
        let row = table.get(kernel.name, &ops::class(prospect, beside.requires.half))?;
        if row.version == row.usual || same_bits(beside.shader) != same_bits(&row.usual) {
            return None;
        }
        let possible = |version: &Version| (version.pays)(prospect) != Worth::Impossible;
        let version = versions.iter().copied().find(|v| v.shader == row.version && possible(v))?;
        fitting(version)
    });
    // A version that is asked for but cannot take these shapes gives way to the plainest, which takes all.
    let plainest = || {
        let version = kernel.versions.first()?;
        Some((version, (version.layouts)(op, inputs, outputs, offered)?))
    };
    measured.or(usual).or_else(plainest).ok_or_else(|| Error::Plan {
        message: format!("no version of {} takes inputs {inputs:?} on {}", kernel.name, caps.adapter.name),
        hint: "see nevus check for what was skipped and why".into(),
    })
}

impl Steps {
    /// The slabs that a run changes, without the gradients, which are the plan's own.
    pub fn written(&self) -> HashSet<Slab> {
        let items = self.steps.iter().flat_map(|step| &step.outputs);
        let slabs = items.filter_map(|&item| match &self.items[item].home {
            Home::Slab(slab, _) if *slab != Slab::Gradients => Some(slab.clone()),
            _ => None,
        });
        slabs.collect()
    }

    /// The item at the end of a chain of ranges, and the first channel in it.
    pub fn root(&self, item: usize) -> (usize, usize) {
        let (mut at, mut first) = (item, 0);
        while let Some((parent, channel)) = self.items[at].within {
            first += channel;
            at = parent;
        }
        (at, first)
    }

    /// An item as a call sees it.
    pub fn operand(&self, item: usize) -> Operand {
        let Item { shape, layout, .. } = &self.items[item];
        let (root, first) = self.root(item);
        let within = (root != item).then(|| (self.items[root].shape[1], first));
        Operand { shape: shape.clone(), layout: *layout, within }
    }
}
