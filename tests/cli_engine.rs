//! The commands that compute: `nevus check`, `segment`, `eval`, `weights` and `bench`, run as a user runs them.
#![cfg(feature = "cli")]

#[path = "support/cli.rs"]
mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use nevus::models::{Precision, Weights};
use nevus::plan::avoid;
use nevus::{Gpu, GpuOptions, Tensor};

use self::support::{adapter, code, err, json, nevus, out, phantoms, refused, text, tiny_unet};

#[test]
fn check_ends_in_its_counts() {
    if !adapter() {
        return;
    }
    let cache = tempfile::tempdir().unwrap();
    let cache = text(cache.path());
    let done = nevus(["check", "dropout", "--cache-dir", &cache]);
    assert_eq!(code(&done), 0, "{}{}", out(&done), err(&done));
    let last = out(&done).lines().last().unwrap().to_owned();
    let words: Vec<&str> = last.split(' ').collect();
    let &[passed, "passed,", "0", "failed,", _, "skipped"] = words.as_slice() else { panic!("{last}") };
    assert!(passed.parse::<usize>().unwrap() > 0, "{last}");
    let done = nevus(["check", "dropout", "--json", "--cache-dir", &cache]);
    assert_eq!(json(&done.stdout)["failed"], 0);
    let done = nevus(["check", "no such thing", "--cache-dir", &cache]);
    assert_eq!(code(&done), 1);
    assert!(err(&done).contains("no such thing"), "{}", err(&done));
}

#[test]
fn check_takes_a_wrong_reference_case_for_a_failure() {
    if !adapter() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut case = Weights::new();
    case.insert("input.0", Tensor::new([2], vec![-1.0, 2.0]).unwrap());
    case.insert("output.0", Tensor::new([2], vec![0.5, 2.0]).unwrap());
    case.metadata.insert("op".into(), "relu".into());
    case.save(dir.path().join("relu.wrong.safetensors"), Precision::F32).unwrap();
    fs::write(dir.path().join("broken.wrong.safetensors"), [1, 2, 3]).unwrap();
    let (cases, cache) = (text(dir.path()), text(&dir.path().join("cache")));
    let done = nevus(["check", "--cases", &cases, "--cache-dir", &cache, ".wrong"]);
    assert_eq!(code(&done), 1, "{}{}", out(&done), err(&done));
    assert!(out(&done).ends_with("\n0 passed, 3 failed, 0 skipped\n"), "{}", out(&done));
    assert!(err(&done).contains("relu.wrong.safetensors") && err(&done).contains("broken.wrong.safetensors"));
}

#[test]
fn what_check_found_wrong_is_avoided_until_it_passes() {
    if !adapter() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let gpu = Gpu::new(&GpuOptions::default()).unwrap();
    let bad = BTreeSet::from(["relu_that_never_was".to_owned(), "dropout/forward_2_wide".to_owned()]);
    avoid::record(&gpu, dir.path(), &bad).unwrap();
    assert_eq!(avoid::known_bad(&gpu, dir.path()), bad);
    let cache = text(dir.path());
    let small = ["--batch", "1", "--size", "16x16", "--base", "4", "--repeat", "1", "--cache-dir", &cache];
    let done = nevus(["bench", "unet"].into_iter().chain(small));
    assert!(code(&done) == 0 && err(&done).contains("dropout/forward_2_wide"), "{}", err(&done));
    assert_eq!(code(&nevus(["check", "dropout", "--cache-dir", &cache])), 0);
    assert_eq!(avoid::known_bad(&gpu, dir.path()), BTreeSet::from(["relu_that_never_was".to_owned()]));
    avoid::record(&gpu, dir.path(), &BTreeSet::new()).unwrap();
    assert!(!avoid::file(&gpu, dir.path()).exists());
    fs::write(avoid::file(&gpu, dir.path()), b"{").unwrap();
    assert!(avoid::known_bad(&gpu, dir.path()).is_empty());
}

