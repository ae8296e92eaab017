//! A classifier's training on the device: it learns, tells apart what it has not seen and looks where that lies, goes on to
//! the bit, leaves frozen stages alone, and calibrates.
#![cfg(feature = "train")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use nevus::data::image::RgbImage;
use nevus::data::phantom::{Coloring, PhantomOptions, write_phantoms};
use nevus::data::resize::resize_maps;
use nevus::data::save::write_png;
use nevus::data::{Augment, Classes, Dataset, DecodeLimits, Labelled, Sample, View, read_mask, read_photo};
use nevus::models::{Meta, ResNet, ResNetDepth, Stage, Weights};
use nevus::plan::PlanOptions;
use nevus::train::classification::{Calibration, Decide};
use nevus::train::classify::{ClassLoss, ClassifyConfig, ClassifyRun, ClassifySplits, Ended, Event, Monitor};
use nevus::train::find_lr::LrRange;
use nevus::train::step::{Normalisation, Optimizer};
use nevus::train::{Checkpoint, Classifier, GradCam, Init, Schedule, StageRates, Ways};
use nevus::{Error, Gpu};
use support::{gpu, options};

/// Phantoms with their classes.
fn phantoms(dir: &Path, count: u64, classes: &Classes) -> Labelled {
    let options = PhantomOptions { count, height: 48, width: 48, seed: 11, coloring: Coloring::Natural, threads: 2 };
    write_phantoms(dir, &options, |_| true).unwrap();
    Dataset::open(dir).unwrap().labelled(classes).unwrap()
}

fn part(all: &Labelled, range: Range<usize>) -> Labelled {
    let (samples, indices) = (all.samples[range.clone()].to_vec(), all.indices[range].to_vec());
    Labelled { classes: all.classes.clone(), samples, indices }
}

fn splits(train: Labelled, val: Labelled) -> ClassifySplits {
    ClassifySplits { train, val, description: "phantoms".into() }
}

fn config(size: usize, batch: usize, epochs: u64) -> ClassifyConfig {
    ClassifyConfig {
        net: ResNet::new(ResNetDepth::D18, 3),
        classes: Classes::three().names().to_vec(),
        normalisation: Normalisation::default(),
        size: [size, size],
        view: View::Whole,
        batch,
        epochs,
        loss: ClassLoss::CrossEntropy { label_smoothing: 0.0 },
        class_weights: 0.0,
        balanced: false,
        mixup: 0.0,
        optimizer: Optimizer::Adamw { weight_decay: 0.0 },
        schedule: Schedule::constant(1e-3),
        clip: None,
        ema: 0.0,
        stages: StageRates::default(),
        zero_last_norm: false,
        augment: Augment::none(),
        monitor: Monitor::Loss,
        patience: 0,
        val_limit: None,
        seed: 5,
        init: None,
        started_from: None,
        skip_unlabelled: false,
        recompute: false,
        license: None,
    }
}

fn open<'a>(
    gpu: &'a Gpu,
    config: &'a ClassifyConfig,
    dir: &Path,
    splits: &'a ClassifySplits,
    resume: bool,
) -> Result<ClassifyRun<'a>, Error> {
    ClassifyRun::open(gpu, config, dir, splits, None, resume, &PlanOptions::default())
}

fn train(gpu: &Gpu, config: &ClassifyConfig, dir: &Path, splits: &ClassifySplits, steps: Option<u64>) -> Ended {
    let mut run = open(gpu, config, dir, splits, dir.join("state.json").exists()).unwrap();
    run.train(steps, &AtomicBool::new(false), &mut |_| {}).unwrap()
}

