//! A data set in numbers.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::dataset::{Dataset, Layout, Sample, Split};
use super::image::{DecodeLimits, photo_size, read_bytes, read_mask};
use crate::error::Result;

/// One class and how often it occurs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassCount {
    /// The label.
    pub name: String,
    /// Photographs with it.
    pub count: usize,
    /// Its share of all photographs with a label, 0..=1.
    pub share: f64,
}

/// One size and how often it occurs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SizeCount {
    /// Width in pixels, after EXIF rotation.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Photographs of that size.
    pub count: usize,
}

/// A file that cannot be used, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unreadable {
    /// The sample.
    pub id: String,
    /// The message, which names the file.
    pub message: String,
}

/// How thoroughly [`describe`] looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// Headers only: fast, finds no file that breaks off in the middle.
    Headers,
    /// Every file is read and decoded; files of the same bytes are found.
    Contents,
}

/// What `nevus data describe` tells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Description {
    /// The layout the folder was read as.
    pub layout: Layout,
    /// Photographs.
    pub images: usize,
    /// Photographs with a mask.
    pub masks: usize,
    /// The classes by name.
    pub classes: Vec<ClassCount>,
    /// Ids without a mask.
    pub without_mask: Vec<String>,
    /// Ids without a label.
    pub without_label: Vec<String>,
    /// Names in the table that have no image.
    pub without_image: Vec<String>,
    /// Sizes, the most frequent first.
    pub sizes: Vec<SizeCount>,
    /// Distinct lesions, where the data set names them.
    pub lesions: usize,
    /// Lesions with several photographs, and those.
    pub repeated_lesions: BTreeMap<String, Vec<String>>,
    /// Groups of photographs of the same bytes (only at [`Depth::Contents`]).
    pub identical: Vec<Vec<String>>,
    /// Photographs and masks that cannot be read.
    pub unreadable: Vec<Unreadable>,
    /// Masks of another size than their photograph.
    pub mask_size_differs: Vec<String>,
    /// Masks without a lesion (only at [`Depth::Contents`]).
    pub empty_masks: Vec<String>,
    /// Masks that are lesion all over (only at [`Depth::Contents`]).
    pub full_masks: Vec<String>,
    /// The mean share of a photograph that is lesion (only at [`Depth::Contents`]).
    pub mean_lesion_area: Option<f64>,
    /// Photographs on each side of the split, by its name.
    pub splits: BTreeMap<String, usize>,
    /// Lesions with photographs on more than one side.
    pub lesions_on_two_sides: Vec<String>,
}

/// Looks a data set over. `progress` is told how many samples are done; returning false ends it with
/// [`crate::error::Error::Cancelled`].
pub fn describe(
    dataset: &Dataset,
    depth: Depth,
    limits: &DecodeLimits,
    mut progress: impl FnMut(usize) -> bool,
) -> Result<Description> {
    let samples = &dataset.samples;
    let ids = |keep: &dyn Fn(&Sample) -> bool| -> Vec<String> {
        samples.iter().filter(|s| keep(s)).map(|s| s.id.clone()).collect()
    };
    let mut lesions: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut splits: BTreeMap<String, usize> = BTreeMap::new();
    for sample in samples {
        if let Some(lesion) = &sample.lesion {
            lesions.entry(lesion.clone()).or_default().push(sample.id.clone());
        }
        if let Some(split) = sample.split {
            *splits.entry(split.name().to_owned()).or_default() += 1;
        }
    }
    let mut description = Description {
        layout: dataset.layout,
        images: samples.len(),
        masks: samples.iter().filter(|s| s.mask.is_some()).count(),
        classes: class_counts(samples.iter().filter_map(|s| s.label.as_deref())),
        without_mask: ids(&|s| s.mask.is_none()),
        without_label: ids(&|s| s.label.is_none()),
        without_image: dataset.without_image.clone(),
        sizes: Vec::new(),
        lesions: lesions.len(),
        repeated_lesions: lesions.into_iter().filter(|(_, ids)| ids.len() > 1).collect(),
        identical: Vec::new(),
        unreadable: Vec::new(),
        mask_size_differs: Vec::new(),
        empty_masks: Vec::new(),
        full_masks: Vec::new(),
        mean_lesion_area: None,
        splits,
        lesions_on_two_sides: lesions_on_two_sides(samples),
    };
    look_at_files(dataset, depth, limits, &mut description, &mut progress)?;
    Ok(description)
}

