//! A U-Net's training on the device: it learns, stops when it no longer gets better, goes on to the bit, and says what it
//! starts from.
#![cfg(feature = "train")]

mod support;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use nevus::data::phantom::{Coloring, PhantomOptions, write_phantoms};
use nevus::data::{Augment, Dataset, DecodeLimits, Sample, read_mask, read_photo};
use nevus::models::{UNet, Weights};
use nevus::plan::PlanOptions;
use nevus::train::segment::{COLUMNS, Ended, Event, SegmentConfig, SegmentRun, Splits};
use nevus::train::step::{Loss, Normalisation, Optimizer};
use nevus::train::validate::validate;
use nevus::train::{Checkpoint, MetricsTable, Row, Schedule, SegmentationMeter, Segmenter};
use nevus::{Error, Gpu, Tensor};
use support::{gpu, options};

/// The mean IoU to reach on phantoms that were not learned from, with some 90 GFLOP.
const LEAST_IOU: f64 = 0.6;
/// How much more that has to be than the best darkness gives.
const LEAST_GAIN: f64 = 0.05;

/// Phantoms in the order of their numbers: those of one lesion lie within three whose first number three divides.
fn phantoms(dir: &Path, count: u64, [height, width]: [usize; 2]) -> Vec<Sample> {
    let options = PhantomOptions { count, height, width, seed: 11, coloring: Coloring::Natural, threads: 2 };
    write_phantoms(dir, &options, |_| true).unwrap();
    Dataset::open(dir).unwrap().samples
}

/// The first `train` samples to learn from, the others to measure on.
fn splits(all: &[Sample], train: usize) -> Splits {
    let (train, val) = all.split_at(train);
    Splits { train: train.to_vec(), val: val.to_vec(), description: "phantoms".into() }
}

fn config(size: [usize; 2], batch: usize, epochs: u64) -> SegmentConfig {
    SegmentConfig {
        net: UNet { base: 4, depth: 2, ..UNet::default() },
        normalisation: Normalisation::default(),
        size,
        batch,
        micro_batches: 1,
        epochs,
        loss: Loss::BceDice,
        optimizer: Optimizer::Adamw { weight_decay: 0.0 },
        schedule: Schedule::constant(1e-3),
        clip: None,
        ema: 0.0,
        augment: Augment::none(),
        patience: 0,
        val_limit: None,
        seed: 5,
        init: None,
        recompute: false,
        started_from: None,
        license: None,
    }
}

fn open<'a>(gpu: &'a Gpu, config: &'a SegmentConfig, dir: &Path, splits: &'a Splits) -> SegmentRun<'a> {
    let resume = dir.join("state.json").exists();
    SegmentRun::open(gpu, config, dir, splits, None, resume, &PlanOptions::default()).unwrap()
}

/// Starts a run or goes on with it.
fn train(gpu: &Gpu, config: &SegmentConfig, dir: &Path, splits: &Splits, steps: Option<u64>) -> Ended {
    open(gpu, config, dir, splits).train(steps, &AtomicBool::new(false), &mut |_| {}).unwrap()
}

fn rows(run: &Path) -> Vec<Row> {
    let (columns, rows) = MetricsTable::read(run.join("metrics.csv")).unwrap();
    assert_eq!(columns, COLUMNS);
    rows
}

/// The mean IoU of "as dark as this or darker", at the darkness that is best for these very photographs together.
fn best_darkness(samples: &[Sample]) -> f64 {
    let limits = DecodeLimits::default();
    let mut meter = SegmentationMeter::percents();
    for sample in samples {
        let photo = read_photo(&sample.image, &limits).unwrap();
        let mask = read_mask(sample.mask.as_ref().unwrap(), &limits).unwrap();
        let dark =
            |[r, g, b]: [u8; 3]| 1.0 - (0.299 * f32::from(r) + 0.587 * f32::from(g) + 0.114 * f32::from(b)) / 255.0;
        let darkness: Vec<f32> = photo.pixels().map(|pixel| dark(pixel.0)).collect();
        meter.add_probabilities(&sample.id, &darkness, mask.as_raw().iter().map(|&value| value >= 128)).unwrap();
    }
    meter.best().unwrap().mean_iou
}

