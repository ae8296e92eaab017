//! Tables for people.

use std::path::PathBuf;
use std::process::ExitCode;

use serde::Serialize;

use crate::cli::Context;
use crate::cli::table::table;
use crate::error::Result;
use crate::gpu::Gpu;
use crate::plan::VersionTable;
use crate::plan::table::{Origin, TableRow, file, in_force, shipped};

use super::known;

/// A row, and where it comes from.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    row: &'a TableRow,
    /// How many times as fast as the usual version.
    gain: f64,
    from: &'static str,
}

#[derive(Serialize)]
struct InForce<'a> {
    device: String,
    /// This machine's own table, where there is one.
    file: Option<PathBuf>,
    rows: Vec<Shown<'a>>,
}

/// Prints the table that plans choose by, and writes it to `out`.
pub(super) fn run(gpu: &Gpu, out: Option<&PathBuf>, context: &Context) -> Result<ExitCode> {
    let folder = context.gpu_options().cache;
    let (own, shipped) = (known(gpu, context), shipped(gpu));
    let table = in_force(gpu, folder.as_deref()).unwrap_or_else(|| VersionTable::new(Origin::of(gpu)));
    if let Some(out) = out {
        table.save(out)?;
    }
    let is_own = |row: &TableRow| own.as_ref().is_some_and(|own| own.get(&row.kernel, &row.class).is_some());
    let from = |row: &TableRow| if is_own(row) { "measured here" } else { "comes with nevus" };
    let shown = table.rows().map(|row| Shown { row, gain: row.gain(), from: from(row) });
    let object = InForce {
        device: gpu.caps().describe(),
        file: own.as_ref().and(folder).map(|folder| file(gpu, &folder)),
        rows: shown.collect(),
    };
    let text = || {
        let mut text = rows(table.rows(), |row| Some(from(row)));
        match (&object.file, object.rows.len()) {
            (_, 0) => text += "no row: plans go by what each version expects of itself (hint: nevus tune)\n",
            (Some(file), count) => text += &format!("{count} rows, those measured here: {}\n", file.display()),
            (None, count) => text += &format!("{count} rows that come with nevus\n"),
        }
        if shipped.as_ref().is_some_and(|shipped| shipped.origin.shaders != gpu.shaders().digest()) {
            text += "what comes with nevus was measured with other shaders: nevus tune measures anew\n";
        }
        text
    };
    context.print(text, &object)?;
    Ok(ExitCode::SUCCESS)
}

/// Rows in columns, with where they come from, where `from` says so; nothing for none.
pub(super) fn rows<'a>(
    rows: impl Iterator<Item = &'a TableRow>,
    from: impl Fn(&TableRow) -> Option<&'static str>,
) -> String {
    let cells = |row: &'a TableRow| {
        let mut cells = vec![
            row.kernel.clone(),
            row.class.clone(),
            row.version.clone(),
            format!("{:.3}", row.ms),
            row.usual.clone(),
            format!("{:.3}", row.usual_ms),
            format!("{:.2}", row.gain()),
        ];
        cells.extend(from(row).map(str::to_owned));
        cells
    };
    let rows: Vec<_> = rows.map(cells).collect();
    let Some(first) = rows.first() else { return String::new() };
    let head = ["kernel", "class", "version", "ms", "usual version", "ms", "times as fast", "from"];
    table(&head[..first.len()], &rows, &[3, 5, 6]) + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_says_what_it_won() {
        let row = TableRow {
            kernel: "relu".into(),
            class: "e4".into(),
            version: "b".into(),
            ms: 0.5,
            usual: "a".into(),
            usual_ms: 1.0,
            gflops: 1.0,
            shape: "4 -> 4".into(),
        };
        let text = rows(std::iter::once(&row), |_| Some("measured here"));
        assert!(text.contains("relu") && text.contains("2.00  measured here"), "{text}");
        assert!(!rows(std::iter::once(&row), |_| None).contains("from"));
        assert_eq!(rows(std::iter::empty(), |_| None), "");
    }
}
