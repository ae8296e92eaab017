//! Concatenations and slices as ranges of the channels of a larger value.

use std::collections::HashSet;

use crate::graph::View;

use super::lower::{Home, Item, Step, Steps};

/// Concatenations and slices cost nothing where every kernel that touches the parts can work on a range of channels.
pub(super) fn take_views(steps: &mut Steps) {
    let mut at = 0;
    while at < steps.steps.len() {
        let step = steps.steps[at].clone();
        let shapes: Vec<&[usize]> = step.inputs.iter().map(|&item| steps.items[item].shape.as_slice()).collect();
        let taken = match step.op.view(&shapes) {
            Some(View::Concat) => take_concat(steps, at, &step),
            Some(View::Slice { start }) => take_slice(steps, at, &step, start),
            None => false,
        };
        if taken {
            steps.steps.remove(at);
            steps.prelude -= usize::from(at < steps.prelude);
        } else {
            at += 1;
        }
    }
}

/// Whether every other step that touches `item` works on ranges, and `item` is the plan's to place.
fn movable(steps: &Steps, item: usize, except: usize) -> bool {
    let Item { home, layout, within, .. } = &steps.items[item];
    let touched = |step: &Step| step.inputs.contains(&item) || step.outputs.contains(&item);
    let ranges = steps.steps.iter().enumerate().all(|(at, step)| at == except || !touched(step) || step.version.views);
    matches!(home, Home::Pool) && layout.is_image() && within.is_none() && ranges && !steps.outputs.contains(&item)
}

fn take_concat(steps: &mut Steps, at: usize, step: &Step) -> bool {
    let whole = step.outputs[0];
    if !movable(steps, whole, at) || step.inputs.iter().collect::<HashSet<_>>().len() < step.inputs.len() {
        return false;
    }
    let mut first = 0;
    let mut places = Vec::with_capacity(step.inputs.len());
    for &part in &step.inputs {
        let alike = steps.items[part].layout == steps.items[whole].layout;
        if first % 4 != 0 || !alike || !movable(steps, part, at) {
            return false;
        }
        places.push((part, first));
        first += steps.items[part].shape[1];
    }
    for (part, first) in places {
        steps.items[part].within = Some((whole, first));
    }
    true
}

fn take_slice(steps: &mut Steps, at: usize, step: &Step, start: usize) -> bool {
    let (source, part) = (step.inputs[0], step.outputs[0]);
    let alike = steps.items[source].layout == steps.items[part].layout;
    if !start.is_multiple_of(4) || !alike || !movable(steps, part, at) {
        return false;
    }
    // The range ends where the source does or on a whole group, else its last group would hold foreign channels.
    let end = start + steps.items[part].shape[1];
    if !end.is_multiple_of(4) && end != steps.items[source].shape[1] {
        return false;
    }
    steps.items[part].within = Some((source, start));
    true
}
