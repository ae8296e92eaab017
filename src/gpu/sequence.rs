//! A recorded list of dispatches: bind groups are made once, commands are encoded anew for every run.

use std::sync::Arc;

use crate::error::{Error, Result};

use super::pipeline::PipelineKey;
use super::{Buffer, Gpu, Vars, addresses};

/// A range of a buffer that a dispatch reads or writes.
#[derive(Debug, Clone)]
pub struct Bind {
    /// The buffer.
    pub buffer: Buffer,
    /// Offset in bytes: a multiple of the adapter's offset alignment.
    pub offset: u64,
    /// Size in bytes.
    pub size: u64,
}

/// One dispatch of one shader.
#[derive(Debug, Clone)]
pub struct Dispatch {
    /// What profiles and errors call it.
    pub label: String,
    /// Path below `shaders/`, without its ending.
    pub shader: &'static str,
    /// What the shader's template is expanded with.
    pub vars: Vars,
    /// The bytes of its `Params`.
    pub params: Vec<u8>,
    /// The storage bindings 1, 2, …
    pub binds: Vec<Bind>,
    /// Workgroups along each axis.
    pub workgroups: [u32; 3],
    /// Estimated work, in floating-point operations or bytes moved: what bounds a submit.
    pub work: u64,
}

/// How long one dispatch took.
#[derive(Debug, Clone)]
pub struct Timing {
    /// The dispatch's label.
    pub label: String,
    /// The shader.
    pub shader: &'static str,
    /// When it began, in nanoseconds on the device since the first dispatch of the run did.
    pub start: f64,
    /// Nanoseconds on the device.
    pub nanoseconds: f64,
}

struct Step {
    label: String,
    shader: &'static str,
    pipeline: Arc<wgpu::ComputePipeline>,
    group: wgpu::BindGroup,
    /// The parameters, where they are not in the uniform block.
    immediates: Vec<u8>,
    workgroups: [u32; 3],
    work: u64,
}

/// Dispatches that are ready to run, any number of times.
pub struct Sequence {
    gpu: Gpu,
    steps: Vec<Step>,
    submit_work: u64,
}

impl std::fmt::Debug for Sequence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sequence").field("steps", &self.steps.len()).finish_non_exhaustive()
    }
}

/// A watchdog resets a GPU after some two seconds: a submit is kept to a fraction of that on the slowest device that
/// can be told apart.
const SUBMIT_WORK_CPU: u64 = 8_000_000_000;
const SUBMIT_WORK_GPU: u64 = 100_000_000_000;
/// wgpu allows 4,096 timestamps in one set.
const TIMED_STEPS: usize = 2_048;

