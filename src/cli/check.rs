//! `nevus check`: every version of every kernel on this adapter, against its twin and against reference cases.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use super::Context;
use super::table::table;
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::models::reference::{Case, Subject, Verdict};
use crate::ops::harness::{self, Outcome};
use crate::ops::{Kernel, OPS, Room, Version, cases};
use crate::plan::{PlanOptions, avoid};

/// What the harness says of a case that a version is not for.
const OTHER_SHAPES: &str = "does not take these shapes";

/// Flags of `nevus check`.
#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// Also run the reference cases below this folder; can be given several times
    #[arg(long, value_name = "DIR")]
    cases: Vec<PathBuf>,
    /// Only what has this in its name: an op, a kernel, a shader or a case
    filter: Option<String>,
}

#[derive(Default, Serialize)]
struct Report {
    device: String,
    versions: Vec<VersionRow>,
    reference_ops: Vec<OpRow>,
    reference_models: Vec<ModelRow>,
    failures: Vec<String>,
    passed: usize,
    failed: usize,
    skipped: usize,
}

/// One version of one kernel against its twin.
#[derive(Serialize)]
struct VersionRow {
    kernel: &'static str,
    version: &'static str,
    passed: usize,
    failed: usize,
    /// Cases that it does not take; `skipped` says why, where it takes none.
    not_taken: usize,
    worst_error: Option<f64>,
    tolerance: f64,
    skipped: Option<String>,
}

/// The reference cases of one op.
#[derive(Default, Serialize)]
struct OpRow {
    op: String,
    plan: &'static str,
    passed: usize,
    failed: usize,
    /// Cases that cannot run; `skipped` says why, where none can.
    not_taken: usize,
    /// The worst error as a share of what is allowed.
    worst_share: Option<f64>,
    skipped: Option<String>,
}

#[derive(Serialize)]
struct ModelRow {
    case: String,
    share: Option<f64>,
    failed: bool,
    skipped: Option<String>,
}

