use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::*;
use crate::data::augment::Augment;
use crate::data::dataset::Dataset;
use crate::data::image::DecodeLimits;
use crate::data::phantom::{Coloring, PhantomOptions, write_phantoms};
use crate::data::resize::{mask_tensor, photo_tensor};
use crate::data::view::View;

fn made(dir: &Path) -> Vec<Sample> {
    let options = PhantomOptions { count: 11, height: 24, width: 32, seed: 2, coloring: Coloring::Natural, threads: 1 };
    write_phantoms(dir, &options, |_| true).unwrap();
    Dataset::open(dir).unwrap().samples
}

fn all(source: &Source, epoch: u64, start: usize) -> Vec<Batch> {
    source.epoch(epoch, start).unwrap().map(Result::unwrap).collect()
}

#[test]
fn batches_are_the_same_whatever_made_them() {
    let dir = tempfile::tempdir().unwrap();
    let samples = made(dir.path());
    let options = LoaderOptions { drop_last: false, ..LoaderOptions::training(16, 24, 3, 7) };
    let source = Source::new(samples.clone(), options.clone()).unwrap();
    let first = all(&source, 4, 0);
    assert_eq!(first.len(), 4);
    assert_eq!(first[3].images.shape(), [2, 3, 16, 24]);
    assert_eq!(first[0].masks.shape(), [3, 1, 16, 24]);
    let mut seen: Vec<usize> = first.iter().flat_map(|b| b.indices.clone()).collect();
    assert_eq!(seen, source.order(4));
    seen.sort_unstable();
    assert_eq!(seen, (0..11).collect::<Vec<_>>());
    assert_eq!(first[1].ids[0], samples[first[1].indices[0]].id);
    assert_eq!(all(&source, 4, 0), first, "from the cache");
    assert!(source.cached_bytes() > 0);
    for threads in [0, 2, 3, 9] {
        for cache_bytes in [0, 5000, 1 << 20] {
            let source =
                Source::new(samples.clone(), LoaderOptions { threads, cache_bytes, ..options.clone() }).unwrap();
            assert_eq!(all(&source, 4, 0), first, "{threads} threads, {cache_bytes} bytes");
            assert!(source.cached_bytes() <= cache_bytes);
            assert_eq!(all(&source, 4, 2), first[2..], "resumed with {threads} threads");
        }
    }
    assert_ne!(all(&source, 5, 0), first);
    assert!(all(&source, 4, 4).is_empty() && all(&source, 4, 99).is_empty());
    let dropped = Source::new(samples, LoaderOptions { drop_last: true, ..options }).unwrap();
    assert_eq!((dropped.batches(), all(&dropped, 4, 0).len()), (3, 3));
}

#[test]
fn evaluation_sees_what_inference_sees() {
    let dir = tempfile::tempdir().unwrap();
    let samples = made(dir.path());
    let source = Source::new(samples.clone(), LoaderOptions::evaluation(16, 20, 11)).unwrap();
    let batch = all(&source, 0, 0).remove(0);
    assert_eq!(batch.indices, (0..11).collect::<Vec<_>>());
    let limits = DecodeLimits::default();
    for (i, sample) in samples.iter().enumerate() {
        let photo = photo_tensor(&read_photo(&sample.image, &limits).unwrap(), 16, 20).unwrap();
        assert_eq!(&batch.images.data()[i * 960..(i + 1) * 960], photo.data(), "{}", sample.id);
        let mask = mask_tensor(&read_mask(sample.mask.as_ref().unwrap(), &limits).unwrap(), 16, 20).unwrap();
        assert_eq!(&batch.masks.data()[i * 320..(i + 1) * 320], mask.data(), "{}", sample.id);
    }
}