#[test]
fn it_learns_thirty_two_phantoms_by_heart_and_calibration_tells_that_it_did() {
    let Some(gpu) = gpu(&options()) else { return };
    let dir = tempfile::tempdir().unwrap();
    let all = phantoms(&dir.path().join("data"), 152, &Classes::three());
    // Measured on what it learns from.
    let splits = splits(part(&all, 0..32), part(&all, 0..32));
    let config = ClassifyConfig { schedule: Schedule::cosine(1e-3, 4, 48), ..config(32, 16, 24) };
    let mut run = open(&gpu, &config, &dir.path().join("run"), &splits, false).unwrap();
    let mut best: f64 = 0.0;
    let cancel = AtomicBool::new(false);
    let ended = run.train(None, &cancel, &mut |event| {
        if let Event::Epoch { epoch, loss, val, .. } = event {
            println!("epoch {epoch}: loss {loss:.4}, on val {:.4}, accuracy {:.3}", val.loss, val.scores.accuracy);
            best = best.max(val.scores.accuracy);
            if val.scores.accuracy == 1.0 && loss < 0.1 {
                cancel.store(true, Ordering::Relaxed);
            }
        }
    });
    assert!(matches!(ended.unwrap(), Ended::Finished | Ended::Paused));
    assert_eq!(best, 1.0, "accuracy on what it learned from");

    let weights = Weights::open(dir.path().join("run/best.safetensors")).unwrap();
    let meta = weights.meta().unwrap();
    assert_eq!(meta.classes.as_deref(), Some(Classes::three().names()));
    assert_eq!((meta.input_size, meta.temperature.is_some()), (Some((32, 32)), true));
    let classifier = Classifier::new(&gpu, &weights).unwrap();
    let measure =
        |labelled: &Labelled, ways| classifier.measure(labelled, View::Whole, ways, 24, &mut |_| true).unwrap();
    // With the calibration that training fitted, by which classes are named.
    let again = measure(&splits.train, Ways::One).scores(&classifier.options().calibration, None).unwrap();
    assert_eq!(again.accuracy, 1.0, "the file gives what training measured");

    // It knows little of others, and is sure nevertheless.
    let fitted = measure(&part(&all, 32..92), Ways::One).calibrate(Decide::Accurate).unwrap();
    let held_out = measure(&part(&all, 92..152), Ways::One);
    let scores = held_out.scores(&fitted, None).unwrap();
    println!("{fitted:?}, ECE {:.3} to {:.3}", scores.ece, scores.ece_calibrated);
    assert!(fitted.temperature > 1.0);
    assert!(scores.ece_calibrated < scores.ece, "{} {}", scores.ece, scores.ece_calibrated);
    assert!(held_out.nll(&fitted) < held_out.nll(&Calibration::default()));
    let mirrored = measure(&part(&all, 92..152), Ways::Four);
    assert_eq!(mirrored.images()[0].logits.len(), 4);
    assert_eq!(mirrored.images()[0].logits[0], held_out.images()[0].logits[0]);
    assert_ne!(mirrored.images()[0].logits[1], mirrored.images()[0].logits[0]);
}

/// Colour-coded phantoms: what is learned from, what decides when to stop, and what is then judged. Three photographs in a
/// row may show one lesion, so that parts of threes share none.
const LEARNED: Range<usize> = 0..144;
const CHOSEN_ON: Range<usize> = 144..168;
const UNSEEN: Range<usize> = 168..288;
/// Height and width of photographs and input.
const SIDE: usize = 48;
const BATCH: usize = 16;
const EPOCHS: u64 = 8;
/// Where it is asked what spoke for a class; its grid has an eighth of the input's rows.
const LAYER: &str = "layer2";
/// How much more of the heat map lies on the lesions than would if it were even.
const FACTOR: f64 = 1.3;
/// Height and width at which the last layer, too, has a grid finer than a lesion; what it is then asked of.
const LARGE: usize = 160;
const SOME: Range<usize> = UNSEEN.start..UNSEEN.start + 60;

