//! One class of calls: its versions checked against version 1, then timed in turns.

use std::time::Instant;

use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::ops::cases::{Case, Draw, Input};
use crate::ops::harness::{self, Prepared};
use crate::ops::{Epilogue, OPS, Version, Worth, compare};
use crate::plan::table::TableRow;
use crate::tensor::Tensor;

use super::{Rejected, Subject};

/// By which share a version must be faster than the usual one to take its place.
pub const MARGIN: f64 = 0.03;
/// How often each version runs, where a run is short.
const ROUNDS: usize = 7;
/// Nanoseconds from which on a run is long, and three of each must do.
const LONG: f64 = 3e8;
/// A version that takes so many times as long as the fastest in the first round is out.
const HOPELESS: f64 = 2.0;
/// Both results are rounded, and over longer sums than a case's, for which a kernel's tolerance is made.
const SLACK: f64 = 4.0;
/// Nanoseconds below which a device's timestamps may be too coarse.
const COARSE: f64 = 10_000.0;
/// Seconds that runs on the host's clock take together.
const WALL_SECONDS: f64 = 0.005;

struct Runner {
    version: &'static Version,
    prepared: Prepared,
    /// Nanoseconds, one a round.
    times: Vec<f64>,
}

impl Runner {
    fn best(&self) -> f64 {
        self.times.iter().copied().fold(f64::INFINITY, f64::min)
    }
}

/// The fastest version of a class, with its time and that of the one that is usual among the right ones; `None` where no
/// candidate is right. What is wrong goes to `rejected`.
pub(super) fn race(gpu: &Gpu, subject: &Subject, rejected: &mut Vec<Rejected>) -> Result<Option<TableRow>> {
    let mut runners = checked(gpu, subject, rejected)?;
    let caps = gpu.caps();
    let call = &subject.call;
    let pays = |runner: &Runner| call.with_prospect(caps, runner.version.pays) == Worth::Faster;
    let Some(usual) = runners.iter().rposition(pays).or(runners.len().checked_sub(1)) else { return Ok(None) };
    let clock = Clock::suited(gpu, &runners[usual].prepared)?;
    let usual = runners[usual].version.shader;
    for runner in &mut runners {
        runner.times.push(clock.time(gpu, &runner.prepared)?);
    }
    let fastest = runners.iter().map(Runner::best).fold(f64::INFINITY, f64::min);
    runners.retain(|runner| runner.version.shader == usual || runner.best() <= fastest * HOPELESS);
    let rounds = if fastest > LONG { 3 } else { ROUNDS };
    for round in 1..rounds {
        // Not always in one order: what runs after a slow version finds a warmer device.
        runners.rotate_left(round % 2);
        for runner in &mut runners {
            runner.times.push(clock.time(gpu, &runner.prepared)?);
        }
    }
    let times = |shader: &str| runners.iter().find(|runner| runner.version.shader == shader);
    let Some(usual) = times(usual) else { return Ok(None) };
    let challenger = runners.iter().min_by(|a, b| a.best().total_cmp(&b.best())).unwrap_or(usual);
    let winner = if wins(&challenger.times, &usual.times) { challenger } else { usual };
    Ok(Some(subject.row(winner.version, usual.version, [winner.best(), usual.best()])))
}

/// Whether a version's times, round by round, are better than the usual one's by the margin: the best of each, and the
/// median of the rounds.
fn wins(times: &[f64], usual: &[f64]) -> bool {
    let best = |times: &[f64]| times.iter().copied().fold(f64::INFINITY, f64::min);
    let mut shares: Vec<f64> = times.iter().zip(usual).map(|(time, usual)| time / usual).collect();
    shares.sort_by(f64::total_cmp);
    let median = shares.get(shares.len() / 2).copied().unwrap_or(1.0);
    best(times) < best(usual) * (1.0 - MARGIN) && median < 1.0 - MARGIN
}

