//! The search for what to compute again: from what saves most for what it costs, until no call sees more bytes alive
//! than it should; then back, from what turned out to be unneeded.

use super::model::{Model, Profile};

/// How many calls deep a value is computed again from others that are not at hand either.
const DEPTHS: [usize; 8] = [0, 1, 2, 3, 4, 6, 8, 12];
/// Of a value that is computed again, inputs smaller than one in so many are kept for it rather than computed too.
const SMALL: u64 = 16;
/// Values smaller than one in so many of the most bytes alive are not worth it.
const TINY: u64 = 4096;
/// A sweep makes what gains at least this share of the best of it,
const WORTH: f64 = 0.3;
/// and after those before it still this share of what it seemed to gain.
const STILL: f64 = 0.7;
/// Positions that may be looked at in all, which bounds the time for graphs of many thousand calls.
const WORK: usize = 1 << 29;

/// The sequence of calls, some of them several times, in which at most `target` bytes are alive at any; where that is
/// not found, one with less excess.
pub(super) fn search(model: &Model, target: f64) -> Vec<usize> {
    let mut profile = Profile::default();
    let sequence: Vec<usize> = (0..model.calls.len()).collect();
    profile.fill(model, &sequence);
    let scale = profile.live.iter().copied().max().unwrap_or(0).max(1);
    let mut search = Search { model, target, scale, profile, sequence, excess: 0.0, work: 0 };
    search.excess = search.excess_of(&search.sequence.clone());
    while search.excess > 0.0 && search.work < WORK && search.sweep() {}
    while search.work < WORK && search.trim() {}
    search.sequence
}

/// The sequence of calls in which values that no pool is read for, and that cost one in `share` of all or less together, are
/// computed again where they were kept beyond the call that sees the most bytes alive.
pub(super) fn spared(model: &Model, share: u64) -> Vec<usize> {
    let mut sequence: Vec<usize> = (0..model.calls.len()).collect();
    let mut profile = Profile::default();
    profile.fill(model, &sequence);
    let Some(peak) = (0..sequence.len()).max_by_key(|&at| profile.live[at]) else { return sequence };
    let mut left = (model.cost(&sequence) / share as f64) as u64;
    // From the last on, so that what is inserted moves no place that is still to come.
    for at in (peak + 1..model.calls.len()).rev() {
        for &value in &model.calls[at].inputs {
            let call = model.producer[value];
            let entry = &model.calls[call];
            let before = (call..at).rev().find(|&other| other == call || model.calls[other].inputs.contains(&value));
            let idle = before.is_some_and(|before| before < peak);
            if idle && entry.repeatable && entry.inputs.is_empty() && entry.cost <= left {
                left -= entry.cost;
                sequence.insert(at, call);
            }
        }
    }
    sequence
}

struct Search<'a> {
    model: &'a Model,
    target: f64,
    /// The most bytes alive where every value is kept.
    scale: u64,
    profile: Profile,
    sequence: Vec<usize>,
    /// Of `sequence`.
    excess: f64,
    work: usize,
}

/// Calls to run again before the call at a position, so that a value need not be kept until there.
struct Move {
    value: usize,
    at: usize,
    calls: Vec<usize>,
    /// Excess that it takes away for each unit of cost.
    gain: f64,
}

