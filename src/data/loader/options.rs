//! How batches are made.

use crate::data::augment::Augment;
use crate::data::image::DecodeLimits;
use crate::data::view::View;
use crate::error::{Error, Result};

/// What becomes of a sample whose photograph or mask cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnUnreadable {
    /// It ends the epoch.
    #[default]
    Refuse,
    /// Its batch does without it, and names it.
    Skip,
    /// The next sample in the epoch's order that can be decoded takes its place, augmented in another way than in its own.
    /// So batches stay as large as they are, and the same whenever they are made. [`Source::unreadable`](super::Source::unreadable) names the sample,
    /// and a warning says so once. A file that cannot be opened at all still ends the epoch: it may be back later, and
    /// batches would then be others.
    Replace,
}

/// How a [`Source`](super::Source) makes batches.
#[derive(Debug, Clone, PartialEq)]
pub struct LoaderOptions {
    /// Height of the network's input.
    pub height: usize,
    /// Width of the network's input.
    pub width: usize,
    /// Samples in a batch.
    pub batch: usize,
    /// The seed of order and augmentation.
    pub seed: u64,
    /// Whether every epoch has its own order; else the list's.
    pub shuffle: bool,
    /// Whether to leave out the last batch where it is smaller.
    pub drop_last: bool,
    /// Whether a sample without a mask is refused; else its mask is empty.
    pub need_masks: bool,
    /// What becomes of a sample that cannot be read.
    pub on_unreadable: OnUnreadable,
    /// Whether every class is drawn as often as any other, and samples of small ones several times an epoch; the epoch
    /// stays as long as it is. Needs classes and [`LoaderOptions::shuffle`].
    pub balanced: bool,
    /// What of a photograph is shown.
    pub view: View,
    /// What happens to the photographs.
    pub augment: Augment,
    /// Background threads; 0 is taken as 1. They change no value.
    pub threads: usize,
    /// Batches each thread may be ahead.
    pub ahead: usize,
    /// The most bytes of decoded photographs to keep for later epochs.
    pub cache_bytes: usize,
    /// What a file may ask for.
    pub limits: DecodeLimits,
}

impl LoaderOptions {
    /// Shuffled and augmented batches for training.
    #[must_use]
    pub fn training(height: usize, width: usize, batch: usize, seed: u64) -> Self {
        Self {
            height,
            width,
            batch,
            seed,
            shuffle: true,
            drop_last: true,
            need_masks: true,
            on_unreadable: OnUnreadable::Refuse,
            balanced: false,
            view: View::Whole,
            augment: Augment::default(),
            threads: 1,
            ahead: 2,
            cache_bytes: 3 << 29,
            limits: DecodeLimits::default(),
        }
    }

    /// Every sample once, in order, resized only.
    #[must_use]
    pub fn evaluation(height: usize, width: usize, batch: usize) -> Self {
        let training = Self::training(height, width, batch, 0);
        Self { shuffle: false, drop_last: false, augment: Augment::none(), ..training }
    }

    pub(super) fn validate(&self) -> Result<()> {
        self.augment.validate()?;
        self.view.validate()?;
        let bounds = [("height", self.height, 1 << 14), ("width", self.width, 1 << 14), ("batch", self.batch, 1 << 16)];
        for (name, value, most) in bounds {
            if value == 0 || value > most {
                return Err(Error::parameter("loader", format!("{name} is {value}, expected 1 to {most}")));
            }
        }
        Ok(())
    }
}
