//! Measures which version of a kernel is the fastest for which class of calls. A version whose results stray from those
//! of version 1 is never taken, and one that takes the usual version's place was faster by a margin, in turns with it.

mod race;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::gpu::{Caps, Gpu};
use crate::ops::{self, Kernel, Version};
use crate::plan::table::{Origin, TableRow, VersionTable};
use crate::plan::{PlanOptions, PlannedCall};

pub use race::MARGIN;

/// A class of calls for which there is something to choose.
#[derive(Debug, Clone)]
pub struct Subject {
    /// The call that stands for it.
    pub call: PlannedCall,
    /// Its kernel.
    pub kernel: &'static Kernel,
    /// Its [class](crate::ops::class).
    pub class: String,
    /// The versions that a plan can exchange for each other, plainest first.
    pub candidates: Vec<&'static Version>,
    /// Floating-point operations of all calls of the class.
    pub flops: u64,
}

/// A version that is out of the question, and why.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Rejected {
    /// The kernel.
    pub kernel: &'static str,
    /// The class of calls.
    pub class: String,
    /// The version, by its shader.
    pub version: &'static str,
    /// What is wrong.
    pub why: String,
}

/// What came out.
#[derive(Debug, Clone)]
pub struct Tuned {
    /// A row for every class that was measured.
    pub table: VersionTable,
    /// Versions with wrong results, or that could not run.
    pub rejected: Vec<Rejected>,
    /// Classes that were not reached in time.
    pub left: usize,
}

/// The options under which calls are collected: those of plans without a table, so that what is measured is compared with
/// what would run without it.
#[must_use]
pub fn usual(options: &PlanOptions) -> PlanOptions {
    PlanOptions { table: None, ..options.clone() }
}

/// The classes of these calls that have more than one version to choose from, those with the most work first. Of a
/// class's calls the one with the most work stands for it.
#[must_use]
pub fn subjects(calls: Vec<PlannedCall>, avoid: &BTreeSet<String>, caps: &Caps) -> Vec<Subject> {
    let mut found: BTreeMap<(&'static str, String), Subject> = BTreeMap::new();
    for call in calls {
        let Some(kernel) = ops::kernel(call.op.kernel()) else { continue };
        let candidates = candidates(kernel, &call, avoid, caps);
        if candidates.len() < 2 {
            continue;
        }
        let (class, flops) = (call.class(caps), call.flops());
        match found.get_mut(&(kernel.name, class.clone())) {
            Some(known) => {
                known.flops += flops;
                if flops > known.call.flops() {
                    (known.call, known.candidates) = (call, candidates);
                }
            }
            None => {
                found.insert((kernel.name, class.clone()), Subject { call, kernel, class, candidates, flops });
            }
        }
    }
    let mut subjects: Vec<Subject> = found.into_values().collect();
    subjects.sort_by_key(|subject| std::cmp::Reverse(subject.flops));
    subjects
}

/// The versions that can stand in the usual one's place with nothing else changing around it: on the same layouts, and
/// on ranges of channels where that one takes them.
fn candidates(
    kernel: &'static Kernel,
    call: &PlannedCall,
    avoid: &BTreeSet<String>,
    caps: &Caps,
) -> Vec<&'static Version> {
    let layouts = |version: &Version| {
        let offered: Vec<_> = call.inputs.iter().map(|&(_, layout)| layout).collect();
        call.with_shapes(|inputs, outputs| (version.layouts)(&*call.op, inputs, outputs, &offered))
    };
    let Some(usual) = layouts(call.version) else { return Vec::new() };
    let able = |version: &&Version| {
        !avoid.contains(version.shader)
            && version.requires.missing(caps).is_none()
            && (version.views || !call.version.views)
            && layouts(version).is_some_and(|layouts| layouts == usual)
    };
    kernel.versions.iter().filter(able).collect()
}