#[test]
fn from_scratch_it_tells_unseen_colors_apart_and_looks_at_the_lesions() {
    let Some(gpu) = gpu(&options()) else { return };
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let drawn = PhantomOptions {
        count: UNSEEN.end as u64,
        height: SIDE,
        width: SIDE,
        seed: 21,
        coloring: Coloring::ByClass,
        threads: 2,
    };
    write_phantoms(&data, &drawn, |_| true).unwrap();
    let all = Dataset::open(&data).unwrap().labelled(&Classes::three()).unwrap();
    let (splits, unseen) = (splits(part(&all, LEARNED), part(&all, CHOSEN_ON)), part(&all, UNSEEN));
    let steps = (LEARNED.len() / BATCH) as u64 * EPOCHS;
    let base = config(SIDE, BATCH, EPOCHS);
    let config = ClassifyConfig { schedule: Schedule::cosine(1e-3, 4, steps), zero_last_norm: true, ..base };
    let run_dir = dir.path().join("run");
    let mut run = open(&gpu, &config, &run_dir, &splits, false).unwrap();
    let cancel = AtomicBool::new(false);
    let ended = run.train(None, &cancel, &mut |event| {
        if let Event::Epoch { epoch, loss, val, .. } = event {
            println!("epoch {epoch}: loss {loss:.4}, on val {:.4}, accuracy {:.3}", val.loss, val.scores.accuracy);
            if val.scores.accuracy == 1.0 && val.loss < 0.05 {
                cancel.store(true, Ordering::Relaxed);
            }
        }
    });
    assert!(matches!(ended.unwrap(), Ended::Finished | Ended::Paused));
    let weights = Weights::open(run_dir.join("best.safetensors")).unwrap();
    let classifier = Classifier::new(&gpu, &weights).unwrap();
    let meter = classifier.measure(&unseen, View::Whole, Ways::One, 24, &mut |_| true).unwrap();
    let scores = meter.scores(&Calibration::default(), None).unwrap();
    println!(
        "accuracy on what it has not seen {:.3}, recall over classes {:.3}",
        scores.accuracy, scores.balanced_accuracy
    );
    assert!(scores.accuracy >= 0.95, "{:?}", scores.confusion);

    let shares = |classifier: &Classifier, layer: &str, photographs: &Labelled| -> [f64; 4] {
        let cam = GradCam::of(&gpu, classifier, layer, &PlanOptions::default()).unwrap();
        let pairs = photographs.samples.iter().zip(&photographs.indices);
        let maps: Vec<[f64; 4]> =
            pairs.filter_map(|(sample, &class)| on_lesion(&cam, classifier, sample, class)).collect();
        let all = photographs.samples.len();
        assert!(10 * maps.len() >= 9 * all, "{layer}: {} maps have no weight", all - maps.len());
        [0, 1, 2, 3].map(|which| maps.iter().map(|shares| shares[which]).sum::<f64>() / maps.len() as f64)
    };
    let looks = |layer: &str, [on_places, places, on_pixels, pixels]: [f64; 4]| {
        println!("{layer}: {on_places:.3} on {places:.3} of the places, {on_pixels:.3} on {pixels:.3} of the pixels");
        assert!(on_places > 0.5 && on_places > FACTOR * places, "{layer}: {on_places} {places}");
        assert!(on_pixels > FACTOR * pixels, "{layer}: {on_pixels} {pixels}");
    };
    looks(LAYER, shares(&classifier, LAYER, &unseen));
    // The layer that nevus analyze shows.
    let mut enlarged = weights.clone();
    enlarged.set_meta(&Meta { input_size: Some((LARGE, LARGE)), ..weights.meta().unwrap() });
    let enlarged = Classifier::new(&gpu, &enlarged).unwrap();
    looks("layer4", shares(&enlarged, "layer4", &part(&all, SOME)));
}

