//! Device buffers.

use crate::error::{Error, Result};

use super::{Gpu, addresses};

/// A range of device memory that kernels read and write; clones share it.
#[derive(Debug, Clone)]
pub struct Buffer {
    pub(super) raw: wgpu::Buffer,
    label: String,
}

impl Buffer {
    /// Size in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.raw.size()
    }

    pub(super) fn from_raw(raw: wgpu::Buffer, label: &str) -> Self {
        Self { raw, label: label.into() }
    }

    /// The name that errors show.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }
}

impl Gpu {
    /// Allocates `bytes` (rounded up to 16), zeroed.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`] where the device has no room or one buffer cannot be as large.
    pub fn buffer(&self, label: &str, bytes: u64) -> Result<Buffer> {
        let size = bytes.max(16).next_multiple_of(16);
        if size > self.caps().max_buffer {
            return Err(Error::OutOfMemory { label: label.into(), bytes: size });
        }
        self.health()?;
        let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST;
        let descriptor = wgpu::BufferDescriptor {
            label: Some(label),
            size,
            usage: match self.0.caps.addresses {
                // What wgpu gives an address.
                true => usage | wgpu::BufferUsages::BLAS_INPUT,
                false => usage,
            },
            mapped_at_creation: false,
        };
        let raw = self.scoped(label, size, || self.0.device.create_buffer(&descriptor))?;
        Ok(Buffer { raw, label: label.into() })
    }

    /// The address of a buffer that [`Gpu::buffer`] made, where kernels reach into buffers by addresses.
    ///
    /// # Errors
    /// [`Error::Validation`] where it has none.
    pub(super) fn address(&self, buffer: &Buffer) -> Result<u64> {
        let address = addresses::address(&self.0.device, &buffer.raw).filter(|&address| address > 0);
        address.ok_or_else(|| Error::Validation { label: buffer.label.clone(), message: "it has no address".into() })
    }

    /// Allocates a buffer that holds `data`.
    ///
    /// # Errors
    /// As [`Gpu::buffer`].
    pub fn buffer_with(&self, label: &str, data: &[f32]) -> Result<Buffer> {
        let buffer = self.buffer(label, size_of_val(data) as u64)?;
        self.write(&buffer, 0, bytemuck::cast_slice(data))?;
        Ok(buffer)
    }

    /// Writes `bytes` at `offset`, before anything submitted later. For small or rare writes; images go through an
    /// [`Uploader`](super::Uploader).
    ///
    /// # Errors
    /// [`Error::Validation`] where the range is not inside the buffer or not a multiple of four bytes.
    pub fn write(&self, buffer: &Buffer, offset: u64, bytes: &[u8]) -> Result<()> {
        self.scoped(&buffer.label, 0, || self.0.queue.write_buffer(&buffer.raw, offset, bytes))
    }

    /// Copies `bytes` between two buffers, after everything submitted so far.
    ///
    /// # Errors
    /// [`Error::Validation`] where a range is not inside its buffer.
    pub fn copy(&self, from: (&Buffer, u64), to: (&Buffer, u64), bytes: u64) -> Result<()> {
        self.scoped(&to.0.label, 0, || {
            let mut encoder = self.0.device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: None });
            encoder.copy_buffer_to_buffer(&from.0.raw, from.1, &to.0.raw, to.1, bytes);
            self.0.queue.submit([encoder.finish()]);
        })
    }

    /// Reads `len` values from `offset` bytes on, once everything submitted has run.
    ///
    /// # Errors
    /// [`Error::DeviceLost`] and [`Error::Validation`].
    pub fn read(&self, buffer: &Buffer, offset: u64, len: usize) -> Result<Vec<f32>> {
        self.download(&[(buffer, offset, len)])?.wait().map(|mut parts| parts.pop().unwrap_or_default())
    }
}
