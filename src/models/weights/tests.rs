use std::fs;
use std::path::PathBuf;

use super::*;

fn some() -> Weights {
    let mut weights = Weights::new();
    let ramp = |len: u16, by: f32| (0..len).map(|i| f32::from(i) * by - 1.0).collect::<Vec<f32>>();
    weights.insert("down.0.conv1.weight", Tensor::new([4, 3, 3, 3], ramp(108, 0.0625)).unwrap());
    weights.insert("down.0.conv1.bias", Tensor::new([4], ramp(4, 0.25)).unwrap());
    weights.insert("scale", Tensor::scalar(0.5));
    weights.insert("none", Tensor::new([0, 3], vec![]).unwrap());
    weights
}

fn file(bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("w.safetensors");
    fs::write(&path, bytes).unwrap();
    (dir, path)
}

fn with_header(header: &str, data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), data].concat()
}

/// The message of a refusal, which must name the file.
fn refusal(bytes: &[u8]) -> String {
    let (_dir, path) = file(bytes);
    let error = Weights::open(&path).unwrap_err();
    assert!(matches!(error, Error::Weights { .. }), "{error:?}");
    let message = error.to_string();
    assert!(message.contains("w.safetensors"), "{message}");
    message
}

#[test]
fn what_is_written_is_read_back_at_both_precisions() {
    let (_dir, path) = file(b"");
    let mut weights = some();
    weights.metadata.insert("note".into(), "a \"quoted\" ü".into());
    for precision in [Precision::F32, Precision::F16] {
        weights.save(&path, precision).unwrap();
        let back = Weights::open(&path).unwrap();
        assert_eq!(back.tensors, weights.tensors);
        assert_eq!(back.metadata, weights.metadata);
        let bytes = fs::read(&path).unwrap();
        back.save(&path, precision).unwrap();
        assert_eq!(fs::read(&path).unwrap(), bytes, "equal weights give equal bytes");
        assert!(safetensors::SafeTensors::deserialize(&bytes).is_ok());
    }
    let names: Vec<_> = fs::read_dir(path.parent().unwrap()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names, ["w.safetensors"]);
}

