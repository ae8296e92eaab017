//! Every version of every kernel against its twin, room by room (`cargo test --test ops conv2d`), and every gradient
//! against finite differences of the forward twin in f64, which needs no GPU. `NEVUS_CASE` picks the cases whose
//! description contains it; a room that has none fails.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use nevus::graph::Op;
use nevus::ops::cases::{Case, Draw, Input};
use nevus::ops::conv_transpose2d::ConvTranspose2d;
use nevus::ops::conv2d::{Conv2d, Conv2dBackwardData, Conv2dBackwardWeight};
use nevus::ops::harness::{self, Outcome};
use nevus::ops::max_pool2d::{MaxPool2d, MaxPool2dBackward};
use nevus::ops::pointwise::Add;
use nevus::ops::reference::{self, Given, dot};
use nevus::ops::{Array, Gradient, OPS, Room, compare, kernel, same_bits};
use nevus::{Gpu, GpuOptions, Graph, Tensor};

fn gpu() -> Option<Gpu> {
    static GPU: OnceLock<Option<Gpu>> = OnceLock::new();
    GPU.get_or_init(|| support::gpu(&support::options())).clone()
}

fn room(name: &str) -> &'static Room {
    OPS.iter().find(|room| room.name == name).unwrap()
}

/// The cases of a room that `wanted` picks.
fn picked(room: &Room, wanted: &str) -> Vec<Case> {
    let cases: Vec<Case> = (room.cases)().into_iter().filter(|case| case.describe().contains(wanted)).collect();
    let name = room.name;
    assert!(
        !cases.is_empty(),
        "no case of {name} contains NEVUS_CASE={wanted:?} (its own: cargo test --test ops {name}::)"
    );
    cases
}

fn cases(room: &Room) -> Vec<Case> {
    picked(room, &std::env::var("NEVUS_CASE").unwrap_or_default())
}

fn versions(name: &str, integers: bool) {
    let Some(gpu) = gpu() else { return };
    let mut failures = Vec::new();
    // Version to the worst error, the cases that passed, and why others were skipped.
    let mut table: BTreeMap<&str, (f64, usize, Vec<String>)> = BTreeMap::new();
    let mut run = |case: &Case, exact: bool| {
        let kernel = kernel(case.op.kernel()).unwrap();
        for version in kernel.versions {
            let row = table.entry(version.shader).or_default();
            match harness::check(&gpu, kernel, version, case, exact && version.exact) {
                Ok(Outcome::Passed(error)) => {
                    row.0 = row.0.max(error);
                    row.1 += 1;
                }
                Ok(Outcome::Skipped(why)) => row.2.push(why),
                Err(error) => failures.push(format!("{error}")),
            }
        }
    };
    for case in cases(room(name)) {
        match integers {
            true => run(&case.integers().expect("a kernel of sums and products reads normal numbers"), true),
            false => run(&case, false),
        }
    }
    for (version, (error, passed, skipped)) in &table {
        let mut why: Vec<_> = skipped.clone();
        why.dedup();
        println!("{version}: {passed} passed, worst error {error:.1e}, {} skipped {why:?}", skipped.len());
        let shapes_only = !skipped.is_empty() && skipped.iter().all(|why| why.contains("shapes"));
        if std::env::var_os("NEVUS_CASE").is_none() && *passed == 0 && shapes_only {
            failures.push(format!("{version} takes none of its cases"));
        }
    }
    assert!(failures.is_empty(), "{} of {name} failed:\n{}", failures.len(), failures.join("\n"));
}

/// Every version with the bounds checks left in its shaders and its parameters in a uniform block, by the smallest case of more than one sample that it takes:
/// every check is a pipeline of its own, which takes time to compile.
fn checked(name: &str) {
    static GPU: OnceLock<Option<Gpu>> = OnceLock::new();
    let open = || support::gpu(&GpuOptions { checked_shaders: true, ..support::options() });
    let Some(gpu) = GPU.get_or_init(open) else { return };
    let mut failures = Vec::new();
    let mut cases = cases(room(name));
    cases.sort_by_key(|case| {
        let single = case.inputs[0].shape.first().is_none_or(|&n| n < 2);
        (single, case.inputs.iter().map(|input| input.shape.iter().product::<usize>()).sum::<usize>())
    });
    for kernel in room(name).kernels {
        let own = || cases.iter().filter(|case| case.op.kernel() == kernel.name);
        for version in kernel.versions {
            let mut outcomes = own().map(|case| harness::check(gpu, kernel, version, case, false));
            match outcomes.find(|outcome| !matches!(outcome, Ok(Outcome::Skipped(_)))) {
                Some(Ok(_)) => {}
                Some(Err(error)) => failures.push(error.to_string()),
                None => match version.requires.missing(gpu.caps()) {
                    Some(missing) => println!("{}: {missing}", version.shader),
                    None if std::env::var_os("NEVUS_CASE").is_some() => {}
                    None => failures.push(format!("{} takes none of its cases", version.shader)),
                },
            }
        }
    }
    assert!(failures.is_empty(), "{} of {name} failed:\n{}", failures.len(), failures.join("\n"));
}

