//! What is measured: the calls of the networks, at the sizes they are used at.

use crate::cli::Context;
use crate::cli::networks::{Mode, Network, Recipe};
use crate::error::Result;
use crate::gpu::{DeviceType, Gpu};
use crate::models::{ResNet, ResNetDepth, UNet};
use crate::plan::{PlannedCall, Precision};
use crate::tune::{Subject, subjects as subjects_of, usual};

use super::TuneArgs;

/// The sizes that the shipped weights want: the U-Net's, the ResNet's.
const SHIPPED: [[usize; 2]; 2] = [[96, 128], [128, 160]];
/// Those of a U-Net's training by default, of ImageNet, and of photographs at three quarters of HAM10000's.
const LARGER: [[usize; 2]; 3] = [[144, 192], [224, 224], [448, 592]];

/// Photographs of one batch, which is no part of a class: enough to fill the device, and few enough for its time.
pub(super) fn batch(gpu: &Gpu, [h, w]: [usize; 2]) -> usize {
    match gpu.caps().adapter.device_type {
        DeviceType::Cpu => 2,
        _ if h * w > 1 << 17 => 2,
        _ => 8,
    }
}

/// The classes of calls that the flags ask for.
pub(super) fn subjects(args: &TuneArgs, gpu: &Gpu, context: &Context) -> Result<Vec<Subject>> {
    let options = usual(&context.plan_options(gpu));
    let forward = args.quick || context.precision == Precision::F16;
    let modes: &[Mode] = if forward { &[Mode::Forward] } else { &[Mode::Forward, Mode::Train] };
    let larger: &[[usize; 2]] = if args.full { &LARGER } else { &[] };
    let networks = [Network::UNet(UNet::default()), Network::ResNet(ResNet::new(ResNetDepth::D50, 3))];
    let mut calls = Vec::new();
    for &size in SHIPPED.iter().chain(larger) {
        for network in networks {
            for &mode in modes {
                let (graph, outputs) = network.graph(mode, Recipe::default(), batch(gpu, size), size)?;
                calls.extend(PlannedCall::all(&graph, &outputs, &options, gpu.caps())?);
            }
        }
    }
    Ok(subjects_of(calls, &options.avoid, gpu.caps()))
}