/// The share of a photograph's heat map that lies on its lesion, and the share of the map's places that do: those with any
/// pixel of the mask. Then the same of the map as the page shows it, enlarged, by the pixels of the mask. `None` where
/// nothing spoke for the class.
fn on_lesion(cam: &GradCam, classifier: &Classifier, sample: &Sample, class: usize) -> Option<[f64; 4]> {
    let limits = DecodeLimits::default();
    let photo = read_photo(&sample.image, &limits).unwrap();
    let mask = read_mask(sample.mask.as_ref().unwrap(), &limits).unwrap();
    let map = cam.run(classifier.params(), &classifier.input(&photo, None).unwrap(), class).unwrap().map;
    let &[1, 1, rows, columns] = map.shape() else { panic!("{:?}", map.shape()) };
    let (width, height) = (mask.width() as usize, mask.height() as usize);
    let mut lesion = vec![false; rows * columns];
    for (at, _) in mask.as_raw().iter().enumerate().filter(|(_, value)| **value == 255) {
        let (y, x) = (at / width * rows / height, at % width * columns / width);
        lesion[y * columns + x] = true;
    }
    let shown = resize_maps(&map, height, width).unwrap();
    let inside: Vec<bool> = mask.as_raw().iter().map(|&value| value == 255).collect();
    let [on_places, places] = share(map.data(), &lesion)?;
    let [on_pixels, pixels] = share(shown.data(), &inside)?;
    Some([on_places, places, on_pixels, pixels])
}

/// The share of the values' sum that is inside, and the share of the values; `None` for a sum of 0.
fn share(values: &[f32], inside: &[bool]) -> Option<[f64; 2]> {
    let sum =
        |all: bool| values.iter().zip(inside).filter(|(_, on)| all || **on).map(|(value, _)| f64::from(*value)).sum();
    let (on, all): (f64, f64) = (sum(false), sum(true));
    let places = inside.iter().filter(|on| **on).count() as f64 / inside.len() as f64;
    (all > 0.0).then(|| [on / all, places])
}

/// Everything that is drawn takes part: order, augmentation, mixup, dropout.
fn drawn() -> ClassifyConfig {
    let mut config = config(24, 8, 4);
    config.net.dropout = 0.3;
    config.loss = ClassLoss::CrossEntropy { label_smoothing: 0.1 };
    (config.class_weights, config.balanced, config.mixup) = (0.5, true, 0.4);
    config.view = View::Crop { margin: 0.2 };
    config.augment = Augment::classification();
    config.schedule = Schedule::cosine(1e-3, 2, 12);
    (config.clip, config.ema) = (Some(1.0), 0.9);
    config.stages = StageRates {
        frozen: [Stage::Stem, Stage::Layer1].into(),
        frozen_norms: BTreeSet::from([Stage::Layer2]),
        lr: [(Stage::Fc, 2.0)].into(),
    };
    config
}

/// The checkpoint of two runs that stand at the same place, to the bit.
fn same_checkpoints(one: &Path, other: &Path) -> Checkpoint {
    let [a, b] = [one, other].map(|dir| Checkpoint::load(dir).unwrap().unwrap());
    assert_eq!(a.state, b.state);
    for (slab, tensors) in &a.slabs {
        for ((name, one), (_, other)) in tensors.iter().zip(&b.slabs[slab]) {
            assert!(one == other, "{slab}/{name} differs");
        }
    }
    a
}