#[test]
fn f16_rounds_keeps_single_dimensions_and_refuses_what_it_cannot_hold() {
    let (_dir, path) = file(b"old");
    let mut weights = Weights::new();
    weights.insert("w", Tensor::new([1, 3], vec![0.1, 65504.0, -1e-9]).unwrap());
    weights.insert("z.running_var", Tensor::new([3], vec![0.1, 83_615.0, -1e-9]).unwrap());
    weights.save(&path, Precision::F16).unwrap();
    let back = Weights::open(&path).unwrap();
    assert_eq!(back.precision(), Precision::F16);
    assert_eq!(back.get("w").unwrap().data(), [0.099_975_586, 65504.0, 0.0]);
    assert_eq!(back.get("z.running_var"), weights.get("z.running_var"), "exact, and read from where it lies");
    let before = fs::read(&path).unwrap();
    weights.insert("big", Tensor::new([2, 1], vec![1.0, -70_000.0]).unwrap());
    let message = weights.save(&path, Precision::F16).unwrap_err().to_string();
    assert!(message.contains("\"big\" holds -70000 at 1"), "{message}");
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn a_truncated_file_is_refused_wherever_it_ends() {
    let (_dir, path) = file(b"");
    some().save(&path, Precision::F32).unwrap();
    let bytes = fs::read(&path).unwrap();
    for end in (0..bytes.len()).step_by(64).chain([1, 7, 8, 9, bytes.len() - 1]) {
        let message = refusal(&bytes[..end]);
        assert!(message.contains("truncated"), "{end}: {message}");
    }
    let mut longer = bytes.clone();
    longer.push(0);
    assert!(refusal(&longer).contains("bytes behind the last tensor"));
}

#[test]
fn a_header_that_claims_terabytes_allocates_nothing() {
    let huge = [&(7u64 << 40).to_le_bytes()[..], b"{}"].concat();
    assert!(refusal(&huge).contains("claims 7696581394432 bytes"));
    assert!(refusal(&[0xff; 16]).contains("claims 18446744073709551615 bytes"));
    let tensor = r#"{"w":{"dtype":"F32","shape":[1099511627776],"data_offsets":[0,4398046511104]}}"#;
    assert!(refusal(&with_header(tensor, &[0; 8])).contains("describes 4398046511190 bytes"));
    let overflow = r#"{"w":{"dtype":"F32","shape":[4294967296,4294967296,2],"data_offsets":[0,8]}}"#;
    assert!(refusal(&with_header(overflow, &[0; 8])).contains("tensor \"w\""));
}

#[test]
fn hostile_headers_are_refused_with_a_reason() {
    let cases: &[(&str, &str)] = &[
        ("", "not a JSON object"),
        ("[]", "not a JSON object"),
        ("{\"w\":", "not a JSON object"),
        (r#"{"w":{"dtype":"F99","shape":[1],"data_offsets":[0,4]}}"#, "tensor \"w\": unknown variant"),
        (r#"{"w":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}"#, "tensor \"w\": invalid value"),
        (r#"{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}"#, "tensor \"w\" has shape [2] of F32"),
        (r#"{"w":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}"#, "tensor \"w\" lies at bytes 4..0"),
        (r#"{"__metadata__":{"a":1}}"#, "metadata is not a map of texts"),
        (r#"{"w":{"dtype":"F8_E4M3","shape":[8],"data_offsets":[0,8]}}"#, "tensor \"w\" has dtype F8_E4M3"),
        (
            r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#,
            "tensor \"b\" lies at bytes 4..8, expected a start at 8",
        ),
    ];
    for (header, expected) in cases {
        let message = refusal(&with_header(header, &[0; 8]));
        assert!(message.contains(expected), "{header}: {message}");
    }
    let bad = [&3u64.to_le_bytes()[..], &[b'{', 0xff, b'}']].concat();
    assert!(refusal(&bad).contains("not UTF-8"));
    let deep = "[".repeat(100_000);
    refusal(&with_header(&deep, b""));
}

#[test]
fn folders_and_missing_files_are_named() {
    let dir = tempfile::tempdir().unwrap();
    assert!(Weights::open(dir.path()).unwrap_err().to_string().contains("is not a file"));
    let message = Weights::open(dir.path().join("no.safetensors")).unwrap_err().to_string();
    assert!(message.contains("no.safetensors"), "{message}");
}

#[test]
fn values_that_are_not_finite_are_refused_but_can_be_inspected() {
    let header = r#"{"w":{"dtype":"F32","shape":[3],"data_offsets":[0,12]}}"#;
    let data: Vec<u8> = [1.0, f32::NAN, f32::INFINITY].iter().flat_map(|v: &f32| v.to_le_bytes()).collect();
    let bytes = with_header(header, &data);
    assert!(refusal(&bytes).contains("tensor \"w\" has 2 of 3 values NaN or infinite"));
    let (_dir, path) = file(&bytes);
    let weights = Weights::open_unchecked(&path).unwrap();
    assert_eq!(weights.health(), [("w".to_owned(), 2)]);
    let line = &weights.summary()[0];
    assert_eq!((line.nan, line.infinite, line.min, line.mean), (1, 1, Some(1.0), Some(1.0)));
    assert!(weights.save(path.with_file_name("b"), Precision::F32).unwrap_err().to_string().contains("holds NaN at 1"));
    assert!(!path.with_file_name("b").exists());
}

#[test]
fn other_dtypes_become_f32_and_integers_are_left_out() {
    let header = r#"{"bn.num_batches_tracked":{"dtype":"I64","shape":[],"data_offsets":[0,8]},
        "d":{"dtype":"F64","shape":[1],"data_offsets":[8,16]},"b":{"dtype":"BF16","shape":[2],"data_offsets":[16,20]}}"#;
    let mut data = 7i64.to_le_bytes().to_vec();
    data.extend(0.1f64.to_le_bytes());
    data.extend([half::bf16::from_f32(1.5), half::bf16::from_f32(-2.0)].iter().flat_map(|v| v.to_le_bytes()));
    let (_dir, path) = file(&with_header(header, &data));
    let weights = Weights::open(&path).unwrap();
    assert_eq!(weights.get("d").unwrap().data(), [0.1]);
    assert_eq!(weights.get("b").unwrap().data(), [1.5, -2.0]);
    let message = weights.require("bn.num_batches_tracked", &[]).unwrap_err().to_string();
    assert!(message.contains("holds I64"), "{message}");
    let dtypes: Vec<_> = weights.summary().into_iter().map(|line| (line.name, line.dtype, line.read)).collect();
    assert_eq!(dtypes[1], ("bn.num_batches_tracked".into(), "I64".into(), false));
}

#[test]
fn what_is_required_must_be_there_in_its_shape() {
    let weights = some();
    assert!(weights.require("scale", &[]).is_ok());
    let message = weights.require("head.weight", &[1]).unwrap_err().to_string();
    assert_eq!(message, "(weights in memory): tensor \"head.weight\" is missing");
    let message = weights.require("unet.down.0.conv1.bias", &[4]).unwrap_err().to_string();
    assert!(message.contains("(there is \"down.0.conv1.bias\")"), "{message}");
    let message = weights.require("down.0.conv1.bias", &[5]).unwrap_err().to_string();
    assert!(message.contains("has shape [4], expected [5]"), "{message}");
}

#[test]
fn meta_goes_through_the_metadata_and_back() {
    let mut meta = Meta::new();
    meta.set_architecture(&serde_json::json!({ "model": "unet", "base": 16 })).unwrap();
    meta.input_size = Some((144, 192));
    meta.normalisation = Some(Normalisation { mean: vec![0.1, 0.7, 0.3], std: vec![0.2, 0.2, 0.123_456_79] });
    meta.threshold = Some(0.45);
    meta.classes = Some(vec!["lesion".into(), "none".into()]);
    meta.temperature = Some(1.3);
    meta.class_bias = Some(vec![-0.1, 0.1]);
    meta.decision_weights = Some(vec![1.0, 2.5]);
    meta.started_from = Some(Start { file: "a".into(), blake3: Some("0f".into()), from: None });
    meta.view = Some(serde_json::json!({ "kind": "whole" }));
    meta.metrics = Some([("mean_iou".to_owned(), 0.867)].into());
    meta.license = Some("CC-BY-NC-4.0".into());
    let mut weights = some();
    weights.metadata.insert("other".into(), "stays".into());
    weights.set_meta(&meta);
    assert_eq!(weights.metadata[keys::SCHEMA], "1");
    assert_eq!(weights.metadata[keys::INPUT_SIZE], "144x192");
    assert_eq!(weights.metadata[keys::THRESHOLD], "0.45");
    assert_eq!(weights.metadata[keys::CLASS_BIAS], "[-0.1,0.1]");
    assert_eq!(weights.metadata[keys::DECISION_WEIGHTS], "[1.0,2.5]");
    assert_eq!(weights.metadata[keys::STARTED_FROM], r#"{"file":"a","blake3":"0f"}"#);
    assert_eq!(weights.metadata["other"], "stays");
    assert_eq!(weights.meta().unwrap(), meta);
    assert_eq!(Weights::new().meta().unwrap(), Meta::default());
}

#[test]
fn meta_refuses_what_makes_no_sense() {
    let cases = [
        (keys::SCHEMA, "2", "schema 2"),
        (keys::SCHEMA, "x", "expected a version"),
        (keys::INPUT_SIZE, "144", "expected HEIGHTxWIDTH"),
        (keys::INPUT_SIZE, "0x9", "expected HEIGHTxWIDTH"),
        (keys::THRESHOLD, "1.5", "expected 0 to 1"),
        (keys::NORMALISATION, r#"{"mean":[0.5],"std":[0]}"#, "positive deviations"),
        (keys::CLASSES, "mel", keys::CLASSES),
        (keys::TEMPERATURE, "0", "expected above 0"),
        (keys::TEMPERATURE, "-1.5", "expected above 0"),
        (keys::CLASS_BIAS, "[0.5]", "has 1 numbers, expected 2"),
        (keys::CLASS_BIAS, "[0.5,1e999]", keys::CLASS_BIAS),
        (keys::DECISION_WEIGHTS, "[1,0]", "expected above 0"),
        (keys::DECISION_WEIGHTS, "[1,1,1]", "has 3 numbers, expected 2"),
        (keys::STARTED_FROM, r#"{"blake3":"0f"}"#, keys::STARTED_FROM),
    ];
    for (key, value, expected) in cases {
        let mut weights = Weights::new();
        weights.metadata.insert(keys::CLASSES.into(), r#"["a","b"]"#.into());
        weights.metadata.insert(key.into(), value.into());
        let message = weights.meta().unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn a_diff_names_what_differs() {
    let (first, mut second) = (some(), some());
    assert!(diff(&first, &second).tensors_equal());
    second.insert("scale", Tensor::scalar(0.75));
    second.insert("down.0.conv1.bias", Tensor::zeros([2]));
    second.insert("new", Tensor::zeros([1]));
    second.tensors.remove("none");
    second.metadata.insert("k".into(), "v".into());
    let diff = diff(&first, &second);
    assert_eq!((diff.only_first, diff.only_second, diff.equal), (vec!["none".into()], vec!["new".into()], 1));
    assert_eq!(diff.shapes[0].second, [2]);
    let changed = Changed { name: "scale".into(), values: 1, max_abs: 0.25, relative: Some(0.5) };
    assert_eq!(diff.changed, [changed]);
    assert_eq!(diff.metadata[0].key, "k");
}
