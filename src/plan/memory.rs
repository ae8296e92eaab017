//! Where every value of a plan lives: lifetimes to offsets in a few pool buffers, and what that takes.

use serde::Serialize;

use crate::error::{Error, Result};
use crate::gpu::Caps;
use crate::graph::{ParamTable, Slab};
use crate::ops::Lowered;

use super::draft::Draft;
use super::kept::Kept;
use super::lower::{Home, Steps};
use super::recompute::Recomputed;
use super::resident::staging_bytes;

/// Bytes of device memory by kind, before anything is allocated.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Memory {
    /// Parameters.
    pub weights: u64,
    /// Gradients of parameters.
    pub gradients: u64,
    /// Optimizer moments and averages.
    pub states: u64,
    /// Inputs and constants.
    pub inputs: u64,
    /// What depends on parameters alone and is kept from run to run: weights with folded norms, or as kernels read them.
    pub derived: u64,
    /// Pools, in which activations, their gradients and workspaces share memory.
    pub pools: u64,
    /// What the values in the pools would take without sharing.
    pub unshared: u64,
    /// The part of `unshared` that is workspaces: of all that a call needs for itself, what is not kept.
    pub workspaces: u64,
    /// Staging buffers for uploads.
    pub staging: u64,
    /// What is computed again rather than kept; `None` where that was not asked for.
    pub recomputed: Option<Recomputed>,
}

impl Memory {
    /// What the plan takes on the device.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.weights + self.gradients + self.states + self.inputs + self.derived + self.pools + self.staging
    }
}

impl std::fmt::Display for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        write!(
            f,
            "{:.1} MiB: weights {:.1}, gradients {:.1}, optimizer {:.1}, activations and workspaces {:.1} (unshared {:.1}), \
             inputs {:.1}, derived {:.1}, staging {:.1}",
            mib(self.total()),
            mib(self.weights),
            mib(self.gradients),
            mib(self.states),
            mib(self.pools),
            mib(self.unshared),
            mib(self.inputs),
            mib(self.derived),
            mib(self.staging)
        )?;
        match &self.recomputed {
            None => Ok(()),
            Some(Recomputed { calls, flops, flops_once, pools_kept }) => {
                let more = *flops as f64 / (*flops_once).max(1) as f64 * 100.0;
                let (pools, kept) = (mib(self.pools), mib(*pools_kept));
                write!(
                    f,
                    "; recompute: {calls} calls again, +{more:.0} % work, pools {pools:.1} MiB instead of {kept:.1} MiB"
                )
            }
        }
    }
}

/// A place in a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub pool: usize,
    /// Bytes, a multiple of the adapter's offset alignment.
    pub offset: u64,
    pub bytes: u64,
}

/// The places of items and workspaces.
#[derive(Debug, Default)]
pub(super) struct Places {
    pub items: Vec<Option<Place>>,
    /// Of each step, but for those that are kept.
    pub workspaces: Vec<Vec<Place>>,
    /// Bytes of each pool.
    pub pools: Vec<u64>,
}

/// The steps between which bytes are in use.
struct Life {
    first: usize,
    last: usize,
    bytes: u64,
}

/// Gives everything in pools a place. With `share`, values whose lifetimes do not meet share memory.
pub(super) fn place(steps: &Steps, lowered: &[Lowered], kept: &[Kept], share: bool, caps: &Caps) -> Result<Places> {
    let align = caps.offset_alignment;
    let mut lives: Vec<Option<Life>> = steps.items.iter().map(|_| None).collect();
    let mut touch = |item: usize, at: usize| {
        let (root, _) = steps.root(item);
        if matches!(steps.items[root].home, Home::Pool) {
            let bytes = (steps.operand(root).floats() as u64 * 4).max(16).next_multiple_of(align);
            let life = lives[root].get_or_insert(Life { first: at, last: at, bytes });
            life.first = life.first.min(at);
            life.last = life.last.max(at);
        }
    };
    for (at, step) in steps.steps.iter().enumerate() {
        step.inputs.iter().chain(&step.outputs).for_each(|&item| touch(item, at));
    }
    // Outputs are read after the last step.
    steps.outputs.iter().for_each(|&item| touch(item, steps.steps.len()));
    let mut all: Vec<(Option<usize>, usize, Life)> = Vec::new();
    for (item, life) in lives.into_iter().enumerate() {
        all.extend(life.map(|life| (Some(item), 0, life)));
    }
    for (at, lowered) in lowered.iter().enumerate() {
        for (index, &floats) in lowered.workspaces.iter().enumerate().skip(kept[at].workspaces) {
            let bytes = (floats as u64 * 4).max(16).next_multiple_of(align);
            all.push((None, index, Life { first: at, last: at, bytes }));
        }
    }
    let lives: Vec<&Life> = all.iter().map(|(_, _, life)| life).collect();
    let mut best: Option<Packing> = None;
    for order in ORDERS {
        // The order must not depend on anything but the plan.
        let mut sorted: Vec<usize> = (0..lives.len()).collect();
        sorted.sort_by_key(|&at| (order(lives[at]), at));
        let packing = pack(&lives, &sorted, share, caps)?;
        if best.as_ref().is_none_or(|best| packing.bytes() < best.bytes()) {
            best = Some(packing);
        }
    }
    let Packing { places: packed, pools } = best.unwrap_or_default();
    let mut places =
        Places { items: vec![None; steps.items.len()], workspaces: vec![Vec::new(); lowered.len()], pools };
    for ((item, _, life), place) in all.into_iter().zip(packed) {
        match item {
            Some(item) => places.items[item] = Some(place),
            None => places.workspaces[life.first].push(place),
        }
    }
    Ok(places)
}