/// What says that it gives the bits of another version does, in all cases that both take.
#[test]
fn versions_of_the_same_bits() {
    let Some(gpu) = gpu() else { return };
    let mut compared = BTreeMap::new();
    let all = OPS.iter().flat_map(|room| room.kernels).flat_map(|kernel| kernel.versions);
    let say_so: BTreeSet<&str> =
        all.map(|version| version.shader).filter(|&shader| same_bits(shader) != shader).collect();
    for case in ["conv2d", "conv_transpose2d", "batch_norm2d"]
        .iter()
        .flat_map(|name| (room(name).cases)())
        .chain(large_convolutions())
    {
        let versions = kernel(case.op.kernel()).unwrap().versions;
        for version in versions {
            let other = versions.iter().find(|other| other.shader == same_bits(version.shader)).unwrap();
            if other.shader == version.shader {
                continue;
            }
            let tensors = case.tensors();
            let bits = |version| {
                let prepared = harness::prepare(&gpu, version, &*case.op, &tensors, None).unwrap();
                let outputs = prepared.ok()?.run().unwrap();
                let bits = |output: &Tensor| output.data().iter().map(|value| value.to_bits()).collect::<Vec<_>>();
                Some(outputs.iter().map(bits).collect::<Vec<_>>())
            };
            if let (Some(one), Some(two)) = (bits(version), bits(other)) {
                assert!(one == two, "{} and {}: {}", version.shader, other.shader, case.describe());
                *compared.entry(version.shader).or_insert(0) += 1;
            }
        }
    }
    println!("{compared:?}");
    let all_more_than_once = compared.keys().eq(say_so.iter()) && compared.values().all(|&n| n > 1);
    assert!(gpu.caps().broadcast_lanes().is_none() || all_more_than_once);
}

/// Convolutions for which versions take larger tiles than for cases that a twin computes in no time.
fn large_convolutions() -> Vec<Case> {
    fn case(op: impl Op, inputs: [[usize; 4]; 2]) -> Case {
        Case::new(op, inputs.map(Input::normal).into(), "larger tiles")
    }
    let plain = Conv2d::new([1, 1], [0, 0], [1, 1]).unwrap();
    let strided = Conv2d::new([2, 2], [1, 1], [1, 1]).unwrap();
    let padded = Conv2d::padded(1);
    let of_data = |conv| Conv2dBackwardData { conv, size: [60, 112] };
    let of_weight = |conv, kernel| Conv2dBackwardWeight { conv, kernel };
    vec![
        case(plain, [[1, 64, 60, 112], [128, 64, 1, 1]]),
        case(ConvTranspose2d::upsampling(2).unwrap(), [[1, 64, 60, 112], [64, 32, 2, 2]]),
        Case::new(
            plain,
            vec![Input::normal([1, 64, 60, 112]), Input::normal([128, 64, 1, 1]), Input::normal([128])],
            "larger tiles with a bias",
        ),
        case(strided, [[2, 64, 60, 112], [128, 64, 3, 3]]),
        case(padded, [[1, 64, 60, 112], [64, 64, 3, 3]]),
        case(of_data(plain), [[1, 128, 60, 112], [128, 64, 1, 1]]),
        case(of_data(strided), [[1, 96, 30, 56], [96, 64, 3, 3]]),
        case(of_data(padded), [[1, 64, 60, 112], [64, 64, 3, 3]]),
        // An odd number of fours of channels, which no turn takes two of.
        case(plain, [[1, 60, 60, 112], [128, 60, 1, 1]]),
        case(padded, [[1, 60, 60, 112], [64, 60, 3, 3]]),
        case(of_data(plain), [[1, 124, 60, 112], [124, 64, 1, 1]]),
        case(of_weight(plain, [1, 1]), [[1, 64, 60, 112], [1, 128, 60, 112]]),
        case(of_weight(padded, [3, 3]), [[2, 64, 30, 56], [2, 64, 30, 56]]),
    ]
}

