//! What changes in a graph before its nodes are lowered: nodes that nothing needs are dropped, norms go into the weights
//! before them, and elementwise ops into the kernels before them. No rewrite knows an op by its name; ops and kernels say
//! what can be done with them.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use crate::error::Result;
use crate::graph::{Graph, Op, Slab, Source, Value};
use crate::ops::{self, Epilogue};

/// What the name of a call that is repeated ends in.
pub(super) const AGAIN: &str = " again";

/// A node after the rewrites.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub op: Arc<dyn Op>,
    pub name: String,
    /// The op's inputs, then what the epilogue reads.
    pub inputs: Vec<Value>,
    pub outputs: Vec<Value>,
    pub epilogue: Option<Epilogue>,
}

impl Call {
    /// The inputs of the op itself.
    pub fn own_inputs(&self) -> &[Value] {
        &self.inputs[..self.inputs.len() - self.epilogue.map_or(0, Epilogue::operands)]
    }
}

/// A graph's nodes after the rewrites, in order, with what they compute.
#[derive(Debug)]
pub(super) struct Program<'a> {
    pub graph: Cow<'a, Graph>,
    pub calls: Vec<Call>,
    /// What is read after the last call.
    pub outputs: &'a [Value],
}

impl<'a> Program<'a> {
    /// What `outputs` and changes of slabs depend on, rewritten where that is wanted.
    ///
    /// # Errors
    /// What an op says of the shapes that a rewrite gives it.
    pub fn new(graph: &'a Graph, outputs: &'a [Value], rewritten: bool) -> Result<Self> {
        let mut graph = Cow::Borrowed(graph);
        let mut calls = reachable(&graph, outputs);
        if rewritten {
            fold(&mut graph, &mut calls, outputs)?;
            fuse_epilogues(&graph, &mut calls, outputs);
        }
        Ok(Self { graph, calls, outputs })
    }

    /// The program that runs the calls of these numbers, in which each comes at least once. Who reads a value reads what
    /// its latest call gave.
    ///
    /// # Errors
    /// As [`Program::new`].
    pub fn repeated(&self, sequence: &[usize]) -> Result<Self> {
        let mut graph = self.graph.clone();
        let mut calls = Vec::with_capacity(sequence.len());
        let mut latest: HashMap<Value, Value> = HashMap::new();
        let mut seen = vec![false; self.calls.len()];
        for &at in sequence {
            let mut call = self.calls[at].clone();
            for input in &mut call.inputs {
                *input = latest.get(input).copied().unwrap_or(*input);
            }
            if std::mem::replace(&mut seen[at], true) {
                call.name.push_str(AGAIN);
                let (name, op) = (call.name.clone(), Arc::clone(&call.op));
                let fresh = graph.to_mut().scoped(&name, |graph| graph.push_arc(op, call.own_inputs()))?;
                latest.extend(self.calls[at].outputs.iter().copied().zip(fresh.iter().copied()));
                call.outputs = fresh;
            }
            calls.push(call);
        }
        Ok(Self { graph, calls, outputs: self.outputs })
    }
}

/// The nodes on which outputs and changes of slabs depend, in order.
fn reachable(graph: &Graph, outputs: &[Value]) -> Vec<Call> {
    let mut wanted: HashSet<usize> = outputs.iter().map(|value| value.0).collect();
    let effects: HashSet<usize> = graph.effects().iter().copied().collect();
    let mut keep = vec![false; graph.nodes().len()];
    let reads_gradients = |value: &Value| matches!(graph.info(*value).source, Source::Slab(Slab::Gradients));
    if outputs.iter().any(reads_gradients) {
        wanted.extend(graph.placed_gradients().iter().map(|(_, value)| value.0));
    }
    for (at, node) in graph.nodes().iter().enumerate().rev() {
        keep[at] = effects.contains(&at) || node.outputs.iter().any(|output| wanted.contains(&output.0));
        if keep[at] {
            wanted.extend(node.inputs.iter().map(|input| input.0));
            if node.inputs.iter().any(reads_gradients) {
                wanted.extend(graph.placed_gradients().iter().map(|(_, value)| value.0));
            }
        }
    }
    let nodes = graph.nodes().iter().zip(keep).filter(|(_, keep)| *keep);
    nodes
        .map(|(node, _)| Call {
            op: Arc::clone(&node.op),
            name: node.name.clone(),
            inputs: node.inputs.clone(),
            outputs: node.outputs.clone(),
            epilogue: None,
        })
        .collect()
}

/// How often each value is read, by calls, by the plan's outputs and by the slab of gradients.
fn readers(graph: &Graph, calls: &[Call], outputs: &[Value]) -> HashMap<Value, usize> {
    let mut readers = HashMap::new();
    let placed = graph.placed_gradients().iter().map(|(_, value)| *value);
    for value in calls.iter().flat_map(|call| call.inputs.iter().copied()).chain(outputs.iter().copied()).chain(placed)
    {
        *readers.entry(value).or_default() += 1;
    }
    readers
}

