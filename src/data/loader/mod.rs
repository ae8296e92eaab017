//! Batches of augmented photographs and masks, made ahead on background threads, in an order and with contents that
//! depend on the seed, the epoch and what the files hold alone.

mod cache;
mod options;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use self::cache::Cache;
pub use self::options::{LoaderOptions, OnUnreadable};
use super::augment::Picture;
use super::dataset::{Labelled, Sample};
use super::image::{read_mask, read_photo};
use super::rng::Rng;
use crate::error::{Error, Result};
use crate::tensor::Tensor;

/// How many samples on end may be replaced by the one after them.
const REPLACEMENTS: usize = 32;

/// What a [`Loader`] yields.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// Photographs, (n, 3, height, width), 0..=1, not normalised.
    pub images: Tensor,
    /// Masks, (n, 1, height, width), 0 or 1.
    pub masks: Tensor,
    /// The samples' ids.
    pub ids: Vec<String>,
    /// The samples' places in the list the source was made from.
    pub indices: Vec<usize>,
    /// The samples' classes; none where the source was made without.
    pub classes: Vec<usize>,
    /// The samples that belong here and are not among the others, only with [`OnUnreadable::Skip`].
    pub unreadable: Vec<Unreadable>,
}

/// A sample whose photograph or mask could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// Its place in the list the source was made from.
    pub index: usize,
    /// Its id.
    pub id: String,
    /// Why, with the name of the file.
    pub reason: String,
    /// Whether the file could not be opened at all; it may be back later.
    pub missing: bool,
}

/// Samples with their decoded photographs; gives out a [`Loader`] for each epoch.
#[derive(Debug, Clone)]
pub struct Source(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    samples: Vec<Sample>,
    /// One a sample, or none.
    classes: Vec<usize>,
    options: LoaderOptions,
    cache: Cache,
    /// The samples that were replaced so far, by their places, each with the reason.
    replaced: Mutex<BTreeMap<usize, String>>,
}

impl Source {
    /// Refuses an empty list, options out of range, and samples without a mask where masks are needed.
    pub fn new(samples: Vec<Sample>, options: LoaderOptions) -> Result<Self> {
        Self::build(samples, Vec::new(), options)
    }

    /// As [`Source::new`], with a class for each sample.
    pub fn labelled(labelled: Labelled, options: LoaderOptions) -> Result<Self> {
        let Labelled { samples, indices, .. } = labelled;
        if indices.len() != samples.len() {
            let message = format!("there are {} classes for {} samples", indices.len(), samples.len());
            return Err(Error::parameter("loader", message));
        }
        Self::build(samples, indices, options)
    }

    fn build(samples: Vec<Sample>, classes: Vec<usize>, options: LoaderOptions) -> Result<Self> {
        options.validate()?;
        if samples.is_empty() {
            return Err(Error::parameter("loader", "there are no samples"));
        }
        if options.balanced && (classes.is_empty() || !options.shuffle) {
            return Err(Error::parameter("loader", "balanced batches need classes, and an order that is drawn"));
        }
        if (options.need_masks || options.view.needs_mask())
            && let Some(sample) = samples.iter().find(|s| s.mask.is_none())
        {
            return Err(Error::data(&sample.image, format!("sample {} has no mask", sample.id)));
        }
        let cache = Cache::new(samples.len(), options.cache_bytes);
        Ok(Self(Arc::new(Shared { samples, classes, options, cache, replaced: Mutex::default() })))
    }

    /// The samples, in the order that a batch's indices count in.
    #[must_use]
    pub fn samples(&self) -> &[Sample] {
        &self.0.samples
    }

    /// The samples that were replaced so far because they cannot be read, in the order of the list; only with
    /// [`OnUnreadable::Replace`].
    #[must_use]
    pub fn unreadable(&self) -> Vec<Unreadable> {
        let replaced = self.0.replaced.lock().unwrap_or_else(PoisonError::into_inner);
        let named = |(&index, reason): (&usize, &String)| {
            let (id, reason) = (self.0.samples[index].id.clone(), reason.clone());
            Unreadable { index, id, reason, missing: false }
        };
        replaced.iter().map(named).collect()
    }

    /// Refuses samples whose photograph or mask cannot be opened, before anything is made of them.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::Image`] for the first of them.
    pub fn refuse_missing(&self) -> Result<()> {
        self.0.samples.iter().try_for_each(Sample::can_open)
    }

    /// The options it was made with.
    #[must_use]
    pub fn options(&self) -> &LoaderOptions {
        &self.0.options
    }

    /// Batches of one epoch.
    #[must_use]
    pub fn batches(&self) -> usize {
        let (len, batch) = (self.0.samples.len(), self.0.options.batch);
        if self.0.options.drop_last { len / batch } else { len.div_ceil(batch) }
    }

    /// The bytes of decoded photographs held now.
    #[must_use]
    pub fn cached_bytes(&self) -> usize {
        self.0.cache.bytes()
    }