/// What it proves: loader, step, average and measure together make a network that outlines lesions it has never seen,
/// better than any darkness would, chosen though that is on the photographs it is measured on.
#[test]
fn it_learns_to_outline_lesions_that_it_has_not_seen() {
    let Some(gpu) = gpu(&options()) else { return };
    let dir = tempfile::tempdir().unwrap();
    let splits = splits(&phantoms(&dir.path().join("data"), 162, [48, 72]), 129);
    let config = SegmentConfig {
        net: UNet { base: 8, depth: 3, ..UNet::default() },
        schedule: Schedule::cosine(3e-3, 8, 128),
        clip: Some(1.0),
        ema: 0.9,
        ..config([32, 48], 8, 8)
    };
    let run = dir.path().join("run");
    let mut best = f64::NEG_INFINITY;
    let ended = open(&gpu, &config, &run, &splits).train(None, &AtomicBool::new(false), &mut |event| {
        if let Event::Epoch { epoch, loss, val, improved } = event {
            let iou = val.best.mean_iou;
            println!("epoch {epoch}: loss {loss:.4}, IoU {iou:.4} at {:.2}", val.best.threshold);
            assert_eq!(improved, iou > best);
            best = best.max(iou);
        }
    });
    assert_eq!(ended.unwrap(), Ended::Finished);

    let rows = rows(&run);
    assert_eq!(rows.iter().map(|row| row.epoch).collect::<Vec<_>>(), (0..8).collect::<Vec<_>>());
    assert!(rows.iter().all(|row| row.values.iter().all(Option::is_some)), "{rows:?}");
    let figure =
        |row: &Row, name: &str| row.values[COLUMNS.iter().position(|column| *column == name).unwrap()].unwrap();
    assert!(figure(&rows[7], "loss") < figure(&rows[0], "loss"), "{rows:?}");
    assert_eq!(rows.iter().map(|row| figure(row, "val_iou")).fold(0.0, f64::max), best);

    let weights = Weights::open(run.join("best.safetensors")).unwrap();
    assert_eq!(weights.meta().unwrap().input_size, Some((32, 48)));
    let segmenter = Segmenter::new(&gpu, &weights).unwrap();
    let (again, lost) = validate(&segmenter, &splits.val, 8, &mut |_| true).unwrap();
    assert_eq!(lost, []);
    let again = again.scores(segmenter.threshold()).unwrap().mean_iou;
    assert_eq!(again, best, "the file gives what training measured");
    let last = Weights::open(run.join("last.safetensors")).unwrap();
    assert_eq!(last.tensors.keys().collect::<Vec<_>>(), weights.tensors.keys().collect::<Vec<_>>());
    assert!(last.tensors != weights.tensors, "best holds averages");

    let darkness = best_darkness(&splits.val);
    println!("IoU {best:.4}, of the best darkness {darkness:.4}");
    assert!(best >= LEAST_IOU, "{best}, expected at least {LEAST_IOU}");
    assert!(best >= darkness + LEAST_GAIN, "{best}, but the best darkness has {darkness}");
}

#[test]
fn it_stops_when_patience_is_at_its_end() {
    let Some(gpu) = gpu(&options()) else { return };
    let dir = tempfile::tempdir().unwrap();
    let splits = splits(&phantoms(&dir.path().join("data"), 24, [24, 36]), 15);
    // Too slow for any pixel to change sides, so that the first epoch stays the best.
    let config = SegmentConfig { schedule: Schedule::constant(1e-12), patience: 2, ..config([16, 24], 5, 20) };
    let run = dir.path().join("run");
    for (patience, epochs) in [(2, 3), (2, 3), (4, 5)] {
        let config = SegmentConfig { patience, ..config.clone() };
        assert_eq!(train(&gpu, &config, &run, &splits, None), Ended::Stopped);
        assert_eq!(rows(&run).len(), epochs, "patience {patience}");
    }
    let state = Checkpoint::load(&run).unwrap().unwrap().state;
    assert_eq!((state.early.best_epoch, state.early.waited), (Some(0), 4));
}

/// Everything that is drawn takes part: order, augmentation, dropout.
fn drawn() -> SegmentConfig {
    let mut config = config([16, 24], 4, 4);
    config.net.dropout = 0.3;
    config.micro_batches = 2;
    config.augment = Augment::default();
    config.schedule = Schedule::cosine(3e-3, 2, 24);
    (config.clip, config.ema) = (Some(1.0), 0.9);
    config
}

/// Trains until the first epoch is measured, and is asked to stop there.
fn stop_while_measuring(gpu: &Gpu, config: &SegmentConfig, dir: &Path, splits: &Splits) {
    let (cancel, mut told) = (AtomicBool::new(false), Vec::new());
    let ended = open(gpu, config, dir, splits).train(None, &cancel, &mut |event| match event {
        Event::Validation { epoch: 0, done, of } => {
            told.push((done, of));
            cancel.store(done > 0, Ordering::Relaxed);
        }
        Event::Validation { .. } | Event::Epoch { .. } => panic!("{event:?}"),
        _ => {}
    });
    assert_eq!(ended.unwrap(), Ended::Paused);
    assert_eq!(told, [(0, 9), (8, 9)]);
    assert!(rows(dir).is_empty());
    let state = Checkpoint::load(dir).unwrap().unwrap().state;
    assert_eq!((state.step, state.epoch, state.batch, state.early.best), (6, 0, 6, None));
}

