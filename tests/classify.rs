//! A classifier's training on the device: it learns, goes on to the bit, leaves frozen stages alone, and calibrates.
#![cfg(feature = "train")]

mod support;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use nevus::data::phantom::{PhantomOptions, write_phantoms};
use nevus::data::{Augment, Classes, Dataset, Labelled, View};
use nevus::models::{ResNet, ResNetDepth, Stage, Weights};
use nevus::plan::PlanOptions;
use nevus::train::classify::{ClassLoss, ClassifyConfig, ClassifyRun, ClassifySplits, Ended, Event, Monitor};
use nevus::train::find_lr::LrRange;
use nevus::train::step::{Normalisation, Optimizer};
use nevus::train::{Classifier, Init, Schedule, StageRates, Ways};
use nevus::{Error, Gpu};
use support::{gpu, options};

/// Phantoms with their classes.
fn phantoms(dir: &Path, count: u64, classes: &Classes) -> Labelled {
    let options = PhantomOptions { count, height: 48, width: 48, seed: 11, threads: 2 };
    write_phantoms(dir, &options, |_| true).unwrap();
    Dataset::open(dir).unwrap().labelled(classes).unwrap()
}

fn part(all: &Labelled, range: std::ops::Range<usize>) -> Labelled {
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
            println!("epoch {epoch}: loss {loss:.4}, accuracy {:.3}", val.scores.accuracy);
            best = best.max(val.scores.accuracy);
            if val.scores.accuracy == 1.0 && loss < 0.1 {
                cancel.store(true, std::sync::atomic::Ordering::Relaxed);
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
    let again = measure(&splits.train, Ways::One).scores(1.0, None).unwrap();
    assert_eq!(again.accuracy, 1.0, "the file gives what training measured");

    // It knows little of others, and is sure nevertheless.
    let fitted = measure(&part(&all, 32..92), Ways::One).fit_temperature().unwrap();
    let held_out = measure(&part(&all, 92..152), Ways::One);
    let scores = held_out.scores(fitted, None).unwrap();
    println!("temperature {fitted:.2}, ECE {:.3} to {:.3}", scores.ece, scores.ece_calibrated);
    assert!(fitted > 1.0);
    assert!(scores.ece_calibrated < scores.ece, "{} {}", scores.ece, scores.ece_calibrated);
    assert!(held_out.nll(fitted) < held_out.nll(1.0));
    let mirrored = measure(&part(&all, 92..152), Ways::Four);
    assert_eq!(mirrored.images()[0].logits.len(), 4);
    assert_eq!(mirrored.images()[0].logits[0], held_out.images()[0].logits[0]);
    assert_ne!(mirrored.images()[0].logits[1], mirrored.images()[0].logits[0]);
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
    let (a, b) = (nevus::train::Checkpoint::load(&whole).unwrap(), nevus::train::Checkpoint::load(&parts).unwrap());
    let (a, b) = (a.unwrap(), b.unwrap());
    assert_eq!(a.state, b.state);
    for (slab, tensors) in &a.slabs {
        for ((name, one), (_, other)) in tensors.iter().zip(&b.slabs[slab]) {
            assert!(one == other, "{slab}/{name} differs");
        }
    }
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
    let found = sgd.find_lr(&gpu, &splits.train, None, &PlanOptions::default(), &range, &mut tell).unwrap();
    assert!(!found.points.is_empty() && found.points.len() == told);
    assert!((found.points[0].lr / 1e-5 - 1.0).abs() < 1e-5);
    assert!(found.points.windows(2).all(|pair| pair[1].lr > pair[0].lr));
    let stopped = sgd.find_lr(&gpu, &splits.train, None, &PlanOptions::default(), &range, &mut |_, _| false);
    assert!(matches!(stopped, Err(Error::Cancelled)));
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