impl Sequence {
    /// Compiles what is missing and makes every bind group.
    ///
    /// # Errors
    /// [`Error::Shader`] and [`Error::Validation`] that name the shader or the dispatch; [`Error::Plan`] for a
    /// dispatch beyond the adapter's limit of workgroups.
    pub fn new(gpu: &Gpu, dispatches: &[Dispatch]) -> Result<Self> {
        let keys: Vec<_> = dispatches
            .iter()
            .map(|d| PipelineKey {
                shader: d.shader,
                vars: d.vars.clone(),
                bindings: d.binds.len(),
                immediates: u32::try_from(d.params.len())
                    .ok()
                    .filter(|&size| size <= gpu.caps().immediates)
                    .unwrap_or(0),
            })
            .collect();
        let pipelines = gpu.pipelines(&keys)?;
        let mut blocks = Vec::new();
        let mut offsets = Vec::with_capacity(dispatches.len());
        let mut tables = Vec::with_capacity(dispatches.len());
        let alignment = usize::try_from(gpu.caps().offset_alignment).unwrap_or(256);
        for (dispatch, key) in dispatches.iter().zip(&keys) {
            if gpu.by_addresses() {
                blocks.resize(blocks.len().next_multiple_of(alignment), 0u8);
                tables.push(blocks.len() as u64);
                for bind in &dispatch.binds {
                    let address = gpu.address(&bind.buffer)? + bind.offset;
                    blocks.extend_from_slice(&addresses::entry(address, bind.size));
                }
            }
            if key.immediates > 0 {
                offsets.push(0);
                continue;
            }
            blocks.resize(blocks.len().next_multiple_of(alignment), 0u8);
            offsets.push(blocks.len() as u64);
            blocks.extend_from_slice(&dispatch.params);
            blocks.resize(blocks.len().next_multiple_of(16), 0u8);
        }
        let size = (blocks.len() as u64).max(16);
        let uniforms = gpu.scoped("uniforms", size, || {
            let usage = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST;
            let label = Some("uniforms");
            let buffer =
                gpu.0.device.create_buffer(&wgpu::BufferDescriptor { label, size, usage, mapped_at_creation: false });
            if !blocks.is_empty() {
                gpu.0.queue.write_buffer(&buffer, 0, &blocks);
            }
            buffer
        })?;
        let mut steps = Vec::with_capacity(dispatches.len());
        for (((dispatch, key), pipeline), offset) in dispatches.iter().zip(&keys).zip(pipelines).zip(offsets) {
            let limit = gpu.caps().max_workgroups;
            if dispatch.workgroups.iter().any(|&n| n > limit) {
                return Err(Error::Plan {
                    message: format!(
                        "{}: {:?} workgroups, the adapter allows {limit} along an axis",
                        dispatch.label, dispatch.workgroups
                    ),
                    hint: "a smaller batch or size".into(),
                });
            }
            let uniform = key.immediates == 0;
            let layout = gpu.bind_layout(dispatch.binds.len(), uniform)?;
            let mut entries = Vec::with_capacity(dispatch.binds.len() + 1);
            if uniform {
                let size = (dispatch.params.len() as u64).next_multiple_of(16);
                entries.push(wgpu::BindGroupEntry { binding: 0, resource: binding(&uniforms, offset, size) });
            }
            for (at, bind) in (1u32..).zip(&dispatch.binds) {
                entries.push(wgpu::BindGroupEntry {
                    binding: at,
                    resource: binding(&bind.buffer.raw, bind.offset, bind.size),
                });
            }
            if let Some(&offset) = tables.get(steps.len()) {
                let at = u32::try_from(dispatch.binds.len() + 1).unwrap_or(u32::MAX);
                let size = (dispatch.binds.len() * addresses::ENTRY) as u64;
                entries.push(wgpu::BindGroupEntry { binding: at, resource: binding(&uniforms, offset, size) });
            }
            let group = gpu.scoped(&dispatch.label, 0, || {
                gpu.0.device.create_bind_group(&wgpu::BindGroupDescriptor {
                    label: Some(&dispatch.label),
                    layout: &layout,
                    entries: &entries,
                })
            })?;
            steps.push(Step {
                label: dispatch.label.clone(),
                shader: dispatch.shader,
                pipeline,
                group,
                immediates: if uniform { Vec::new() } else { dispatch.params.clone() },
                workgroups: dispatch.workgroups,
                work: dispatch.work,
            });
        }
        let submit_work = match gpu.caps().adapter.device_type {
            super::DeviceType::Cpu => SUBMIT_WORK_CPU,
            _ => SUBMIT_WORK_GPU,
        };
        Ok(Self { gpu: gpu.clone(), steps, submit_work })
    }

    /// The number of dispatches.
    #[must_use]
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// Whether there is nothing to run.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Submits every dispatch in order and returns at once.
    ///
    /// # Errors
    /// [`Error::DeviceLost`], [`Error::OutOfMemory`], [`Error::Validation`].
    pub fn submit(&self) -> Result<()> {
        self.gpu.health()?;
        let mut start = 0;
        while start < self.steps.len() {
            let mut end = start;
            let mut work = 0u64;
            while end < self.steps.len() && (end == start || work + self.steps[end].work <= self.submit_work) {
                work += self.steps[end].work;
                end += 1;
            }
            let steps = &self.steps[start..end];
            let submitted = self.gpu.scoped(&steps[0].label, 0, || {
                let mut encoder = self.gpu.0.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
                {
                    let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
                    for step in steps {
                        encode(&mut pass, step);
                    }
                }
                self.gpu.0.queue.submit([encoder.finish()]);
            });
            submitted.map_err(|error| of_one(error, &steps[0].label, &steps[steps.len() - 1].label, steps.len()))?;
            start = end;
        }
        Ok(())
    }

