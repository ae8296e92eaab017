//! Sums by subgroups of 8 lanes and of 16 are the same to the bit. Mesa's software driver has either, as the environment says
//! when it is loaded: so each is a process of its own.

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use nevus::gpu::DeviceType;
use nevus::graph::Op;
use nevus::ops::cases::{Case, Input};
use nevus::ops::conv_transpose2d::{ConvTranspose2d, ConvTranspose2dBackwardWeight};
use nevus::ops::conv2d::{Conv2d, Conv2dBackwardData, Conv2dBackwardWeight};
use nevus::ops::{OPS, harness, kernel};

/// Where a process of one width writes what it found.
const FILE: &str = "NEVUS_DIGESTS";

/// Lanes, and a digest of the results of each version and case.
type Digests = (u32, BTreeMap<String, String>);

/// Kernels that sum beside convolutions, as their own cases have them.
const SUMS: [&str; 3] = ["batch_norm2d", "channel_sum", "clip_grad_norm"];

fn convolutions() -> Vec<Case> {
    fn case(op: impl Op, inputs: [[usize; 4]; 2]) -> Case {
        Case::new(op, inputs.map(Input::normal).into(), "")
    }
    let (plain, padded) = (Conv2d::padded(0), Conv2d::padded(1));
    let of_weight = |conv, kernel| Conv2dBackwardWeight { conv, kernel };
    let up = ConvTranspose2d::upsampling(2).unwrap();
    vec![
        case(plain, [[2, 24, 13, 17], [72, 24, 1, 1]]),
        case(padded, [[2, 20, 13, 17], [36, 20, 3, 3]]),
        case(Conv2dBackwardData { conv: padded, size: [13, 17] }, [[2, 36, 13, 17], [36, 20, 3, 3]]),
        // More columns than lanes, so that tiles and splits are several.
        case(of_weight(plain, [1, 1]), [[2, 72, 13, 17], [2, 40, 13, 17]]),
        case(of_weight(padded, [3, 3]), [[2, 20, 13, 17], [2, 36, 13, 17]]),
        case(up, [[1, 20, 7, 9], [20, 12, 2, 2]]),
        case(ConvTranspose2dBackwardWeight { conv: up, kernel: [2, 2] }, [[1, 20, 7, 9], [1, 12, 14, 18]]),
    ]
}

#[test]
fn no_bit_depends_on_how_many_lanes_a_subgroup_has() {
    let Some(gpu) = support::gpu(&support::options()) else { return };
    if gpu.caps().adapter.device_type != DeviceType::Cpu || !gpu.caps().addresses {
        println!("SKIPPED: {} has subgroups of its own", gpu.caps().describe());
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let [(narrow, of_narrow), (wide, of_wide)] = ["256", "512"].map(|width| digests_of(width, folder.path()));
    assert_eq!([narrow, wide], [8, 16]);
    let differing: Vec<&String> =
        of_narrow.iter().filter(|(name, digest)| of_wide.get(*name) != Some(digest)).map(|(name, _)| name).collect();
    assert!(differing.is_empty(), "{} of {} differ: {differing:#?}", differing.len(), of_narrow.len());
    assert!(of_narrow.len() > 40, "{} results", of_narrow.len());
}

/// What a process finds whose driver compiles for vectors of so many bits.
fn digests_of(width: &str, folder: &Path) -> Digests {
    let file = folder.join(width);
    // Mesa keeps code for one width apart from that for another only where the kernels themselves differ.
    let cache = folder.join(format!("mesa-{width}"));
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--ignored", "--exact", "writes_digests"]);
    let output = command
        .env("LP_NATIVE_VECTOR_WIDTH", width)
        .env("MESA_SHADER_CACHE_DIR", cache)
        .env(FILE, &file)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()
}

#[test]
#[ignore = "a part of the other test, which says where it writes"]
fn writes_digests() {
    let Some(file) = std::env::var_os(FILE) else { return };
    let gpu = support::gpu(&support::options()).unwrap();
    let lanes = gpu.caps().broadcast_lanes().unwrap();
    let sums = OPS.iter().flat_map(|room| (room.cases)()).filter(|case| {
        let kernel = case.op.kernel();
        SUMS.iter().any(|name| kernel.contains(name))
    });
    let mut digests = BTreeMap::new();
    for case in convolutions().into_iter().chain(sums) {
        let tensors = case.tensors();
        for version in kernel(case.op.kernel()).unwrap().versions {
            let prepared = harness::prepare(&gpu, version, &*case.op, &tensors, None).unwrap();
            let Ok(prepared) = prepared else { continue };
            let mut hash = blake3::Hasher::new();
            for value in prepared.run().unwrap().iter().flat_map(|output| output.data()) {
                hash.update(&value.to_bits().to_le_bytes());
            }
            digests.insert(format!("{} by {}", case.describe(), version.shader), hash.finalize().to_hex().to_string());
        }
    }
    std::fs::write(file, serde_json::to_vec(&(lanes, digests)).unwrap()).unwrap();
}