/// The lesions with photographs on more than one side of the split, by name.
#[must_use]
pub fn lesions_on_two_sides(samples: &[Sample]) -> Vec<String> {
    let mut sides: BTreeMap<&str, BTreeSet<Split>> = BTreeMap::new();
    for sample in samples {
        if let Some(lesion) = &sample.lesion {
            sides.entry(lesion).or_default().extend(sample.split);
        }
    }
    sides.into_iter().filter(|(_, sides)| sides.len() > 1).map(|(lesion, _)| lesion.to_owned()).collect()
}

fn look_at_files(
    dataset: &Dataset,
    depth: Depth,
    limits: &DecodeLimits,
    description: &mut Description,
    progress: &mut dyn FnMut(usize) -> bool,
) -> Result<()> {
    let mut sizes: BTreeMap<(u32, u32), usize> = BTreeMap::new();
    let mut contents: BTreeMap<[u8; 32], Vec<String>> = BTreeMap::new();
    let (mut area, mut measured) = (0.0, 0usize);
    for (done, sample) in dataset.samples.iter().enumerate() {
        if !progress(done) {
            return Err(crate::error::Error::Cancelled);
        }
        let mut failed = |error: crate::error::Error| {
            description.unreadable.push(Unreadable { id: sample.id.clone(), message: error.to_string() });
        };
        let size = match depth {
            Depth::Headers => photo_size(&sample.image),
            Depth::Contents => read_bytes(&sample.image, limits).and_then(|bytes| {
                contents.entry(*blake3::hash(&bytes).as_bytes()).or_default().push(sample.id.clone());
                super::image::decode_photo(&bytes, &sample.image, limits).map(|photo| photo.dimensions())
            }),
        };
        let size = size.map_err(&mut failed).ok();
        if let Some(size) = size {
            *sizes.entry(size).or_default() += 1;
        }
        let Some(mask) = &sample.mask else { continue };
        let mask_size = match depth {
            Depth::Headers => photo_size(mask),
            Depth::Contents => read_mask(mask, limits).map(|mask| {
                let lesion = mask.iter().filter(|v| **v > 0).count();
                if lesion == 0 {
                    description.empty_masks.push(sample.id.clone());
                } else if lesion == mask.len() {
                    description.full_masks.push(sample.id.clone());
                }
                area += ratio(lesion, mask.len());
                measured += 1;
                mask.dimensions()
            }),
        };
        match mask_size {
            Ok(mask_size) if size.is_some_and(|size| size != mask_size) => {
                description.mask_size_differs.push(sample.id.clone());
            }
            Ok(_) => {}
            Err(error) => {
                description.unreadable.push(Unreadable { id: sample.id.clone(), message: error.to_string() });
            }
        }
    }
    description.sizes = sizes.into_iter().map(|((width, height), count)| SizeCount { width, height, count }).collect();
    description.sizes.sort_by_key(|size| std::cmp::Reverse(size.count));
    description.identical = contents.into_values().filter(|ids| ids.len() > 1).collect();
    description.identical.sort();
    description.mean_lesion_area = (measured > 0).then(|| area / measured as f64);
    Ok(())
}

fn class_counts<'a>(labels: impl Iterator<Item = &'a str>) -> Vec<ClassCount> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    labels.for_each(|label| *counts.entry(label).or_default() += 1);
    let all = counts.values().sum();
    let of = |(name, count): (&str, usize)| ClassCount { name: name.to_owned(), count, share: ratio(count, all) };
    counts.into_iter().map(of).collect()
}

fn ratio(part: usize, whole: usize) -> f64 {
    part as f64 / whole.max(1) as f64
}
