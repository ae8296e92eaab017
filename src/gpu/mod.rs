//! Adapters, buffers, pipelines, submits and timestamps. The only layer that names wgpu; it knows bytes, bindings and
//! workgroups, and no op.

mod adapter;
#[cfg_attr(
    not(any(windows, target_os = "linux", target_os = "android", target_os = "freebsd")),
    path = "addresses_none.rs"
)]
mod addresses;
mod ahead;
mod buffer;
mod cache;
pub mod environment;
mod params;
pub mod peak;
mod pipeline;
mod sequence;
mod shader;
mod staging;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::error::{Error, Result};

pub use adapter::{AdapterSummary, Caps, DeviceType, adapters};
#[doc(hidden)]
pub use addresses::{ABLE, by_address};
pub use buffer::Buffer;
pub use params::{Field, FieldKind, ParamBlock, gpu_params};
pub use peak::Peaks;
#[doc(hidden)]
pub use pipeline::as_immediates;
pub use sequence::{Bind, Dispatch, Sequence, Timing};
pub use shader::{ShaderLibrary, Vars};
pub use staging::{Download, Uploader};
/// The wgpu that nevus is built with, for hosts that hand in a device of their own.
pub use wgpu;

/// How to open a GPU.
#[derive(Debug, Clone)]
pub struct GpuOptions {
    /// An index of [`adapters`], or else a part of an adapter's name, in any case; `None` takes a discrete GPU before
    /// an integrated one before a software one.
    pub device: Option<String>,
    /// A folder that holds files of `shaders/` changed by a kernel author; what it lacks comes from the program.
    pub shaders: Option<PathBuf>,
    /// Where compiled pipelines are kept between runs; `None` keeps none.
    pub cache: Option<PathBuf>,
    /// Lowers the adapter's limit of bytes in one binding, to see large work cut on small data.
    pub max_binding: Option<u64>,
    /// Keeps the driver's and naga's bounds checks in every shader, and parameters in uniform blocks, as adapters without
    /// immediates have them.
    pub checked_shaders: bool,
}

impl Default for GpuOptions {
    fn default() -> Self {
        let cache = directories::ProjectDirs::from("", "", "nevus").map(|dirs| dirs.cache_dir().to_path_buf());
        Self { device: None, shaders: None, cache, max_binding: None, checked_shaders: false }
    }
}

/// An open device with its queue, its shaders and its pipelines. Clones share it.
#[derive(Clone)]
pub struct Gpu(Arc<Inner>);

struct Inner {
    device: wgpu::Device,
    queue: wgpu::Queue,
    caps: Caps,
    checked_shaders: bool,
    shaders: ShaderLibrary,
    pipelines: pipeline::Pipelines,
    opener: Option<ahead::Opener>,
    idle: staging::Idle,
    fault: Arc<Fault>,
    // wgpu's waits must not run from several threads at once.
    waiting: Mutex<()>,
}

/// What the device's callbacks reported.
#[derive(Default)]
struct Fault {
    lost: Mutex<Option<String>>,
    error: Mutex<Option<Error>>,
}

impl std::fmt::Debug for Gpu {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Gpu").field(&self.0.caps.adapter.name).finish()
    }
}

impl Gpu {
    /// Opens the adapter that `options` choose, with every limit and feature that it offers and nevus uses.
    ///
    /// # Errors
    /// [`Error::NoAdapter`] where none answers or none matches, [`Error::Adapter`] where it cannot be opened.
    pub fn new(options: &GpuOptions) -> Result<Self> {
        pollster::block_on(Self::new_async(options))
    }

