//! Machine code before it is needed. A software driver makes a pipeline's machine code at its first dispatch, one after
//! another on its queue's thread. Dispatches of no workgroups bring that forward, on as many devices as the processor has
//! cores; what the other devices made reaches this one through the driver's own cache on disk.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::error::Result;

use super::pipeline::PipelineKey;
use super::{DeviceType, Fault, Gpu, GpuOptions, adapter, lock};

/// What a first dispatch takes at most where the driver has the machine code on disk.
const CACHED: Duration = Duration::from_millis(30);

/// Opens more devices on the adapter of one that is open.
pub(super) struct Opener {
    adapter: wgpu::Adapter,
    options: GpuOptions,
}

impl Opener {
    /// For a software adapter, whose driver then may keep things on disk.
    pub(super) fn new(adapter: wgpu::Adapter, options: &GpuOptions) -> Option<Self> {
        let software = adapter.get_info().device_type == wgpu::DeviceType::Cpu;
        (software && options.cache.is_some()).then(|| Self { adapter, options: options.clone() })
    }

    fn open(&self, like: &Gpu) -> Result<Gpu> {
        let summary = like.caps().adapter.clone();
        let (device, queue) = pollster::block_on(adapter::open(&self.adapter, &summary))?;
        let options = GpuOptions { cache: None, ..self.options.clone() };
        Gpu::assemble(device, queue, summary, &options, std::sync::Arc::new(Fault::default()), None)
    }
}

impl Gpu {
    /// Makes the machine code of pipelines that have not been dispatched. Best effort: what fails here is made, or fails,
    /// at the first dispatch.
    pub(super) fn compile_ahead(&self, keys: &[PipelineKey]) {
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(keys.len());
        let (Some(opener), Some((first, rest))) = (&self.0.opener, keys.split_first()) else { return };
        if threads < 2 || self.0.caps.adapter.device_type != DeviceType::Cpu {
            return;
        }
        let start = Instant::now();
        if self.dispatch_nothing(first).is_err() || start.elapsed() < CACHED {
            return;
        }
        let queue = Mutex::new(rest.iter());
        let work = |gpu: &Gpu| -> Result<()> {
            loop {
                let Some(key) = lock(&queue).next() else { return Ok(()) };
                gpu.dispatch_nothing(key)?;
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..threads {
                scope.spawn(|| {
                    if let Err(error) = opener.open(self).and_then(|gpu| work(&gpu)) {
                        tracing::debug!(%error, "kernels are compiled by one thread less");
                    }
                });
            }
            if let Err(error) = work(self) {
                tracing::debug!(%error, "kernels are compiled when they are first run");
            }
        });
    }

    fn dispatch_nothing(&self, key: &PipelineKey) -> Result<()> {
        let pipeline = self.pipelines_of(std::slice::from_ref(key))?.remove(0);
        let layout = self.bind_layout(key.bindings, key.immediates == 0)?;
        let device = &self.0.device;
        self.scoped(key.shader, 0, || {
            let buffer = |usage| {
                let label = Some("nothing");
                device.create_buffer(&wgpu::BufferDescriptor { label, size: 256, usage, mapped_at_creation: false })
            };
            let block = buffer(wgpu::BufferUsages::UNIFORM);
            let operands: Vec<_> = (0..key.bindings).map(|_| buffer(wgpu::BufferUsages::STORAGE)).collect();
            let entries: Vec<_> = (0u32..)
                .zip(std::iter::once(&block).chain(&operands).chain(self.by_addresses().then_some(&block)))
                .skip(usize::from(key.immediates > 0))
                .map(|(binding, buffer)| wgpu::BindGroupEntry { binding, resource: buffer.as_entire_binding() })
                .collect();
            let label = Some(key.shader);
            let group =
                device.create_bind_group(&wgpu::BindGroupDescriptor { label, layout: &layout, entries: &entries });
            let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            {
                let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
                pass.set_pipeline(&pipeline);
                pass.set_bind_group(0, &group, &[]);
                if key.immediates > 0 {
                    pass.set_immediates(0, &vec![0; key.immediates as usize]);
                }
                pass.dispatch_workgroups(0, 1, 1);
            }
            self.0.queue.submit([encoder.finish()]);
        })?;
        self.wait()
    }
}