#[test]
fn a_resumed_run_goes_on_to_the_bit_also_from_the_middle_of_a_measure() {
    let Some(gpu) = gpu(&options()) else { return };
    let dir = tempfile::tempdir().unwrap();
    let splits = splits(&phantoms(&dir.path().join("data"), 33, [24, 36]), 24);
    let config = drawn();
    let [whole, parts, measuring] = ["whole", "parts", "measuring"].map(|name| dir.path().join(name));
    assert_eq!(train(&gpu, &config, &whole, &splits, Some(10)), Ended::Paused);
    for steps in [5, 5] {
        assert_eq!(train(&gpu, &config, &parts, &splits, Some(steps)), Ended::Paused);
    }
    stop_while_measuring(&gpu, &config, &measuring, &splits);
    assert_eq!(train(&gpu, &config, &measuring, &splits, Some(4)), Ended::Paused);

    let expected = Checkpoint::load(&whole).unwrap().unwrap();
    assert_eq!((expected.state.step, expected.state.epoch, expected.state.batch), (10, 1, 4));
    // Images a second and seconds are no figures of the run.
    let figures = |run: &Path| rows(run).iter().map(|row| row.values[..6].to_vec()).collect::<Vec<_>>();
    for run in [&parts, &measuring] {
        let name = run.display();
        for file in ["last.safetensors", "best.safetensors"] {
            let [a, b] = [run, &whole].map(|run| std::fs::read(run.join(file)).unwrap());
            assert!(a == b, "{name}: {file} differs");
        }
        let found = Checkpoint::load(run).unwrap().unwrap();
        assert_eq!(found.state, expected.state, "{name}");
        assert!(found.slabs == expected.slabs, "{name}: slabs differ");
        assert_eq!(figures(run), figures(&whole), "{name}");
    }
    assert_eq!(rows(&measuring)[0].values[6], None, "no step was timed before the measure");
}

#[test]
fn it_says_what_it_starts_from_and_refuses_what_does_not_fit() {
    let Some(gpu) = gpu(&options()) else { return };
    let dir = tempfile::tempdir().unwrap();
    let splits = splits(&phantoms(&dir.path().join("data"), 24, [24, 36]), 15);
    let config = config([16, 24], 5, 1);
    assert_eq!(train(&gpu, &config, &dir.path().join("first"), &splits, Some(1)), Ended::Paused);
    let start = Weights::open(dir.path().join("first/last.safetensors")).unwrap();
    let begin = |name: &str, config: &SegmentConfig, start: &Weights| {
        let run = SegmentRun::open(
            &gpu,
            config,
            &dir.path().join(name),
            &splits,
            Some(start),
            false,
            &PlanOptions::default(),
        )?;
        Ok::<_, Error>(run.loaded().cloned().unwrap())
    };

    let loaded = begin("all", &config, &start).unwrap();
    assert!(loaded.complete() && loaded.loaded.len() == start.tensors.len(), "{loaded}");
    let mut part = start.clone();
    part.tensors.remove("down.1.conv2.bias");
    part.insert("head.weight", Tensor::zeros([2, 4, 1, 1]));
    part.insert("other.weight", Tensor::zeros([3]));
    let loaded = begin("part", &config, &part).unwrap();
    assert_eq!(loaded.loaded.len(), start.tensors.len() - 2);
    assert_eq!(loaded.missing, ["down.1.conv2.bias"]);
    assert_eq!(loaded.unexpected, ["other.weight"]);
    assert_eq!(loaded.replaced.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["head.weight"]);

    let mut wider = config.clone();
    wider.net.base = 8;
    let mut foreign = Weights::new();
    foreign.insert("layer1.weight", Tensor::zeros([3]));
    let cases =
        [(&wider, &start, "has shape [4, 3, 3, 3], expected [8, 3, 3, 3]"), (&config, &foreign, "no tensor in it")];
    for (config, start, expected) in cases {
        let error = begin("refused", config, start).unwrap_err();
        assert!(matches!(error, Error::Weights { .. }), "{error:?}");
        let message = error.to_string();
        assert!(message.contains(expected) && message.contains("(hint: --init"), "{message}");
        assert!(!dir.path().join("refused").exists(), "a run was begun");
    }
}