#[test]
fn classes_come_with_their_photographs_and_can_be_balanced() {
    let dir = tempfile::tempdir().unwrap();
    let samples = made(dir.path());
    let indices: Vec<usize> = (0..11).map(|i| usize::from(i >= 9)).collect();
    let classes = crate::data::Classes::three();
    let labelled = Labelled { classes, samples: samples.clone(), indices: indices.clone() };
    let options = LoaderOptions { drop_last: false, ..LoaderOptions::training(16, 24, 4, 7) };
    let source = Source::labelled(labelled.clone(), options.clone()).unwrap();
    for batch in all(&source, 1, 0) {
        assert_eq!(batch.classes, batch.indices.iter().map(|&i| indices[i]).collect::<Vec<_>>());
    }
    assert!(all(&Source::new(samples.clone(), options.clone()).unwrap(), 1, 0)[0].classes.is_empty());
    let balanced = LoaderOptions { balanced: true, ..options.clone() };
    let source = Source::labelled(labelled.clone(), balanced.clone()).unwrap();
    let order = source.order(1);
    assert_eq!(order.len(), 11);
    let rare = order.iter().filter(|&&i| indices[i] == 1).count();
    assert!((5..=6).contains(&rare), "{order:?}");
    // Nine of the other class, of which six or five are drawn: none twice.
    let mut common: Vec<usize> = order.iter().copied().filter(|&i| indices[i] == 0).collect();
    common.sort_unstable();
    assert!(common.windows(2).all(|pair| pair[0] != pair[1]), "{common:?}");
    assert_ne!(source.order(2), order);
    let whole = all(&source, 1, 0);
    assert_eq!(all(&source, 1, 1), whole[1..], "resumed");
    // A photograph that comes again is augmented in another way.
    let (area, flat) = (3 * 16 * 24, whole.iter().flat_map(|b| b.images.data().to_vec()).collect::<Vec<f32>>());
    let places: Vec<usize> = (0..11).filter(|&at| order[at] == 10).collect();
    assert!(places.len() >= 2);
    let image = |at: usize| &flat[at * area..(at + 1) * area];
    assert_ne!(image(places[0]), image(places[1]));
    assert!(Source::new(samples, balanced).unwrap_err().to_string().contains("need classes"));
    let short = Labelled { indices: vec![0], ..labelled };
    assert!(Source::labelled(short, options).unwrap_err().to_string().contains("1 classes for 11 samples"));
}

#[test]
fn a_view_changes_what_is_shown() {
    let dir = tempfile::tempdir().unwrap();
    let samples = made(dir.path());
    let shown = |view: View, samples: Vec<Sample>| {
        let options = LoaderOptions { need_masks: false, view, ..LoaderOptions::evaluation(16, 20, 11) };
        Source::new(samples, options).map(|source| all(&source, 0, 0).remove(0))
    };
    let whole = shown(View::Whole, samples.clone()).unwrap();
    let masked = shown(View::Masked, samples.clone()).unwrap();
    let crop = shown(View::Crop { margin: 0.1 }, samples.clone()).unwrap();
    let lesion = |batch: &Batch| batch.masks.data().iter().sum::<f32>();
    assert!(lesion(&crop) > 1.5 * lesion(&whole), "{} {}", lesion(&crop), lesion(&whole));
    // Far from the lesion stands the ground's colour; inside it what was there.
    let ground = crate::data::GROUND.map(|v| f32::from(v) / 255.0);
    let is_ground = |i: usize| (0..3).all(|c| (masked.images.data()[c * 320 + i] - ground[c]).abs() < 1e-6);
    assert!((0..320).any(is_ground));
    assert!(masked.images.data().iter().zip(whole.images.data()).any(|(a, b)| a == b));
    let unmasked = samples.into_iter().map(|sample| Sample { mask: None, ..sample }).collect();
    assert!(shown(View::Masked, unmasked).unwrap_err().to_string().contains("has no mask"));
}