#[test]
fn segment_goes_on_after_a_broken_photograph() {
    if !adapter() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (photos, weights, results) =
        (dir.path().join("photos"), dir.path().join("w.safetensors"), dir.path().join("out"));
    phantoms(&photos, "2", "40x56");
    fs::write(photos.join("broken.jpg"), b"no photograph").unwrap();
    tiny_unet(&weights, 0.5);
    let (photos, weights, target) = (text(&photos), text(&weights), text(&results));
    let done = nevus(["segment", &photos, "--weights", &weights, "--out", &target, "--page", "--json"]);
    assert_eq!(code(&done), 1, "{}", err(&done));
    assert!(err(&done).contains("broken.jpg"), "{}", err(&done));
    let report = json(&done.stdout);
    let (found, failures) = (report["photos"].as_array().unwrap(), report["failures"].as_array().unwrap());
    assert_eq!((found.len(), failures.len()), (2, 1), "{report}");
    for photo in found {
        let name = photo["name"].as_str().unwrap();
        let mask = image::open(results.join(format!("{name}_mask.png"))).unwrap().to_luma8();
        assert_eq!(mask.dimensions(), (56, 40));
        assert!(mask.as_raw().iter().all(|&value| value == 0 || value == 255));
        let share = mask.as_raw().iter().filter(|&&value| value == 255).count() as f64 / mask.len() as f64;
        assert!((photo["area_fraction"].as_f64().unwrap() - share).abs() < 1e-9);
        assert_eq!(image::open(results.join(format!("{name}_overlay.png"))).unwrap().to_rgb8().dimensions(), (56, 40));
        assert_eq!(&json(&fs::read(results.join(format!("{name}.json"))).unwrap()), photo);
    }
    assert!(fs::read_to_string(results.join("index.html")).unwrap().contains("broken.jpg"));
    assert_eq!(fs::read_dir(&results).unwrap().count(), 7);
    // A mask that nevus did not write is not replaced.
    let name = found[0]["name"].as_str().unwrap();
    fs::remove_file(results.join(format!("{name}.json"))).unwrap();
    let again = nevus(["segment", &photos, "--weights", &weights, "--out", &target]);
    assert!(err(&again).contains(&format!("{name}_mask.png")), "{}", err(&again));
}

#[test]
fn eval_writes_its_flat_object_to_a_file() {
    if !adapter() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| text(&dir.path().join(name));
    phantoms(Path::new(&at("data")), "5", "40x56");
    tiny_unet(Path::new(&at("w.safetensors")), 0.25);
    let base = ["eval", "segment", &at("data"), "--weights", &at("w.safetensors"), "--split", "all", "--batch", "2"];
    let with = |more: &[&str]| nevus(base.iter().copied().chain(more.iter().copied()));
    let done = with(&["--json", &at("f.json"), "--sheet", &at("worst.png")]);
    assert_eq!(code(&done), 0, "{}", err(&done));
    assert!(out(&done).contains("mean IoU"), "{}", out(&done));
    let report = json(&fs::read(at("f.json")).unwrap());
    assert_eq!(report["images"], 5);
    assert_eq!(report["threshold"], 0.25);
    let numbers = ["mean_iou", "dice", "jaccard_thresholded", "pixel_sensitivity", "pixel_specificity", "seconds"];
    assert!(numbers.iter().all(|key| report[key].is_number()) && report["device"].is_string(), "{report}");
    assert_eq!(report["per_image"].as_array().unwrap().len(), 5);
    assert!(image::open(at("worst.png")).unwrap().width() > 100);
    let auto = with(&["--threshold", "auto", "--limit", "3", "--json"]);
    assert!(err(&auto).contains("chosen on the data"), "{}", err(&auto));
    assert_eq!(json(&auto.stdout)["images"], 3);
    assert_eq!(code(&with(&["--threshold", "1.5"])), 2);
}

