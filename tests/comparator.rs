//! The comparator and the harness fail when they must.

mod support;

use std::path::Path;

use nevus::ops::cases::{Case, Draw, Input};
use nevus::ops::harness::{self, Outcome};
use nevus::ops::pointwise::{Add, Relu, Scale, Sigmoid};
use nevus::ops::{Binding, Kernel, Slot, Version, compare, kernel};
use nevus::{Gpu, GpuOptions, Tensor};

fn tensor(shape: impl Into<Vec<usize>>, seed: u64) -> Tensor {
    Input::normal(shape).tensor(seed)
}

fn changed(tensor: &Tensor, at: usize, change: impl Fn(f32) -> f32) -> Tensor {
    let mut tensor = tensor.clone();
    tensor.data_mut()[at] = change(tensor.data()[at]);
    tensor
}

/// The error of `within`, which `exact` must share.
fn refused(got: &Tensor, expected: &Tensor) -> String {
    assert!(compare::exact(got, expected).is_err());
    compare::within(got, expected, 1.0, 1e-5).unwrap_err().to_string()
}

#[test]
fn equal_tensors_pass() {
    for shape in [vec![2, 3, 4, 5], vec![1, 1, 1, 1], vec![7], vec![]] {
        let t = tensor(shape, 3);
        assert_eq!(compare::within(&t, &t, 1.0, 0.0).unwrap(), 0.0);
        compare::exact(&t, &t).unwrap();
    }
    let zero = Tensor::zeros([3]);
    assert_eq!(compare::within(&zero, &zero, 0.0, 0.0).unwrap(), 0.0);
    compare::exact(&Tensor::full([2], -0.0), &Tensor::zeros([2])).unwrap();
}

#[test]
fn one_wrong_value_fails_and_is_named() {
    let expected = tensor([2, 3, 4, 5], 3);
    let at = ((3 + 2) * 4 + 1) * 5 + 4;
    let message = refused(&changed(&expected, at, |v| v + 0.5), &expected);
    assert!(message.contains("n=1 c=2 h=1 w=4"), "{message}");
    let value = format!("{:e}", expected.data()[at]);
    assert!(message.contains(&value), "{message} lacks {value}");
    let message = compare::exact(&changed(&expected, at, |v| v + 0.5), &expected).unwrap_err().to_string();
    assert!(message.contains("first at n=1 c=2 h=1 w=4"), "{message}");
    let matrix = tensor([3, 4], 1);
    let message = refused(&changed(&matrix, 7, |v| v - 1.0), &matrix);
    assert!(message.contains("i=1 j=3"), "{message}");
}

#[test]
fn nan_and_infinity_fail_before_any_tolerance() {
    let expected = tensor([2, 3, 4, 5], 3);
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let got = changed(&expected, 64, |_| bad);
        let message = compare::within(&got, &expected, 1.0, f64::INFINITY).unwrap_err().to_string();
        assert!(message.contains("not finite at n=1 c=0 h=0 w=4"), "{message}");
        assert!(compare::exact(&got, &expected).is_err());
        // A twin that gives NaN proves nothing, whatever the kernel gives.
        assert!(compare::within(&expected, &got, 1.0, f64::INFINITY).is_err());
        assert!(compare::within(&got, &got, 1.0, f64::INFINITY).is_err());
        assert!(compare::exact(&got, &got).is_err());
    }
}

#[test]
fn another_shape_fails_also_with_the_same_values() {
    let expected = tensor([2, 3, 4, 5], 3);
    for shape in [vec![3, 2, 4, 5], vec![2, 3, 20], vec![120], vec![1, 2, 3, 4, 5]] {
        let message = refused(&expected.clone().reshape(shape.clone()).unwrap(), &expected);
        assert!(message.contains(&format!("shape {shape:?}, expected [2, 3, 4, 5]")), "{message}");
    }
    let short = Tensor::new([2, 3, 4, 4], expected.data()[..96].to_vec()).unwrap();
    refused(&short, &expected);
    refused(&expected, &short);
}