/// Tiles of any size compute what the plainest of them do; version 1 would take a minute.
#[test]
fn large_convolutions_by_every_version() {
    let Some(gpu) = gpu() else { return };
    for case in large_convolutions() {
        let tensors = case.tensors();
        let kernel = kernel(case.op.kernel()).unwrap();
        let run = |version| {
            let prepared = harness::prepare(&gpu, version, &*case.op, &tensors, None).unwrap();
            prepared.ok().map(|prepared| prepared.run().unwrap().swap_remove(0))
        };
        let [_, plain, others @ ..] = kernel.versions else { panic!("{}", kernel.name) };
        let expected = run(plain).unwrap();
        for version in others.iter().filter(|version| !version.requires.half) {
            if let Some(got) = run(version) {
                let error = compare::within(&got, &expected, 1.0, kernel.tolerance);
                error.unwrap_or_else(|error| panic!("{}: {}: {error}", version.shader, case.describe()));
            }
        }
    }
}

/// A NaN is a window's maximum on the device as in the twin, and the last one takes the gradient.
#[test]
fn max_pools_by_every_version_see_a_nan() {
    let Some(gpu) = gpu() else { return };
    let pools = [
        MaxPool2d::new([2, 2], [2, 2], [0, 0]).unwrap(),
        MaxPool2d::new([3, 3], [2, 2], [1, 1]).unwrap(),
        MaxPool2d::new([3, 2], [1, 1], [1, 0]).unwrap(),
    ];
    for pool in pools {
        let mut x = Input::normal([2, 5, 9, 10]).tensor(3);
        // Alone, two in one window, and in a corner.
        for at in [0, 37, 38, 47, 500, 899] {
            x.data_mut()[at] = f32::NAN;
        }
        let shape = pool.outputs(&[x.shape()]).unwrap().swap_remove(0);
        let gradient = Input::normal(shape).tensor(4);
        let calls: [(&dyn Op, Vec<Tensor>); 2] =
            [(&pool, vec![x.clone()]), (&MaxPool2dBackward { pool }, vec![x.clone(), gradient])];
        for (op, tensors) in calls {
            let kernel = kernel(op.kernel()).unwrap();
            let arrays: Vec<Array<f32>> = tensors.iter().map(Into::into).collect();
            let expected = kernel.twin.run::<f32>(op, &arrays.iter().collect::<Vec<_>>()).unwrap().swap_remove(0).data;
            let nans = expected.iter().filter(|value| value.is_nan()).count();
            assert_eq!(nans > 0, tensors.len() == 1, "{nans} of {pool:?}");
            let mut ran = 0;
            for version in kernel.versions.iter().filter(|version| !version.requires.half) {
                let Ok(prepared) = harness::prepare(&gpu, version, op, &tensors, None).unwrap() else { continue };
                let got = prepared.run().unwrap().swap_remove(0);
                let same = |(a, b): (&f32, &f32)| a.is_nan() && b.is_nan() || (a - b).abs() <= 1e-5;
                assert!(got.data().iter().zip(&expected).all(same), "{} of {pool:?}", version.shader);
                ran += 1;
            }
            assert!(ran > 1, "{} of {pool:?}", kernel.name);
        }
    }
}

const STEP: f64 = 1e-5;

/// Moves one input at one element and returns the forward twin's first output times `seed`.
fn moved(case: &Case, inputs: &[Array<f64>], (input, at, by): (usize, usize, f64), seed: &Array<f64>) -> f64 {
    let mut inputs = inputs.to_vec();
    inputs[input].data[at] += by;
    let twin = kernel(case.op.kernel()).unwrap().twin;
    dot(&twin.run(&*case.op, &inputs.iter().collect::<Vec<_>>()).unwrap()[0], seed)
}

