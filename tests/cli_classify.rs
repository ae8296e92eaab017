//! `nevus train classify`, `eval classify` and `classify`, run as a user runs them, on phantoms.
#![cfg(feature = "cli")]

#[path = "support/cli.rs"]
mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use nevus::models::{ResNet, StrideIn, Weights};
use serde_json::Value;

use self::support::{adapter, code, err, json, nevus, ok, out, phantoms, refused, text, tiny_unet};

const SMALL: [&str; 6] = ["--depth", "18", "--size", "32x32", "--batch", "8"];

#[test]
fn from_training_to_a_page_of_figures() {
    if !adapter() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (data, run) = (dir.path().join("data"), dir.path().join("run"));
    phantoms(&data, "90", "40x56");
    let (data, run_text) = (text(&data), text(&run));
    let train = ["train", "classify", &data, "--out", &run_text, "--epochs", "1"];
    let train: Vec<&str> = train.into_iter().chain(SMALL).collect();
    let paused = nevus(train.iter().copied().chain(["--steps", "2", "--json"]));
    ok(&paused);
    assert_eq!(json(&paused.stdout)["ended"], "paused");
    let done = nevus(train.iter().copied().chain(["--resume"]));
    ok(&done);
    assert!(out(&done).contains("finished") && out(&done).contains("balanced accuracy"), "{}", out(&done));
    for file in ["best.safetensors", "last.safetensors", "metrics.csv", "loss.svg", "accuracy.svg", "report.html"] {
        assert!(run.join(file).is_file(), "{file}");
    }
    refused(&nevus(train.iter().copied()), "holds a run already");

    let best = text(&run.join("best.safetensors"));
    let (file, page) = (dir.path().join("eval.json"), dir.path().join("eval.html"));
    let eval = ["eval", "classify", &data, "--weights", &best, "--resamples", "50"];
    let more =
        ["--compare", "--tta", "2", "--melanoma-recall", "0.9", "--json", &text(&file), "--report", &text(&page)]
            .map(str::to_owned);
    let measured = nevus(eval.iter().map(|&arg| arg.to_owned()).chain(more));
    ok(&measured);
    for wanted in ["whole image", "lesion crop", "background removed", "taken for", "melanoma from probability"] {
        assert!(out(&measured).contains(wanted), "{wanted}: {}", out(&measured));
    }
    let report = json(&fs::read(&file).unwrap());
    for key in [
        "accuracy",
        "balanced_accuracy",
        "melanoma_recall",
        "melanoma_f1",
        "melanoma_auc",
        "melanoma_recall_at_90_specificity",
        "ece",
        "ece_calibrated",
        "seconds",
        "temperature",
    ] {
        assert!(report[key].is_number(), "{key}: {}", report[key]);
    }
    assert_eq!((report["split"].as_str(), report["ways"].as_u64()), (Some("test"), Some(2)));
    assert!(report["device"].is_string() && report["intervals"]["accuracy"]["low"].is_number());
    let images = report["images"].as_u64().unwrap();
    assert_eq!(report["per_image"].as_array().unwrap().len() as u64, images);
    assert_eq!(report["classes"].as_array().unwrap().len(), 3);
    let total: u64 = report["confusion"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|row| row.as_array().unwrap())
        .map(|v| v.as_u64().unwrap())
        .sum();
    assert_eq!(total, images);
    let names: Vec<&str> =
        report["compared"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["whole image", "lesion crop", "background removed"]);
    let html = fs::read_to_string(&page).unwrap();
    assert!(html.contains("What is taken for what") && !html.contains("<script"), "{}", html.len());

    // What is fitted on val is kept, and used from then on.
    let before = Weights::open(&best).unwrap();
    let calibrated = nevus(eval.iter().copied().chain(["--calibrate", "--decide", "balanced", "--split", "val"]));
    ok(&calibrated);
    assert!(err(&calibrated).contains("a calibration fitted on so few may mislead"), "{}", err(&calibrated));
    for wanted in ["calibrated by the temperature", "and the biases MEL", "taken for the "] {
        assert!(out(&calibrated).contains(wanted), "{wanted}: {}", out(&calibrated));
    }
    let after = Weights::open(&best).unwrap();
    assert_eq!(after.tensors, before.tensors);
    let meta = after.meta().unwrap();
    let said = json(&nevus(eval.iter().copied().chain(["--split", "val", "--json"])).stdout);
    let list = |key: &str| said[key].as_array().unwrap().iter().map(|one| one.as_f64().unwrap()).collect::<Vec<_>>();
    assert_eq!(said["temperature"].as_f64(), meta.temperature);
    assert_eq!(
        (list("class_bias"), list("decision_weights")),
        (meta.class_bias.unwrap(), meta.decision_weights.unwrap())
    );
    let weights = list("decision_weights");
    assert!(list("class_bias").iter().sum::<f64>().abs() < 1e-9 && weights.iter().all(|weight| *weight > 0.0));
    assert_eq!(code(&nevus(eval.iter().copied().chain(["--decide", "accurate"]))), 2, "nothing is calibrated");
    let file = text(&file);
    let twice = nevus(eval.iter().copied().chain(["--json", &file, "--report", &file]));
    refused(&twice, "is the file that --json names too");

    let photo = fs::read_dir(Path::new(&data).join("images")).unwrap().next().unwrap().unwrap().path();
    let broken = dir.path().join("broken.jpg");
    fs::write(&broken, b"no photograph").unwrap();
    let said = nevus(["classify", &text(&photo), &text(&broken), "--weights", &best, "--json"]);
    assert_eq!(said.status.code(), Some(1), "one photograph is broken: {}", err(&said));
    let said = json(&said.stdout);
    let probabilities = said["photos"][0]["probabilities"].as_array().unwrap();
    let sum: f64 = probabilities.iter().map(|one| one["probability"].as_f64().unwrap()).sum();
    assert!((sum - 1.0).abs() < 1e-9);
    let weighted =
        probabilities.iter().zip(&weights).map(|(one, weight)| weight * one["probability"].as_f64().unwrap());
    let named = weighted.enumerate().max_by(|a, b| a.1.total_cmp(&b.1)).unwrap().0;
    assert_eq!(probabilities[named]["class"], said["photos"][0]["class"]);
    assert_eq!(said["decision_weights"].as_array().unwrap().len(), 3);
    assert!(said["failures"][0]["error"].as_str().unwrap().contains("broken.jpg"));
    let id = photo.file_stem().unwrap().to_str().unwrap();
    let all = json(&nevus(eval.iter().copied().chain(["--split", "all", "--json"])).stdout);
    let same = all["per_image"].as_array().unwrap().iter().find(|one| one["name"] == id).unwrap();
    for (a, b) in same["probabilities"].as_array().unwrap().iter().zip(probabilities) {
        assert!((a.as_f64().unwrap() - b["probability"].as_f64().unwrap()).abs() < 1e-5, "eval and classify disagree");
    }
    assert_eq!(same["predicted"], said["photos"][0]["class"]);

    // A photograph and, where outlines are asked for, a mask that cannot be read are left out of every figure.
    fs::write(&photo, b"no photograph").unwrap();
    let masks = Path::new(&data).join("masks");
    let other = fs::read_dir(masks).unwrap().map(|entry| entry.unwrap().path());
    let other = other.filter(|path| !path.to_str().unwrap().contains(id)).min().unwrap();
    fs::write(&other, b"no mask").unwrap();
    let left = nevus(eval.iter().copied().chain(["--split", "all", "--json"]));
    assert_eq!(left.status.code(), Some(1), "{}", err(&left));
    assert!(err(&left).contains(photo.to_str().unwrap()), "{}", err(&left));
    let left = json(&left.stdout);
    assert_eq!((&left["images"], &left["unreadable"]), (&89.into(), &serde_json::json!([id])));
    let left = nevus(eval.iter().copied().chain(["--split", "all", "--compare", "--json"]));
    assert!(left.status.code() == Some(1) && err(&left).contains(other.to_str().unwrap()), "{}", err(&left));
    let left = json(&left.stdout);
    assert_eq!((&left["images"], left["unreadable"].as_array().unwrap().len()), (&88.into(), 2));
    assert!(left["compared"].as_array().unwrap().iter().all(|one| one["images"] == 88), "{}", left["compared"]);
}

