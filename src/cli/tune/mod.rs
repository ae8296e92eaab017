//! `nevus tune`.

mod first_use;
mod show;
mod work;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use super::Context;
use super::context::seconds;
use super::storage::StorageArgs;
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::plan::VersionTable;
use crate::plan::table::{Origin, TableRow, file, own};
use crate::tune::{Rejected, tune};

pub(super) use self::first_use::plan_options;

/// Flags of `nevus tune`. Without any, it measures what the shipped networks need at their own sizes, and in training.
#[derive(Debug, Args)]
pub(super) struct TuneArgs {
    /// Only the shipped networks at their own sizes, and not in training
    #[arg(long)]
    quick: bool,
    /// Also larger photographs, up to 448x592
    #[arg(long, conflicts_with = "quick")]
    full: bool,
    /// Stop after so many seconds; what takes the most time comes first [default: 60 with --quick, none with --full,
    /// else 600]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    limit: Option<Duration>,
    #[command(flatten)]
    pub(super) storage: StorageArgs,
    /// Print the table that plans choose by on this adapter, and measure nothing
    #[arg(long, conflicts_with_all = ["quick", "full", "limit", "merge"])]
    show: bool,
    /// Take the rows of tables measured elsewhere on adapters of the same family, of two rows the faster, and measure
    /// nothing
    #[arg(long, value_name = "FILE", num_args = 1.., conflicts_with_all = ["quick", "full", "limit"])]
    merge: Vec<PathBuf>,
    /// Write the table to FILE, and leave that in force as it is
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// What was done.
#[derive(Serialize)]
struct Report<'a> {
    device: String,
    /// Where the table was written.
    file: PathBuf,
    /// Classes of calls for which another version than the usual one is faster.
    gains: usize,
    /// Classes that were not reached in time.
    left: usize,
    rejected: Vec<Rejected>,
    rows: Vec<&'a TableRow>,
}

pub(super) fn run(args: &TuneArgs, context: &Context) -> Result<ExitCode> {
    // Read first: a file that is no table is found before minutes of work.
    let given = args.merge.iter().map(VersionTable::open).collect::<Result<Vec<_>>>()?;
    if let Some((first, others)) = given.split_first() {
        return merge(args, first, others, context);
    }
    let gpu = context.open_gpu()?;
    if args.show {
        return show::run(&gpu, args.out.as_ref(), context);
    }
    let target = target(args, &gpu, context)?;
    let subjects = work::subjects(args, &gpu, context)?;
    let usual_limit = match (args.quick, args.full) {
        (true, _) => Some(Duration::from_secs(60)),
        (_, true) => None,
        _ => Some(Duration::from_secs(600)),
    };
    let bar = context.progress("classes", subjects.len() as u64);
    let tuned = tune(&gpu, &subjects, args.limit.or(usual_limit), &mut |done, subject| {
        bar.set_position(done as u64);
        bar.set_message(format!("{} {}", subject.kernel.name, subject.class));
        !context.cancelled()
    });
    bar.finish_and_clear();
    gpu.save_pipelines();
    let tuned = tuned?;
    for Rejected { class, version, why, .. } in &tuned.rejected {
        context.say(format!("{version} is left out for {class}: {why} (nevus check says more)"));
    }
    let table = tuned.table;
    if args.out.is_none()
        && let Some(mut known) = known(&gpu, context)
    {
        known.update(&table);
        known.save(&target)?;
    } else {
        table.save(&target)?;
    }
    let rows: Vec<&TableRow> = table.rows().collect();
    let gains = rows.iter().filter(|row| row.version != row.usual).count();
    let (left, rejected) = (tuned.left, tuned.rejected);
    let report = Report { device: gpu.caps().describe(), file: target, gains, left, rejected, rows };
    context.print(|| text(&report), &report)?;
    if context.cancelled() {
        return Err(Error::Cancelled);
    }
    Ok(ExitCode::SUCCESS)
}

fn text(report: &Report<'_>) -> String {
    let left = match report.left {
        0 => String::new(),
        left => format!(", {left} not reached"),
    };
    let rows = show::rows(report.rows.iter().copied(), |_| None);
    let (all, gains) = (report.rows.len(), report.gains);
    format!(
        "{rows}{all} classes of calls measured{left}; in {gains} another version than the usual one is faster: {}\n",
        report.file.display()
    )
}

/// The file to write: `--out`, or the one in force.
fn target(args: &TuneArgs, gpu: &Gpu, context: &Context) -> Result<PathBuf> {
    if let Some(out) = &args.out {
        return Ok(out.clone());
    }
    let options = context.gpu_options();
    let refuse = |why: &str| Error::parameter("tune", format!("{why}, so no table can be in force (hint: --out FILE)"));
    if options.shaders.is_some() {
        return Err(refuse("--shaders exchanges kernels"));
    }
    options.cache.map(|folder| file(gpu, &folder)).ok_or_else(|| refuse("there is no cache folder"))
}

/// This machine's own table, which new rows go into; one that is damaged is replaced.
fn known(gpu: &Gpu, context: &Context) -> Option<VersionTable> {
    let folder = context.gpu_options().cache?;
    own(gpu, &folder).unwrap_or_else(|error| {
        tracing::warn!(%error, "the table is measured anew");
        None
    })
}

/// Merges tables into `--out`, or into the one in force.
fn merge(args: &TuneArgs, first: &VersionTable, others: &[VersionTable], context: &Context) -> Result<ExitCode> {
    let mut merged = first.clone();
    for (path, other) in args.merge[1..].iter().zip(others) {
        merged.merge(other).map_err(|error| Error::data(path, error.to_string()))?;
    }
    let file = match &args.out {
        Some(out) => out.clone(),
        None => {
            let gpu = context.open_gpu()?;
            let mut table = known(&gpu, context).unwrap_or_else(|| VersionTable::new(Origin::of(&gpu)));
            let origin = table.origin.clone();
            table.merge(&merged).map_err(|error| Error::data(&args.merge[0], error.to_string()))?;
            table.origin = origin;
            merged = table;
            target(args, &gpu, context)?
        }
    };
    merged.save(&file)?;
    let rows: Vec<&TableRow> = merged.rows().collect();
    let text = || format!("{}{} rows: {}\n", show::rows(rows.iter().copied(), |_| None), rows.len(), file.display());
    context.print(text, &rows)?;
    Ok(ExitCode::SUCCESS)
}
