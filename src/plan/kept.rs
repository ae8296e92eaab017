//! What calls make of their weights alone: kept from run to run where the plan leaves parameters as they are.

use crate::graph::Slab;
use crate::ops::{Launch, Lowered, Slot};

use super::lower::{Home, Step, Steps};

/// The part of a step that runs only when parameters have changed.
#[derive(Debug, Clone, Default)]
pub(super) struct Kept {
    /// Its launches, which are none of the step's any more.
    pub launches: Vec<Launch>,
    /// How many of the step's workspaces, the first ones, they write: these keep their values.
    pub workspaces: usize,
}

/// Takes out of `lowered` what can be kept.
pub(super) fn take(steps: &Steps, lowered: &mut [Lowered]) -> Vec<Kept> {
    let keep = |(at, (step, lowered)): (usize, (&Step, &mut Lowered))| {
        let reads_weights = lowered.launches[..lowered.derived.launches].iter().all(|launch| {
            launch.bindings.iter().all(|binding| match binding.slot {
                Slot::Input(input) => {
                    let home = &steps.items[step.inputs[input]].home;
                    matches!(home, Home::Constant(_) | Home::Derived | Home::Slab(Slab::Weights, _))
                }
                Slot::Workspace(index) => index < lowered.derived.workspaces,
                Slot::Output(_) | Slot::Guard => false,
            })
        });
        match steps.fixed && at >= steps.prelude && reads_weights {
            true => Kept {
                launches: lowered.launches.drain(..lowered.derived.launches).collect(),
                workspaces: lowered.derived.workspaces,
            },
            false => Kept::default(),
        }
    };
    steps.steps.iter().zip(lowered).enumerate().map(keep).collect()
}