/// The call that gives `value` as its first output.
fn producer(calls: &[Call], value: Value) -> Option<usize> {
    calls.iter().position(|call| call.outputs.first() == Some(&value))
}

/// Takes an op that scales and shifts channels into the weight and bias of the op before it, where nothing else reads
/// what is between and both depend on parameters alone. `graph` gets the nodes that compute the new weight and bias.
fn fold(graph: &mut Cow<'_, Graph>, calls: &mut Vec<Call>, outputs: &[Value]) -> Result<()> {
    let readers = readers(graph, calls, outputs);
    let fixed =
        |graph: &Graph, value: &Value| matches!(graph.info(*value).source, Source::Param(_) | Source::Constant(_));
    for at in 0..calls.len() {
        let norm = &calls[at];
        let Some((linear, op)) = norm.inputs.first().and_then(|&value| {
            let linear = producer(&calls[..at], value)?;
            let op = norm.op.fold(calls[linear].op.weight_channels()?)?;
            let only = readers[&value] == 1 && calls[linear].epilogue.is_none() && norm.outputs.len() == 1;
            let unchanged = calls[linear..at].iter().all(|call| call.op.in_place().is_empty());
            (only && unchanged).then_some((linear, op))
        }) else {
            continue;
        };
        let inputs: Vec<Value> = calls[linear].inputs[1..].iter().chain(&norm.inputs[1..]).copied().collect();
        if !inputs.iter().all(|value| fixed(graph, value)) {
            continue;
        }
        let (name, result) = (norm.name.clone(), norm.outputs.clone());
        let folded = graph.to_mut().scoped(&name, |graph| graph.push_arc(Arc::clone(&op), &inputs))?;
        calls.remove(at);
        calls[linear].inputs.truncate(1);
        calls[linear].inputs.extend(&folded);
        calls[linear].outputs = result;
        calls.insert(linear, Call { op, name, inputs, outputs: folded, epilogue: None });
    }
    Ok(())
}

/// Lets a kernel carry out the elementwise ops that follow it, where only they read its output.
fn fuse_epilogues(graph: &Graph, calls: &mut Vec<Call>, outputs: &[Value]) {
    let readers = readers(graph, calls, outputs);
    let mut at = 0;
    while at < calls.len() {
        match carrier(calls, at, &readers) {
            Some((carrier, input, epilogue)) => {
                let fused = calls.remove(at);
                let mut call = calls[carrier].clone();
                call.outputs[0] = fused.outputs[0];
                call.epilogue = Some(epilogue);
                let others = others(&fused, input);
                call.inputs.extend(&others);
                if late(calls, carrier..at, &others) {
                    calls.remove(carrier);
                    calls.insert(at - 1, call);
                } else {
                    calls[carrier] = call;
                }
            }
            None => at += 1,
        }
    }
}

/// What an elementwise call reads besides its input `input`.
fn others(call: &Call, input: usize) -> Vec<Value> {
    call.inputs.iter().enumerate().filter(|&(place, _)| place != input).map(|(_, &value)| value).collect()
}

/// Whether some of `values` is computed only among the calls `between`, so that who reads it must come after them.
fn late(calls: &[Call], between: Range<usize>, values: &[Value]) -> bool {
    values.iter().any(|value| calls[between.clone()].iter().any(|call| call.outputs.contains(value)))
}

/// The call that can carry out call `at`, which of its inputs that call gives, and the epilogue it then has. Of two, the
/// later one: what it reads is there already.
fn carrier(calls: &[Call], at: usize, readers: &HashMap<Value, usize>) -> Option<(usize, usize, Epilogue)> {
    let next = ops::as_epilogue(&*calls[at].op)?;
    let found = calls[at].inputs.iter().enumerate().filter_map(|(input, &value)| {
        let carrier = producer(&calls[..at], value)?;
        let call = &calls[carrier];
        let epilogue = call.epilogue.map_or(Some(next), |own| own.then(next))?;
        let carries = next.takes(input) && ops::kernel(call.op.kernel())?.epilogues.contains(&epilogue);
        // It may have to run later, so nothing on the way may change what it reads, or read what else it gives.
        let unchanged = calls[carrier..at].iter().all(|call| call.op.in_place().is_empty());
        let read = |later: &Call| call.outputs[1..].iter().any(|output| later.inputs.contains(output));
        let stuck = calls[carrier..at].iter().any(read) && late(calls, carrier..at, &others(&calls[at], input));
        let free = next.operands() == 0 || unchanged && !stuck;
        (carries && readers[&value] == 1 && free).then_some((carrier, input, epilogue))
    });
    found.max_by_key(|&(carrier, ..)| carrier)
}
