//! `nevus devices`.

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use super::Context;
use crate::error::{Error, Result};
use crate::gpu::{AdapterSummary, DeviceType, Gpu, adapters};

/// Takes no flags but the global ones.
#[derive(Debug, Args)]
pub(super) struct DevicesArgs {}

#[derive(Serialize)]
struct Listing<'a> {
    adapters: &'a [AdapterSummary],
    used: Option<&'a Used>,
}

#[derive(Serialize)]
struct Used {
    index: usize,
    name: String,
    why: String,
}

pub(super) fn run(_: &DevicesArgs, context: &Context) -> Result<ExitCode> {
    let all = adapters();
    // Opened for the answer, so that it is known to open.
    let chosen = Gpu::new(&context.gpu_options());
    let used = chosen.as_ref().ok().map(|gpu| {
        let adapter = &gpu.caps().adapter;
        let why = why(adapter, &all, context.global.device.as_deref());
        Used { index: adapter.index, name: adapter.name.clone(), why }
    });
    match &chosen {
        // Nothing to list: the error says so.
        Err(error @ Error::NoAdapter { .. }) if all.is_empty() && !context.json => tracing::debug!(%error),
        _ => context.print(|| text(&all, used.as_ref()), &Listing { adapters: &all, used: used.as_ref() })?,
    }
    chosen.map(|_| ExitCode::SUCCESS)
}

fn why(adapter: &AdapterSummary, all: &[AdapterSummary], wanted: Option<&str>) -> String {
    let alike = all.iter().filter(|a| a.device_type == adapter.device_type).count();
    match wanted {
        Some(wanted) => format!("--device {wanted} names it"),
        None if all.len() == 1 => "the only adapter".into(),
        None if alike == 1 => format!("{}, before the others", kind(adapter.device_type)),
        None => format!("the first of {alike} that are {}", kind(adapter.device_type)),
    }
}

const fn kind(device: DeviceType) -> &'static str {
    match device {
        DeviceType::Discrete => "a discrete GPU",
        DeviceType::Integrated => "an integrated GPU",
        DeviceType::Virtual => "a virtual GPU",
        DeviceType::Other => "of an unknown kind",
        DeviceType::Cpu => "a software driver on the CPU",
    }
}

fn text(all: &[AdapterSummary], used: Option<&Used>) -> String {
    let mut text = String::new();
    for a in all {
        let mark = if used.is_some_and(|used| used.index == a.index) { '*' } else { ' ' };
        let _ = writeln!(text, "{mark} {}  {}", a.index, a.name);
        let subgroup = match a.subgroup {
            (0, 0) => "none".to_owned(),
            (low, high) if low == high => low.to_string(),
            (low, high) => format!("{low} to {high}"),
        };
        let features = if a.features.is_empty() { "none".into() } else { a.features.join(", ") };
        for (name, value) in [
            ("type", kind(a.device_type).to_owned()),
            ("backend", a.backend.clone()),
            ("driver", a.driver.clone()),
            ("ids", format!("{:04x}:{:04x}", a.ids.0, a.ids.1)),
            ("largest binding", bytes(a.max_binding)),
            ("largest buffer", bytes(a.max_buffer)),
            ("workgroup", format!("{} invocations, {}", a.max_invocations, bytes(a.max_workgroup_memory.into()))),
            ("subgroup", subgroup),
            (
                "matrix units",
                a.matrix.map_or_else(|| "none".into(), |rows| format!("{rows}x{rows} of f16, summed in f32")),
            ),
            ("features", features),
        ] {
            let _ = writeln!(text, "     {name:<16} {value}");
        }
    }
    if let Some(used) = used {
        let _ = writeln!(text, "\nused: {} {} ({})", used.index, used.name, used.why);
    }
    text
}

/// Bytes in the largest unit that keeps them a readable number.
fn bytes(count: u64) -> String {
    let (mut value, mut unit) = (count, "bytes");
    for larger in ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"] {
        if value < 1024 {
            break;
        }
        (value, unit) = (value.div_ceil(1024), larger);
    }
    format!("{value} {unit}")
}