#[test]
fn a_broken_file_ends_the_epoch_with_its_name() {
    let dir = tempfile::tempdir().unwrap();
    let samples = made(dir.path());
    let whole = std::fs::read(&samples[5].image).unwrap();
    std::fs::write(&samples[5].image, &whole[..whole.len() / 2]).unwrap();
    for threads in [1, 3] {
        let options = LoaderOptions { shuffle: false, threads, ..LoaderOptions::training(16, 24, 2, 1) };
        let mut loader = Source::new(samples.clone(), options).unwrap().epoch(0, 0).unwrap();
        assert!(loader.next().unwrap().is_ok() && loader.next().unwrap().is_ok());
        let error = loader.next().unwrap().unwrap_err();
        assert!(matches!(error, Error::Image { .. }) && error.to_string().contains(&samples[5].id), "{error}");
        assert!(loader.next().is_none());
    }
}

#[test]
fn broken_files_are_left_out_where_that_is_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let samples = made(dir.path());
    let options = LoaderOptions { on_unreadable: OnUnreadable::Skip, ..LoaderOptions::evaluation(16, 24, 4) };
    let batches = || -> Vec<Batch> {
        let source = Source::new(samples.clone(), options.clone()).unwrap();
        source.epoch(0, 0).unwrap().collect::<Result<_>>().unwrap()
    };
    let whole = batches();
    std::fs::write(&samples[1].image, b"no photograph").unwrap();
    std::fs::write(samples[2].mask.as_ref().unwrap(), b"no mask").unwrap();
    for sample in &samples[4..8] {
        std::fs::write(&sample.image, b"").unwrap();
    }
    let left = batches();
    assert_eq!(left[0].indices, [0, 3]);
    assert_eq!((left[0].images.shape(), left[0].masks.shape()), (&[2, 3, 16, 24][..], &[2, 1, 16, 24][..]));
    let plane = 3 * 16 * 24;
    assert_eq!(left[0].images.data()[..plane], whole[0].images.data()[..plane]);
    assert_eq!(left[0].images.data()[plane..], whole[0].images.data()[3 * plane..]);
    let lost: Vec<(usize, &str)> = left[0].unreadable.iter().map(|lost| (lost.index, lost.id.as_str())).collect();
    assert_eq!(lost, [(1, samples[1].id.as_str()), (2, samples[2].id.as_str())]);
    assert!(left[0].unreadable[1].reason.contains("_segmentation"), "{:?}", left[0].unreadable);
    assert!(left[1].indices.is_empty() && left[1].images.is_empty() && left[1].unreadable.len() == 4);
    assert_eq!(left[2..], whole[2..]);
}

#[test]
fn broken_files_are_replaced_alike_whoever_makes_the_batch() {
    let dir = tempfile::tempdir().unwrap();
    let samples = made(dir.path());
    let options = LoaderOptions {
        on_unreadable: OnUnreadable::Replace,
        augment: Augment::default(),
        ..LoaderOptions::training(16, 24, 3, 7)
    };
    let source = |more: LoaderOptions| Source::new(samples.clone(), more).unwrap();
    let whole = all(&source(options.clone()), 4, 0);
    let order = source(options.clone()).order(4);
    // One photograph in the second batch, and the mask of the one after it; the last of the order, which is left out.
    let (first, second, last) = (order[4], order[5], order[10]);
    std::fs::write(&samples[first].image, b"no photograph").unwrap();
    std::fs::write(samples[second].mask.as_ref().unwrap(), b"").unwrap();
    let replaced = source(options.clone());
    let batches = all(&replaced, 4, 0);
    assert_eq!((batches.len(), &batches[0], &batches[2]), (3, &whole[0], &whole[2]));
    assert_eq!(batches[1].indices, [order[3], order[6], order[6]]);
    let plane = 3 * 16 * 24;
    let images: Vec<&[f32]> = batches[1].images.data().chunks(plane).collect();
    assert_eq!(images[0], &whole[1].images.data()[..plane]);
    let own = &whole[2].images.data()[..plane];
    assert!(images[1] != images[2] && images[1] != own && images[2] != own, "each is augmented in its own way");
    let mut lost: Vec<usize> = replaced.unreadable().iter().map(|lost| lost.index).collect();
    lost.sort_unstable();
    assert_eq!(lost, [first.min(second), first.max(second)]);
    assert!(replaced.unreadable().iter().all(|lost| lost.reason.contains(&samples[lost.index].id)));
    for (threads, cache_bytes, start) in [(1, 0, 1), (3, 1 << 20, 0), (2, 5000, 2)] {
        let other = source(LoaderOptions { threads, cache_bytes, ..options.clone() });
        assert_eq!(all(&other, 4, start), batches[start..], "{threads} threads from {start}");
    }
    // At the order's end its beginning follows.
    std::fs::write(&samples[last].image, b"").unwrap();
    let uncut = source(LoaderOptions { drop_last: false, ..options.clone() });
    assert_eq!(all(&uncut, 4, 3)[0].indices, [order[9], order[0]]);

    // A file that is gone is no photograph that cannot be decoded.
    std::fs::remove_file(&samples[order[0]].image).unwrap();
    let gone = source(options.clone());
    let error = gone.refuse_missing().unwrap_err();
    assert!(matches!(error, Error::Io { .. }) && error.to_string().contains(&samples[order[0]].id), "{error}");
    assert!(gone.epoch(4, 0).unwrap().next().unwrap().is_err());
    for sample in &samples {
        std::fs::write(&sample.image, b"no photograph").unwrap();
    }
    assert!(gone.refuse_missing().is_ok());
    let message = gone.epoch(4, 0).unwrap().next().unwrap().unwrap_err().to_string();
    assert!(message.contains("11 samples on end cannot be read"), "{message}");
}

