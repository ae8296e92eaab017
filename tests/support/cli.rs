//! Running the program as a user runs it: what the tests of its commands share.
#![allow(dead_code, reason = "each test takes what it needs")]

use std::ffi::OsStr;
use std::path::Path;
use std::process::Output;

use assert_cmd::Command;
use nevus::Graph;
use nevus::models::{Meta, Precision, UNet};
use nevus::train::Init;
use serde_json::Value;

/// The program with these arguments, to its end.
pub fn nevus<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Output {
    Command::cargo_bin("nevus").unwrap().args(args).output().unwrap()
}

/// The exit code; a panic where a signal ended the program.
pub fn code(output: &Output) -> i32 {
    output.status.code().unwrap_or_else(|| panic!("ended by a signal: {}", err(output)))
}

pub fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// It ended with 0.
#[track_caller]
pub fn ok(output: &Output) {
    assert_eq!(code(output), 0, "{}{}", out(output), err(output));
}

/// It ended with 1, and said why.
#[track_caller]
pub fn refused(output: &Output, expected: &str) {
    assert_eq!(code(output), 1, "{}{}", out(output), err(output));
    assert!(err(output).contains(expected), "{expected:?} is not in {}", err(output));
}

#[track_caller]
pub fn json(text: &[u8]) -> Value {
    serde_json::from_slice(text).unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(text)))
}

pub fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

/// Whether there is an adapter. Where there is none it says so; in CI a missing adapter is a failure.
#[track_caller]
pub fn adapter() -> bool {
    let listed = nevus(["devices", "--json"]);
    if listed.status.success() {
        return true;
    }
    let none = json(&listed.stdout)["adapters"].as_array().is_some_and(Vec::is_empty);
    assert!(none && std::env::var("CI").as_deref() != Ok("true"), "{}{}", out(&listed), err(&listed));
    eprintln!("SKIPPED: {}", err(&listed));
    false
}

/// Draws phantoms, each of this size (HEIGHTxWIDTH), as `nevus data phantom` does.
#[track_caller]
pub fn phantoms(dir: &Path, count: &str, size: &str) {
    ok(&nevus(["data", "phantom", "--count", count, "--size", size, "--seed", "3", "--out", &text(dir)]));
}

/// A small U-Net with random weights, whose outline is whatever it is.
pub fn tiny_unet(path: &Path, threshold: f32) {
    let net = UNet { base: 4, depth: 2, ..UNet::default() };
    let mut graph = Graph::new();
    let image = graph.input("image", [1, 3, 32, 32]).unwrap();
    net.build(&mut graph, image).unwrap();
    let mut weights = Init::default().fill(graph.params()).unwrap();
    let mut meta = Meta { input_size: Some((32, 32)), threshold: Some(threshold), ..Meta::new() };
    meta.set_architecture(&net).unwrap();
    weights.set_meta(&meta);
    weights.save(path, Precision::F32).unwrap();
}