#[test]
fn eval_leaves_out_what_it_cannot_read_and_says_so() {
    if !adapter() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| text(&dir.path().join(name));
    phantoms(Path::new(&at("data")), "5", "40x56");
    tiny_unet(Path::new(&at("w.safetensors")), 0.25);
    fs::write(at("data/images/ISIC_9000001.jpg"), b"no photograph").unwrap();
    fs::write(at("data/masks/ISIC_9000003_segmentation.png"), b"no mask").unwrap();
    let data = at("data");
    let weights = at("w.safetensors");
    let base = ["eval", "segment", &data, "--weights", &weights, "--split", "all", "--batch", "2"];
    let done = nevus(base.into_iter().chain(["--json"]));
    assert_eq!(code(&done), 1, "{}", err(&done));
    let report = json(&done.stdout);
    assert_eq!(report["images"], 3);
    let mut lost: Vec<&str> = report["unreadable"].as_array().unwrap().iter().map(|id| id.as_str().unwrap()).collect();
    lost.sort_unstable();
    assert_eq!(lost, ["ISIC_9000001", "ISIC_9000003"]);
    let said = err(&done);
    assert!(said.contains("ISIC_9000001.jpg") && said.contains("ISIC_9000003_segmentation.png"), "{said}");
    let shown = nevus(base);
    assert!(out(&shown).contains("2 photographs could not be read and are left out"), "{}", out(&shown));
    for entry in fs::read_dir(at("data/images")).unwrap() {
        fs::write(entry.unwrap().path(), b"no photograph").unwrap();
    }
    refused(&nevus(base), "no photograph of the side all could be read");
}

#[test]
fn bench_of_a_tiny_step() {
    if !adapter() {
        return;
    }
    for mode in ["forward", "train"] {
        let args = ["--mode", mode, "--batch", "1", "--size", "16x32", "--base", "4", "--repeat", "2", "--json"];
        let done = nevus(["bench", "unet"].into_iter().chain(args));
        assert_eq!(code(&done), 0, "{}", err(&done));
        let report = json(&done.stdout);
        assert!(report["total_ms_min"].as_f64().unwrap() <= report["total_ms_median"].as_f64().unwrap());
        assert!(report["peak_bytes"].as_u64().unwrap() > 0 && report["rows"].is_array());
        assert!(report["memory"]["recomputed"].is_null());
        assert_eq!(report["optimizer"]["name"].as_str(), (mode == "train").then_some("adamw"));
    }
    let args = ["--mode", "train", "--batch", "4", "--size", "32x48", "--base", "4", "--repeat", "1", "--recompute"];
    let done = nevus(["bench", "unet"].into_iter().chain(args).chain(["--json"]));
    assert_eq!(code(&done), 0, "{}", err(&done));
    let memory = &json(&done.stdout)["memory"];
    assert!(memory["pools"].as_u64() < memory["recomputed"]["pools_kept"].as_u64(), "{memory}");
    assert!(err(&done).contains("recompute: "), "{}", err(&done));
    refused(&nevus(["bench", "unet", "--recompute"]), "only a training step");
    let small = ["--mode", "train", "--batch", "1", "--size", "16x32", "--base", "4", "--repeat", "1", "--json"];
    let done = nevus(["bench", "unet", "--optimizer", "sgd", "--loss", "bce"].into_iter().chain(small));
    let report = json(&done.stdout);
    assert_eq!((&report["optimizer"]["name"], &report["loss"]), (&"sgd".into(), &"bce".into()), "{}", err(&done));
    refused(&nevus(["bench", "unet", "--taken"]), "--taken");
}

