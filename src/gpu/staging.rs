//! Host memory the device copies from and to, so that transfers overlap with compute.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::error::{Error, Result};

use super::{Buffer, Gpu, lock};

const BUSY: u8 = 0;
const MAPPED: u8 = 1;
const FAILED: u8 = 2;

/// A ring of mapped buffers: a batch is copied into the next one while the device still reads the one before.
#[derive(Debug)]
pub struct Uploader {
    gpu: Gpu,
    slots: Mutex<VecDeque<Slot>>,
    size: u64,
}

#[derive(Debug)]
struct Slot {
    raw: wgpu::Buffer,
    state: Arc<AtomicU8>,
}

impl Slot {
    fn new(gpu: &Gpu, size: u64) -> Result<Self> {
        let descriptor = wgpu::BufferDescriptor {
            label: Some("upload"),
            size,
            usage: wgpu::BufferUsages::MAP_WRITE | wgpu::BufferUsages::COPY_SRC,
            mapped_at_creation: true,
        };
        let raw = gpu.scoped("upload", size, || gpu.0.device.create_buffer(&descriptor))?;
        Ok(Self { raw, state: Arc::new(AtomicU8::new(MAPPED)) })
    }

    /// Asks for it to be mapped once the device has read it.
    fn map(&self) {
        self.state.store(BUSY, Ordering::Release);
        self.raw.slice(..).map_async(wgpu::MapMode::Write, tell(Arc::clone(&self.state)));
    }
}

/// What a mapping calls when it is done.
fn tell(state: Arc<AtomicU8>) -> impl FnOnce(Result<(), wgpu::BufferAsyncError>) + Send + 'static {
    move |mapped| state.store(if mapped.is_ok() { MAPPED } else { FAILED }, Ordering::Release)
}

impl Uploader {
    /// A ring of `slots` buffers of `bytes` each.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    pub fn new(gpu: &Gpu, slots: usize, bytes: u64) -> Result<Self> {
        let size = bytes.max(16).next_multiple_of(16);
        let slots = (0..slots.max(1)).map(|_| Slot::new(gpu, size));
        Ok(Self { gpu: gpu.clone(), slots: Mutex::new(slots.collect::<Result<_>>()?), size })
    }

    /// Copies each piece to its buffer and offset (bytes), before anything submitted later. Waits only while every
    /// slot of the ring is still being read.
    ///
    /// # Errors
    /// [`Error::Parameter`] where the pieces together exceed a slot; [`Error::Validation`] where one does not fit its
    /// buffer; [`Error::DeviceLost`]. The ring stays whole whatever it was.
    pub fn upload(&self, pieces: &[(&Buffer, u64, &[u8])]) -> Result<()> {
        let total: u64 = pieces.iter().map(|(_, _, bytes)| (bytes.len() as u64).next_multiple_of(16)).sum();
        if total > self.size {
            let message = format!("{total} bytes do not fit a slot of {}", self.size);
            return Err(Error::parameter("upload", message));
        }
        let mut slots = lock(&self.slots);
        let Some(slot) = slots.front_mut() else { return Err(Error::parameter("upload", "the ring has no slots")) };
        let uploaded = self.through(slot, pieces);
        slots.rotate_left(1);
        uploaded
    }

    fn through(&self, slot: &mut Slot, pieces: &[(&Buffer, u64, &[u8])]) -> Result<()> {
        self.gpu.poll_until(None, || slot.state.load(Ordering::Acquire) != BUSY)?;
        self.gpu.called_back(&slot.state)?;
        match slot.state.load(Ordering::Acquire) {
            MAPPED => {}
            FAILED => *slot = Slot::new(&self.gpu, self.size)?,
            _ => {
                let message = "a staging buffer is not mapped in time".into();
                return Err(Error::Validation { label: "upload".into(), message });
            }
        }
        let map_error = |error| Error::Validation { label: "upload".into(), message: format!("{error}") };
        let mut at = 0u64;
        for (_, _, bytes) in pieces {
            let end = at + bytes.len() as u64;
            let mut view = slot.raw.slice(at..end).get_mapped_range_mut().map_err(map_error)?;
            view.copy_from_slice(bytes);
            at = end.next_multiple_of(16);
        }
        let copied = self.gpu.scoped("upload", 0, || {
            slot.raw.unmap();
            let mut encoder = self.gpu.0.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            let mut at = 0u64;
            for (buffer, offset, bytes) in pieces {
                let len = bytes.len() as u64;
                encoder.copy_buffer_to_buffer(&slot.raw, at, &buffer.raw, *offset, len);
                at = (at + len).next_multiple_of(16);
            }
            self.gpu.0.queue.submit([encoder.finish()]);
        });
        let mapping = self.gpu.scoped("upload", 0, || slot.map());
        copied.and(mapping)
    }
}