/// Measures `subjects` in order, until `limit` is over. `tell` hears of each before its turn, with the number of those
/// before it, and ends the work where it says `false`. What was measured until then is kept.
///
/// # Errors
/// [`Error::DeviceLost`]. Other errors are a version's own and reject it.
pub fn tune(
    gpu: &Gpu,
    subjects: &[Subject],
    limit: Option<Duration>,
    tell: &mut dyn FnMut(usize, &Subject) -> bool,
) -> Result<Tuned> {
    let start = Instant::now();
    let mut tuned = Tuned { table: VersionTable::new(Origin::of(gpu)), rejected: Vec::new(), left: 0 };
    for (at, subject) in subjects.iter().enumerate() {
        if limit.is_some_and(|limit| start.elapsed() >= limit) || !tell(at, subject) {
            tuned.left = subjects.len() - at;
            break;
        }
        let raced = race::race(gpu, subject, &mut tuned.rejected);
        match raced {
            Ok(Some(row)) => tuned.table.insert(row),
            Ok(None) => {}
            Err(error) => {
                gpu.health()?;
                if matches!(error, Error::DeviceLost(_)) {
                    return Err(error);
                }
                tracing::debug!(%error, "{} {:?} is not tuned", subject.kernel.name, subject.class);
            }
        }
    }
    Ok(tuned)
}

impl Subject {
    fn row(&self, version: &Version, usual: &Version, [ns, usual_ns]: [f64; 2]) -> TableRow {
        TableRow {
            kernel: self.kernel.name.into(),
            class: self.class.clone(),
            version: version.shader.into(),
            ms: rounded(ns / 1e6),
            usual: usual.shader.into(),
            usual_ms: rounded(usual_ns / 1e6),
            gflops: rounded(self.call.flops() as f64 / ns),
            shape: self.call.shape(),
        }
    }

    fn reject(&self, version: &Version, why: String) -> Rejected {
        Rejected { kernel: self.kernel.name, class: self.class.clone(), version: version.shader, why }
    }
}

/// To four digits: more of them are noise.
fn rounded(value: f64) -> f64 {
    format!("{value:.3e}").parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Graph;
    use crate::ops::conv2d::Conv2d;

    fn calls(sizes: &[[usize; 4]]) -> Vec<PlannedCall> {
        let mut graph = Graph::new();
        let mut outputs = Vec::new();
        for (at, &[n, c, h, w]) in sizes.iter().enumerate() {
            let x = graph.input(&format!("x{at}"), [n, c, h, w]).unwrap();
            let weight = graph.input(&format!("w{at}"), [c, c, 3, 3]).unwrap();
            outputs.push(graph.conv2d(Conv2d::padded(1), x, weight, None).unwrap());
        }
        let caps = Caps::for_tests(Some(8), true);
        PlannedCall::all(&graph, &outputs, &PlanOptions::default(), &caps).unwrap()
    }

    #[test]
    fn a_class_is_measured_once_on_its_largest_call_the_most_work_first() {
        let caps = Caps::for_tests(Some(8), true);
        let found =
            subjects(calls(&[[1, 8, 6, 6], [1, 8, 7, 7], [1, 8, 5, 5], [1, 32, 6, 6]]), &BTreeSet::new(), &caps);
        let convolutions: Vec<_> = found.iter().filter(|subject| subject.kernel.name == "conv2d.forward").collect();
        assert_eq!(convolutions.len(), 2);
        assert_eq!(convolutions[0].class, "3x3 s1x1 c32 p16 fixed");
        assert_eq!(convolutions[1].call.inputs[0].0, [1, 8, 7, 7]);
        assert_eq!(convolutions[1].flops, 2 * 9 * 64 * (36 + 49 + 25));
        assert!(found.iter().all(|subject| subject.candidates.len() > 1));
    }

    #[test]
    fn candidates_are_what_the_adapter_can_run_and_nobody_found_wrong() {
        let shaders = |avoid: &[&str], subgroup| -> Vec<&str> {
            let avoid = avoid.iter().map(|&shader| shader.to_owned()).collect();
            let found = subjects(calls(&[[1, 8, 6, 6]]), &avoid, &Caps::for_tests(subgroup, true));
            found.iter().flat_map(|subject| &subject.candidates).map(|version| version.shader).collect()
        };
        let subgroup = "conv2d/forward_3_subgroup";
        assert!(shaders(&[], Some(8)).contains(&subgroup));
        assert!(!shaders(&[], None).contains(&subgroup));
        assert!(!shaders(&[subgroup], Some(8)).contains(&subgroup));
    }

    #[test]
    fn four_digits() {
        assert_eq!([rounded(0.123_456), rounded(98_765.4), rounded(0.0)], [0.1235, 98_770.0, 0.0]);
    }
}
