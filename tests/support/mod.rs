//! The adapter of the tests that need one.

use nevus::{Error, Gpu, GpuOptions};

/// A GPU, or `None` with the reason on stderr where no adapter answers; in CI a missing adapter is a failure.
pub fn gpu(options: &GpuOptions) -> Option<Gpu> {
    match Gpu::new(&GpuOptions { device: std::env::var("NEVUS_DEVICE").ok(), ..options.clone() }) {
        Ok(gpu) => Some(gpu),
        Err(error @ Error::NoAdapter { .. }) if std::env::var("CI").as_deref() != Ok("true") => {
            eprintln!("SKIPPED: {error}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// Options that keep nothing on disk.
pub fn options() -> GpuOptions {
    GpuOptions { cache: None, ..GpuOptions::default() }
}
