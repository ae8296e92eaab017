//! burn's wgpu backend at one work, as `../python/peer.py` says peers talk: `burn-peer WORK [--adapter KIND:NUMBER]`.
//!
//! KIND is discrete, integrated, virtual, other or cpu, as `nevus devices` names it; NUMBER counts those of that kind.

mod models;
mod runs;
mod watch;
mod works;

use std::io::{BufRead as _, Write as _};
use std::process::ExitCode;
use std::time::Instant;

use burn::tensor::{Device, DeviceKind};
use serde_json::{Value, json};

use watch::Watch;

/// Runs before any counts: at least these, and at most so many until two in a row differ by less than a fifth.
const WARM_UP: std::ops::RangeInclusive<usize> = 3..=10;

fn main() -> ExitCode {
    match work() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn work() -> Result<(), String> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (name, kind) = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        &[name] => (name.to_owned(), DeviceKind::DefaultDevice),
        &[name, "--adapter", adapter] => (name.to_owned(), device_kind(adapter)?),
        _ => return Err("usage: burn-peer WORK [--adapter KIND:NUMBER]".into()),
    };
    let work = works::find(&name)?;
    let start = Instant::now();
    let watch = Watch::start();
    let options = Device::wgpu_options().device_kind(kind);
    let (device, setup) = options.init_with_setup().map_err(|error| format!("{error:?}"))?;
    let adapter = setup.adapter.get_info().name;
    let mut run = runs::make(work, &device);
    let mut last = f64::INFINITY;
    let mut output = Vec::new();
    for at in 1..=*WARM_UP.end() {
        let (ms, shape) = run()?;
        watch.well();
        eprintln!("run {at}: {ms:.2} ms");
        output = shape;
        if at >= *WARM_UP.start() && (ms - last).abs() < 0.2 * last {
            break;
        }
        last = ms;
    }
    let shader = if cfg!(feature = "spirv") { "SPIR-V where it can" } else { "WGSL" };
    say(&json!({ "ready": {
        "peer": "burn",
        "version": env!("CARGO_PKG_VERSION"),
        "work": name,
        "device": adapter,
        "threads": Value::Null,
        "settings": format!("{shader}, autotuned, fusion"),
        "output": output,
        "prepare_s": start.elapsed().as_secs(),
    }}))?;
    for line in std::io::stdin().lock().lines() {
        let line = line.map_err(|error| error.to_string())?;
        let repeats: usize = line.trim().parse().map_err(|error| format!("{line:?}: {error}"))?;
        let mut times = Vec::with_capacity(repeats);
        for _ in 0..repeats {
            times.push(run()?.0);
            watch.well();
        }
        say(&json!({ "ms": times }))?;
    }
    Ok(())
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

fn say(message: &Value) -> Result<(), String> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{message}").and_then(|()| out.flush()).map_err(|error| error.to_string())
}