/// What to place first. None is the best for every plan, so all are tried.
const ORDERS: [fn(&Life) -> [u64; 2]; 4] = [
    |life| [u64::MAX - life.bytes, life.first as u64],
    |life| [u64::MAX - life.bytes, u64::MAX - life.last as u64],
    |life| [u64::MAX - (life.last - life.first) as u64, u64::MAX - life.bytes],
    |life| [life.first as u64, u64::MAX - life.last as u64],
];

/// A place for every life, and the bytes of each pool.
#[derive(Debug, Default)]
struct Packing {
    places: Vec<Place>,
    pools: Vec<u64>,
}

impl Packing {
    fn bytes(&self) -> u64 {
        self.pools.iter().sum()
    }
}

/// Gives lives, in this order, the lowest place in the first pool that has one; with `share`, lives that do not meet share
/// memory.
fn pack(lives: &[&Life], order: &[usize], share: bool, caps: &Caps) -> Result<Packing> {
    let mut found: Vec<Option<Place>> = vec![None; lives.len()];
    let mut pools: Vec<u64> = Vec::new();
    for &at in order {
        let &Life { first, last, bytes } = lives[at];
        if bytes > caps.max_buffer {
            return Err(Error::Plan {
                message: format!("one value needs {bytes} bytes, the adapter's largest buffer is {}", caps.max_buffer),
                hint: "a smaller --size or --batch".into(),
            });
        }
        for pool in 0..=pools.len() {
            let mut taken: Vec<(u64, u64)> = lives
                .iter()
                .zip(&found)
                .filter_map(|(life, place)| {
                    let place = place.filter(|place| place.pool == pool)?;
                    let meets = !share || (life.first <= last && first <= life.last);
                    meets.then_some((place.offset, place.offset + place.bytes))
                })
                .collect();
            taken.sort_unstable();
            let mut offset = 0;
            for (start, end) in taken {
                if start >= offset + bytes {
                    break;
                }
                offset = offset.max(end);
            }
            if offset + bytes <= caps.max_buffer {
                if pool == pools.len() {
                    pools.push(0);
                }
                pools[pool] = pools[pool].max(offset + bytes);
                found[at] = Some(Place { pool, offset, bytes });
                break;
            }
        }
    }
    // An empty pool holds whatever a buffer can.
    Ok(Packing { places: found.into_iter().flatten().collect(), pools })
}

/// What the placed plan takes.
pub(super) fn report(draft: &Draft, table: &ParamTable) -> Memory {
    let Draft { steps, lowered, kept, places, .. } = draft;
    let slab = table.len() as u64 * 4;
    let bytes = |item: usize| steps.operand(item).floats() as u64 * 4;
    let mut memory = Memory { pools: draft.pools(), staging: staging_bytes(steps), ..Memory::default() };
    let mut slabs: Vec<&Slab> = Vec::new();
    for (at, item) in steps.items.iter().enumerate() {
        match &item.home {
            Home::Slab(name, _) if !slabs.contains(&name) => slabs.push(name),
            Home::Input(_) | Home::Constant(_) => memory.inputs += bytes(at),
            Home::Derived => memory.derived += bytes(at),
            Home::Pool if item.within.is_none() && places.items[at].is_some() => memory.unshared += bytes(at),
            _ => {}
        }
    }
    for name in slabs {
        match name {
            Slab::Weights => memory.weights += slab,
            Slab::Gradients => memory.gradients += slab,
            Slab::State(_) => memory.states += slab,
        }
    }
    for (lowered, kept) in lowered.iter().zip(kept) {
        let (derived, own) = lowered.workspaces.split_at(kept.workspaces);
        let bytes = |floats: &[usize]| floats.iter().map(|&floats| floats as u64 * 4).sum::<u64>();
        memory.derived += bytes(derived);
        memory.workspaces += bytes(own);
    }
    memory.unshared += memory.workspaces;
    memory
}
