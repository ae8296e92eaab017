//! `nevus data describe`.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use crate::cli::Context;
use crate::cli::context::to_json;
use crate::data::dataset::Layout;
use crate::data::describe::{Depth, Description, describe};
use crate::data::save::{write_atomic, write_png};
use crate::data::{Dataset, DecodeLimits, Sample, read_mask, read_photo};
use crate::error::{Error, Result};
use crate::report::overlay::FOUND;
use crate::report::{Outline, Sheet, SheetOptions, bar_chart, pie_chart};

/// Tiles on the grid of a class.
const TILES: usize = 12;
/// Names that a line of text lists before it says how many more there are.
const NAMES: usize = 3;

/// Flags of `nevus data describe`.
#[derive(Debug, Args)]
pub(crate) struct DescribeArgs {
    /// The data set's folder: HAM10000, images/ and masks/, or a folder per class
    data: PathBuf,
    /// Write describe.json, bars and pie of the classes, and sample grids into this folder
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Read headers alone: fast, finds no broken or identical files and no areas
    #[arg(long)]
    quick: bool,
}

pub(super) fn run(args: &DescribeArgs, context: &Context) -> Result<ExitCode> {
    let dataset = Dataset::open(&args.data)?;
    let depth = if args.quick { Depth::Headers } else { Depth::Contents };
    let limits = DecodeLimits::default();
    let bar = context.progress("reading", dataset.samples.len() as u64);
    let description = describe(&dataset, depth, &limits, |done| {
        bar.set_position(done as u64);
        !context.cancelled()
    })?;
    bar.finish_and_clear();
    if let Some(folder) = &args.out {
        fs::create_dir_all(folder).map_err(Error::io(folder))?;
        write_files(folder, &dataset, &description, &limits, context)?;
        context.say(format!("charts and sample grids in {}", folder.display()));
    }
    context.print(|| text(&args.data, &description), &description)?;
    Ok(ExitCode::SUCCESS)
}

fn write_files(
    folder: &Path,
    dataset: &Dataset,
    description: &Description,
    limits: &DecodeLimits,
    context: &Context,
) -> Result<()> {
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        write_atomic(&path, |out| out.write_all(text.as_bytes()).map_err(Error::io(&path)))
    };
    write("describe.json", &to_json(description)?)?;
    if !description.classes.is_empty() {
        let counts: Vec<(String, usize)> = description.classes.iter().map(|c| (c.name.clone(), c.count)).collect();
        write("classes_bar.svg", &bar_chart("Photographs per class", &counts)?)?;
        write("classes_pie.svg", &pie_chart("Share of each class", &counts)?)?;
    }
    let classes = description.classes.iter().map(|class| Some(class.name.as_str()));
    let unlabelled = (!description.without_label.is_empty()).then_some(None);
    let mut names: Vec<String> = Vec::new();
    for class in classes.chain(unlabelled) {
        let mut name = file_name(class.unwrap_or("without label"));
        while names.contains(&name) {
            name.push('_');
        }
        let samples: Vec<&Sample> = dataset.samples.iter().filter(|s| s.label.as_deref() == class).collect();
        let title = format!("{}: {}", class.unwrap_or("without a label"), samples.len());
        let sheet = grid(title, &samples, limits, context)?;
        if !sheet.is_empty() {
            write_png(folder.join(format!("samples_{name}.png")), &sheet.finish())?;
        }
        names.push(name);
    }
    Ok(())
}

/// Samples of one class, evenly from first to last, with their masks' outlines.
fn grid(title: String, samples: &[&Sample], limits: &DecodeLimits, context: &Context) -> Result<Sheet> {
    let mut sheet = Sheet::new(title, SheetOptions::default())?;
    let shown = samples.len().min(TILES);
    for sample in (0..shown).map(|tile| samples[tile * samples.len() / shown]) {
        if context.cancelled() {
            return Err(Error::Cancelled);
        }
        // The description names those that cannot be read.
        let Ok(photo) = read_photo(&sample.image, limits) else { continue };
        let mask = sample.mask.as_ref().and_then(|mask| read_mask(mask, limits).ok());
        let lines: Vec<Outline> = mask.iter().map(|mask| Outline { mask, color: FOUND }).collect();
        sheet.add_outlined(&photo, &lines, &*sample.id)?;
    }
    Ok(sheet)
}

/// A class's name as a part of a file's name.
fn file_name(class: &str) -> String {
    let plain = |c: char| if c.is_alphanumeric() || matches!(c, '-' | '_') { c } else { '_' };
    class.chars().take(60).map(plain).collect()
}

fn text(data: &Path, d: &Description) -> String {
    let layout = match d.layout {
        Layout::Ham10000 => "HAM10000",
        Layout::Pairs => "images and masks",
        Layout::ClassFolders => "a folder per class",
    };
    let mut text = format!("{} ({layout})\n", data.display());
    let mut line = |name: &str, value: String| {
        let _ = writeln!(text, "  {name:<26} {value}");
    };
    line("photographs", d.images.to_string());
    line("with a mask", d.masks.to_string());
    if let Some(area) = d.mean_lesion_area {
        line("mean area of the lesion", format!("{:.1} %", 100.0 * area));
    }
    for class in &d.classes {
        line(&format!("class {}", class.name), format!("{:>6}  {:>5.1} %", class.count, 100.0 * class.share));
    }
    for size in d.sizes.iter().take(NAMES) {
        line("height × width", format!("{} × {}: {}", size.height, size.width, size.count));
    }
    if d.sizes.len() > NAMES {
        line("further sizes", (d.sizes.len() - NAMES).to_string());
    }
    if d.lesions > 0 {
        line("lesions", d.lesions.to_string());
        line("of several photographs", d.repeated_lesions.len().to_string());
    }
    for (side, count) in &d.splits {
        line(&format!("split {side}"), count.to_string());
    }
    if d.masks > 0 {
        line("without a mask", names(&d.without_mask));
    }
    if !d.classes.is_empty() {
        line("without a label", names(&d.without_label));
    }
    for (name, ids) in [
        ("rows without an image", &d.without_image),
        ("mask of another size", &d.mask_size_differs),
        ("empty masks", &d.empty_masks),
        ("masks lesion all over", &d.full_masks),
        ("lesions on two sides", &d.lesions_on_two_sides),
    ] {
        if !ids.is_empty() {
            line(name, names(ids));
        }
    }
    for ids in &d.identical {
        line("identical files", ids.join(", "));
    }
    for unreadable in &d.unreadable {
        line("cannot be read", unreadable.message.clone());
    }
    text
}

/// How many, and the first few.
fn names(ids: &[String]) -> String {
    if ids.is_empty() {
        return "0".into();
    }
    let shown = ids.iter().take(NAMES).map(String::as_str).collect::<Vec<_>>().join(", ");
    format!("{} ({shown}{})", ids.len(), if ids.len() > NAMES { ", …" } else { "" })
}