#[test]
fn swapped_axes_fail() {
    let expected = tensor([1, 1, 6, 6], 3);
    let mut got = expected.clone();
    for y in 0..6 {
        for x in 0..6 {
            got.data_mut()[y * 6 + x] = expected.data()[x * 6 + y];
        }
    }
    refused(&got, &expected);
}

#[test]
fn a_relative_error_just_above_the_bound_fails_and_just_below_passes() {
    for scale in [1e-3f32, 1.0, 1e3] {
        let mut expected = tensor([2, 3, 4, 5], 3);
        expected.data_mut().iter_mut().for_each(|v| *v *= scale);
        let mut got = expected.clone();
        got.data_mut().iter_mut().for_each(|v| *v *= 1.0 + 4e-6);
        assert!(compare::within(&got, &expected, f64::from(scale), 3e-6).is_err(), "{scale}");
        let error = compare::within(&got, &expected, f64::from(scale), 5e-6).unwrap();
        assert!((3e-6..5e-6).contains(&error), "{error}");
        assert!(compare::exact(&got, &expected).is_err());
    }
    let mut one_bit = tensor([5], 3);
    let expected = one_bit.clone();
    one_bit.data_mut()[3] = f32::from_bits(one_bit.data()[3].to_bits() + 1);
    assert!(compare::exact(&one_bit, &expected).is_err());
}

#[test]
fn where_nothing_is_expected_the_scale_of_the_inputs_counts() {
    let zero = Tensor::zeros([100]);
    let noise = Tensor::full([100], 1e-3);
    assert!(compare::within(&noise, &zero, 1.0, 1e-5).is_err());
    compare::within(&noise, &zero, 1e3, 1e-5).unwrap();
    assert!(compare::within(&noise, &zero, 0.0, 1e-5).is_err());
}

// ---- the harness, with shaders that were tampered with ---------------------------------------------------------------

const SHADER: &str = "pointwise/unary_1_direct";

fn tampered(from: &str, to: &str) -> (tempfile::TempDir, Option<Gpu>) {
    let folder = tempfile::tempdir().unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("shaders").join(format!("{SHADER}.wgsl"));
    let text = std::fs::read_to_string(source).unwrap();
    assert!(text.contains(from), "{SHADER} has changed: it lacks {from:?}");
    let path = folder.path().join(format!("{SHADER}.wgsl"));
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text.replace(from, to)).unwrap();
    let gpu = support::gpu(&GpuOptions { shaders: Some(folder.path().into()), ..support::options() });
    (folder, gpu)
}

fn parts(name: &str) -> (&'static Kernel, &'static Version) {
    let kernel = kernel(name).unwrap();
    (kernel, kernel.versions.iter().find(|version| version.shader == SHADER).unwrap())
}

/// What the harness says of `case` when the text `from` of the shader was replaced by `to`.
fn caught(from: &str, to: &str, case: &Case) -> Option<String> {
    let (_folder, gpu) = tampered(from, to);
    let (kernel, version) = parts(case.op.kernel());
    let outcome = harness::check(&gpu?, kernel, version, case, false);
    let message = outcome.expect_err("the harness let it pass").to_string();
    assert!(message.contains(&case.describe()) && message.contains(SHADER), "{message}");
    Some(message)
}

fn sigmoid() -> Case {
    Case::new(Sigmoid, vec![Input::normal([2, 5, 7, 3])], "pad lanes, odd sizes")
}

#[test]
fn the_shader_as_it_is_passes() {
    let (_folder, gpu) = tampered("", "");
    let Some(gpu) = gpu else { return };
    let (kernel, version) = parts("pointwise.sigmoid");
    assert!(
        matches!(harness::check(&gpu, kernel, version, &sigmoid(), false), Ok(Outcome::Passed(error)) if error < 1e-6)
    );
}

#[test]
fn an_element_that_is_never_written_is_caught() {
    let Some(message) = caught("if i >= p.len {", "if i >= p.len || i == 8u {", &sigmoid()) else { return };
    // Float 8 in C4 is channel 0 of the third pixel.
    assert!(message.contains("element 2 of 210 was never written"), "{message}");
}