/// Idle buffers that are kept, and their bytes together.
const IDLE: usize = 8;
const IDLE_BYTES: u64 = 32 << 20;

/// Buffers that values were read through, for the next ones; the oldest go first.
#[derive(Debug, Default)]
pub(super) struct Idle(Mutex<VecDeque<wgpu::Buffer>>);

impl Idle {
    /// The smallest that holds `size` bytes.
    fn take(&self, size: u64) -> Option<wgpu::Buffer> {
        let mut idle = lock(&self.0);
        let fitting = idle.iter().enumerate().filter(|(_, buffer)| buffer.size() >= size);
        let at = fitting.min_by_key(|(_, buffer)| buffer.size()).map(|(at, _)| at)?;
        idle.remove(at)
    }

    /// Keeps a buffer that is unmapped.
    fn put(&self, buffer: wgpu::Buffer) {
        if buffer.size() > IDLE_BYTES {
            return;
        }
        let mut idle = lock(&self.0);
        idle.push_back(buffer);
        while idle.len() > IDLE || idle.iter().map(wgpu::Buffer::size).sum::<u64>() > IDLE_BYTES {
            idle.pop_front();
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        lock(&self.0).len()
    }
}

/// Values on their way from the device; the host may go on and ask later.
#[derive(Debug)]
pub struct Download {
    gpu: Gpu,
    raw: wgpu::Buffer,
    parts: Vec<(u64, usize)>,
    state: Arc<AtomicU8>,
    index: wgpu::SubmissionIndex,
}

impl Download {
    /// Waits for the values: one vector a part, in the order they were asked for.
    ///
    /// # Errors
    /// [`Error::DeviceLost`] where the device went away meanwhile.
    pub fn wait(self) -> Result<Vec<Vec<f32>>> {
        self.gpu.poll_until(Some(self.index.clone()), || self.state.load(Ordering::Acquire) != BUSY)?;
        self.gpu.called_back(&self.state)?;
        if self.state.load(Ordering::Acquire) != MAPPED {
            self.gpu.health()?;
            return Err(Error::DeviceLost("a read-back did not complete".into()));
        }
        let values = self.parts.iter().map(|&(offset, len)| {
            let range = offset..offset + (len * 4) as u64;
            let view = self
                .raw
                .slice(range)
                .get_mapped_range()
                .map_err(|error| Error::Validation { label: "download".into(), message: error.to_string() })?;
            let mut part = vec![0f32; len];
            bytemuck::cast_slice_mut(&mut part).copy_from_slice(&view);
            Ok(part)
        });
        let values = values.collect::<Result<_>>();
        self.raw.unmap();
        self.gpu.0.idle.put(self.raw);
        values
    }
}

impl Gpu {
    /// Waits for a callback that is due: another thread's submit may have taken it from the device and not called it
    /// yet.
    fn called_back(&self, state: &AtomicU8) -> Result<()> {
        let start = Instant::now();
        while state.load(Ordering::Acquire) == BUSY && start.elapsed() < Duration::from_secs(10) {
            self.health()?;
            std::thread::sleep(Duration::from_micros(20));
        }
        Ok(())
    }

    /// Starts to bring `len` values from each (buffer, offset in bytes) to the host, after everything submitted so far.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`] and [`Error::Validation`].
    pub fn download(&self, parts: &[(&Buffer, u64, usize)]) -> Result<Download> {
        let mut at = 0u64;
        let mut placed = Vec::with_capacity(parts.len());
        for &(_, _, len) in parts {
            placed.push((at, len));
            at = (at + (len * 4) as u64).next_multiple_of(16);
        }
        let size = at.max(16);
        self.health()?;
        let descriptor = wgpu::BufferDescriptor {
            label: Some("download"),
            size,
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        };
        let idle = self.0.idle.take(size);
        let state = Arc::new(AtomicU8::new(BUSY));
        let (raw, index) = self.scoped("download", size, || {
            let raw = idle.unwrap_or_else(|| self.0.device.create_buffer(&descriptor));
            let mut encoder = self.0.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            for (&(buffer, offset, len), &(at, _)) in parts.iter().zip(&placed) {
                encoder.copy_buffer_to_buffer(&buffer.raw, offset, &raw, at, (len * 4) as u64);
            }
            let index = self.0.queue.submit([encoder.finish()]);
            raw.slice(..size).map_async(wgpu::MapMode::Read, tell(Arc::clone(&state)));
            (raw, index)
        })?;
        Ok(Download { gpu: self.clone(), raw, parts: placed, state, index })
    }
}
