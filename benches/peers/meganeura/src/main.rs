//! meganeura at one work, as `../python/peer.py` says peers talk: `meganeura-peer WORK [--adapter ID]`.
//!
//! ID is the adapter's device id of Vulkan (`nevus devices --json`, the second of `ids`).

mod works;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use meganeura::{GpuOptions, Mode, OptimizeConfig, Session, SessionConfig, TuneOptions};
use peer_talk::{Prepared, Refusal, Run, Work, since};

use works::Asked;

/// Seconds of a candidate's own tuning.
const TUNING: Duration = Duration::from_secs(30);

fn main() -> ExitCode {
    peer_talk::main("meganeura", env!("CARGO_PKG_VERSION"), prepare)
}

/// Of the settings that meganeura leaves to its user, those with which the work takes least.
fn prepare(work: Work, adapter: Option<&str>) -> Result<Prepared, Refusal> {
    let asked = works::asked(work)?;
    let id = adapter.map(|text| text.parse().map_err(|error| format!("--adapter {text:?}: {error}"))).transpose()?;
    let options = GpuOptions { device_id: id, timing: false };
    let gpu = Arc::new(meganeura::init_gpu_context_with(options).map_err(|error| format!("{error:?}"))?);
    let device = gpu.device_information().device_name.clone();
    let mut best: Option<(f64, Run, String)> = None;
    for no_winograd in [false, true] {
        let config = SessionConfig {
            mode: Mode::Inference,
            gpu: Some(Arc::clone(&gpu)),
            optimize: OptimizeConfig { no_winograd, ..OptimizeConfig::default() },
            ..SessionConfig::default()
        };
        let mut session = session(&asked, config);
        let tuned = session.tune_with(TuneOptions { max_classes: 256, max_time: TUNING, ..TuneOptions::default() });
        let tuned = tuned.map_err(|error| error.to_string())?;
        let settings = format!(
            "{}{}, tuned ({} of {} classes)",
            if asked.image.is_some() { "batch norms folded, " } else { "" },
            if no_winograd { "no Winograd" } else { "Winograd where it takes it" },
            tuned.visited_classes,
            tuned.eligible_classes
        );
        let mut run = repeated(session, &asked);
        run()?;
        let ms = run()?.0.min(run()?.0);
        eprintln!("{settings}: {ms:.2} ms");
        if best.as_ref().is_none_or(|(least, ..)| ms < *least) {
            best = Some((ms, run, settings));
        }
    }
    let (_, run, settings) = best.ok_or_else(|| "no settings were tried".to_owned())?;
    Ok(Prepared { run, device, settings })
}

/// A session with random parameters.
fn session(asked: &Asked, config: SessionConfig) -> Session {
    let (mut session, _) = meganeura::build(&asked.graph, config);
    for (name, length) in &asked.parameters {
        // Small, so that the sums of fifty layers stay finite.
        let values: Vec<f32> = peer_talk::random(*length).into_iter().map(|value| (value - 0.5) * 0.1).collect();
        session.set_parameter(name, &values);
    }
    session
}

/// The whole work by the wall: a network's from photographs to logits in host memory.
fn repeated(mut session: Session, asked: &Asked) -> Run {
    let Asked { image, output, .. } = asked;
    let image = image.map(peer_talk::random);
    let (shape, read) = (output.clone(), image.is_some());
    Box::new(move || {
        let start = Instant::now();
        if let Some(image) = &image {
            session.set_input("image", image);
        }
        session.step();
        session.wait();
        if read {
            let values = session.read_output(shape.iter().product());
            if !values.iter().all(|value| value.is_finite()) {
                return Err("a result that is not finite".into());
            }
        }
        Ok((since(start), shape.clone()))
    })
}