#[test]
fn dropping_stops_the_threads() {
    let dir = tempfile::tempdir().unwrap();
    let samples: Vec<Sample> = made(dir.path()).into_iter().cycle().take(5000).collect();
    let options = LoaderOptions { threads: 3, cache_bytes: 0, ..LoaderOptions::training(64, 64, 50, 1) };
    let source = Source::new(samples, options).unwrap();
    let mut loader = source.epoch(0, 0).unwrap();
    loader.next().unwrap().unwrap();
    let start = Instant::now();
    drop(loader);
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    assert_eq!(Arc::strong_count(&source.0), 1, "no thread holds the samples");
}

#[test]
fn refusals_name_the_knob() {
    let sample =
        Sample { id: "a".into(), image: PathBuf::from("a.png"), mask: None, label: None, lesion: None, split: None };
    let options = LoaderOptions::training(16, 16, 4, 1);
    let refused = |samples: Vec<Sample>, options: LoaderOptions| Source::new(samples, options).unwrap_err().to_string();
    assert!(refused(vec![], options.clone()).contains("no samples"));
    assert!(refused(vec![sample.clone()], options.clone()).contains("a has no mask"));
    assert!(refused(vec![sample.clone()], LoaderOptions { batch: 0, ..options.clone() }).contains("batch is 0"));
    let augment = Augment { blur: -1.0, ..Augment::none() };
    assert!(refused(vec![sample.clone()], LoaderOptions { augment, ..options.clone() }).contains("blur"));
    let source = Source::new(vec![sample], LoaderOptions { need_masks: false, drop_last: false, ..options }).unwrap();
    assert!(source.epoch(0, 0).unwrap().next().unwrap().unwrap_err().to_string().contains("a.png"));
}

/// Prints what a real photograph costs; run with `--nocapture`.
#[test]
fn real_photographs_load() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/derm/ham10000");
    if !root.is_dir() {
        println!("skipped: {} is not there", root.display());
        return;
    }
    let samples: Vec<Sample> = Dataset::open(&root).unwrap().samples.into_iter().step_by(45).collect();
    let count = samples.len() as u32;
    for (height, width) in [(96, 128), (144, 192)] {
        let options = LoaderOptions { drop_last: false, ..LoaderOptions::training(height, width, 20, 1) };
        let source = Source::new(samples.clone(), options).unwrap();
        for epoch in 0..2 {
            let start = Instant::now();
            let images: usize = all(&source, epoch, 0).iter().map(|b| b.ids.len()).sum();
            assert_eq!(images, samples.len());
            println!("{height}×{width}, epoch {epoch}: {:?} an image", start.elapsed() / count);
        }
    }
}
