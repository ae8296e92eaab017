//! `nevus devices`, `nevus data …`, `nevus completions` and `nevus man`, run as a user runs them.
#![cfg(feature = "cli")]

#[path = "support/cli.rs"]
mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;

use self::support::{code, err, json, nevus, out, text};

fn phantoms(dir: &Path, more: &[&str]) -> Output {
    let mut args = vec!["data", "phantom", "--count", "6", "--size", "24x32", "--seed", "3", "--out"];
    let dir = text(dir);
    args.push(&dir);
    args.extend(more);
    nevus(args)
}

/// Every file below a folder with its bytes.
fn files(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(path.strip_prefix(root).unwrap().to_path_buf(), fs::read(&path).unwrap());
            }
        }
    }
    found
}

#[test]
fn devices_lists_adapters_or_says_that_there_is_none() {
    let output = nevus(["devices", "--json", "--no-pipeline-cache"]);
    let listing = json(&output.stdout);
    let adapters = listing["adapters"].as_array().unwrap();
    if adapters.is_empty() {
        assert_eq!(code(&output), 1);
        assert!(listing["used"].is_null());
        assert!(err(&output).contains("no GPU adapter answers") && err(&output).contains("hint: "), "{}", err(&output));
        return;
    }
    assert_eq!(code(&output), 0, "{}", err(&output));
    assert!(adapters.iter().any(|a| a["index"] == listing["used"]["index"]));
    let shown = nevus(["devices", "--no-pipeline-cache"]);
    let name = listing["used"]["name"].as_str().unwrap();
    assert!(out(&shown).contains(&format!("used: {} {name} (", listing["used"]["index"])), "{}", out(&shown));
}

#[test]
fn a_device_that_is_not_there_is_named() {
    let output = nevus(["devices", "--device", "no such adapter"]);
    assert_eq!(code(&output), 1);
    assert!(err(&output).contains("error: no GPU adapter"), "{}", err(&output));
}

#[test]
fn phantoms_are_the_same_twice_and_lie_as_ham10000_does() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = (dir.path().join("a"), dir.path().join("deep/b"));
    for folder in [&a, &b] {
        let output = phantoms(folder, &[]);
        assert_eq!(code(&output), 0, "{}", err(&output));
    }
    let made = files(&a);
    assert!(made == files(&b));
    let mut wanted: Vec<PathBuf> = ["HAM10000_metadata.csv", "split.csv"].iter().map(PathBuf::from).collect();
    for number in 0..6 {
        wanted.push(format!("images/ISIC_900000{number}.jpg").into());
        wanted.push(format!("masks/ISIC_900000{number}_segmentation.png").into());
    }
    wanted.sort();
    assert_eq!(made.into_keys().collect::<Vec<_>>(), wanted);
    let mut entries: Vec<_> = fs::read_dir(&a).unwrap().map(|e| e.unwrap().file_name()).collect();
    entries.sort();
    assert_eq!(entries, ["HAM10000_metadata.csv", "images", "masks", "split.csv"]);
}

#[test]
fn phantoms_overwrite_only_when_told_and_only_their_own() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("images")).unwrap();
    fs::write(dir.path().join("images/mine.txt"), "mine").unwrap();
    fs::write(dir.path().join("images/ISIC_9000042.jpg"), "an earlier phantom").unwrap();
    let refused = phantoms(dir.path(), &[]);
    assert_eq!(code(&refused), 1);
    assert!(err(&refused).contains(&text(dir.path())) && err(&refused).contains("--force"), "{}", err(&refused));
    assert_eq!(files(dir.path()).len(), 2);
    let forced = phantoms(dir.path(), &["--force", "--json"]);
    assert_eq!(code(&forced), 0, "{}", err(&forced));
    assert_eq!(json(&forced.stdout)["count"], 6);
    let made = files(dir.path());
    assert_eq!(made.len(), 6 + 6 + 2 + 1);
    assert_eq!(made[Path::new("images/mine.txt")], b"mine");
}

#[test]
fn phantoms_of_impossible_sizes_write_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let place = text(&dir.path().join("p"));
    for (flag, value) in [
        ("--size", "0x0"),
        ("--size", "1x99999999"),
        ("--size", "7x64"),
        ("--size", "64x8193"),
        ("--size", "64"),
        ("--size", "-3x5"),
        ("--count", "0"),
        ("--count", "1000000"),
        ("--seed", "-1"),
    ] {
        let output = nevus(["data", "phantom", "--out", &place, &format!("{flag}={value}")]);
        assert_eq!(code(&output), 2, "{value}");
        assert!(err(&output).contains(value) && err(&output).contains(flag), "{}", err(&output));
        assert!(output.stdout.is_empty());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}

#[test]
fn a_phantom_folder_that_cannot_be_made_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    for place in [file.clone(), file.join("below")] {
        let output = phantoms(&place, &[]);
        assert_eq!(code(&output), 1);
        assert!(err(&output).contains(&text(&place)), "{}", err(&output));
    }
}