#[test]
fn a_resumed_run_goes_on_to_the_bit_and_frozen_stages_stay() {
    let Some(gpu) = gpu(&options()) else { return };
    let dir = tempfile::tempdir().unwrap();
    let all = phantoms(&dir.path().join("data"), 32, &Classes::three());
    let splits = splits(part(&all, 0..24), part(&all, 24..32));
    let config = drawn();
    let (whole, parts) = (dir.path().join("whole"), dir.path().join("parts"));
    assert_eq!(train(&gpu, &config, &whole, &splits, Some(5)), Ended::Paused);
    for steps in [1, 3, 1] {
        assert_eq!(train(&gpu, &config, &parts, &splits, Some(steps)), Ended::Paused);
    }
    let a = same_checkpoints(&whole, &parts);
    let fresh = Init::resnet(&config.net, config.seed, config.zero_last_norm);
    let step = config.step(&[1.0; 3]).unwrap();
    let fresh = fresh.fill(step.graph.params()).unwrap();
    for slab in ["weights", "ema"] {
        let kept = |name: &str| a.slabs[slab].iter().find(|(known, _)| known == name).unwrap().1 == fresh.tensors[name];
        for name in ["conv1.weight", "bn1.running_mean", "layer1.1.bn2.weight", "layer2.0.bn1.running_var"] {
            assert!(kept(name), "{slab}/{name} moved");
        }
        for name in ["layer2.0.conv1.weight", "layer3.0.bn1.running_mean", "fc.weight"] {
            assert!(!kept(name), "{slab}/{name} did not move");
        }
    }
    let plain = ClassifyConfig { mixup: 0.0, ..config.clone() };
    let message = open(&gpu, &plain, &parts, &splits, true).err().unwrap().to_string();
    assert!(message.contains("mixup is 0.4 in the run, 0.0 now"), "{message}");
    let mut other = splits.clone();
    other.train.indices[0] = (other.train.indices[0] + 1) % 3;
    let message = open(&gpu, &config, &parts, &other, true).err().unwrap().to_string();
    assert!(message.contains("other data"), "{message}");
}

#[test]
fn every_loss_takes_a_step_and_a_learning_rate_is_found() {
    let Some(gpu) = gpu(&options()) else { return };
    let dir = tempfile::tempdir().unwrap();
    let all = phantoms(&dir.path().join("data"), 24, &Classes::three());
    let splits = splits(part(&all, 0..16), part(&all, 16..24));
    let mut focal = config(24, 8, 1);
    focal.loss = ClassLoss::Focal { gamma: 2.0 };
    focal.class_weights = 1.0;
    focal.optimizer = Optimizer::Sgd { momentum: 0.9, weight_decay: 1e-4 };
    assert_eq!(train(&gpu, &focal, &dir.path().join("focal"), &splits, None), Ended::Finished);
    let table = std::fs::read_to_string(dir.path().join("focal/metrics.csv")).unwrap();
    assert!(table.lines().nth(1).is_some_and(|row| row.starts_with("0,")), "{table}");
    let range = LrRange { low: 1e-5, high: 1.0, steps: 14 };
    let mut told = 0;
    let mut tell = |_, _| {
        told += 1;
        true
    };
    let sgd = ClassifyConfig { loss: ClassLoss::CrossEntropy { label_smoothing: 0.0 }, ..focal };
    let mut init = Weights::new();
    init.insert("layer4.1.bn1.bias", nevus::Tensor::zeros([512]));
    init.insert("fc.bias", nevus::Tensor::zeros([1000]));
    let found = sgd.find_lr(&gpu, &splits.train, Some(&init), &PlanOptions::default(), &range, &mut tell).unwrap();
    let loaded = found.loaded.unwrap();
    assert_eq!((loaded.loaded, loaded.replaced[0].name.as_str()), (vec!["layer4.1.bn1.bias".to_owned()], "fc.bias"));
    assert!(!found.points.is_empty() && found.points.len() == told);
    assert!((found.points[0].lr / 1e-5 - 1.0).abs() < 1e-5);
    assert!(found.points.windows(2).all(|pair| pair[1].lr > pair[0].lr));
    let stopped = sgd.find_lr(&gpu, &splits.train, None, &PlanOptions::default(), &range, &mut |step, _| step < 3);
    assert_eq!(stopped.unwrap().points.len(), 3, "what was found before it was stopped");
}

