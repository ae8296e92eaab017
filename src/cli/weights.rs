//! `nevus weights …`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;

use super::Context;
use super::familiar::{self, FamiliarArgs};
use super::table::table;
use crate::error::{Error, Result};
use crate::models::weights::{Diff, FromPytorch, Precision, TensorSummary, Weights, diff};

/// The commands below `nevus weights`.
#[derive(Debug, Subcommand)]
pub(super) enum WeightsCommand {
    /// Lists a file's tensors with their values' range, and its metadata; fails where a value is NaN or infinite
    Inspect(InspectArgs),
    /// Writes a file's tensors and metadata with another precision, and with a network's own names; PyTorch's checkpoints
    /// become safetensors
    Convert(ConvertArgs),
    /// Says what differs between two files; the exit code is 1 where something does
    Diff(DiffArgs),
    /// Adds to a classifier's weights what tells photographs that are unlike those it was trained on
    Familiar(FamiliarArgs),
}

#[derive(Debug, Args)]
pub(super) struct InspectArgs {
    /// The safetensors file
    file: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct ConvertArgs {
    /// The file to read: safetensors, or a checkpoint of PyTorch (.pth, .pt, .bin), of which nothing is run
    input: PathBuf,
    /// The safetensors file to write
    output: PathBuf,
    /// How to hold the values
    #[arg(long, value_enum, value_name = "PRECISION", default_value = "f32")]
    precision: PrecisionArg,
    /// Where the state dict lies in PyTorch's checkpoint, as ema.module [default: below state_dict, model_state_dict,
    /// model, net or ema where there is one, else at the top]
    #[arg(long)]
    key: Option<String>,
    /// A prefix to take away from tensors' names, besides those that training code is known to put before them (module.,
    /// _orig_mod., model., net., backbone., encoder.)
    #[arg(long, value_name = "PREFIX", default_value = "", hide_default_value = true)]
    strip: String,
    /// Leave the names as they are, but for DataParallel's module. in PyTorch's checkpoint
    #[arg(long, conflicts_with = "strip")]
    keep_names: bool,
    /// Replace a file that is there
    #[arg(long)]
    force: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum PrecisionArg {
    /// 32 bits: exact
    F32,
    /// 16 bits: half the size, 11 bits of mantissa; tensors of one dimension stay at 32
    F16,
}

#[derive(Debug, Args)]
pub(super) struct DiffArgs {
    /// The first safetensors file
    first: PathBuf,
    /// The second safetensors file
    second: PathBuf,
}

pub(super) fn run(command: &WeightsCommand, context: &Context) -> Result<ExitCode> {
    match command {
        WeightsCommand::Inspect(args) => inspect(args, context),
        WeightsCommand::Convert(args) => convert(args, context),
        WeightsCommand::Diff(args) => compare(args, context),
        WeightsCommand::Familiar(args) => familiar::run(args, context),
    }
}

#[derive(Serialize)]
struct Inspection<'a> {
    file: &'a Path,
    parameters: usize,
    healthy: bool,
    metadata: &'a BTreeMap<String, String>,
    tensors: Vec<TensorSummary>,
}

fn inspect(args: &InspectArgs, context: &Context) -> Result<ExitCode> {
    let weights = Weights::open_unchecked(&args.file)?;
    let bad = weights.health();
    let inspection = Inspection {
        file: &args.file,
        parameters: weights.parameters(),
        healthy: bad.is_empty(),
        metadata: &weights.metadata,
        tensors: weights.summary(),
    };
    context.print(|| inspection_text(&inspection), &inspection)?;
    // Metadata that cannot be read is a fault of the file as well.
    weights.meta()?;
    if let Some((name, count)) = bad.first() {
        let message = format!("{} tensors hold NaN or infinite values, {name:?} has {count}", bad.len());
        return Err(Error::weights(&args.file, message));
    }
    Ok(ExitCode::SUCCESS)
}

fn inspection_text(inspection: &Inspection) -> String {
    let number = |value: Option<f64>| value.map_or_else(|| "-".into(), |value| format!("{value:.4e}"));
    let row = |tensor: &TensorSummary| {
        let shape: Vec<String> = tensor.shape.iter().map(ToString::to_string).collect();
        vec![
            tensor.name.clone(),
            if tensor.read { format!("[{}]", shape.join(", ")) } else { "(left out)".into() },
            tensor.dtype.clone(),
            number(tensor.min.map(f64::from)),
            number(tensor.max.map(f64::from)),
            number(tensor.mean),
            number(tensor.std),
            tensor.nan.to_string(),
            tensor.infinite.to_string(),
        ]
    };
    let rows: Vec<_> = inspection.tensors.iter().map(row).collect();
    let head = ["name", "shape", "dtype", "min", "max", "mean", "std", "NaN", "inf"];
    let mut text = table(&head, &rows, &[3, 4, 5, 6, 7, 8]);
    let _ = writeln!(text, "\n{} tensors, {} values", inspection.tensors.len(), inspection.parameters);
    for (key, value) in inspection.metadata {
        let _ = writeln!(text, "{key} = {value}");
    }
    text
}

#[derive(Serialize)]
struct Converted<'a> {
    input: &'a Path,
    output: &'a Path,
    precision: Precision,
    tensors: usize,
    /// How many of them had a prefix that is gone.
    renamed: usize,
    bytes: u64,
}

