//! `nevus tune`, run as a user runs it, and how runs keep the table that they began with.
#![cfg(feature = "cli")]

#[path = "support/cli.rs"]
mod support;

use std::fs;

use nevus::ops::conv2d::Conv2d;
use nevus::plan::table::{Origin, TableRow, file};
use nevus::plan::{PlanOptions, PlannedCall, VersionTable};
use nevus::{Gpu, GpuOptions, Graph};

use self::support::{adapter, code, err, json, nevus, ok, out, phantoms, refused, text};

fn row(class: &str, version: &str) -> TableRow {
    TableRow {
        kernel: "conv2d.forward".into(),
        class: class.into(),
        version: version.into(),
        ms: 1.0,
        usual: "conv2d/forward_2_tiled".into(),
        usual_ms: 2.0,
        gflops: 1.0,
        shape: "1x1x1x1 1x1x1x1 -> 1x1x1x1".into(),
    }
}

/// What a plan takes without a table for a convolution like the first of the network that is trained below.
fn usual(gpu: &Gpu) -> &'static str {
    let mut graph = Graph::new();
    let (x, weight) = (graph.input("x", [2, 3, 32, 32]).unwrap(), graph.input("weight", [4, 3, 3, 3]).unwrap());
    let y = graph.conv2d(Conv2d::padded(1), x, weight, None).unwrap();
    let calls = PlannedCall::all(&graph, &[y], &PlanOptions::default(), gpu.caps()).unwrap();
    calls.iter().find(|call| call.op.kernel() == "conv2d.forward").unwrap().version.shader
}

#[test]
fn a_table_is_measured_shown_and_merged() {
    if !adapter() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| text(&dir.path().join(name));
    let (cache, measured) = (at("cache"), at("measured.json"));
    let tuned = nevus(["tune", "--quick", "--limit", "1", "--out", &measured, "--cache-dir", &cache, "--json"]);
    ok(&tuned);
    let report = json(&tuned.stdout);
    let table = VersionTable::open(&measured).unwrap();
    assert!(!table.is_empty() && report["rows"].as_array().unwrap().len() == table.len(), "{report}");
    assert_eq!(report["rejected"].as_array().unwrap().len(), 0, "{report}");
    let gpu = Gpu::new(&GpuOptions { cache: None, ..GpuOptions::default() }).unwrap();
    let own = file(&gpu, dir.path().join("cache").as_path());
    assert!(!own.exists(), "--out leaves the table in force as it is");
    ok(&nevus(["tune", "--merge", &measured, "--cache-dir", &cache]));
    assert_eq!(VersionTable::open(&own).unwrap(), table);

    let shown = nevus(["tune", "--show", "--cache-dir", &cache]);
    ok(&shown);
    let first = table.rows().next().unwrap();
    assert!(out(&shown).contains(&first.class) && out(&shown).contains("measured here"), "{}", out(&shown));
    let shown = json(&nevus(["tune", "--show", "--cache-dir", &cache, "--json"]).stdout);
    let here = shown["rows"].as_array().unwrap().iter().filter(|row| row["from"] == "measured here").count();
    assert_eq!(here, table.len());

    fs::write(at("broken.json"), "{").unwrap();
    refused(&nevus(["tune", "--merge", &at("broken.json"), "--cache-dir", &cache]), "broken.json: is no table");
    let mut other = VersionTable::new(Origin { family: "another".into(), ..table.origin.clone() });
    other.insert(row("x", "conv2d/forward_1_direct"));
    other.save(at("other.json")).unwrap();
    refused(&nevus(["tune", "--merge", &measured, &at("other.json"), "--out", &at("both.json")]), "other.json");
    ok(&nevus(["tune", "--merge", &at("other.json"), "--out", &at("both.json")]));
    assert_eq!(VersionTable::open(at("both.json")).unwrap(), other);

    refused(&nevus(["tune", "--quick", "--no-pipeline-cache"]), "--out");
    refused(&nevus(["tune", "--quick", "--shaders", &at("cache")]), "--out");
    assert_eq!(code(&nevus(["tune", "--limit", "-1"])), 2);
    assert_eq!(code(&nevus(["tune", "--quick", "--full"])), 2);
    // A damaged table is no reason not to work.
    fs::write(&own, "{").unwrap();
    let bench = ["bench", "unet", "--batch", "1", "--size", "16x16", "--base", "4", "--repeat", "1"];
    let bench = nevus(bench.into_iter().chain(["--cache-dir", &cache]));
    assert!(code(&bench) == 0 && err(&bench).contains("cannot be read"), "{}", err(&bench));
}

#[test]
fn a_run_goes_on_with_the_table_it_began_with() {
    if !adapter() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| text(&dir.path().join(name));
    phantoms(&dir.path().join("data"), "12", "40x56");
    let gpu = Gpu::new(&GpuOptions { cache: None, ..GpuOptions::default() }).unwrap();
    let (data, run, cache) = (at("data"), at("run"), at("cache"));
    let own = file(&gpu, dir.path().join("cache").as_path());
    // The class of the first convolution of the network below.
    let put = |version: &str| {
        let mut table = VersionTable::new(Origin::of(&gpu));
        table.insert(TableRow { usual: usual(&gpu).into(), ..row("3x3 s1x1 c4 p1024", version) });
        table.save(&own).unwrap();
    };
    let train = ["train", "segment", &data, "--out", &run, "--steps", "1", "--cache-dir", &cache];
    let flags = ["--size", "32x32", "--base", "4", "--depth", "2", "--batch", "2", "--augment", "none"];
    put("conv2d/forward_1_direct");
    ok(&nevus(train.iter().chain(&flags)));
    let kept = || fs::read_to_string(dir.path().join("run/versions.json")).unwrap();
    let began = kept();
    assert!(began.contains("conv2d/forward_1_direct"), "{began}");
    let version = || json(&fs::read(dir.path().join("run/state.json")).unwrap())["state"]["versions"].clone();
    assert_eq!(version()["conv2d.forward"], "conv2d/forward_1_direct");
    put("conv2d/forward_2_tiled");
    ok(&nevus(train.iter().chain(&["--resume"])));
    assert_eq!((kept(), version()["conv2d.forward"].as_str()), (began, Some("conv2d/forward_1_direct")));
    // Another table than that of the run is another run.
    fs::copy(&own, dir.path().join("run/versions.json")).unwrap();
    refused(&nevus(train.iter().chain(&["--resume"])), "other versions of the kernels");
}
