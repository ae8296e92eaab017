//! `nevus data split`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use crate::cli::Context;
use crate::data::dataset::{SPLIT_FILE, split_by_lesion, write_split};
use crate::data::{Dataset, Sample, Split};
use crate::error::{Error, Result};

/// Flags of `nevus data split`.
#[derive(Debug, Args)]
pub(crate) struct SplitArgs {
    /// The data set's folder
    data: PathBuf,
    /// The seed: the same one gives the same sides
    #[arg(long, default_value_t = 0, value_name = "SEED")]
    seed: u64,
    /// The shares of train, val and test, which add up to 1
    #[arg(long, default_value = "0.7,0.15,0.15", value_name = "A,B,C", value_parser = fractions)]
    fractions: [f64; 3],
    /// The file to write; without it DATA/split.csv, which training and evaluation then follow
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Replace a split that is there
    #[arg(long)]
    force: bool,
}

fn fractions(text: &str) -> Result<[f64; 3], String> {
    let shares: Option<Vec<f64>> = text.split(',').map(|share| share.trim().parse().ok()).collect();
    shares
        .and_then(|shares| <[f64; 3]>::try_from(shares).ok())
        .filter(|f| f.iter().all(|s| s.is_finite() && *s >= 0.0) && (f.iter().sum::<f64>() - 1.0).abs() <= 1e-6)
        .ok_or_else(|| "expected three shares of at least 0 that add up to 1, such as 0.7,0.15,0.15".into())
}

#[derive(Serialize)]
struct Drawn<'a> {
    out: &'a Path,
    seed: u64,
    fractions: [f64; 3],
    sides: BTreeMap<Split, Side>,
}

#[derive(Default, Serialize)]
struct Side {
    images: usize,
    lesions: usize,
    classes: BTreeMap<String, usize>,
}

pub(super) fn run(args: &SplitArgs, context: &Context) -> Result<ExitCode> {
    let out = args.out.clone().unwrap_or_else(|| args.data.join(SPLIT_FILE));
    let mut dataset = Dataset::open(&args.data)?;
    if out.try_exists().map_err(Error::io(&out))? && !args.force {
        return Err(Error::data(&out, "the file is there already (hint: another --out, or --force)"));
    }
    if dataset.samples.iter().all(|sample| sample.lesion.is_none()) {
        tracing::warn!("the data set names no lesions: photographs of one lesion may stand on two sides");
    }
    let drawn = split_by_lesion(&dataset.samples, args.seed, args.fractions)?;
    for (sample, side) in dataset.samples.iter_mut().zip(drawn) {
        sample.split = Some(side);
    }
    write_split(&out, &dataset.samples)?;
    let sides = Split::ALL.map(|side| (side, count(&dataset.side(side)))).into();
    let result = Drawn { out: &out, seed: args.seed, fractions: args.fractions, sides };
    context.print(|| text(&result), &result)?;
    Ok(ExitCode::SUCCESS)
}

fn count(samples: &[Sample]) -> Side {
    let mut classes = BTreeMap::new();
    for label in samples.iter().filter_map(|sample| sample.label.clone()) {
        *classes.entry(label).or_default() += 1;
    }
    let mut lesions: Vec<&str> = samples.iter().map(|s| s.lesion.as_deref().unwrap_or(&s.id)).collect();
    lesions.sort_unstable();
    lesions.dedup();
    Side { images: samples.len(), lesions: lesions.len(), classes }
}

fn text(result: &Drawn) -> String {
    let mut text = String::new();
    for (split, side) in &result.sides {
        let classes: Vec<String> = side.classes.iter().map(|(name, count)| format!("{name} {count}")).collect();
        let name = split.name();
        let _ = write!(text, "{name:<5} {:>6} photographs of {:>6} lesions", side.images, side.lesions);
        let _ = writeln!(text, "{}{}", if classes.is_empty() { "" } else { ": " }, classes.join(", "));
    }
    let _ = writeln!(text, "written to {}", result.out.display());
    text
}