    /// The order of samples in an epoch; one that is drawn several times stands there several times.
    #[must_use]
    pub fn order(&self, epoch: u64) -> Vec<usize> {
        let len = self.0.samples.len();
        if self.0.options.balanced {
            balanced(&self.0.classes, self.0.options.seed, epoch)
        } else if self.0.options.shuffle {
            Rng::new(self.0.options.seed, "loader/order", &[epoch]).permutation(len)
        } else {
            (0..len).collect()
        }
    }

    /// The batches of an epoch from number `start` on; the same batches whether or not those before were made.
    pub fn epoch(&self, epoch: u64, start: usize) -> Result<Loader> {
        let batches = self.batches();
        let threads = self.0.options.threads.max(1).min(batches.saturating_sub(start).max(1));
        let order = Arc::new(numbered(&self.order(epoch)));
        let stop = Arc::new(AtomicBool::new(false));
        let mut loader = Loader { stop: Arc::clone(&stop), workers: Vec::new(), next: start, batches };
        for worker in 0..threads {
            let (sender, receiver) = sync_channel(self.0.options.ahead.max(1));
            let (shared, order, stop) = (Arc::clone(&self.0), Arc::clone(&order), Arc::clone(&stop));
            // Batches go round the threads, so taking from each in turn keeps their order.
            let mine = (start + worker..batches).step_by(threads);
            let work = move || produce(&shared, &order, epoch, mine, &stop, &sender);
            let spawned = std::thread::Builder::new().name(format!("nevus-loader-{worker}")).spawn(work);
            let thread = spawned.map_err(|e| Error::parameter("loader", format!("no thread could be started: {e}")))?;
            loader.workers.push(Worker { receiver: Some(receiver), thread: Some(thread) });
        }
        Ok(loader)
    }
}

/// The batches of one epoch; dropping it stops its threads.
#[derive(Debug)]
pub struct Loader {
    stop: Arc<AtomicBool>,
    workers: Vec<Worker>,
    next: usize,
    batches: usize,
}

#[derive(Debug)]
struct Worker {
    receiver: Option<Receiver<Result<Batch>>>,
    thread: Option<JoinHandle<()>>,
}

impl Iterator for Loader {
    type Item = Result<Batch>;

    /// The next batch; after an error there is none.
    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.batches || self.workers.is_empty() {
            return None;
        }
        let received = match self.workers[0].receiver.as_ref().map(Receiver::recv) {
            Some(Ok(received)) => received,
            // A thread that ended early panicked: say so instead of ending the epoch short.
            _ => Err(Error::parameter("loader", format!("the thread for batch {} ended early", self.next))),
        };
        self.workers.rotate_left(1);
        self.next = if received.is_ok() { self.next + 1 } else { self.batches };
        Some(received)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.batches.saturating_sub(self.next)))
    }
}

impl Drop for Loader {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // A sender that waits for room wakes up when its receiver is gone.
        self.workers.iter_mut().for_each(|worker| drop(worker.receiver.take()));
        for thread in self.workers.iter_mut().filter_map(|worker| worker.thread.take()) {
            if thread.join().is_err() {
                tracing::error!("a loader's thread panicked");
            }
        }
    }
}

/// As many samples as there are, every class in its turn, each class's own samples round and round in orders that are
/// drawn anew; then all of it shuffled.
fn balanced(classes: &[usize], seed: u64, epoch: u64) -> Vec<usize> {
    let mut members: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (sample, &class) in classes.iter().enumerate() {
        members.entry(class).or_default().push(sample);
    }
    let rng = |what: &str, parts: &[u64]| Rng::new(seed, what, &[&[epoch], parts].concat());
    let mut drawn = Vec::with_capacity(classes.len());
    let rounds = classes.len().div_ceil(members.len().max(1));
    // Which classes a last, incomplete round leaves out is drawn too.
    let groups: Vec<(&usize, &Vec<usize>)> = members.iter().collect();
    let turns = rng("loader/classes", &[]).permutation(groups.len());
    let mut orders: Vec<Vec<usize>> = vec![Vec::new(); groups.len()];
    for round in 0..rounds {
        for &turn in &turns {
            let (&class, samples) = groups[turn];
            let at = round % samples.len();
            if at == 0 {
                let parts = [class as u64, (round / samples.len()) as u64];
                orders[turn] = rng("loader/class", &parts).permutation(samples.len());
            }
            drawn.push(samples[orders[turn][at]]);
        }
    }
    drawn.truncate(classes.len());
    let order = rng("loader/order", &[]).permutation(drawn.len());
    order.into_iter().map(|at| drawn[at]).collect()
}

/// Each sample with how often it came before, so that one that comes again is augmented in another way.
fn numbered(order: &[usize]) -> Vec<(usize, u32)> {
    let mut seen: HashMap<usize, u32> = HashMap::new();
    let number = |&sample: &usize| {
        let before = seen.entry(sample).or_default();
        *before += 1;
        (sample, *before - 1)
    };
    order.iter().map(number).collect()
}

/// The first `count` of the tensor's outermost dimension.
fn first(tensor: Tensor, count: usize) -> Result<Tensor> {
    let mut shape = tensor.shape().to_vec();
    if shape.first() == Some(&count) {
        return Ok(tensor);
    }
    shape[0] = count;
    let mut data = tensor.into_data();
    data.truncate(shape.iter().product());
    Tensor::new(shape, data)
}

