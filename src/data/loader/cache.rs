//! Decoded pictures, kept up to a budget. What is kept changes time, never values.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use crate::data::augment::Picture;

#[derive(Debug)]
pub(super) struct Cache {
    pictures: Vec<OnceLock<Arc<Picture>>>,
    bytes: AtomicUsize,
    budget: usize,
}

impl Cache {
    pub(super) fn new(len: usize, budget: usize) -> Self {
        Self { pictures: (0..len).map(|_| OnceLock::new()).collect(), bytes: AtomicUsize::new(0), budget }
    }

    pub(super) fn get(&self, index: usize) -> Option<Arc<Picture>> {
        self.pictures.get(index)?.get().cloned()
    }

    /// Keeps a picture where the budget allows.
    pub(super) fn keep(&self, index: usize, picture: &Arc<Picture>) {
        let Some(place) = self.pictures.get(index) else { return };
        let room = |held: usize| held.checked_add(picture.bytes()).filter(|&sum| sum <= self.budget);
        if self.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, room).is_ok()
            && place.set(Arc::clone(picture)).is_err()
        {
            self.bytes.fetch_sub(picture.bytes(), Ordering::Relaxed);
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }
}
