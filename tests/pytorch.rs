//! PyTorch's checkpoints: what `tools/fixtures/pytorch.py` wrote, read without Python.
#![cfg(feature = "cli")]

#[path = "support/cli.rs"]
mod cli;

use std::fs;
use std::path::PathBuf;

use cli::{err, json, nevus, ok, out, refused, text};
use nevus::models::{FromPytorch, Weights};

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/pytorch").join(name)
}

fn open(name: &str) -> nevus::Result<Weights> {
    FromPytorch::default().open(fixture(name))
}

/// The state dict that the script wrote.
fn holds_the_state(weights: &Weights) {
    let ramp: Vec<f32> = (0..24_u8).map(|i| f32::from(i) / 8.0 - 1.0).collect();
    let mut names: Vec<_> = weights.tensors.keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["bn1.running_mean", "bn1.running_var", "conv1.weight", "fc.bias", "fc.weight"]);
    let value = |name: &str, shape: &[usize]| weights.require(name, shape).unwrap().data().to_vec();
    assert_eq!(value("conv1.weight", &[4, 3, 2, 1]), ramp);
    let transposed: Vec<f32> = (0..24).map(|i| ramp[i % 4 * 6 + i / 4]).collect();
    assert_eq!(value("fc.weight", &[6, 4]), transposed, "a view is gathered by its strides");
    assert_eq!(value("fc.bias", &[3]), ramp[8..11], "16 bits");
    assert_eq!(value("bn1.running_mean", &[6]), ramp[..6], "bfloat16");
    assert_eq!(value("bn1.running_var", &[6]), ramp[18..], "64 bits");
    let stored = weights.summary();
    let index = stored.iter().find(|tensor| tensor.name == "index").unwrap();
    assert!(!index.read && index.dtype == "I64", "{index:?}");
}

#[test]
fn a_state_dict_is_found_under_its_key_and_in_the_old_format() {
    holds_the_state(&open("nested.pth").unwrap());
    holds_the_state(&open("legacy.pth").unwrap());
    let other = FromPytorch { key: Some("optimizer.state".into()), strip: "0.".into() };
    let other = other.open(fixture("nested.pth")).unwrap();
    assert_eq!(other.require("exp_avg", &[2]).unwrap().data(), [1.0, 1.0]);
    let missing = FromPytorch { key: Some("weights".into()), ..FromPytorch::default() };
    let message = missing.open(fixture("nested.pth")).unwrap_err().to_string();
    assert!(message.contains("nested.pth") && message.contains("weights"), "{message}");
    let clash = FromPytorch { strip: "fc.".into(), ..FromPytorch::default() }.open(fixture("legacy.pth")).unwrap();
    assert!(clash.get("bias").is_some() && clash.get("conv1.weight").is_some());
}

#[test]
fn what_is_broken_or_means_harm_is_refused_by_name() {
    for (name, expected) in [
        ("expanded.pth", "claim 1073741824 bytes"),
        ("nan.pth", "NaN or infinite"),
        ("empty.pth", "no floats"),
        ("harm.pth", "harm.pth"),
    ] {
        let message = open(name).unwrap_err().to_string();
        assert!(message.contains(name) && message.contains(expected), "{name}: {message}");
    }
    let dir = tempfile::tempdir().unwrap();
    for name in ["nested.pth", "legacy.pth"] {
        let bytes = fs::read(fixture(name)).unwrap();
        for end in (0..bytes.len()).step_by(37) {
            let cut = dir.path().join("cut.pth");
            fs::write(&cut, &bytes[..end]).unwrap();
            let message = FromPytorch::default().open(&cut).unwrap_err().to_string();
            assert!(message.contains("cut.pth"), "{name} to {end}: {message}");
        }
    }
    assert!(!PathBuf::from("harm-was-done").exists());
}

#[test]
fn the_command_turns_checkpoints_into_safetensors() {
    let dir = tempfile::tempdir().unwrap();
    let to = text(&dir.path().join("w.safetensors"));
    let done = nevus(["weights", "convert", &text(&fixture("nested.pth")), &to, "--json"]);
    ok(&done);
    assert_eq!(json(&done.stdout)["tensors"], 5);
    let weights = Weights::open(&to).unwrap();
    assert_eq!(weights.metadata["source"], "nested.pth");
    assert_eq!(weights.tensors, open("nested.pth").unwrap().tensors);

    refused(&nevus(["weights", "convert", &text(&fixture("harm.pth")), &to, "--force"]), "harm.pth");
    assert_eq!(Weights::open(&to).unwrap(), weights, "what was there stays");
    let half = text(&dir.path().join("half.safetensors"));
    refused(&nevus(["weights", "convert", &to, &half, "--key", "model"]), "no checkpoint of PyTorch");
    ok(&nevus(["weights", "convert", &to, &half, "--precision", "f16"]));
    let shown = nevus(["weights", "inspect", &half]);
    assert!(out(&shown).contains("F16") && out(&shown).contains("F32"), "{}{}", out(&shown), err(&shown));
    refused(&nevus(["weights", "inspect", &text(&fixture("legacy.pth"))]), "nevus weights convert");
}