fn produce(
    shared: &Shared,
    order: &[(usize, u32)],
    epoch: u64,
    batches: impl Iterator<Item = usize>,
    stop: &AtomicBool,
    sender: &SyncSender<Result<Batch>>,
) {
    for number in batches {
        let start = number * shared.options.batch;
        let end = (start + shared.options.batch).min(order.len());
        match shared.batch(order, start..end, epoch, stop) {
            Some(made) => {
                let failed = made.is_err();
                if sender.send(made).is_err() || failed {
                    return;
                }
            }
            None => return,
        }
    }
}

impl Shared {
    /// One batch; `None` when asked to stop.
    fn batch(
        &self,
        order: &[(usize, u32)],
        drawn: Range<usize>,
        epoch: u64,
        stop: &AtomicBool,
    ) -> Option<Result<Batch>> {
        let (height, width) = (self.options.height, self.options.width);
        let area = height * width;
        let mut images = Tensor::zeros([drawn.len(), 3, height, width]);
        let mut masks = Tensor::zeros([drawn.len(), 1, height, width]);
        let (mut indices, mut unreadable) = (Vec::with_capacity(drawn.len()), Vec::new());
        for place in drawn {
            if stop.load(Ordering::Relaxed) {
                return None;
            }
            let at = indices.len();
            let image = &mut images.data_mut()[at * 3 * area..(at + 1) * 3 * area];
            let mask = &mut masks.data_mut()[at * area..(at + 1) * area];
            let (index, before) = order[place];
            let made = match self.options.on_unreadable {
                OnUnreadable::Replace => self.readable(order, place),
                OnUnreadable::Refuse | OnUnreadable::Skip => self.picture(index).map(|picture| (index, picture)),
            };
            let made = made.and_then(|(taken, picture)| {
                let id = &self.samples[taken].id;
                let id = match (taken == index, before) {
                    (true, 0) => id.clone(),
                    (true, _) => format!("{id}#{before}"),
                    (false, _) => format!("{id} in place {place}"),
                };
                let key = (self.options.seed, epoch, id.as_str());
                self.options.augment.apply(&picture, (height, width), key, image, mask).map(|()| taken)
            });
            match made {
                Ok(taken) => indices.push(taken),
                Err(error) if self.options.on_unreadable == OnUnreadable::Skip => {
                    unreadable.push(self.lost(index, &error));
                }
                Err(error) => return Some(Err(error)),
            }
        }
        let ids = indices.iter().map(|&i| self.samples[i].id.clone()).collect();
        let classes = indices.iter().filter_map(|&i| self.classes.get(i).copied()).collect();
        let (images, masks) = match (first(images, indices.len()), first(masks, indices.len())) {
            (Ok(images), Ok(masks)) => (images, masks),
            (Err(error), _) | (_, Err(error)) => return Some(Err(error)),
        };
        Some(Ok(Batch { images, masks, ids, indices, classes, unreadable }))
    }

    fn lost(&self, index: usize, error: &Error) -> Unreadable {
        let (id, missing) = (self.samples[index].id.clone(), matches!(error, Error::Io { .. }));
        Unreadable { index, id, reason: error.to_string(), missing }
    }

    /// The sample at a place of the order, or the first after it that can be decoded, the order's beginning following its
    /// end.
    fn readable(&self, order: &[(usize, u32)], place: usize) -> Result<(usize, Arc<Picture>)> {
        let mut reason = String::new();
        for &(index, _) in order[place..].iter().chain(&order[..place]).take(REPLACEMENTS) {
            match self.picture(index) {
                Err(error @ Error::Image { .. }) => {
                    reason = error.to_string();
                    let mut replaced = self.replaced.lock().unwrap_or_else(PoisonError::into_inner);
                    if replaced.insert(index, reason.clone()).is_none() {
                        let id = &self.samples[index].id;
                        tracing::warn!("{id} is replaced by other samples, for it cannot be read: {reason}");
                    }
                }
                made => return made.map(|picture| (index, picture)),
            }
        }
        let count = REPLACEMENTS.min(order.len());
        Err(Error::parameter("loader", format!("{count} samples on end cannot be read, the last for this: {reason}")))
    }

    fn picture(&self, index: usize) -> Result<Arc<Picture>> {
        if let Some(picture) = self.cache.get(index) {
            return Ok(picture);
        }
        let sample = &self.samples[index];
        let options = &self.options;
        let photo = read_photo(&sample.image, &options.limits)?;
        let mask = sample.mask.as_ref().map(|path| read_mask(path, &options.limits)).transpose()?;
        let named = |e: Error| Error::image(sample.mask.as_ref().unwrap_or(&sample.image), e.to_string());
        let picture = Picture::new(&photo, mask.as_ref()).map_err(named)?;
        let picture = options.view.of(picture, (options.height, options.width));
        let picture = if options.augment.is_none() {
            picture.resized(options.height, options.width)
        } else {
            picture.reduced(options.height, options.width)
        };
        let picture = Arc::new(picture?);
        self.cache.keep(index, &picture);
        Ok(picture)
    }
}