fn convert(args: &ConvertArgs, context: &Context) -> Result<ExitCode> {
    let ConvertArgs { input, output, precision, key, strip, keep_names, force } = args;
    if output.try_exists().map_err(Error::io(output))? && !force {
        return Err(Error::data(output, "the file is there already (hint: another name, or --force)"));
    }
    let precision = match precision {
        PrecisionArg::F32 => Precision::F32,
        PrecisionArg::F16 => Precision::F16,
    };
    let mut weights = if FromPytorch::recognises(input)? {
        let mut weights = FromPytorch { key: key.clone(), strip: strip.clone() }.open(input)?;
        let name = input.file_name().map(|name| name.to_string_lossy().into_owned());
        weights.metadata.extend(name.map(|name| ("source".to_owned(), name)));
        weights
    } else if key.is_some() {
        return Err(Error::data(input, "is no checkpoint of PyTorch: --key is for those"));
    } else {
        Weights::open(input)?
    };
    let renamed = if *keep_names { 0 } else { weights.strip_prefixes(strip)? };
    weights.save(output, precision)?;
    let bytes = std::fs::metadata(output).map_err(Error::io(output))?.len();
    let converted = Converted { input, output, precision, tensors: weights.tensors.len(), renamed, bytes };
    let text = || {
        let renamed =
            if renamed > 0 { format!(", {renamed} without the prefix of their names") } else { String::new() };
        format!("{} tensors written to {}, {bytes} bytes{renamed}\n", converted.tensors, output.display())
    };
    context.print(text, &converted)?;
    Ok(ExitCode::SUCCESS)
}

fn compare(args: &DiffArgs, context: &Context) -> Result<ExitCode> {
    let diff = diff(&Weights::open_unchecked(&args.first)?, &Weights::open_unchecked(&args.second)?);
    let same = diff.tensors_equal() && diff.metadata.is_empty();
    context.print(|| diff_text(&diff), &diff)?;
    Ok(if same { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn diff_text(diff: &Diff) -> String {
    let mut text = String::new();
    for (names, which) in [(&diff.only_first, "first"), (&diff.only_second, "second")] {
        for name in names {
            let _ = writeln!(text, "{name}: only in the {which}");
        }
    }
    for change in &diff.shapes {
        let _ = writeln!(text, "{}: shape {:?} against {:?}", change.name, change.first, change.second);
    }
    let row = |change: &crate::models::weights::Changed| {
        let relative = change.relative.map_or_else(|| "-".into(), |value| format!("{value:.3e}"));
        vec![change.name.clone(), change.values.to_string(), format!("{:.3e}", change.max_abs), relative]
    };
    if !diff.changed.is_empty() {
        let rows: Vec<_> = diff.changed.iter().map(row).collect();
        text += &table(&["tensor", "values", "largest", "relative"], &rows, &[1, 2, 3]);
    }
    for change in &diff.metadata {
        let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "(absent)".into());
        let _ = writeln!(text, "metadata {}: {} against {}", change.key, shown(&change.first), shown(&change.second));
    }
    let different = diff.only_first.len() + diff.only_second.len() + diff.shapes.len() + diff.changed.len();
    let _ = writeln!(text, "{} tensors equal, {different} different, {} of metadata", diff.equal, diff.metadata.len());
    text
}
