//! What the peers in Rust share: the works, how a run is warmed up and timed, and how a peer talks, as `../python/peer.py`
//! says.

mod watch;
mod works;

use std::io::{BufRead as _, Write as _};
use std::process::ExitCode;
use std::time::Instant;

use serde_json::{Value, json};

use watch::Watch;
pub use works::{Convolution, Mode, Model, Network, Part, Work};

/// Runs before any counts: at least these, and at most so many until two in a row differ by less than a fifth.
const WARM_UP: std::ops::RangeInclusive<usize> = 3..=10;

/// Does the work once: milliseconds, and the result's shape.
pub type Run = Box<dyn FnMut() -> Result<(f64, Vec<usize>), String>>;

/// A work made ready.
pub struct Prepared {
    pub run: Run,
    /// The adapter's name.
    pub device: String,
    /// What was chosen for the peer, or by it.
    pub settings: String,
}

/// Why a peer does no work.
pub enum Refusal {
    /// It has no way to do this work.
    Unsupported(String),
    Failed(String),
}

impl From<String> for Refusal {
    fn from(message: String) -> Self {
        Self::Failed(message)
    }
}

/// A peer's whole program: `PEER WORK [--adapter ADAPTER]`.
pub fn main(
    peer: &str,
    version: &str,
    prepare: impl FnOnce(Work, Option<&str>) -> Result<Prepared, Refusal>,
) -> ExitCode {
    match answer(peer, version, prepare) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn answer(
    peer: &str,
    version: &str,
    prepare: impl FnOnce(Work, Option<&str>) -> Result<Prepared, Refusal>,
) -> Result<(), String> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (name, adapter) = match arguments.as_slice() {
        [name] => (name, None),
        [name, flag, adapter] if flag == "--adapter" => (name, Some(adapter.as_str())),
        _ => return Err(format!("usage: {peer}-peer WORK [--adapter ADAPTER]")),
    };
    let work = works::find(name)?;
    let start = Instant::now();
    let watch = Watch::start();
    let Prepared { mut run, device, settings } = match prepare(work, adapter) {
        Ok(prepared) => prepared,
        Err(Refusal::Unsupported(why)) => return say(&json!({ "unsupported": why })),
        Err(Refusal::Failed(message)) => return Err(message),
    };
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
    say(&json!({ "ready": {
        "peer": peer,
        "version": version,
        "work": name,
        "device": device,
        "threads": Value::Null,
        "settings": settings,
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

fn say(message: &Value) -> Result<(), String> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{message}").and_then(|()| out.flush()).map_err(|error| error.to_string())
}

/// Milliseconds since.
pub fn since(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1e3
}

/// So many random numbers from 0 to 1, the same each time.
pub fn random(count: usize) -> Vec<f32> {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / 16_777_216.0
    };
    (0..count).map(|_| next()).collect()
}
