//! Phantoms as a HAM10000 folder.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::{Coloring, FIRST_NUMBER, colored_phantom, image_id, lesion_of};
use crate::data::dataset::{SPLIT_FILE, Sample, split_by_lesion, write_split};
use crate::data::rng::Rng;
use crate::data::save::{write_atomic, write_jpeg, write_png_grey};
use crate::error::{Error, Result};

const QUALITY: u8 = 95;
const FRACTIONS: [f64; 3] = [0.70, 0.15, 0.15];
const PLACES: [&str; 8] = ["abdomen", "back", "chest", "face", "lower extremity", "scalp", "trunk", "upper extremity"];

/// What [`write_phantoms`] makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PhantomOptions {
    /// How many photographs.
    pub count: u64,
    /// Their height in pixels.
    pub height: usize,
    /// Their width in pixels.
    pub width: usize,
    /// The seed; photograph k of a seed is the same whatever the count.
    pub seed: u64,
    /// Where lesions have their colours from.
    pub coloring: Coloring,
    /// Threads; 0 is taken as 1. They change no byte.
    pub threads: usize,
}

/// Writes photographs, masks, `HAM10000_metadata.csv` and `split.csv` (70 / 15 / 15 by lesion) below `dir`, which is
/// made where it is missing. `progress` is told how many are done; returning false ends it with
/// [`Error::Cancelled`]. Tables are written last, so a folder that is not finished is not mistaken for one that is.
pub fn write_phantoms(
    dir: impl AsRef<Path>,
    options: &PhantomOptions,
    progress: impl Fn(u64) -> bool + Sync,
) -> Result<()> {
    let dir = dir.as_ref();
    if options.count == 0 || options.count > 999_999 {
        return Err(Error::parameter("phantom", format!("count is {}, expected 1 to 999999", options.count)));
    }
    let (images, masks) = (dir.join("images"), dir.join("masks"));
    for folder in [&images, &masks] {
        std::fs::create_dir_all(folder).map_err(Error::io(folder))?;
    }
    let (next, done, stop) = (AtomicU64::new(0), AtomicU64::new(0), AtomicBool::new(false));
    let classes = Mutex::new(vec![""; usize::try_from(options.count).unwrap_or(0)]);
    let failure = Mutex::new(None);
    let fail = |error: Error| {
        stop.store(true, Ordering::Relaxed);
        lock(&failure).get_or_insert(error);
    };
    let work = || {
        while !stop.load(Ordering::Relaxed) {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= options.count {
                return;
            }
            let made = colored_phantom(options.coloring, options.seed, index, options.height, options.width);
            let made = made.and_then(|made| {
                let id = image_id(index);
                write_jpeg(images.join(format!("{id}.jpg")), &made.image, QUALITY)?;
                write_png_grey(masks.join(format!("{id}_segmentation.png")), &made.mask)?;
                Ok(made.class)
            });
            match made {
                Ok(class) => lock(&classes)[index as usize] = class,
                Err(error) => return fail(error),
            }
            if !progress(done.fetch_add(1, Ordering::Relaxed) + 1) {
                return fail(Error::Cancelled);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..options.threads.clamp(1, 256) {
            scope.spawn(work);
        }
        work();
    });
    if let Some(error) = lock(&failure).take() {
        return Err(error);
    }
    let classes = lock(&classes).clone();
    let mut samples: Vec<Sample> = (0..)
        .zip(classes)
        .map(|(index, class)| Sample {
            id: image_id(index),
            image: images.join(format!("{}.jpg", image_id(index))),
            mask: None,
            label: Some(class.to_owned()),
            lesion: Some(format!("HAM_{:07}", FIRST_NUMBER + lesion_of(options.seed, index))),
            split: None,
        })
        .collect();
    for (sample, side) in split_by_lesion(&samples, options.seed, FRACTIONS)?.into_iter().enumerate() {
        samples[sample].split = Some(side);
    }
    write_split(dir.join(SPLIT_FILE), &samples)?;
    write_table(&dir.join("HAM10000_metadata.csv"), &samples, options.seed)
}

/// The table with the columns as published; age, sex and place belong to the lesion.
fn write_table(path: &Path, samples: &[Sample], seed: u64) -> Result<()> {
    write_atomic(path, |out| {
        let unwritten = |error: csv::Error| Error::data(path, format!("cannot be written: {error}"));
        let mut writer = csv::Writer::from_writer(out);
        let header = ["lesion_id", "image_id", "dx", "dx_type", "age", "sex", "localization"];
        writer.write_record(header).map_err(unwritten)?;
        for (index, sample) in (0..).zip(samples) {
            let mut rng = Rng::new(seed, "phantom/patient", &[lesion_of(seed, index)]);
            let age = format!("{}.0", 5 * rng.count(4, 17));
            let sex = if rng.chance(0.5) { "female" } else { "male" };
            let place = rng.pick(&PLACES).copied().unwrap_or(PLACES[0]);
            let (lesion, dx) = (sample.lesion.as_deref(), sample.label.as_deref());
            let row = [lesion.unwrap_or(""), &sample.id, dx.unwrap_or(""), "synthetic", &age, sex, place];
            writer.write_record(row).map_err(unwritten)?;
        }
        writer.flush().map_err(Error::io(path))
    })
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
