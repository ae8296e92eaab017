//! What every command shares: the global flags, the request to stop, output and progress.

use std::io::{ErrorKind, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use clap::{ArgAction, Args};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::{filter::Targets, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use crate::data::save::write_atomic;
use crate::error::{Error, Result};
use crate::gpu::{Gpu, GpuOptions};
use crate::plan::{PlanOptions, Precision, avoid, table};

/// The flags that every command takes.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Global options")]
pub struct GlobalArgs {
    /// The GPU to use: its number in `nevus devices`, or a part of its name
    #[arg(long, global = true, value_name = "DEVICE")]
    pub device: Option<String>,
    /// Print one JSON object on stdout in place of text
    // A command whose `--json` takes a FILE has an argument of this id and type of its own; "-" stands for stdout.
    #[arg(long, global = true, num_args = 0, default_missing_value = "-")]
    pub json: Option<PathBuf>,
    /// Say more on stderr; twice, or three times, for more still
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
    /// For authors of kernels: a folder whose files stand in for those of the same name in shaders/
    #[arg(long, global = true, value_name = "DIR", hide_short_help = true)]
    pub shaders: Option<PathBuf>,
    /// Keep no compiled pipelines on disk
    #[arg(long, global = true, hide_short_help = true)]
    pub no_pipeline_cache: bool,
    /// Where compiled pipelines are kept
    #[arg(long, global = true, value_name = "DIR", hide_short_help = true, conflicts_with = "no_pipeline_cache")]
    pub cache_dir: Option<PathBuf>,
    /// Keep bounds checks in every shader and parameters in buffers: slower, for a driver or a kernel under suspicion
    #[arg(long, global = true, hide_short_help = true)]
    pub checked_shaders: bool,
    /// How long analyze, segment, classify and eval may measure, before they start, which kernels are the fastest, where
    /// nobody has; 0 for not at all, as it is on a software driver
    #[arg(long, global = true, value_name = "SECONDS", default_value = "2", value_parser = seconds, hide_short_help = true)]
    pub tune_limit: Duration,
    /// Lowers the adapter's limit of bytes in one binding
    #[arg(long, global = true, value_name = "BYTES", hide = true)]
    pub max_binding: Option<u64>,
}

/// What a command is run with.
#[derive(Debug)]
pub struct Context {
    /// The flags.
    pub global: GlobalArgs,
    /// Whether results are one JSON object on stdout.
    pub json: bool,
    /// The file that a command which can writes its JSON object to, beside the text on stdout.
    pub json_file: Option<PathBuf>,
    /// Set when Ctrl-C asks to stop; what runs long looks at it.
    pub cancel: Arc<AtomicBool>,
    /// Whether the command measures kernels before its first plan: see `--tune-limit`.
    pub tunes: bool,
    /// How plans store values: `--precision` of the commands that have it.
    pub precision: Precision,
    /// Time that the command has measured kernels for, of what `--tune-limit` allows.
    pub tuned_for: Mutex<Duration>,
}

/// Seconds on the command line.
pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds.ok_or_else(|| "expected a number of seconds from 0".into())
}

impl Context {
    /// A context of these flags; messages of the library go to stderr from now on.
    #[must_use]
    pub fn new(global: GlobalArgs) -> Self {
        let (own, others) = match global.verbose {
            0 => (LevelFilter::WARN, LevelFilter::ERROR),
            1 => (LevelFilter::INFO, LevelFilter::ERROR),
            2 => (LevelFilter::DEBUG, LevelFilter::WARN),
            _ => (LevelFilter::TRACE, LevelFilter::INFO),
        };
        let colored = std::io::stderr().is_terminal();
        let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(colored);
        let layer = layer.without_time().with_target(global.verbose > 1);
        let targets = Targets::new().with_target("nevus", own).with_default(others);
        // A second context in one process keeps the first one's messages.
        let _ = tracing_subscriber::registry().with(layer).with(targets).try_init();
        let json = global.json.as_ref().is_some_and(|target| target.as_os_str() == "-");
        let json_file = global.json.clone().filter(|_| !json);
        Self {
            json,
            json_file,
            global,
            cancel: Arc::new(AtomicBool::new(false)),
            tunes: false,
            precision: Precision::F32,
            tuned_for: Mutex::default(),
        }
    }

    /// Makes Ctrl-C ask for an end; a second one ends the process at once.
    ///
    /// # Errors
    /// Where the system lets no handler be installed.
    pub fn catch_interrupts(&self) -> Result<()> {
        let cancel = Arc::clone(&self.cancel);
        let mut first = None;
        let handler = move || {
            cancel.store(true, Ordering::SeqCst);
            // Some senders signal the process and its group: that is one request, not two.
            if first.get_or_insert_with(Instant::now).elapsed() > Duration::from_millis(300) {
                std::process::exit(130);
            }
            eprintln!("\nstopping (again to end at once)");
        };
        ctrlc::set_handler(handler).map_err(|error| Error::parameter("Ctrl-C", error.to_string()))
    }

    /// Whether Ctrl-C asked to stop.
    #[must_use]
    pub fn cancelled(&self) -> bool {
        self.cancel.load(Ordering::Relaxed)
    }

    /// How the flags want a GPU opened.
    #[must_use]
    pub fn gpu_options(&self) -> GpuOptions {
        let GlobalArgs { device, shaders, no_pipeline_cache, cache_dir, checked_shaders, max_binding, .. } =
            self.global.clone();
        let default = GpuOptions::default();
        let cache = if no_pipeline_cache { None } else { cache_dir.or(default.cache) };
        GpuOptions { device, shaders, cache, max_binding, checked_shaders }
    }

    /// Opens the GPU that the flags choose, and names it on stderr.
    ///
    /// # Errors
    /// As [`Gpu::new`].
    pub fn open_gpu(&self) -> Result<Gpu> {
        let gpu = Gpu::new(&self.gpu_options())?;
        self.say(format!("device: {}", gpu.caps().describe()));
        Ok(gpu)
    }

    /// How plans for `gpu` are made: by the table of versions that was measured on it or its family, and without the
    /// versions that `nevus check` found wrong on it, which it says. Where shaders are exchanged, neither holds.
    #[must_use]
    pub fn plan_options(&self, gpu: &Gpu) -> PlanOptions {
        let usual = PlanOptions { precision: self.precision, ..PlanOptions::default() };
        let GpuOptions { shaders: None, cache, .. } = self.gpu_options() else { return usual };
        let table = table::in_force(gpu, cache.as_deref()).map(Arc::new);
        let avoid = cache.map(|folder| avoid::known_bad(gpu, &folder)).unwrap_or_default();
        if !avoid.is_empty() {
            let names: Vec<&str> = avoid.iter().map(String::as_str).collect();
            tracing::warn!("not used on this adapter, for nevus check found them wrong: {}", names.join(", "));
        }
        PlanOptions { avoid, table, ..usual }
    }

    /// Says something on stderr that is no result.
    pub fn say(&self, message: impl AsRef<str>) {
        eprintln!("{}", message.as_ref());
    }

    /// Prints a result: text, or with `--json` the object.
    ///
    /// # Errors
    /// Where stdout cannot be written.
    pub fn print(&self, text: impl FnOnce() -> String, object: &impl Serialize) -> Result<()> {
        if self.json { self.print_json(object) } else { self.print_text(&text()) }
    }

    /// [`Context::print`], and writes the object to the file of `--json FILE`.
    ///
    /// # Errors
    /// Where the file or stdout cannot be written.
    pub fn print_or_write(&self, text: impl FnOnce() -> String, object: &impl Serialize) -> Result<()> {
        if let Some(path) = &self.json_file {
            let json = to_json(object)?;
            write_atomic(path, |out| writeln!(out, "{json}").map_err(Error::io(path)))?;
        }
        self.print(text, object)
    }

    /// Prints one JSON object on stdout.
    ///
    /// # Errors
    /// Where stdout cannot be written, or a value is no JSON.
    pub fn print_json(&self, object: &impl Serialize) -> Result<()> {
        let mut text = to_json(object)?;
        text.push('\n');
        self.print_text(&text)
    }

    /// Prints text on stdout as it is. A reader that has gone away is no failure.
    ///
    /// # Errors
    /// Where stdout cannot be written.
    pub fn print_text(&self, text: &str) -> Result<()> {
        let mut out = std::io::stdout().lock();
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Error::io("stdout")(error)),
            _ => Ok(()),
        }
    }

    /// A progress bar on stderr, seen only on a terminal.
    #[must_use]
    pub fn progress(&self, what: &'static str, length: u64) -> ProgressBar {
        let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr());
        let template = "{msg} [{wide_bar}] {pos}/{len} {per_sec:>9} {eta:>4}";
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        bar.set_style(style.progress_chars("=> "));
        bar.set_message(what);
        bar.enable_steady_tick(Duration::from_millis(250));
        bar
    }
}

/// A value as JSON text with indents.
pub(super) fn to_json(object: &impl Serialize) -> Result<String> {
    serde_json::to_string_pretty(object).map_err(|error| Error::parameter("json", error.to_string()))
}

/// Bytes that a plan may take: what the system has free, where the device is the processor; else unknown.
#[must_use]
pub fn free_memory(gpu: &Gpu) -> Option<u64> {
    if gpu.caps().adapter.device_type != crate::gpu::DeviceType::Cpu {
        return None;
    }
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("MemAvailable:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024)
}