#[test]
fn describe_tells_what_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let (data, charts) = (dir.path().join("data"), dir.path().join("charts"));
    assert_eq!(code(&phantoms(&data, &[])), 0);
    let output = nevus(["data", "describe", &text(&data), "--json", "--out", &text(&charts)]);
    assert_eq!(code(&output), 0, "{}", err(&output));
    let seen = json(&output.stdout);
    assert_eq!((&seen["images"], &seen["masks"]), (&6.into(), &6.into()));
    assert_eq!(seen["sizes"][0]["width"], 32);
    let made = files(&charts);
    assert_eq!(serde_json::from_slice::<Value>(&made[Path::new("describe.json")]).unwrap(), seen);
    for chart in ["classes_bar.svg", "classes_pie.svg"] {
        assert!(made[Path::new(chart)].starts_with(b"<svg"));
    }
    let classes = seen["classes"].as_array().unwrap();
    assert_eq!(made.len(), 3 + classes.len());
    for class in classes {
        let name = class["name"].as_str().unwrap();
        assert!(made[Path::new(&format!("samples_{name}.png"))].starts_with(b"\x89PNG"));
    }
    let shown = nevus(["data", "describe", &text(&data), "--quick"]);
    assert!(out(&shown).contains("24 × 32: 6"), "{}", out(&shown));
}

#[test]
fn broken_photographs_are_described_and_do_not_end_it() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(code(&phantoms(dir.path(), &[])), 0);
    fs::write(dir.path().join("images/ISIC_9000001.jpg"), "no jpeg").unwrap();
    let charts = tempfile::tempdir().unwrap();
    let output = nevus(["data", "describe", &text(dir.path()), "--out", &text(charts.path())]);
    assert_eq!(code(&output), 0, "{}", err(&output));
    assert!(out(&output).contains("ISIC_9000001.jpg: "), "{}", out(&output));
}

#[test]
fn folders_without_data_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("missing");
    for folder in [dir.path(), &missing] {
        for command in ["describe", "split"] {
            let output = nevus(["data", command, &text(folder)]);
            assert_eq!(code(&output), 1);
            let message = err(&output);
            assert!(message.starts_with("error: ") && message.contains(&text(folder)), "{message}");
            assert!(output.stdout.is_empty());
        }
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn split_keeps_each_lesion_on_one_side() {
    let dir = tempfile::tempdir().unwrap();
    let data = text(&dir.path().join("data"));
    let made = nevus(["data", "phantom", "--count", "30", "--size", "8x8", "--out", &data]);
    assert_eq!(code(&made), 0, "{}", err(&made));
    let refused = nevus(["data", "split", &data]);
    assert_eq!(code(&refused), 1);
    assert!(err(&refused).contains("split.csv"), "{}", err(&refused));

    let file = dir.path().join("s.csv");
    let args = ["data", "split", &data, "--seed", "5", "--fractions", "0.5,0.25,0.25", "--out", &text(&file)];
    let output = nevus(args.iter().chain(&["--json"]));
    assert_eq!(code(&output), 0, "{}", err(&output));
    let counts = json(&output.stdout);
    assert_eq!(
        ["train", "val", "test"].map(|s| counts["sides"][s]["images"].as_u64().unwrap()).iter().sum::<u64>(),
        30
    );

    let table = fs::read_to_string(dir.path().join("data/HAM10000_metadata.csv")).unwrap();
    let lesions: BTreeMap<&str, &str> = table
        .lines()
        .skip(1)
        .map(|row| row.split_once(',').unwrap())
        .map(|(l, r)| (r.split(',').next().unwrap(), l))
        .collect();
    let split = fs::read_to_string(&file).unwrap();
    let mut sides: BTreeMap<&str, &str> = BTreeMap::new();
    for row in split.lines().skip(1) {
        let (image, side) = row.split_once(',').unwrap();
        assert_eq!(*sides.entry(lesions[image]).or_insert(side), side);
    }
    assert!(sides.len() < 30);

    fs::remove_file(&file).unwrap();
    assert!(out(&nevus(args)).contains("train"));
    assert_eq!(fs::read_to_string(&file).unwrap(), split);
    let forced = nevus(["data", "split", &data, "--force", "--seed", "5", "--fractions", "0.5,0.25,0.25"]);
    assert_eq!(code(&forced), 0);
    assert_eq!(fs::read_to_string(dir.path().join("data/split.csv")).unwrap(), split);
}

#[test]
fn wrong_usage_ends_with_2() {
    for args in [
        &["--no-such-flag"][..],
        &["devices", "--no-such-flag"],
        &["no-such-command"],
        &[],
        &["data"],
        &["data", "split", "x", "--fractions", "0.5,0.5"],
        &["data", "split", "x", "--fractions", "0.9,0.9,0.9"],
        &["data", "split", "x", "--fractions", "nan,0.5,0.5"],
        &["completions", "no-such-shell"],
        &["devices", "--cache-dir", "x", "--no-pipeline-cache"],
    ] {
        assert_eq!(code(&nevus(args)), 2, "{args:?}");
    }
    assert_eq!(code(&nevus(["--help"])), 0);
    assert!(out(&nevus(["--version"])).starts_with("nevus "));
}

#[test]
fn completions_and_manual_pages() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let output = nevus(["completions", shell]);
        assert_eq!(code(&output), 0);
        assert!(out(&output).contains("phantom"), "{shell}");
    }
    assert!(out(&nevus(["man"])).contains(".TH nevus 1"));
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(code(&nevus(["man", "--out", &text(dir.path())])), 0);
    let pages = files(dir.path());
    for page in ["nevus.1", "nevus-devices.1", "nevus-data.1", "nevus-data-phantom.1"] {
        assert!(!pages[Path::new(page)].is_empty(), "{page}");
    }
}