    /// Runs every dispatch and returns the time of each.
    ///
    /// # Errors
    /// [`Error::Adapter`] where the adapter takes no timestamps; else as [`Sequence::submit`].
    pub fn profile(&self) -> Result<Vec<Timing>> {
        let caps = self.gpu.caps();
        if !caps.timestamps {
            let message = "takes no timestamps, so kernels cannot be timed one by one".into();
            return Err(Error::Adapter { adapter: caps.adapter.name.clone(), message });
        }
        let mut ticks = Vec::with_capacity(self.steps.len());
        for steps in self.steps.chunks(TIMED_STEPS) {
            ticks.extend(self.profile_part(steps)?);
        }
        let first = ticks.first().map_or(0, |&[start, _]| start);
        let nanoseconds = |from: u64, to: u64| to.saturating_sub(from) as f64 * f64::from(caps.timestamp_period);
        let timing = |(step, [start, end]): (&Step, [u64; 2])| Timing {
            label: step.label.clone(),
            shader: step.shader,
            start: nanoseconds(first, start),
            nanoseconds: nanoseconds(start, end),
        };
        Ok(self.steps.iter().zip(ticks).map(timing).collect())
    }

    /// When each of these dispatches began and ended, in the device's ticks.
    fn profile_part(&self, steps: &[Step]) -> Result<Vec<[u64; 2]>> {
        let device = &self.gpu.0.device;
        let count = u32::try_from(steps.len() * 2).unwrap_or(u32::MAX);
        let bytes = u64::from(count) * 8;
        let resolved = self.gpu.scoped("timestamps", bytes, || {
            let set = device.create_query_set(&wgpu::QuerySetDescriptor {
                label: Some("timestamps"),
                ty: wgpu::QueryType::Timestamp,
                count,
            });
            let resolved = device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("timestamps"),
                size: bytes,
                usage: wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC,
                mapped_at_creation: false,
            });
            let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            for (step, first) in steps.iter().zip((0u32..).step_by(2)) {
                let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
                    label: Some(&step.label),
                    timestamp_writes: Some(wgpu::ComputePassTimestampWrites {
                        query_set: &set,
                        beginning_of_pass_write_index: Some(first),
                        end_of_pass_write_index: Some(first + 1),
                    }),
                });
                encode(&mut pass, step);
            }
            encoder.resolve_query_set(&set, 0..count, &resolved, 0);
            self.gpu.0.queue.submit([encoder.finish()]);
            resolved
        })?;
        let buffer = Buffer::from_raw(resolved, "timestamps");
        let words = self.gpu.read(&buffer, 0, steps.len() * 4)?;
        let ticks: &[[u32; 2]] = bytemuck::cast_slice(&words);
        let ticks: Vec<u64> = ticks.iter().map(|&[low, high]| u64::from(low) | u64::from(high) << 32).collect();
        Ok(ticks.chunks_exact(2).map(|pair| [pair[0], pair[1]]).collect())
    }
}

/// The error of a submit of `count` dispatches: wgpu does not say which of them it is about.
fn of_one(error: Error, first: &str, last: &str, count: usize) -> Error {
    let all = || match count {
        1 => first.to_owned(),
        _ => format!("one of {count} dispatches, from {first} to {last}"),
    };
    match error {
        Error::Validation { message, .. } => Error::Validation { label: all(), message },
        Error::OutOfMemory { bytes, .. } => Error::OutOfMemory { label: all(), bytes },
        other => other,
    }
}

fn encode(pass: &mut wgpu::ComputePass<'_>, step: &Step) {
    pass.set_pipeline(&step.pipeline);
    pass.set_bind_group(0, &step.group, &[]);
    if !step.immediates.is_empty() {
        pass.set_immediates(0, &step.immediates);
    }
    let [x, y, z] = step.workgroups;
    pass.dispatch_workgroups(x, y, z);
}

fn binding(buffer: &wgpu::Buffer, offset: u64, size: u64) -> wgpu::BindingResource<'_> {
    wgpu::BindingResource::Buffer(wgpu::BufferBinding { buffer, offset, size: std::num::NonZeroU64::new(size) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_a_submit_names_its_ends() {
        let error = |count| {
            let error = Error::Validation { label: "conv1 a".into(), message: "why".into() };
            of_one(error, "conv1 a", "head b", count).to_string()
        };
        assert_eq!(error(1), "conv1 a: the GPU refused a command: why");
        assert_eq!(error(7), "one of 7 dispatches, from conv1 a to head b: the GPU refused a command: why");
        assert!(matches!(of_one(Error::DeviceLost("gone".into()), "a", "b", 2), Error::DeviceLost(_)));
    }
}
