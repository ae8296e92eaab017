//! Values that are computed again rather than kept: what the backward pass reads long after the forward pass gave it
//! (Chen, Xu, Zhang, Guestrin 2016, "Training Deep Nets with Sublinear Memory Cost").
//!
//! A run is a sequence of calls in which one may come several times; who reads a value reads what its latest call gave.
//! A kernel gives the same bits for the same operands, so no result depends on the sequence.

mod model;
mod search;
#[cfg(test)]
mod tests;

use serde::Serialize;

use crate::error::Result;
use crate::gpu::Caps;

use super::PlanOptions;
use super::draft::Draft;
use super::rewrite::Program;

use model::Model;

/// How often the search may run, each time for less than before: pools are larger than what lives in them at most, as
/// values of many sizes do not pack without gaps.
const TRIES: usize = 6;

/// What a plan computes again instead of keeping it, and what that saves and costs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Recomputed {
    /// Calls that run again.
    pub calls: usize,
    /// Their floating-point operations.
    pub flops: u64,
    /// Floating-point operations of a run without them.
    pub flops_once: u64,
    /// Bytes of the pools where every value is kept.
    pub pools_kept: u64,
}

/// Of a run's cost, at most one in so many is spent on values that cost next to nothing.
const NOTHING: u64 = 500;

/// The draft of `program` in which values that come from inputs and constants alone, by next to no work, are computed again
/// rather than kept beyond where the most bytes are alive; `None` where that saves nothing.
///
/// # Errors
/// As [`Draft::new`].
pub(super) fn spare(program: &Program<'_>, kept: &Draft, options: &PlanOptions, caps: &Caps) -> Result<Option<Draft>> {
    let model = Model::new(program, kept);
    let sequence = search::spared(&model, NOTHING);
    if sequence.len() == model.calls.len() {
        return Ok(None);
    }
    let draft = Draft::new(&program.repeated(&sequence)?, options, caps)?;
    Ok((draft.pools() < kept.pools()).then_some(draft))
}

/// The cheapest draft found whose pools take at most `goal` bytes, else the smallest found. `plain` is the draft of
/// `program` as it stands, `spared` what [`spare`] made of it.
///
/// # Errors
/// As [`Draft::new`].
pub(super) fn lighten(
    program: &Program<'_>,
    plain: Draft,
    spared: Option<Draft>,
    goal: u64,
    options: &PlanOptions,
    caps: &Caps,
) -> Result<(Draft, Recomputed)> {
    let model = Model::new(program, &plain);
    let mut best = spared.unwrap_or(plain);
    let mut recomputed = Recomputed { flops_once: best.flops(), pools_kept: best.pools(), ..Recomputed::default() };
    let mut target = goal as f64;
    let mut last = Vec::new();
    for _ in 0..TRIES {
        if best.pools() <= goal {
            break;
        }
        let sequence = search::search(&model, target);
        if sequence == last {
            break;
        }
        let draft = Draft::new(&program.repeated(&sequence)?, options, caps)?;
        target *= 0.99 * (goal as f64 / draft.pools().max(1) as f64).min(1.0);
        if draft.pools() < best.pools() {
            recomputed.calls = sequence.len() - program.calls.len();
            recomputed.flops = draft.flops().saturating_sub(recomputed.flops_once);
            best = draft;
        }
        last = sequence;
    }
    Ok((best, recomputed))
}
