//! Measuring a segmentation at the masks' own size.

use std::collections::HashMap;

use crate::data::resize::resize_maps;
use crate::data::{DecodeLimits, LoaderOptions, OnUnreadable, Sample, Source, Unreadable, read_mask};
use crate::error::{Error, Result};
use crate::tensor::Tensor;

use super::{SegmentationMeter, Segmenter};

/// Runs `samples` (each with a mask) through `segmenter` in batches of at most `batch`, enlarges the logits to each
/// mask's own size and measures them there. A sample that cannot be read is left out, and named beside the measure of the
/// others. `progress` is told the images done; where it says `false` the work ends.
///
/// # Errors
/// [`Error::Data`] for a sample without a mask, [`Error::Cancelled`], errors of the device.
pub fn validate(
    segmenter: &Segmenter,
    samples: &[Sample],
    batch: usize,
    progress: &mut dyn FnMut(usize) -> bool,
) -> Result<(SegmentationMeter, Vec<Unreadable>)> {
    let [height, width] = segmenter.size();
    let masks: HashMap<&str, &std::path::Path> =
        samples.iter().filter_map(|sample| Some((sample.id.as_str(), sample.mask.as_deref()?))).collect();
    let mut options = LoaderOptions::evaluation(height, width, batch);
    options.cache_bytes = 0;
    options.on_unreadable = OnUnreadable::Skip;
    let source = Source::new(samples.to_vec(), options)?;
    let (mut meter, mut unreadable) = (SegmentationMeter::percents(), Vec::new());
    for loaded in source.epoch(0, 0)? {
        let loaded = loaded?;
        unreadable.extend(loaded.unreadable);
        if loaded.indices.is_empty() {
            continue;
        }
        let logits = segmenter.logits(&loaded.images)?;
        let plane = height * width;
        for (id, map) in loaded.ids.iter().zip(logits.data().chunks(plane)) {
            let none = || Error::data(id, "has no mask");
            let mask = read_mask(masks.get(id.as_str()).copied().ok_or_else(none)?, &DecodeLimits::default())?;
            let map = Tensor::new([1, 1, height, width], map.to_vec())?;
            let map = resize_maps(&map, mask.height() as usize, mask.width() as usize)?;
            meter.add_logits(id, map.data(), mask.as_raw().iter().map(|&value| value >= 128))?;
        }
        if !progress(meter.images() + unreadable.len()) {
            return Err(Error::Cancelled);
        }
    }
    Ok((meter, unreadable))
}