#[test]
fn folders_of_classes_and_outlines_by_a_network() {
    if !adapter() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let made = dir.path().join("made");
    phantoms(&made, "24", "40x56");
    let data = dir.path().join("data");
    for (at, entry) in fs::read_dir(made.join("images")).unwrap().enumerate() {
        let class = data.join(if at % 2 == 0 { "moles" } else { "warts" });
        fs::create_dir_all(&class).unwrap();
        fs::copy(entry.unwrap().path(), class.join(format!("{at}.jpg"))).unwrap();
    }
    let unet = dir.path().join("unet.safetensors");
    tiny_unet(&unet, 0.5);
    let (data, run, unet) = (text(&data), text(&dir.path().join("run")), text(&unet));
    let train = ["train", "classify", &data, "--out", &run, "--crop", "lesion", "--unet", &unet, "--steps", "1"];
    let done = nevus(train.into_iter().chain(SMALL));
    ok(&done);
    assert!(err(&done).contains("24 photographs have no mask") && err(&done).contains("moles"), "{}", err(&done));
    let last = text(&dir.path().join("run/last.safetensors"));
    let said = nevus(["classify", &text(&made.join("images")), "--weights", &last, "--unet", &unet]);
    ok(&said);
    assert!(
        out(&said).contains("warts") && out(&said).contains("24 photographs classified, 0 failed"),
        "{}",
        out(&said)
    );
    assert!(out(&said).contains("no diagnosis"));
    let found = text(&dir.path().join("lr"));
    let args = ["train", "classify", &data, "--out", &found, "--find-lr", "--steps", "12", "--recipe", "original"];
    let searched = nevus(args.into_iter().chain(SMALL));
    ok(&searched);
    assert!(err(&searched).contains("began pretrained") && !err(&done).contains("began pretrained"));
    assert!(fs::read_to_string(dir.path().join("lr/find-lr.csv")).unwrap().starts_with("lr,loss,smoothed\n"));
    assert!(dir.path().join("lr/find-lr.svg").is_file());
    refused(&nevus(["classify", &text(&made), "--weights", &unet]), "not a ResNet");
    let init =
        ["train", "classify", &data, "--out", &text(&dir.path().join("other")), "--init", &unet].map(str::to_owned);
    refused(&nevus(init.into_iter().chain(SMALL.map(str::to_owned))), "no tensor in it belongs to the model");
    let eval = nevus(["eval", "classify", &text(&made), "--weights", &last, "--unet", &unet]);
    refused(&eval, "is none of the classes moles, warts");

    // Sides without a test, a class without photographs, and one class alone are measured with a word on each.
    let odd = dir.path().join("odd");
    let add = |at: usize, folder: &str| {
        fs::create_dir_all(odd.join(folder)).unwrap();
        fs::copy(Path::new(&data).join(format!("moles/{at}.jpg")), odd.join(folder).join(format!("{at}.jpg"))).unwrap();
    };
    add(0, "train/moles");
    add(2, "val/moles");
    fs::create_dir(odd.join("val/warts")).unwrap();
    let odd_text = text(&odd);
    let eval = ["eval", "classify", &odd_text, "--weights", &last, "--unet", &unet, "--resamples", "0", "--json"];
    let measured = nevus(eval);
    ok(&measured);
    for said in ["the split has no test", "warts has no photograph", "all 2 photographs are of the class moles"] {
        assert!(err(&measured).contains(said), "{said}: {}", err(&measured));
    }
    let report = json(&measured.stdout);
    assert_eq!((&report["split"], &report["images"]), (&"all".into(), &2.into()));
    // What stands on val matters to those alone who ask for val.
    add(4, "val/freckles");
    let of_train = nevus(eval.into_iter().chain(["--split", "train"]));
    ok(&of_train);
    assert_eq!(json(&of_train.stdout)["images"], 1);
    refused(&nevus(eval.into_iter().chain(["--split", "train", "--calibrate"])), "is none of the classes moles, warts");
}