#[test]
fn bench_of_one_layer() {
    if !adapter() {
        return;
    }
    let done = nevus(["bench", "conv2d", "--layer", "3x3 512->512", "--taken", "--repeat", "1", "--json"]);
    assert_eq!(code(&done), 0, "{}", err(&done));
    let report = json(&done.stdout);
    let rows = report["rows"].as_array().unwrap();
    let mut kernels: Vec<&str> = rows.iter().map(|row| row["op"].as_str().unwrap()).collect();
    kernels.dedup();
    assert_eq!(kernels.len(), rows.len(), "one version of each kernel: {report}");
    assert!(kernels.contains(&"conv2d.forward") && kernels.contains(&"conv2d.backward_weight"), "{report}");
    assert!(rows.iter().all(|row| row["name"] == "3x3 512->512 @7x7"), "{report}");
    refused(&nevus(["bench", "conv2d", "--layer", "9x9"]), "9x9");
}

#[test]
fn weights_are_looked_at_converted_and_compared() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| text(&dir.path().join(name));
    tiny_unet(Path::new(&at("w.safetensors")), 0.5);
    let done = nevus(["weights", "inspect", &at("w.safetensors")]);
    assert_eq!(code(&done), 0, "{}", err(&done));
    assert!(out(&done).contains("down.0.conv1.weight") && out(&done).contains("nevus.architecture"));
    assert_eq!(json(&nevus(["weights", "inspect", "--json", &at("w.safetensors")]).stdout)["healthy"], true);

    let convert = ["weights", "convert", &at("w.safetensors"), &at("half.safetensors"), "--precision", "f16"];
    assert_eq!(code(&nevus(convert)), 0);
    let again = nevus(convert);
    assert!(code(&again) == 1 && err(&again).contains("--force"), "{}", err(&again));
    assert_eq!(code(&nevus(["weights", "diff", &at("w.safetensors"), &at("w.safetensors")])), 0);
    let diff = nevus(["weights", "diff", &at("w.safetensors"), &at("half.safetensors")]);
    assert!(code(&diff) == 1 && out(&diff).contains("head.weight"), "{}", out(&diff));

    // Names as a wrapper has them become the network's own; on request they stay.
    let whole = Weights::open(at("w.safetensors")).unwrap();
    let mut wrapped = Weights::new();
    wrapped.metadata.clone_from(&whole.metadata);
    for (name, tensor) in &whole.tensors {
        wrapped.insert(format!("module.model.{name}"), tensor.clone());
    }
    wrapped.save(at("wrapped.safetensors"), Precision::F32).unwrap();
    let convert = |to: &str, more: &[&str]| {
        nevus(["weights", "convert", &at("wrapped.safetensors"), &at(to), "--json"].iter().chain(more))
    };
    let done = convert("named.safetensors", &[]);
    assert_eq!(json(&done.stdout)["renamed"], whole.tensors.len(), "{}", err(&done));
    assert_eq!(Weights::open(at("named.safetensors")).unwrap().tensors, whole.tensors);
    let done = convert("kept.safetensors", &["--keep-names"]);
    assert_eq!(json(&done.stdout)["renamed"], 0, "{}", err(&done));
    assert_eq!(Weights::open(at("kept.safetensors")).unwrap().tensors, wrapped.tensors);
    assert_eq!(code(&convert("named.safetensors", &["--force", "--strip", "down."])), 0);
    assert!(Weights::open(at("named.safetensors")).unwrap().get("0.conv1.weight").is_some());

    let bytes = fs::read(at("w.safetensors")).unwrap();
    fs::write(at("cut.safetensors"), &bytes[..bytes.len() - 4]).unwrap();
    let done = nevus(["weights", "inspect", &at("cut.safetensors")]);
    assert!(code(&done) == 1 && err(&done).contains("cut.safetensors"), "{}", err(&done));
    let mut sick = bytes;
    let end = sick.len();
    sick[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    fs::write(at("sick.safetensors"), &sick).unwrap();
    let done = nevus(["weights", "inspect", &at("sick.safetensors")]);
    assert!(code(&done) == 1 && err(&done).contains("sick.safetensors"), "{}", err(&done));
    assert!(out(&done).contains("head"), "{}", out(&done));
}
