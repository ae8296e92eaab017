//! burn's wgpu backend at one work, as `../python/peer.py` says peers talk: `burn-peer WORK [--adapter KIND:NUMBER]`.
//!
//! KIND is discrete, integrated, virtual, other or cpu, as `nevus devices` names it; NUMBER counts those of that kind.

mod models;
mod runs;

use std::process::ExitCode;

use burn::tensor::{Device, DeviceKind};
use peer_talk::{Prepared, Refusal, Work};

fn main() -> ExitCode {
    peer_talk::main("burn", env!("CARGO_PKG_VERSION"), prepare)
}

fn prepare(work: Work, adapter: Option<&str>) -> Result<Prepared, Refusal> {
    let kind = adapter.map_or(Ok(DeviceKind::DefaultDevice), device_kind)?;
    let options = Device::wgpu_options().device_kind(kind);
    let (device, setup) = options.init_with_setup().map_err(|error| format!("{error:?}"))?;
    let shader = if cfg!(feature = "spirv") { "SPIR-V where it can" } else { "WGSL" };
    Ok(Prepared {
        run: runs::make(work, &device),
        device: setup.adapter.get_info().name,
        settings: format!("{shader}, autotuned, fusion"),
    })
}

fn device_kind(text: &str) -> Result<DeviceKind, String> {
    let (kind, number) = text.split_once(':').unwrap_or((text, "0"));
    let number = number.parse().map_err(|error| format!("{text:?}: {error}"))?;
    match kind {
        "discrete" => Ok(DeviceKind::DiscreteGpu(number)),
        "integrated" => Ok(DeviceKind::IntegratedGpu(number)),
        "virtual" => Ok(DeviceKind::VirtualGpu(number)),
        "cpu" => Ok(DeviceKind::Cpu),
        "other" => Ok(DeviceKind::DefaultDevice),
        _ => Err(format!("{kind:?} is no kind of adapter")),
    }
}