    /// [`Gpu::new`] for hosts that must not block.
    ///
    /// # Errors
    /// As [`Gpu::new`].
    pub async fn new_async(options: &GpuOptions) -> Result<Self> {
        let (adapter, summary) = adapter::choose(options.device.as_deref()).await?;
        let (device, queue) = adapter::open(&adapter, &summary).await?;
        let fault = Arc::new(Fault::default());
        let on_error = Arc::clone(&fault);
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
            tracing::error!(%error, "the GPU reported an error outside any scope");
            lock(&on_error.error).get_or_insert(typed("device", 0, error));
        }));
        let opener = ahead::Opener::new(adapter, options);
        Self::assemble(device, queue, summary, options, fault, opener).inspect(Self::warn_of_vectors)
    }

    /// Wraps a device and a queue that the host already has. Only the features and limits that the host asked for are
    /// used; nothing is kept on disk.
    ///
    /// wgpu keeps one callback for a lost device, and from here on it is nevus's: a host learns of it by
    /// [`Gpu::health`], and makes one `Gpu` a device, whose clones share it. The handler of uncaptured errors stays the
    /// host's, for nevus catches its own errors in scopes.
    ///
    /// # Errors
    /// [`Error::Adapter`] where the device's limits are below WebGPU's defaults, so that a kernel could not run.
    pub fn from_wgpu(device: wgpu::Device, queue: wgpu::Queue) -> Result<Self> {
        let summary = adapter::summary(usize::MAX, &device.adapter_info(), device.features(), &device.limits());
        let options = GpuOptions { cache: None, ..GpuOptions::default() };
        Self::assemble(device, queue, summary, &options, Arc::default(), None).inspect(Self::warn_of_vectors)
    }

    /// Says where a software driver's vectors are wider than its kernels do well with.
    fn warn_of_vectors(&self) {
        let caps = self.caps();
        if caps.adapter.device_type == DeviceType::Cpu && caps.vector_lanes() > 8 && caps.broadcast_lanes().is_none() {
            let driver = &caps.adapter.driver;
            tracing::warn!(driver, "vectors of 512 bits are slow on this driver; LP_NATIVE_VECTOR_WIDTH=256 is faster");
        }
    }

    fn assemble(
        device: wgpu::Device,
        queue: wgpu::Queue,
        summary: AdapterSummary,
        options: &GpuOptions,
        fault: Arc<Fault>,
        opener: Option<ahead::Opener>,
    ) -> Result<Self> {
        adapter::check(&summary.name, &device.limits())?;
        let on_lost = Arc::clone(&fault);
        device.set_device_lost_callback(move |reason, message| {
            lock(&on_lost.lost).get_or_insert(format!("{reason:?}: {message}"));
        });
        let mut caps = Caps::new(summary, device.features(), &device.limits(), queue.get_timestamp_period());
        if let Some(limit) = options.max_binding {
            caps.max_binding = caps.max_binding.min(limit);
        }
        if options.checked_shaders {
            caps.immediates = 0;
        }
        let shaders = ShaderLibrary::new(options.shaders.clone())?;
        let pipelines = pipeline::Pipelines::new(&device, &caps, options.cache.as_deref());
        Ok(Self(Arc::new(Inner {
            device,
            queue,
            caps,
            checked_shaders: options.checked_shaders,
            shaders,
            pipelines,
            opener,
            idle: staging::Idle::default(),
            fault,
            waiting: Mutex::new(()),
        })))
    }

    /// What the adapter offers.
    #[must_use]
    pub fn caps(&self) -> &Caps {
        &self.0.caps
    }

    /// Whether shaders are changed to reach into buffers by addresses. Checks are lost so.
    fn by_addresses(&self) -> bool {
        self.0.caps.addresses && !self.0.checked_shaders
    }

    /// The shader sources.
    #[must_use]
    pub fn shaders(&self) -> &ShaderLibrary {
        &self.0.shaders
    }

    /// Writes the compiled pipelines to the cache folder, where the adapter can give them out and something is new.
    pub fn save_pipelines(&self) {
        self.0.pipelines.save();
    }

    /// Fails with what the device's callbacks have reported since the last call.
    ///
    /// # Errors
    /// [`Error::DeviceLost`] once the device is lost; else the first error that no scope caught.
    pub fn health(&self) -> Result<()> {
        self.alive()?;
        lock(&self.0.fault.error).take().map_or(Ok(()), Err)
    }

    /// Fails once the device is lost.
    fn alive(&self) -> Result<()> {
        lock(&self.0.fault.lost).clone().map_or(Ok(()), |message| Err(Error::DeviceLost(message)))
    }

    /// Waits until everything submitted so far has run.
    ///
    /// # Errors
    /// As [`Gpu::health`].
    pub fn wait(&self) -> Result<()> {
        self.poll_until(None, || false)
    }

    /// Destroys the device, as a driver's reset would: everything after it fails with [`Error::DeviceLost`].
    pub fn destroy(&self) {
        self.0.device.destroy();
        // wgpu tells of it only at the next poll.
        lock(&self.0.fault.lost).get_or_insert_with(|| "it was destroyed".into());
    }

    /// Waits for a submission (or for all of them), or until `done` says so, in slices.
    fn poll_until(&self, index: Option<wgpu::SubmissionIndex>, done: impl Fn() -> bool) -> Result<()> {
        loop {
            if done() {
                return self.health();
            }
            let waited = {
                let _alone = lock(&self.0.waiting);
                let timeout = Some(Duration::from_millis(100));
                self.0.device.poll(wgpu::PollType::Wait { submission_index: index.clone(), timeout })
            };
            match waited {
                Ok(_) => return self.health(),
                Err(wgpu::PollError::Timeout) => self.health()?,
                Err(error) => {
                    self.health()?;
                    return Err(Error::Validation { label: "wait".into(), message: error.to_string() });
                }
            }
        }
    }

    /// Runs `work` inside error scopes, and returns what they caught as a typed error that names `label`.
    fn scoped<T>(&self, label: &str, bytes: u64, work: impl FnOnce() -> T) -> Result<T> {
        let device = &self.0.device;
        let memory = device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let internal = device.push_error_scope(wgpu::ErrorFilter::Internal);
        let validation = device.push_error_scope(wgpu::ErrorFilter::Validation);
        let value = work();
        let caught = [
            pollster::block_on(validation.pop()),
            pollster::block_on(internal.pop()),
            pollster::block_on(memory.pop()),
        ];
        // wgpu drops what a lost device is asked to do without a word.
        self.alive()?;
        match caught.into_iter().flatten().next() {
            Some(error) => Err(typed(label, bytes, error)),
            None => Ok(value),
        }
    }
}

fn typed(label: &str, bytes: u64, error: wgpu::Error) -> Error {
    match error {
        wgpu::Error::OutOfMemory { .. } => Error::OutOfMemory { label: label.into(), bytes },
        other => Error::Validation { label: label.into(), message: other.to_string() },
    }
}

/// Locks even where another thread panicked while it held the lock: every guarded value is valid at all times.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