#[test]
fn a_step_that_is_not_finite_ends_the_run_and_names_the_op() {
    let Some(gpu) = gpu(&options()) else { return };
    let dir = tempfile::tempdir().unwrap();
    let all = phantoms(&dir.path().join("data"), 24, &Classes::three());
    let splits = splits(part(&all, 0..16), part(&all, 16..24));
    let config = config(24, 8, 1);
    // Sums of such weights pass what an f32 can hold.
    let mut init = Weights::new();
    init.insert("layer2.0.conv1.weight", nevus::Tensor::full([128, 64, 3, 3], 1e38));
    let run = dir.path().join("run");
    let mut run = ClassifyRun::open(&gpu, &config, &run, &splits, Some(&init), false, &PlanOptions::default()).unwrap();
    assert_eq!(run.loaded().unwrap().loaded, ["layer2.0.conv1.weight"]);
    let ended = run.train(None, &AtomicBool::new(false), &mut |_| {});
    let Err(Error::NotFinite { step: 1, message }) = ended else { panic!("{ended:?}") };
    assert!(message.contains("first in conv2d.forward in layer2.0.conv1 ("), "{message}");
}

#[test]
fn a_batch_that_does_not_fit_is_refused_with_the_one_that_does() {
    let Some(gpu) = gpu(&options()) else { return };
    let dir = tempfile::tempdir().unwrap();
    let all = phantoms(&dir.path().join("data"), 40, &Classes::three());
    let splits = splits(part(&all, 0..32), part(&all, 32..40));
    let needs = |batch: usize| {
        let step = config(24, batch, 1).step(&[1.0; 3]).unwrap();
        step.plan(&gpu, &PlanOptions::default()).unwrap().memory().total()
    };
    let [small, large] = [8, 16].map(needs);
    assert!(small < large);
    let refused = |budget: u64| {
        let planning = PlanOptions { budget: Some(budget), ..PlanOptions::default() };
        let (run, config) = (dir.path().join("run"), config(24, 32, 1));
        match ClassifyRun::open(&gpu, &config, &run, &splits, None, false, &planning).err().unwrap() {
            Error::Plan { message, hint } => {
                assert!(message.starts_with("needs ") && hint.contains("a smaller --batch"), "{message} ({hint})");
                hint
            }
            error => panic!("{error}"),
        }
    };
    assert!(refused(small).starts_with("a run with --batch 8 fits; "), "{}", refused(small));
    assert!(refused(large).starts_with("a run with --batch 16 fits; "));
    assert!(!refused(1 << 20).contains("fits"), "not even one photograph");
    assert!(!dir.path().join("run").exists(), "nothing was begun");
}

/// Every file of a run with its bytes.
fn files(run: &Path) -> BTreeMap<std::ffi::OsString, Vec<u8>> {
    let entries = std::fs::read_dir(run).unwrap().map(Result::unwrap);
    entries.map(|entry| (entry.file_name(), std::fs::read(entry.path()).unwrap())).collect()
}