/// Compares the gradients of a forward case with finite differences: how many inputs have one.
fn differences(case: &Case, tensors: &[Tensor]) -> usize {
    let arrays: Vec<Array<f64>> = tensors.iter().map(Into::into).collect();
    let mut compared = 0;
    for (index, input) in case.inputs.iter().enumerate() {
        if matches!(input.draw, Draw::Classes(_) | Draw::Binary) {
            continue;
        }
        let mut graph = Graph::new();
        let mut given = Given::new();
        let mut values = Vec::new();
        for (at, array) in arrays.iter().enumerate() {
            values.push(graph.input(&at.to_string(), array.shape.clone()).unwrap());
            given.insert(at.to_string(), array.clone());
        }
        let output = graph.push_arc(Arc::clone(&case.op), &values).unwrap()[0];
        let shape = graph.shape(output).to_vec();
        let seed: Array<f64> = (&Input::normal(shape.clone()).tensor(0x5eed)).into();
        let gradient = graph.input("seed", shape).unwrap();
        given.insert("seed".into(), seed.clone());
        let sum: Arc<dyn nevus::graph::Op> = Arc::new(Add);
        let Ok(gradients) = graph.gradients_from(&[(output, gradient)], &[values[index]], &sum) else { continue };
        let Some(gradient) = gradients[0] else { continue };
        let run = reference::run::<f64>(&graph, &given, &[output, gradient]).unwrap();
        let (forward, gradient) = (&run[0], &run[1]);
        assert_eq!(gradient.shape, arrays[index].shape, "{}: input {index}", case.describe());
        let largest = gradient.data.iter().fold(0f64, |most, v| most.max(v.abs()));
        let terms: f64 = forward.data.iter().zip(&seed.data).map(|(a, b)| (1.0 + a.abs()) * b.abs()).sum();
        let len = gradient.data.len();
        for pick in 0..len.min(7) {
            let at = (pick * 7919 + 13) % len;
            let by = STEP * arrays[index].data[at].abs().max(1.0);
            let high = moved(case, &arrays, (index, at, by), &seed);
            let low = moved(case, &arrays, (index, at, -by), &seed);
            let expected = (high - low) / (2.0 * by);
            let got = gradient.data[at];
            // The second term is what rounding does to the difference; an output may be 1 less something close to 1.
            let bound = 1e-5 * largest + 4.0 * f64::EPSILON * terms / by;
            assert!(
                (got - expected).abs() <= bound,
                "{}\n  input {index} element {at}: the difference is {expected:e}, the gradient {got:e}, bound {bound:e}",
                case.describe()
            );
        }
        compared += 1;
    }
    compared
}

fn gradients(name: &str) {
    const MOST: usize = 12_000;
    let room = room(name);
    if let Gradient::None { why } = room.gradient {
        println!("{name}: {why}");
        return;
    }
    // Kernel to cases compared; a kernel that is itself a gradient has none.
    let mut compared: BTreeMap<&str, usize> = BTreeMap::new();
    for case in cases(room) {
        let ties = name == "max_pool2d" && case.inputs[0].draw == Draw::Integers;
        let len: usize = case.inputs.iter().map(|input| input.shape.iter().product::<usize>()).sum();
        let count = compared.entry(case.op.kernel()).or_default();
        if ties || len > MOST || *count >= 8 {
            continue;
        }
        *count += usize::from(differences(&case, &case.tensors()) > 0);
    }
    println!("{compared:?}");
    assert!(std::env::var_os("NEVUS_CASE").is_some() || compared.values().any(|&count| count > 0), "nothing compared");
    // What a kernel's `gradient` gives must be known; a forward kernel without one would be silent otherwise. Folds are
    // put in by plans and running statistics are updated after differentiation.
    for (kernel, count) in compared {
        let backward = ["backward", "sum", "fold", "update"].iter().any(|part| kernel.contains(part));
        assert!(backward || count > 0 || std::env::var_os("NEVUS_CASE").is_some(), "{kernel}: no case was compared");
    }
}

macro_rules! rooms {
    ($($room:ident)*) => {
        const ROOMS: &[&str] = &[$(stringify!($room)),*];

        $(mod $room {
            #[test]
            fn every_version_matches_the_twin() {
                super::versions(stringify!($room), false);
            }

            #[test]
            fn every_version_matches_with_its_checks_on() {
                super::checked(stringify!($room));
            }

            #[test]
            fn gradients_match_differences() {
                super::gradients(stringify!($room));
            }
        })*
    };
}

rooms! {
    adamw avg_pool2d batch_norm2d bce_with_logits clip_grad_norm concat conv2d conv_transpose2d cross_entropy dice_loss
    dropout ema flatten focal_loss global_avg_pool2d layout linear max_pool2d normalize pointwise reduce resize_bilinear sgd slice
    softmax
}

#[test]
fn every_room_is_tested() {
    assert_eq!(ROOMS, OPS.iter().map(|room| room.name).collect::<Vec<_>>());
}

#[test]
fn a_case_is_picked_by_its_description() {
    let conv = room("conv2d");
    assert_eq!(picked(conv, "").len(), (conv.cases)().len());
    // As CONTRIBUTING.md has it.
    let one = "conv2d.forward Conv2d { stride: [2, 2], padding: [1, 1], dilation: [1, 1] } [2, 3, 7, 8] [5, 3, 3, 3]";
    assert_eq!(picked(conv, one).len(), 2, "with and without bias");
}

#[test]
#[should_panic(expected = "no case of conv2d contains NEVUS_CASE=\"conv2d(n=2\"")]
fn a_pick_of_nothing_fails() {
    picked(room("conv2d"), "conv2d(n=2");
}

#[test]
fn conv2d_integers_match_exactly() {
    versions("conv2d", true);
}

#[test]
fn conv_transpose2d_integers_match_exactly() {
    versions("conv_transpose2d", true);
}

#[test]
fn reduce_integers_match_exactly() {
    versions("reduce", true);
}