#[test]
fn a_dirty_pad_lane_is_caught() {
    let Some(message) = caught("select(value, 0.0, pad)", "value", &sigmoid()) else { return };
    assert!(message.contains("pad lane at element") && message.contains("is 0.5, expected 0"), "{message}");
}

#[test]
fn a_slightly_wrong_value_is_caught() {
    let case = Case::new(Scale { factor: 3.0 }, vec![Input::normal([2, 1, 9, 11])], "one channel");
    let Some(message) = caught("p.factor * x", "p.factor * 1.00001 * x", &case) else { return };
    assert!(message.contains("worst at n="), "{message}");
}

#[test]
fn an_index_off_by_one_is_caught_on_whole_numbers() {
    let case = Case::new(Relu, vec![Input::drawn([7, 33], Draw::Integers)], "two dimensions");
    let (_folder, gpu) = tampered("wid.z * p.a_stride + i]", "wid.z * p.a_stride + max(i, 1u) - 1u]");
    let Some(gpu) = gpu else { return };
    let (kernel, version) = parts("pointwise.relu");
    let message = harness::check(&gpu, kernel, version, &case, true).unwrap_err().to_string();
    assert!(message.contains("expected exactly"), "{message}");
}

#[test]
fn a_nan_is_caught() {
    let line = "return select(e, 1.0, x >= 0.0) / (1.0 + e);";
    let case = Case::new(Sigmoid, vec![Input::normal([7, 33])], "two dimensions");
    let Some(message) = caught(line, "return bitcast<f32>(p.plane | 0x7fc00000u);", &case) else { return };
    assert!(message.contains("not finite at i=0 j=0"), "{message}");
}

#[test]
fn two_runs_that_differ_are_caught() {
    let write = "out[p.out_base + wid.z * p.out_stride + i] =";
    let old =
        format!("let old = bitcast<u32>({}); {write} f32(old != 0x7fc0deadu) * 1e-7 +", &write[..write.len() - 2]);
    let case = Case::new(Relu, vec![Input::normal([7, 33])], "two dimensions");
    let Some(message) = caught(write, &old, &case) else { return };
    assert!(message.contains("two runs differ"), "{message}");
}

/// A dispatch that binds more than its output, with a shader that writes there.
#[test]
fn a_write_behind_the_output_is_caught() {
    let write = "out[p.out_base + wid.z * p.out_stride + i] =";
    let (_folder, gpu) = tampered(write, &format!("out[p.len] = 1.0; {write}"));
    let Some(gpu) = gpu else { return };
    let (kernel, known) = parts("pointwise.sigmoid");
    let greedy = Version {
        shader: known.shader,
        shaders: known.shaders,
        requires: known.requires,
        views: known.views,
        pays: known.pays,
        exact: known.exact,
        layouts: known.layouts,
        lower: |call| {
            let mut lowered = (parts("pointwise.sigmoid").1.lower)(call)?;
            let launches = lowered.launches.iter_mut().flat_map(|launch| &mut launch.bindings);
            for Binding { len, .. } in launches.filter(|binding| binding.slot == Slot::Output(0)) {
                *len += 64;
            }
            Ok(lowered)
        },
    };
    let case = Case::new(Sigmoid, vec![Input::normal([7, 32])], "a multiple of four, so that no pad stands behind");
    let message = harness::check(&gpu, kernel, &greedy, &case, false).unwrap_err().to_string();
    assert!(message.contains("wrote 1 behind the output, float 224"), "{message}");
}

#[test]
fn what_a_version_refuses_is_an_error_and_no_pass() {
    let Some(gpu) = support::gpu(&support::options()) else { return };
    let (kernel, version) = (kernel("pointwise.add").unwrap(), &kernel("pointwise.add").unwrap().versions[0]);
    let case = Case::new(Add, vec![Input::normal([2, 3]), Input::normal([3, 2])], "shapes that do not go together");
    assert!(harness::check(&gpu, kernel, version, &case, false).is_err());
}