/// Photographs that are broken for a while, between a checkpoint and the run that goes on from it.
#[test]
fn a_later_step_that_is_not_finite_leaves_the_checkpoint_and_the_run_goes_on_from_it() {
    let Some(gpu) = gpu(&options()) else { return };
    let dir = tempfile::tempdir().unwrap();
    let sample = |at: usize| Sample {
        id: format!("{at:02}"),
        image: dir.path().join(format!("{at:02}.png")),
        mask: None,
        label: None,
        lesion: None,
        split: None,
    };
    let samples: Vec<Sample> = (0..30).map(sample).collect();
    let paint = |value: u8| {
        let image = RgbImage::from_raw(24, 24, vec![value; 24 * 24 * 3]).unwrap();
        samples.iter().for_each(|sample| write_png(&sample.image, &image).unwrap());
    };
    let indices = (0..samples.len()).map(|at| at % 3).collect();
    let all = Labelled { classes: Classes::three(), samples: samples.clone(), indices };
    let splits = splits(part(&all, 0..24), part(&all, 24..30));
    // Of black nothing comes through such weights; of white, sums that pass what an f32 can hold.
    let config = ClassifyConfig { normalisation: Normalisation { mean: [0.0; 3], std: [1.0; 3] }, ..config(24, 8, 2) };
    let mut init = Weights::new();
    init.insert("conv1.weight", nevus::Tensor::full([64, 3, 7, 7], 1e37));
    let begin = |run: &Path, resume: bool| {
        let init = (!resume).then_some(&init);
        ClassifyRun::open(&gpu, &config, run, &splits, init, resume, &PlanOptions::default()).unwrap()
    };
    let go = |run: &mut ClassifyRun, steps| run.train(steps, &AtomicBool::new(false), &mut |_| {});
    let (whole, broken) = (dir.path().join("whole"), dir.path().join("broken"));
    paint(0);
    assert_eq!(go(&mut begin(&whole, false), None).unwrap(), Ended::Finished);
    // One step into the second epoch, so that there are best weights as well.
    assert_eq!(go(&mut begin(&broken, false), Some(4)).unwrap(), Ended::Paused);
    let before = files(&broken);
    for file in ["state.json", "last.safetensors", "best.safetensors", "metrics.csv"] {
        assert!(before.contains_key(std::ffi::OsStr::new(file)), "{file}: {:?}", before.keys());
    }
    paint(255);
    let ended = go(&mut begin(&broken, true), None);
    let Err(Error::NotFinite { step: 5, message }) = ended else { panic!("{ended:?}") };
    assert!(message.contains("first in conv2d.forward in conv1 ("), "{message}");
    assert!(files(&broken) == before, "a step that is not finite changed a file");
    // Broken from the first step on: what it started from is kept, the weights of its start too.
    let early = dir.path().join("early");
    let ended = go(&mut begin(&early, false), None);
    assert!(matches!(ended, Err(Error::NotFinite { step: 1, .. })), "{ended:?}");
    let kept = Checkpoint::load(&early).unwrap().unwrap();
    assert_eq!((kept.state.step, kept.state.epoch, kept.state.batch), (0, 0, 0));
    paint(0);
    for run in [&broken, &early] {
        assert_eq!(go(&mut begin(run, true), None).unwrap(), Ended::Finished);
        same_checkpoints(&whole, run);
    }
}

#[test]
fn what_makes_no_sense_is_refused_by_its_flag() {
    let Some(gpu) = gpu(&options()) else { return };
    let dir = tempfile::tempdir().unwrap();
    let all = phantoms(&dir.path().join("data"), 24, &Classes::three());
    let good = splits(part(&all, 0..16), part(&all, 16..24));
    let refused = |config: &ClassifyConfig, splits: &ClassifySplits| {
        open(&gpu, config, &dir.path().join("run"), splits, false).err().unwrap().to_string()
    };
    let base = config(24, 8, 1);
    let cases = [
        (ClassifyConfig { mixup: 1.5, ..base.clone() }, "--mixup is 1.5"),
        (ClassifyConfig { ema: 1.0, ..base.clone() }, "--ema is 1"),
        (ClassifyConfig { mixup: 0.2, loss: ClassLoss::Focal { gamma: 2.0 }, ..base.clone() }, "focal"),
        (ClassifyConfig { loss: ClassLoss::CrossEntropy { label_smoothing: 2.0 }, ..base.clone() }, "label_smoothing"),
        (ClassifyConfig { class_weights: 3.0, ..base.clone() }, "power is 3"),
        (ClassifyConfig { batch: 17, ..base.clone() }, "batch of 17 is larger"),
        (ClassifyConfig { classes: vec!["a".into(), "b".into()], ..base.clone() }, "2 classes for a network of 3"),
        (
            ClassifyConfig {
                stages: StageRates { frozen: Stage::ALL.into(), ..StageRates::default() },
                ..base.clone()
            },
            "every stage is frozen",
        ),
    ];
    for (config, expected) in cases {
        let message = refused(&config, &good);
        assert!(message.contains(expected), "{message}");
    }
    let no_val = splits(good.train.clone(), part(&all, 0..0));
    assert!(refused(&base, &no_val).contains("no photograph for val"));
    let mut one_class = good.clone();
    one_class.train.indices.fill(1);
    assert!(refused(&base, &one_class).contains("of the class MEL"));
    assert!(!dir.path().join("run").exists(), "nothing was begun");
}
