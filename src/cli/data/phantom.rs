//! `nevus data phantom`.

use std::fs;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use crate::cli::{Context, SizeArg};
use crate::data::phantom::{Coloring, PhantomOptions, write_phantoms};
use crate::error::{Error, Result};

/// Flags of `nevus data phantom`.
#[derive(Debug, Args)]
pub(crate) struct PhantomArgs {
    /// How many photographs
    #[arg(long, default_value_t = 6, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=999_999))]
    count: u64,
    /// Their size in pixels, each side 8 to 8192
    #[arg(long, default_value = "450x600", value_name = "HEIGHTxWIDTH", value_parser = size)]
    size: SizeArg,
    /// The seed: the same one draws the same photographs, byte for byte
    #[arg(long, default_value_t = 0, value_name = "SEED")]
    seed: u64,
    /// Let the lesions' hue tell their class: brown for nevi, blue-grey for melanomas, red for all others
    #[arg(long)]
    color_coded: bool,
    /// The folder to write, in the layout of HAM10000
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Write into a folder that is not empty; phantoms of an earlier run go, other files stay
    #[arg(long)]
    force: bool,
}

fn size(text: &str) -> Result<SizeArg, String> {
    let size: SizeArg = text.parse()?;
    let drawn = |side: usize| (8..=8192).contains(&side);
    if drawn(size.height) && drawn(size.width) { Ok(size) } else { Err("each side must be 8 to 8192".into()) }
}

#[derive(Serialize)]
struct Done<'a> {
    out: &'a Path,
    count: u64,
    height: usize,
    width: usize,
    seed: u64,
    color_coded: bool,
}

pub(super) fn run(args: &PhantomArgs, context: &Context) -> Result<ExitCode> {
    let out = &args.out;
    let there = out.try_exists().map_err(Error::io(out))?;
    let filled = there && fs::read_dir(out).map_err(Error::io(out))?.next().is_some();
    if filled && !args.force {
        return Err(Error::data(out, "the folder is not empty (hint: another --out, or --force)"));
    }
    fs::create_dir_all(out).map_err(Error::io(out))?;
    let drawn = draw(args, context);
    if drawn.is_err() && !there {
        // Only where it is empty, which is all that is wanted.
        let _ = fs::remove_dir(out);
    }
    drawn?;
    let SizeArg { height, width } = args.size;
    let (count, seed, color_coded) = (args.count, args.seed, args.color_coded);
    let done = Done { out, count, height, width, seed, color_coded };
    context.print(|| format!("{} phantoms of {} in {}\n", args.count, args.size, out.display()), &done)?;
    Ok(ExitCode::SUCCESS)
}

/// Draws beside the place, then moves: a run that is stopped leaves nothing.
fn draw(args: &PhantomArgs, context: &Context) -> Result<()> {
    let SizeArg { height, width } = args.size;
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    let coloring = if args.color_coded { Coloring::ByClass } else { Coloring::Natural };
    let options = PhantomOptions { count: args.count, height, width, seed: args.seed, coloring, threads };
    let draft = tempfile::Builder::new().prefix(".nevus-").tempdir_in(&args.out).map_err(Error::io(&args.out))?;
    let bar = context.progress("drawing", args.count);
    write_phantoms(draft.path(), &options, |done| {
        bar.set_position(done);
        !context.cancelled()
    })?;
    bar.finish_and_clear();
    for folder in ["images", "masks"] {
        remove_phantoms(&args.out.join(folder))?;
        place(&draft.path().join(folder), &args.out.join(folder))?;
    }
    place(draft.path(), &args.out)
}

/// Moves the files of one folder into another.
fn place(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).map_err(Error::io(to))?;
    for entry in fs::read_dir(from).map_err(Error::io(from))? {
        let path = entry.map_err(Error::io(from))?.path();
        if let Some(name) = path.file_name().filter(|_| path.is_file()) {
            fs::rename(&path, to.join(name)).map_err(Error::io(to.join(name)))?;
        }
    }
    Ok(())
}

/// Removes what an earlier run drew, and nothing else.
fn remove_phantoms(folder: &Path) -> Result<()> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    for entry in entries {
        let path = entry.map_err(Error::io(folder))?.path();
        if path.file_name().and_then(|name| name.to_str()).is_some_and(is_phantom) {
            fs::remove_file(&path).map_err(Error::io(&path))?;
        }
    }
    Ok(())
}

/// Whether a file is named as [`crate::data::phantom::image_id`] names phantoms.
fn is_phantom(name: &str) -> bool {
    let stem = name.strip_suffix(".jpg").or_else(|| name.strip_suffix("_segmentation.png"));
    stem.and_then(|stem| stem.strip_prefix("ISIC_9"))
        .is_some_and(|number| number.len() == 6 && number.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::is_phantom;
    use crate::data::phantom::image_id;

    #[test]
    fn only_phantoms_are_taken_for_such() {
        for index in [0, 17, 999_998] {
            assert!(is_phantom(&format!("{}.jpg", image_id(index))));
            assert!(is_phantom(&format!("{}_segmentation.png", image_id(index))));
        }
        for name in ["ISIC_0024306.jpg", "ISIC_9000000.png", "ISIC_90000000.jpg", "ISIC_9abcdef.jpg", "notes.txt"] {
            assert!(!is_phantom(name), "{name}");
        }
    }
}