/// How many photographs of a `split.csv` stand on a side.
fn count(split: &Path, side: &str) -> usize {
    let sides = fs::read_to_string(split).unwrap();
    sides.lines().filter(|line| line.ends_with(&format!(",{side}"))).count()
}

#[test]
fn flags_reach_the_run_and_its_weights_and_eval_finds_the_drawn_split() {
    if !adapter() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let place = |name: &str| text(&dir.path().join(name));
    let (data, run, unet) = (place("data"), place("run"), place("unet.safetensors"));
    let drawn = ["data", "phantom", "--count", "48", "--size", "40x56", "--seed", "3", "--color-coded", "--json"];
    let drawn = nevus(drawn.into_iter().chain(["--out", &data]));
    ok(&drawn);
    assert_eq!(json(&drawn.stdout)["color_coded"], true);
    tiny_unet(Path::new(&unet), 0.5);

    let flags = "--epochs 1 --stride-in 1x1 --no-background --mixup 0.2 --balanced --class-weights 0.5 \
                 --label-smoothing 0.1 --ema 0.9 --dropout 0.2 --freeze-norms layer1,layer2 --monitor balanced-accuracy \
                 --val-limit 3";
    let train = ["train", "classify", &data, "--out", &run].into_iter().chain(SMALL).chain(flags.split_whitespace());
    ok(&nevus(train));
    let run = Path::new(&run);
    let config = json(&fs::read(run.join("config.json")).unwrap());
    let got: BTreeMap<&str, &Value> = [
        ("stride in", &config["net"]["stride_in"]),
        ("view", &config["view"]["kind"]),
        ("mixup", &config["mixup"]),
        ("balanced", &config["balanced"]),
        ("class weights", &config["class_weights"]),
        ("label smoothing", &config["loss"]["label_smoothing"]),
        ("ema", &config["ema"]),
        ("dropout", &config["net"]["dropout"]),
        ("frozen norms", &config["stages"]["frozen_norms"]),
        ("monitor", &config["monitor"]),
        ("val limit", &config["val_limit"]),
    ]
    .into();
    let wanted = serde_json::json!({
        "stride in": "1x1", "view": "masked", "mixup": 0.2, "balanced": true, "class weights": 0.5, "label smoothing": 0.1,
        "ema": 0.9, "dropout": 0.2, "frozen norms": ["layer1", "layer2"], "monitor": "balanced-accuracy", "val limit": 3,
    });
    assert_eq!(serde_json::to_value(&got).unwrap(), wanted);
    let [last, best] = ["last", "best"].map(|name| run.join(format!("{name}.safetensors")));
    let (kept, averaged) = (Weights::open(&last).unwrap(), Weights::open(&best).unwrap());
    let net = ResNet::from_weights(&averaged).unwrap();
    assert_eq!((net.stride_in, net.dropout), (StrideIn::Conv1x1, 0.2));
    assert_ne!(kept.tensors["fc.weight"], averaged.tensors["fc.weight"], "the best weights are the average");
    let moved = |name: &str| kept.tensors[name].data().iter().any(|value| *value != 0.0);
    assert!(moved("bn1.running_mean") && moved("layer3.0.bn1.running_mean"));
    assert!(!moved("layer1.0.bn1.running_mean") && !moved("layer2.1.bn2.running_mean"), "frozen norms moved");
    // Three photographs of val: thirds.
    let metrics = fs::read_to_string(run.join("metrics.csv")).unwrap();
    let mut rows = metrics.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let at = rows.next().unwrap().iter().position(|name| *name == "val_accuracy").unwrap();
    let thirds = 3.0 * rows.next().unwrap()[at].parse::<f64>().unwrap();
    assert!((thirds - thirds.round()).abs() < 1e-6, "{metrics}");
    assert!(!run.join("split.csv").exists(), "the data set has a split");
    let (last, best) = (text(&last), text(&best));

    // Without a split one is drawn; the network starts as the weights say, stride and all.
    let split = dir.path().join("split.csv");
    fs::rename(Path::new(&data).join("split.csv"), &split).unwrap();
    let other = place("other");
    let train = ["train", "classify", &data, "--out", &other, "--init", &last, "--crop", "lesion", "--steps", "1"];
    let trained = nevus(train.into_iter().chain(SMALL).chain(["--freeze-norms", "all"]));
    ok(&trained);
    let other_split = Path::new(&other).join("split.csv");
    assert!(err(&trained).contains(&text(&other_split)), "{}", err(&trained));
    assert_eq!(["train", "val", "test"].map(|side| count(&other_split, side)).iter().sum::<usize>(), 48);
    let config = json(&fs::read(Path::new(&other).join("config.json")).unwrap());
    assert_eq!((&config["net"]["stride_in"], &config["view"]["kind"]), (&"1x1".into(), &"crop".into()));
    assert_eq!(config["stages"]["frozen_norms"].as_array().unwrap().len(), 6);
    let crop = text(&Path::new(&other).join("last.safetensors"));

    let base = ["eval", "classify", &data, "--resamples", "0", "--json", "--weights"];
    let eval = |weights: &str, more: &[&str]| nevus(base.iter().copied().chain([weights]).chain(more.iter().copied()));
    let found = eval(&crop, &[]);
    ok(&found);
    assert!(err(&found).contains(&format!("split: {}", other_split.display())), "{}", err(&found));
    let report = json(&found.stdout);
    assert_eq!((&report["split"], &report["images"]), (&"test".into(), &count(&other_split, "test").into()));
    // A file that is named comes before it, and stands in where no run has drawn one.
    for weights in [&crop, &best] {
        let found = eval(weights, &["--split-file", &text(&split), "--split", "val"]);
        ok(&found);
        assert!(!err(&found).contains("split: "), "{}", err(&found));
        assert_eq!(json(&found.stdout)["images"], count(&split, "val"));
    }
    assert_eq!(json(&eval(&best, &[]).stdout)["split"], "all");
    let strangers = dir.path().join("strangers.csv");
    fs::write(&strangers, "image_id,split\nISIC_0000001,test\n").unwrap();
    refused(&eval(&best, &["--split-file", &text(&strangers)]), "names none of the data set's photographs");

    // Each view by weights of its own.
    let sides = text(&split);
    let views = ["--split-file", &sides, "--compare", "--crop-weights", &crop, "--masked-weights", &best];
    let compared = eval(&last, &views);
    ok(&compared);
    let compared = json(&compared.stdout)["compared"].as_array().unwrap().clone();
    let by = |at: usize| (compared[at]["name"].as_str().unwrap(), compared[at]["weights"].as_str().unwrap());
    let wanted = [("whole image", &last), ("lesion crop", &crop), ("background removed", &best)];
    assert_eq!([by(0), by(1), by(2)], wanted.map(|(name, weights)| (name, weights.as_str())));
    let alone = json(&eval(&best, &["--split-file", &sides]).stdout);
    for key in ["images", "accuracy", "ece", "confusion"] {
        assert_eq!(compared[2][key], alone[key], "{key}");
    }
    assert_eq!(code(&eval(&last, &["--crop-weights", &crop])), 2, "without --compare there is nothing to use it for");

    // What the U-Net outlines, in four ways: eval shows a photograph as classify does.
    let outlined = ["--outlined", "--unet", &unet, "--crop", "lesion", "--tta", "4", "--split", "all", "--limit", "4"];
    let found = eval(&best, &outlined);
    ok(&found);
    assert!(err(&found).contains("4 photographs have no mask"), "{}", err(&found));
    let report = json(&found.stdout);
    assert_eq!((&report["images"], &report["outlined"], &report["ways"]), (&4.into(), &true.into(), &4.into()));
    let photo = |id: &Value| text(&Path::new(&data).join(format!("images/{}.jpg", id.as_str().unwrap())));
    let images = report["per_image"].as_array().unwrap();
    let photos: Vec<String> = images.iter().map(|image| photo(&image["name"])).collect();
    let classify = |tta: &str| {
        let flags = ["--weights", &best, "--unet", &unet, "--crop", "lesion", "--tta", tta, "--json"];
        let said = nevus(["classify"].into_iter().chain(photos.iter().map(String::as_str)).chain(flags));
        ok(&said);
        json(&said.stdout)["photos"].clone()
    };
    let probabilities = |said: &Value| -> Vec<f64> {
        let of_photo = |photo: &Value| photo["probabilities"].as_array().unwrap().clone();
        let all = said.as_array().unwrap().iter().flat_map(of_photo);
        all.map(|one| one["probability"].as_f64().unwrap()).collect()
    };
    let (four, one) = (probabilities(&classify("4")), probabilities(&classify("1")));
    let measured = images.iter().flat_map(|image| image["probabilities"].as_array().unwrap());
    let measured: Vec<f64> = measured.map(|value| value.as_f64().unwrap()).collect();
    let near = |a: &[f64], b: &[f64]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-5);
    assert!(near(&four, &measured), "{four:?} {measured:?}");
    assert!(!near(&four, &one), "four ways are one: {one:?}");

    // Photographs that the table does not know.
    let table = Path::new(&data).join("HAM10000_metadata.csv");
    let rows = fs::read_to_string(&table).unwrap();
    fs::write(&table, rows.lines().take(47).collect::<Vec<_>>().join("\n")).unwrap();
    refused(&eval(&best, &["--split", "all"]), "2 of 48 photographs have no label");
    let skipped = eval(&best, &["--split", "all", "--skip-unlabelled"]);
    ok(&skipped);
    assert!(err(&skipped).contains("2 photographs without a label"), "{}", err(&skipped));
    assert_eq!(json(&skipped.stdout)["images"], 46);
}

