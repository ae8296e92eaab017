//! `nevus train …`, run as a user runs it, on phantoms: with `--resume` what no flag says is the run's own, Ctrl-C ends a
//! run that can be gone on with, and what `--init` and a split bring is said.
#![cfg(feature = "cli")]

#[path = "support/cli.rs"]
mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use nevus::data::phantom::image_id;
use nevus::models::{Precision, ResNet, ResNetDepth};
use nevus::train::{Familiarity, Init};
use nevus::{Graph, Tensor, Weights};

use self::support::{adapter, err, json, nevus, ok, out, phantoms, refused, text, tiny_unet};

/// A copy of a run's folder, whose files lie side by side.
fn copied(run: &Path, name: &str) -> PathBuf {
    let to = run.with_file_name(name);
    fs::create_dir(&to).unwrap();
    for entry in fs::read_dir(run).unwrap() {
        let entry = entry.unwrap();
        if entry.path().is_file() {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
    to
}

/// Pauses a run after two steps, then goes on with it: with its flags, without, and computing values again. All come to
/// the same bits.
fn same_with_and_without_flags(kind: &str, data: &str, dir: &Path, flags: &[&str]) -> PathBuf {
    let go = |run: &Path, steps: &str, more: &[&str]| -> Output {
        let run = text(run);
        nevus(["train", kind, data, "--out", &run, "--steps", steps, "--json"].iter().chain(more))
    };
    let run = dir.join(kind);
    let paused = go(&run, "2", flags);
    ok(&paused);
    assert_eq!(json(&paused.stdout)["ended"], "paused");
    let bare = copied(&run, &format!("{kind}-bare"));
    let lighter = copied(&run, &format!("{kind}-lighter"));
    let config = fs::read(run.join("config.json")).unwrap();
    ok(&go(&run, "3", &[flags, &["--resume"]].concat()));
    ok(&go(&bare, "3", &["--resume"]));
    let (given, own) = (Weights::open(run.join("last.safetensors")), Weights::open(bare.join("last.safetensors")));
    let (given, own) = (given.unwrap(), own.unwrap());
    assert!(given.tensors == own.tensors, "other bits");
    assert_eq!(given.metadata, own.metadata);
    for run in [&run, &bare] {
        assert_eq!(fs::read(run.join("config.json")).unwrap(), config);
    }
    let done = go(&lighter, "3", &["--resume", "--recompute"]);
    ok(&done);
    assert!(err(&done).contains("recompute: "), "{}", err(&done));
    let again = Weights::open(lighter.join("last.safetensors")).unwrap();
    assert!(again.tensors == own.tensors, "other bits with --recompute");
    assert_eq!(json(&fs::read(lighter.join("config.json")).unwrap())["recompute"], true);
    bare
}

#[test]
fn a_segmentation_goes_on_without_its_flags() {
    if !adapter() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    phantoms(&data, "30", "40x56");
    let (data, init) = (text(&data), dir.path().join("init.safetensors"));
    tiny_unet(&init, 0.5);
    let init = text(&init);
    let flags = ["--size", "32x32", "--base", "4", "--depth", "2", "--batch", "4", "--lr", "3e-3", "--warmup", "2"];
    let more = ["--optimizer", "sgd", "--momentum", "0.8", "--loss", "dice", "--epochs", "3", "--seed", "7"];
    let flags = [&flags[..], &more, &["--clip", "0", "--license", "none at all", "--init", &init]].concat();
    let run = same_with_and_without_flags("segment", &data, dir.path(), &flags);
    let last = Weights::open(run.join("last.safetensors")).unwrap();
    assert_eq!(last.meta().unwrap().license.as_deref(), Some("none at all"));

    let shown = text(&run);
    let resume = ["train", "segment", &data, "--out", &shown, "--steps", "1", "--resume"];
    let with = |more: &[&str]| nevus(resume.iter().chain(more));
    refused(&with(&["--lr", "1e-3"]), "schedule.base is 0.003 in the run, 0.001 now");
    refused(&with(&["--momentum", "0.9"]), "optimizer.momentum is 0.8 in the run, 0.9 now");
    refused(&with(&["--base", "8", "--seed", "2"]), "net.base is 4 in the run, 8 now");
    let longer = with(&["--epochs", "5", "--patience", "2", "--license", "another", "--json"]);
    ok(&longer);
    let config = json(&fs::read(run.join("config.json")).unwrap());
    assert_eq!((&config["epochs"], &config["patience"], &config["license"]), (&5.into(), &2.into(), &"another".into()));

    let fresh = text(&dir.path().join("nothing"));
    refused(&nevus(["train", "segment", &data, "--out", &fresh, "--resume"]), "holds no run to go on with");
    // Before the first checkpoint the weights to start from are still needed.
    let begun = copied(&run, "begun");
    for entry in fs::read_dir(&begun).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap() != "config.json" {
            fs::remove_file(path).unwrap();
        }
    }
    let begun = text(&begun);
    let again = ["train", "segment", &data, "--out", &begun, "--steps", "1", "--resume"];
    refused(&nevus(again), "no checkpoint yet");
    ok(&nevus(again.iter().chain(&["--init", &init])));
}

/// By the signal that Ctrl-C sends. The exit code is 0: the run did what it was asked to.
#[cfg(unix)]
#[test]
fn an_interrupted_segmentation_ends_well_and_goes_on() {
    use std::io::{BufRead as _, BufReader};
    use std::process::{Command, Stdio};

    if !adapter() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    phantoms(&data, "30", "40x56");
    let (data, run) = (text(&data), dir.path().join("run"));
    let shown = text(&run);
    let mut child = Command::new(env!("CARGO_BIN_EXE_nevus"))
        .args(["train", "segment", &data, "--out", &shown, "--size", "32x32", "--base", "4", "--depth", "2"])
        .args(["--batch", "4", "--augment", "none", "--epochs", "100000", "--patience", "0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Read to its end, so that the program never waits for room.
    let (mut said, mut asked) = (String::new(), false);
    for line in BufReader::new(child.stderr.take().unwrap()).lines() {
        let line = line.unwrap();
        if line.starts_with("epoch 0: loss") && !asked {
            asked = true;
            // The shell's own kill: not every system has the program.
            let sent = Command::new("sh").args(["-c", "kill -INT \"$0\"", &child.id().to_string()]).status().unwrap();
            assert!(sent.success());
        }
        said += &format!("{line}\n");
    }
    let ended = child.wait_with_output().unwrap();
    ok(&ended);
    assert!(asked && said.contains("stopping (again to end at once)"), "{said}");
    assert!(out(&ended).starts_with(&format!("paused; --resume goes on: {shown}; best val IoU")), "{}", out(&ended));
    let figures = ["loss.svg", "iou.svg", "lr.svg", "report.html"];
    for file in ["best.safetensors", "last.safetensors", "metrics.csv", "state.json"].iter().chain(&figures) {
        assert!(run.join(file).is_file(), "{file}");
    }

    let steps = || json(&fs::read(run.join("state.json")).unwrap())["state"]["step"].as_u64().unwrap();
    let before = steps();
    let resumed = nevus(["train", "segment", &data, "--out", &shown, "--resume", "--steps", "2", "--json"]);
    ok(&resumed);
    assert_eq!(json(&resumed.stdout)["ended"], "paused");
    assert_eq!(steps(), before + 2);
}

#[test]
fn a_segmentation_says_what_it_starts_from_and_warns_of_lesions_on_two_sides() {
    if !adapter() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| text(&dir.path().join(name));
    let data = at("data");
    phantoms(Path::new(&data), "30", "40x56");
    tiny_unet(Path::new(&at("whole.safetensors")), 0.5);
    let mut part = Weights::open(at("whole.safetensors")).unwrap();
    part.tensors.remove("down.0.conv1.bias");
    part.save(at("part.safetensors"), Precision::F32).unwrap();
    let mut foreign = Weights::new();
    foreign.insert("layer1.weight", Tensor::zeros([3]));
    foreign.save(at("foreign.safetensors"), Precision::F32).unwrap();
    let begin = |out: &str, init: &str, base: &str| {
        let flags = ["--size", "32x32", "--depth", "2", "--batch", "4", "--steps", "1", "--base", base];
        nevus(["train", "segment", &data, "--out", &at(out), "--init", &at(init)].iter().chain(&flags))
    };
    let refusal = begin("run", "part.safetensors", "8");
    refused(&refusal, "has shape [4, 3, 3, 3], expected [8, 3, 3, 3]");
    assert!(err(&refusal).contains("hint: --init takes"), "{}", err(&refusal));
    refused(&begin("run", "foreign.safetensors", "4"), "no tensor in it belongs to the model");
    let begun = begin("run", "part.safetensors", "4");
    ok(&begun);
    let said = err(&begun);
    assert!(said.contains("loaded 25 of 26 tensors"), "{said}");
    assert!(said.contains("not in the file, so they start afresh: down.0.conv1.bias"), "{said}");
    assert!(!said.contains("more than one side"), "{said}");

    // One side for even numbers, another for odd ones.
    let side = |number: u64| format!("{},{}\n", image_id(number), ["train", "val"][usize::from(number % 2 == 1)]);
    let sides: String = std::iter::once("image_id,split\n".to_owned()).chain((0..30).map(side)).collect();
    fs::write(dir.path().join("data/split.csv"), sides).unwrap();
    let begun = begin("torn", "whole.safetensors", "4");
    ok(&begun);
    assert!(err(&begun).contains("photographs on more than one side of the split: "), "{}", err(&begun));

    // Outlining needs no diagnoses.
    let table = dir.path().join("data/HAM10000_metadata.csv");
    fs::write(&table, fs::read_to_string(&table).unwrap().replacen("dx,", "diagnosis,", 1)).unwrap();
    ok(&begin("without", "whole.safetensors", "4"));

    // In an evaluation a split that is named goes before the data set's.
    fs::write(at("sides.csv"), format!("image_id,split\n{},val\n{},val\n", image_id(0), image_id(4))).unwrap();
    let weights = at("whole.safetensors");
    let eval = ["eval", "segment", &data, "--weights", &weights, "--split", "val", "--json"];
    let images = |more: &[&str]| {
        let measured = nevus(eval.iter().chain(more));
        ok(&measured);
        json(&measured.stdout)["images"].as_u64().unwrap()
    };
    assert_eq!((images(&[]), images(&["--split-file", &at("sides.csv")])), (15, 2));
}

#[test]
fn a_broken_photograph_ends_no_training() {
    if !adapter() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    phantoms(&data, "60", "40x56");
    // Whole batches of train, so that an epoch meets all of it.
    let side = |number: u64| format!("{},{}\n", image_id(number), if number < 48 { "train" } else { "val" });
    let sides: String = std::iter::once("image_id,split\n".to_owned()).chain((0..60).map(side)).collect();
    fs::write(data.join("split.csv"), sides).unwrap();
    let broken = [image_id(5), image_id(50)];
    for id in &broken {
        fs::write(data.join(format!("images/{id}.jpg")), b"no photograph").unwrap();
    }
    let (data, whole, parts) = (text(&data), dir.path().join("whole"), dir.path().join("parts"));
    for (kind, flags) in [("classify", ["--depth", "18"]), ("segment", ["--base", "4"])] {
        let train = |out: &Path, more: &[&str]| {
            let out = text(&out.join(kind));
            let base =
                ["train", kind, &data, "--out", &out, "--size", "32x32", "--batch", "8", "--epochs", "1", "--json"];
            nevus(base.iter().chain(&flags).chain(more))
        };
        let done = train(&whole, &[]);
        ok(&done);
        let said = json(&done.stdout);
        assert_eq!((&said["ended"], &said["unreadable"]), (&"finished".into(), &2.into()), "{}", err(&done));
        for id in &broken {
            assert!(err(&done).contains(id), "{id}: {}", err(&done));
        }
        ok(&train(&parts, &["--steps", "2"]));
        ok(&train(&parts, &["--resume"]));
        let last = |run: &Path| fs::read(run.join(kind).join("last.safetensors")).unwrap();
        assert!(last(&whole) == last(&parts), "{kind}: another sample took the place after a pause");
    }
}

#[test]
fn a_classification_ends_knowing_what_is_unlike_it() {
    if !adapter() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (data, run) = (dir.path().join("data"), dir.path().join("run"));
    phantoms(&data, "60", "40x56");
    let (data, out) = (text(&data), text(&run));
    let train = ["train", "classify", &data, "--out", &out, "--size", "32x32", "--batch", "8", "--depth", "18"];
    let train = |more: &[&str]| nevus(train.iter().chain(&["--epochs", "1"]).chain(more));
    ok(&train(&["--steps", "1"]));
    let known = |name: &str| Familiarity::of(&Weights::open(run.join(name)).unwrap()).unwrap();
    assert_eq!(known("last.safetensors"), None, "a run that is paused has nothing to know yet");
    ok(&train(&["--resume"]));
    for name in ["last.safetensors", "best.safetensors"] {
        let known = known(name).unwrap();
        assert!(known.limit() > 0.0 && known.limit() < 2.0, "{name}: {}", known.limit());
        assert!(known.distance(&vec![1.0; 512]).unwrap().is_finite());
    }
    let meta = Weights::open(run.join("best.safetensors")).unwrap().meta().unwrap();
    assert_eq!((meta.class_bias.unwrap().len(), meta.decision_weights.unwrap().len()), (3, 3));
}

#[test]
fn a_classification_goes_on_without_its_flags() {
    if !adapter() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    phantoms(&data, "90", "40x56");
    let (data, init) = (text(&data), dir.path().join("start.safetensors"));
    let mut graph = Graph::new();
    let image = graph.input("image", [1, 3, 32, 32]).unwrap();
    let net = ResNet::new(ResNetDepth::D18, 1000);
    net.build(&mut graph, image).unwrap();
    Init::resnet(&net, 3, false).fill(graph.params()).unwrap().save(&init, Precision::F16).unwrap();
    let init = text(&init);
    let flags = ["--size", "32x32", "--depth", "18", "--batch", "8", "--recipe", "original", "--lr", "3e-3"];
    let more = ["--classes", "7", "--crop", "lesion", "--margin", "0.3", "--freeze", "stem,layer1", "--lr-of", "fc=2"];
    let rest = ["--augment", "none", "--loss", "focal", "--gamma", "1.5", "--skip-unlabelled", "--schedule", "cosine"];
    let last = ["--warmup", "2", "--epochs", "2", "--seed", "9", "--license", "none at all", "--init", &init];
    let flags = [&flags[..], &more, &rest, &last].concat();
    let run = same_with_and_without_flags("classify", &data, dir.path(), &flags);
    let meta = Weights::open(run.join("last.safetensors")).unwrap().meta().unwrap();
    assert_eq!(meta.classes.unwrap().len(), 7);
    assert_eq!(meta.license.as_deref(), Some("none at all"));
    let start = meta.started_from.unwrap();
    assert_eq!((start.file.as_str(), start.from), ("start.safetensors", None));
    assert_eq!(start.blake3.unwrap(), blake3::hash(&fs::read(&init).unwrap()).to_hex()[..32]);

    let shown = text(&run);
    let resume = ["train", "classify", &data, "--out", &shown, "--steps", "1", "--resume"];
    let with = |more: &[&str]| nevus(resume.iter().chain(more));
    refused(&with(&["--gamma", "2"]), "loss.gamma is 1.5 in the run, 2.0 now");
    refused(&with(&["--margin", "0.15"]), "view");
    refused(&with(&["--recipe", "transfer"]), "monitor is \"loss\" in the run");
    refused(&with(&["--classes", "3"]), "classes");
    refused(&with(&["--epochs", "4", "--freeze", "stem"]), "stages.frozen");
    let longer = with(&["--epochs", "4"]);
    ok(&longer);
    assert!(out(&longer).contains("paused"), "{}", out(&longer));
}