impl Search<'_> {
    /// How far what is alive passes the target: the squares of it, summed over the calls, so that peaks count most.
    fn excess_of(&mut self, sequence: &[usize]) -> f64 {
        self.work += sequence.len();
        self.profile.fill(self.model, sequence);
        let over = |&live: &u64| (live as f64 - self.target).max(0.0) / self.scale as f64;
        self.profile.live.iter().map(over).map(|over| over * over).sum()
    }

    fn with(&self, at: usize, calls: &[usize]) -> Vec<usize> {
        [&self.sequence[..at], calls, &self.sequence[at..]].concat()
    }

    /// Makes the moves that gain most; whether there was one.
    fn sweep(&mut self) -> bool {
        let mut moves = self.moves();
        moves.sort_by(|a, b| b.gain.total_cmp(&a.gain));
        let best = moves.first().map_or(0.0, |first| first.gain);
        let mut made: Vec<Move> = Vec::new();
        for each in moves {
            if each.gain < WORTH * best || self.excess <= 0.0 {
                break;
            }
            if made.iter().any(|made| made.value == each.value) {
                continue;
            }
            let shift: usize = made.iter().filter(|made| made.at <= each.at).map(|made| made.calls.len()).sum();
            let tried = self.with(each.at + shift, &each.calls);
            let excess = self.excess_of(&tried);
            if (self.excess - excess) / self.model.cost(&each.calls) >= STILL * each.gain {
                (self.sequence, self.excess) = (tried, excess);
                made.push(each);
            }
        }
        !made.is_empty()
    }

    /// Every move that takes some excess away.
    fn moves(&mut self) -> Vec<Move> {
        let sequence = self.sequence.clone();
        self.profile.fill(self.model, &sequence);
        // Of the positions before each one, how many are above the target.
        let mut above = vec![0; sequence.len() + 1];
        for (at, &live) in self.profile.live.iter().enumerate() {
            above[at + 1] = above[at] + usize::from(live as f64 > self.target);
        }
        let mut touched = vec![0; self.model.bytes.len()];
        let mut moves = Vec::new();
        for (at, &call) in sequence.iter().enumerate() {
            let entry = &self.model.calls[call];
            if self.work > WORK {
                break;
            }
            let idle = |value: usize| above[at] > above[(touched[value] + 1).min(at)];
            let big = |value: usize| self.model.bytes[value] * TINY >= self.scale;
            let repeatable = |value: usize| self.model.calls[self.model.producer[value]].repeatable;
            let worth = |&value: &usize| idle(value) && big(value) && repeatable(value);
            let values: Vec<usize> = entry.inputs.iter().copied().filter(worth).collect();
            if !values.is_empty() {
                let needed = self.needed(at);
                for value in values {
                    self.moves_of(value, at, &needed, &mut moves);
                }
            }
            entry.inputs.iter().chain(&entry.outputs).for_each(|&value| touched[value] = at);
            // From here on, what a call read before may be something else.
            if entry.changes {
                break;
            }
        }
        moves
    }

    fn moves_of(&mut self, value: usize, at: usize, needed: &[bool], moves: &mut Vec<Move>) {
        let mut before = Vec::new();
        for depth in DEPTHS {
            let mut calls = Vec::new();
            self.again(value, depth, needed, &mut calls);
            if calls == before {
                continue;
            }
            let excess = self.excess_of(&self.with(at, &calls));
            let gain = (self.excess - excess) / self.model.cost(&calls);
            before.clone_from(&calls);
            if gain > 0.0 {
                moves.push(Move { value, at, calls, gain });
            }
        }
    }

    /// The values whose computation before `at` is read there or later.
    fn needed(&self, at: usize) -> Vec<bool> {
        let mut needed = vec![false; self.model.bytes.len()];
        let mut anew = vec![false; self.model.bytes.len()];
        for &call in &self.sequence[at..] {
            let entry = &self.model.calls[call];
            entry.inputs.iter().filter(|&&value| !anew[value]).for_each(|&value| needed[value] = true);
            entry.outputs.iter().for_each(|&value| anew[value] = true);
        }
        needed
    }

    /// Appends the calls that give `value` again from what is `needed` anyway, from what is small, and, `depth` calls
    /// down, from what would have to be kept for it.
    fn again(&self, value: usize, depth: usize, needed: &[bool], calls: &mut Vec<usize>) {
        let call = self.model.producer[value];
        if calls.contains(&call) {
            return;
        }
        for &input in &self.model.calls[call].inputs {
            let small = self.model.bytes[input] * SMALL < self.model.bytes[value];
            let repeatable = self.model.calls[self.model.producer[input]].repeatable;
            if depth > 0 && !needed[input] && !small && repeatable {
                self.again(input, depth - 1, needed, calls);
            }
        }
        calls.push(call);
    }

    /// Leaves out, from the dearest on, what runs again without need; whether there was something.
    fn trim(&mut self) -> bool {
        let mut seen = vec![false; self.model.calls.len()];
        let again = |&(_, &call): &(usize, &usize)| std::mem::replace(&mut seen[call], true);
        let mut places: Vec<usize> = self.sequence.iter().enumerate().filter(again).map(|(at, _)| at).collect();
        places.sort_by_key(|&at| std::cmp::Reverse(self.model.calls[self.sequence[at]].cost));
        let mut removed: Vec<usize> = Vec::new();
        for at in places {
            if self.work > WORK {
                break;
            }
            let mut tried = self.sequence.clone();
            tried.remove(at - removed.iter().filter(|&&removed| removed < at).count());
            let excess = self.excess_of(&tried);
            if excess <= self.excess {
                (self.sequence, self.excess) = (tried, excess);
                removed.push(at);
            }
        }
        !removed.is_empty()
    }
}