#[test]
fn data_that_is_none_for_a_classifier_is_refused() {
    if !adapter() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let made = dir.path().join("made");
    phantoms(&made, "6", "40x56");
    let photo = fs::read_dir(made.join("images")).unwrap().next().unwrap().unwrap().path();
    let run = text(&dir.path().join("run"));
    let tried = |data: &Path| {
        nevus(
            ["train", "classify", &text(data), "--out", &run]
                .into_iter()
                .map(str::to_owned)
                .chain(SMALL.map(str::to_owned)),
        )
    };
    let single = dir.path().join("single");
    fs::create_dir_all(single.join("moles")).unwrap();
    fs::copy(&photo, single.join("moles/1.jpg")).unwrap();
    refused(&tried(&single), "two classes or more, found moles");
    fs::create_dir_all(single.join("warts")).unwrap();
    refused(&tried(&single), "the class has no photograph");
    refused(&tried(&dir.path().join("nowhere")), "nowhere");
    let table = made.join("HAM10000_metadata.csv");
    let whole = fs::read_to_string(&table).unwrap();
    fs::write(&table, whole.replacen("dx,", "diagnosis,", 1)).unwrap();
    refused(&tried(&made), "lacks the column dx");
    let unknown: Vec<String> = whole
        .lines()
        .enumerate()
        .map(|(at, line)| {
            let mut fields: Vec<&str> = line.split(',').collect();
            if at == 1 {
                fields[2] = "freckle";
            }
            fields.join(",")
        })
        .collect();
    fs::write(&table, unknown.join("\n")).unwrap();
    refused(&tried(&made), "\"freckle\" is none of the classes MEL, NV, Other_SC");
    let missing: Vec<&str> = whole.lines().take(4).collect();
    fs::write(&table, missing.join("\n")).unwrap();
    refused(&tried(&made), "3 of 6 photographs have no label");
    assert!(!Path::new(&run).exists(), "nothing was begun");
}
