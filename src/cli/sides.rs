//! On which side of a split photographs stood in training, where the data set itself does not say.

use std::path::{Path, PathBuf};

use clap::Args;

use super::Context;
use crate::data::dataset::{SPLIT_FILE, apply_split, read_split, write_split};
use crate::data::describe::lesions_on_two_sides;
use crate::data::{Dataset, Split};
use crate::error::{Error, Result};
use crate::train::RunDir;

/// The flag that names a split.
#[derive(Debug, Clone, Args)]
pub(super) struct SidesArgs {
    /// The sides (image_id, split) in place of the data set's [default: where the data set has none, those that the run of
    /// the weights has drawn, from the weights' folder]
    #[arg(long, value_name = "FILE")]
    split_file: Option<PathBuf>,
}

impl SidesArgs {
    /// Gives photographs the sides of the flag's file or, where the data set does not split them for training, those
    /// that the run of these weights has drawn.
    pub(super) fn apply(&self, data: &mut Dataset, weights: &Path, context: &Context) -> Result<()> {
        let drawn = weights.parent().unwrap_or(Path::new("")).join(SPLIT_FILE);
        let file = match &self.split_file {
            Some(file) => file,
            // As where a training has to draw.
            None if !data.has_side(Split::Val) && drawn.is_file() => {
                context.say(format!("split: {}", drawn.display()));
                &drawn
            }
            None => return Ok(()),
        };
        let sides = read_split(file)?;
        if !data.samples.iter().any(|sample| sides.contains_key(&sample.id)) {
            if self.split_file.is_none() {
                context.say(format!("{} names none of these photographs and is set aside", file.display()));
                return Ok(());
            }
            return Err(Error::data(file, "names none of the data set's photographs"));
        }
        data.samples.iter_mut().for_each(|sample| sample.split = None);
        let unknown = apply_split(&mut data.samples, &sides);
        if unknown > 0 {
            context.say(format!("{}: {unknown} of its photographs are not in the data set", file.display()));
        }
        Ok(())
    }
}

/// Draws the sides that a data set lacks for training, says so, and keeps them in the run's folder. Warns where those it
/// has keep photographs of one lesion apart.
pub(super) fn prepare(data: &mut Dataset, seed: u64, run: &Path, context: &Context) -> Result<()> {
    if let Some(drawn) = data.draw_missing_sides(seed)? {
        let file = run.join(SPLIT_FILE);
        // The sides of a run that is there stay, whatever becomes of this call.
        let place = match RunDir::holds(run) {
            Some(_) => String::new(),
            None => {
                std::fs::create_dir_all(run).map_err(Error::io(run))?;
                write_split(&file, &data.samples)?;
                format!("; they are in {}", file.display())
            }
        };
        context.say(format!("{}: {drawn}{place}", data.root.display()));
    }
    let lesions = lesions_on_two_sides(&data.samples);
    if let Some(first) = lesions.first() {
        let count = lesions.len();
        tracing::warn!(
            "lesions with photographs on more than one side of the split: {count}, {first} first; figures on val and test \
             flatter (nevus data split draws sides by lesion)"
        );
    }
    Ok(())
}