pub(super) fn run(args: &CheckArgs, context: &Context) -> Result<ExitCode> {
    // Looked up first: a folder that is not there is found before minutes of work.
    let mut files = Vec::new();
    for folder in &args.cases {
        files.extend(Case::find(folder)?);
    }
    let gpu = context.open_gpu()?;
    let filter = args.filter.as_deref().unwrap_or_default();
    let mut report = Report { device: gpu.caps().describe(), ..Report::default() };
    check_versions(&gpu, filter, context, &mut report)?;
    if !context.json && !report.versions.is_empty() {
        context.print_text(&versions_text(&report.versions))?;
    }
    check_references(&gpu, &files, filter, context, &mut report)?;
    if report.passed + report.failed + report.skipped == 0 {
        return Err(Error::parameter("check", format!("nothing has {filter:?} in its name")));
    }
    let text = || {
        let counts = format!("{} passed, {} failed, {} skipped\n", report.passed, report.failed, report.skipped);
        references_text(&report) + &counts
    };
    remember(&gpu, context, &report);
    context.print(text, &report)?;
    Ok(if report.failed > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

impl Report {
    /// Counts a failure and says it.
    fn fail(&mut self, context: &Context, message: String) {
        context.say(format!("FAIL {message}"));
        self.failures.push(message);
        self.failed += 1;
    }
}

fn check_versions(gpu: &Gpu, filter: &str, context: &Context, report: &mut Report) -> Result<()> {
    let kernels = || OPS.iter().flat_map(|room| room.kernels.iter().map(move |kernel| (room, kernel)));
    let versions =
        kernels().flat_map(|(room, kernel)| kernel.versions.iter().map(move |version| (room, kernel, version)));
    let chosen: Vec<_> = versions.filter(|(_, k, v)| k.name.contains(filter) || v.shader.contains(filter)).collect();
    let bar = context.progress("versions", chosen.len() as u64);
    for (room, kernel, version) in chosen {
        let row = check_version(gpu, (room, kernel, version), context, report)?;
        report.versions.push(row);
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(())
}

fn check_version(
    gpu: &Gpu,
    (room, kernel, version): (&Room, &Kernel, &Version),
    context: &Context,
    report: &mut Report,
) -> Result<VersionRow> {
    let mut row = VersionRow {
        kernel: kernel.name,
        version: version.shader,
        passed: 0,
        failed: 0,
        not_taken: 0,
        worst_error: None,
        tolerance: harness::tolerance(kernel, version.requires.half),
        skipped: None,
    };
    let mut why = "there is no case of it".to_owned();
    for case in (room.cases)().into_iter().filter(|case| case.op.kernel() == kernel.name) {
        let whole = case.integers().filter(|_| version.exact);
        let runs: [Option<(cases::Case, bool)>; 2] = [Some((case, false)), whole.map(|case| (case, true))];
        for (case, exact) in runs.into_iter().flatten() {
            if context.cancelled() {
                return Err(Error::Cancelled);
            }
            match harness::check(gpu, kernel, version, &case, exact) {
                Ok(Outcome::Passed(error)) => {
                    row.passed += 1;
                    row.worst_error = Some(row.worst_error.unwrap_or(0.0).max(error));
                }
                Ok(Outcome::Skipped(reason)) => {
                    row.not_taken += 1;
                    why = reason;
                }
                Err(lost @ Error::DeviceLost(_)) => return Err(lost),
                Err(error) => {
                    row.failed += 1;
                    let named = matches!(error, Error::Mismatch(_));
                    let place =
                        if named { String::new() } else { format!("{}: {}: ", version.shader, case.describe()) };
                    report.fail(context, format!("{place}{error}"));
                }
            }
        }
    }
    report.passed += row.passed;
    if row.passed + row.failed == 0 {
        report.skipped += 1;
        row.skipped = Some(if why == OTHER_SHAPES { "no case has shapes that it takes".into() } else { why });
    }
    Ok(row)
}

fn check_references(gpu: &Gpu, files: &[PathBuf], filter: &str, context: &Context, report: &mut Report) -> Result<()> {
    let mut ops: BTreeMap<(String, &'static str), OpRow> = BTreeMap::new();
    let bar = context.progress("reference cases", files.len() as u64);
    for path in files {
        if context.cancelled() {
            return Err(Error::Cancelled);
        }
        bar.inc(1);
        let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let case = match Case::open(path) {
            Ok(case) => case,
            Err(_) if !name.contains(filter) => continue,
            Err(error) => {
                report.fail(context, error.to_string());
                continue;
            }
        };
        match &case.subject {
            Subject::Op(op) | Subject::Model(op) if !name.contains(filter) && !op.contains(filter) => {}
            Subject::Op(op) => {
                for (plan, options) in plans(case.room()) {
                    let row = ops.entry((op.clone(), plan)).or_default();
                    (row.op, row.plan) = (op.clone(), plan);
                    match case.check(gpu, &options) {
                        Verdict::Passed(share) => {
                            row.passed += 1;
                            report.passed += 1;
                            row.worst_share = Some(row.worst_share.unwrap_or(0.0).max(share));
                        }
                        Verdict::Skipped(why) => {
                            row.not_taken += 1;
                            row.skipped = Some(why);
                        }
                        Verdict::Failed(message) => {
                            gpu.health()?;
                            row.failed += 1;
                            report.fail(context, format!("{} ({plan}): {message}", path.display()));
                        }
                    }
                }
            }
            Subject::Model(_) => {
                let mut row = ModelRow { case: case.name(), share: None, failed: false, skipped: None };
                match case.check(gpu, &PlanOptions::default()) {
                    Verdict::Passed(share) => {
                        report.passed += 1;
                        row.share = Some(share);
                    }
                    Verdict::Skipped(why) => {
                        report.skipped += 1;
                        row.skipped = Some(why);
                    }
                    Verdict::Failed(message) => {
                        gpu.health()?;
                        row.failed = true;
                        report.fail(context, format!("{}: {message}", path.display()));
                    }
                }
                report.reference_models.push(row);
            }
        }
    }
    bar.finish_and_clear();
    report.reference_ops = ops.into_values().collect();
    for row in &mut report.reference_ops {
        match row.passed + row.failed {
            0 => report.skipped += row.not_taken,
            _ => row.skipped = None,
        }
    }
    Ok(())
}

/// How an op's cases are run: as plans would, and by the plainest version of every kernel where that is another.
fn plans(room: Option<&Room>) -> Vec<(&'static str, PlanOptions)> {
    let mut plans = vec![("as planned", PlanOptions::default())];
    let kernels = room.map_or(&[][..], |room| room.kernels);
    if kernels.iter().any(|kernel| kernel.versions.len() > 1) {
        let first = |kernel: &Kernel| Some((kernel.name.to_owned(), kernel.versions.first()?.shader.to_owned()));
        let only = kernels.iter().filter_map(first).collect();
        plans.push(("version 1", PlanOptions { only, ..PlanOptions::default() }));
    }
    plans
}

/// Writes which versions failed, for plans to avoid; what was not looked at this time stays as it was.
fn remember(gpu: &Gpu, context: &Context, report: &Report) {
    let options = context.gpu_options();
    // Shaders under a kernel author's hands say nothing of those in the program.
    let (None, Some(folder)) = (options.shaders, options.cache) else { return };
    let mut bad: BTreeSet<String> = avoid::known_bad(gpu, &folder);
    let checked = || report.versions.iter().filter(|row| row.skipped.is_none());
    // Several kernels may share a shader: it is bad where it fails any of them.
    for row in checked() {
        bad.remove(row.version);
    }
    bad.extend(checked().filter(|row| row.failed > 0).map(|row| row.version.to_owned()));
    if let Err(error) = avoid::record(gpu, &folder, &bad) {
        tracing::warn!(%error, "which versions to avoid was not written");
    }
}

fn versions_text(rows: &[VersionRow]) -> String {
    let row = |row: &VersionRow| {
        vec![
            row.kernel.to_owned(),
            row.version.to_owned(),
            (row.passed + row.failed).to_string(),
            row.not_taken.to_string(),
            number(row.worst_error),
            format!("{:.0e}", row.tolerance),
            result(row.failed, row.skipped.as_ref()),
        ]
    };
    let head = ["op", "version", "cases", "not taken", "worst error", "tolerance", "result"];
    table(&head, &rows.iter().map(row).collect::<Vec<_>>(), &[2, 3, 4, 5])
}

fn references_text(report: &Report) -> String {
    let mut text = String::new();
    let op = |row: &OpRow| {
        vec![
            row.op.clone(),
            row.plan.to_owned(),
            (row.passed + row.failed).to_string(),
            row.not_taken.to_string(),
            row.worst_share.map_or_else(|| "-".into(), |share| format!("{:.1} %", share * 100.0)),
            result(row.failed, row.skipped.as_ref()),
        ]
    };
    let model = |row: &ModelRow| {
        let share = row.share.map_or_else(|| "-".into(), |share| format!("{:.1} %", share * 100.0));
        vec![row.case.clone(), share, result(row.failed.into(), row.skipped.as_ref())]
    };
    if !report.reference_ops.is_empty() {
        let rows: Vec<_> = report.reference_ops.iter().map(op).collect();
        text += "\n";
        let head = ["reference op", "run", "cases", "not taken", "worst of allowed", "result"];
        text += &table(&head, &rows, &[2, 3, 4]);
    }
    if !report.reference_models.is_empty() {
        let rows: Vec<_> = report.reference_models.iter().map(model).collect();
        text += "\n";
        text += &table(&["reference model", "worst of allowed", "result"], &rows, &[1]);
    }
    text
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "-".into(), |value| format!("{value:.1e}"))
}

fn result(failed: usize, skipped: Option<&String>) -> String {
    match (failed, skipped) {
        (0, Some(why)) => format!("skipped: {why}"),
        (0, None) => "ok".into(),
        (failed, _) => format!("FAIL ({failed})"),
    }
}