/// The candidates whose outputs are version 1's, ready to run.
fn checked(gpu: &Gpu, subject: &Subject, rejected: &mut Vec<Rejected>) -> Result<Vec<Runner>> {
    let call = &subject.call;
    let inputs = inputs(subject);
    let tensors: Vec<Tensor> = (1u64..).zip(&inputs).map(|(seed, input)| input.tensor(seed * 0x7e57)).collect();
    let offered: Vec<_> = call.inputs.iter().map(|&(_, layout)| layout).collect();
    // Version 1, in 32 bits, is given what versions in 16 store. What an epilogue reads lies as the output does.
    let mut layouts: Vec<_> = offered.clone();
    layouts.resize(tensors.len(), call.outputs[0].1);
    let tensors = harness::stored(tensors, &layouts);
    let prepare = |version: &Version| {
        harness::prepare_from(gpu, version, &*call.op, &tensors, &offered, call.epilogue, call.fixed)
            .and_then(|prepared| prepared.map_err(Error::Mismatch))
    };
    let plainest = &subject.kernel.versions[0];
    let expected = prepare(plainest)?.run()?;
    // Indices and step numbers say nothing of the outputs' size.
    let sized = inputs.iter().zip(&tensors).filter(|(input, _)| !matches!(input.draw, Draw::Classes(_)));
    let scale = sized.flat_map(|(_, tensor)| tensor.data()).fold(0f32, |most, value| most.max(value.abs()));
    let mut right = Vec::with_capacity(subject.candidates.len());
    for &version in &subject.candidates {
        let agrees = |prepared: Prepared| -> Result<Prepared> {
            let got = prepared.run()?;
            for (got, expected) in got.iter().zip(&expected) {
                // Only one of them is rounded to 16 bits.
                let rounded = harness::tolerance(subject.kernel, version.requires.half) - subject.kernel.tolerance;
                let bound = subject.kernel.tolerance * SLACK + rounded;
                compare::within(got, expected, f64::from(scale), bound)?;
            }
            Ok(prepared)
        };
        match prepare(version).and_then(agrees) {
            Ok(prepared) => right.push(Runner { version, prepared, times: Vec::new() }),
            Err(lost @ Error::DeviceLost(_)) => return Err(lost),
            Err(error) => rejected.push(subject.reject(version, error.to_string())),
        }
    }
    Ok(right)
}

/// The op's inputs, drawn as in a case of its kernel, and what the epilogue reads.
fn inputs(subject: &Subject) -> Vec<Input> {
    let call = &subject.call;
    let room = OPS.iter().find(|room| room.kernels.iter().any(|kernel| kernel.name == subject.kernel.name));
    let case = room.and_then(|room| {
        let alike = |case: &Case| case.op.kernel() == subject.kernel.name && case.inputs.len() == call.inputs.len();
        (room.cases)().into_iter().find(alike)
    });
    let draw = |at: usize| case.as_ref().map_or(Draw::Normal(0.0, 1.0), |case| case.inputs[at].draw);
    let mut inputs: Vec<Input> =
        call.inputs.iter().enumerate().map(|(at, (shape, _))| Input::drawn(shape.clone(), draw(at))).collect();
    let extras = call.epilogue.map_or(0, Epilogue::operands);
    inputs.extend(std::iter::repeat_n(Input::normal(call.outputs[0].0.clone()), extras));
    inputs
}

/// How a call is timed, the same way for all of its versions.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Clock {
    /// By the device's timestamps.
    Device,
    /// By the host, over so many runs at once.
    Wall(u32),
}

impl Clock {
    /// The device's, where it has one and the call is long enough for it.
    fn suited(gpu: &Gpu, prepared: &Prepared) -> Result<Self> {
        if gpu.caps().timestamps {
            let timings = prepared.sequence.profile()?;
            let total: f64 = timings.iter().map(|timing| timing.nanoseconds).sum();
            if total >= COARSE && timings.iter().all(|timing| timing.nanoseconds > 0.0) {
                return Ok(Self::Device);
            }
        }
        let mut runs = 1;
        while runs < 1024 && Self::Wall(runs).time(gpu, prepared)? * f64::from(runs) < WALL_SECONDS * 1e9 {
            runs *= 2;
        }
        Ok(Self::Wall(runs))
    }

    /// Nanoseconds of a run.
    fn time(self, gpu: &Gpu, prepared: &Prepared) -> Result<f64> {
        match self {
            Self::Device => {
                let timings = prepared.sequence.profile()?;
                Ok(timings.iter().map(|timing| timing.nanoseconds).sum::<f64>().max(1.0))
            }
            Self::Wall(runs) => {
                gpu.wait()?;
                let start = Instant::now();
                for _ in 0..runs {
                    prepared.sequence.submit()?;
                }
                gpu.wait()?;
                Ok((start.elapsed().as_secs_f64() * 1e9 / f64::from(runs)).max(1.0))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_wins_by_its_best_and_by_most_rounds() {
        let usual = [10.0, 10.0, 11.0];
        assert!(wins(&[9.0, 9.0, 9.0], &usual));
        assert!(!wins(&[9.8, 9.8, 9.8], &usual), "within the margin");
        assert!(!wins(&[5.0, 12.0, 12.0], &usual), "one lucky round");
        assert!(!wins(&[9.6, 9.6, 9.6], &[10.0, 10.0, 9.0]), "the usual one's best is better");
        assert!(!wins(&usual, &usual));
        assert!(!wins(&[], &[]));
    }
}
