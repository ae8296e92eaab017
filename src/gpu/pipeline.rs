//! Compiled shaders: one pipeline a shader and set of template variables, made in parallel, cached on disk.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use crate::error::{Error, Result};

use super::cache::DiskCache;
use super::{Caps, Gpu, Vars, addresses, lock};

/// What tells pipelines apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct PipelineKey {
    pub shader: &'static str,
    pub vars: Vars,
    /// Storage bindings after the uniform block.
    pub bindings: usize,
    /// Bytes of the parameters where they are immediates; 0 where they lie in the uniform block.
    pub immediates: u32,
}

/// How every shader declares its parameters, and how it does where they are immediates.
const UNIFORM: &str = "@group(0) @binding(0) var<uniform> p: Params;";
const IMMEDIATE: &str = "var<immediate> p: Params;";

/// A shader whose parameters are immediates rather than a uniform block; `None` where it does not declare them as all do.
#[doc(hidden)]
#[must_use]
pub fn as_immediates(text: &str) -> Option<String> {
    text.contains(UNIFORM).then(|| text.replacen(UNIFORM, IMMEDIATE, 1))
}

pub(super) struct Pipelines {
    made: Mutex<HashMap<PipelineKey, Arc<wgpu::ComputePipeline>>>,
    layouts: Mutex<HashMap<(usize, bool), Arc<wgpu::BindGroupLayout>>>,
    disk: Option<DiskCache>,
}

impl Pipelines {
    pub(super) fn new(device: &wgpu::Device, caps: &Caps, folder: Option<&Path>) -> Self {
        let disk = folder.filter(|_| caps.pipeline_cache).map(|folder| DiskCache::open(device, caps, folder));
        Self { made: Mutex::default(), layouts: Mutex::default(), disk }
    }

    pub(super) fn save(&self) {
        if let Some(disk) = &self.disk {
            disk.save();
        }
    }
}

impl Gpu {
    /// The pipelines of `keys`, ready to run as far as the driver lets itself be told.
    pub(super) fn pipelines(&self, keys: &[PipelineKey]) -> Result<Vec<Arc<wgpu::ComputePipeline>>> {
        let missing = self.missing(keys);
        let pipelines = self.pipelines_of(keys)?;
        self.compile_ahead(&missing);
        Ok(pipelines)
    }

    fn missing(&self, keys: &[PipelineKey]) -> Vec<PipelineKey> {
        let made = lock(&self.0.pipelines.made);
        let mut missing: Vec<PipelineKey> = Vec::new();
        for key in keys {
            if !made.contains_key(key) && !missing.contains(key) {
                missing.push(key.clone());
            }
        }
        missing
    }

    /// The pipelines of `keys`, compiling what is missing on as many threads as the processor has cores.
    pub(super) fn pipelines_of(&self, keys: &[PipelineKey]) -> Result<Vec<Arc<wgpu::ComputePipeline>>> {
        let missing = self.missing(keys);
        if !missing.is_empty() {
            let threads = std::thread::available_parallelism().map_or(1, usize::from).min(missing.len());
            let queue = Mutex::new(missing.into_iter());
            let worker = || -> Result<()> {
                loop {
                    let Some(key) = lock(&queue).next() else { return Ok(()) };
                    let pipeline = self.compile(&key)?;
                    lock(&self.0.pipelines.made).insert(key, Arc::new(pipeline));
                }
            };
            std::thread::scope(|scope| {
                let workers: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
                let stopped =
                    || Error::Validation { label: "pipelines".into(), message: "a compiler thread stopped".into() };
                workers.into_iter().try_for_each(|worker| worker.join().map_err(|_| stopped())?)
            })?;
            if let Some(disk) = &self.0.pipelines.disk {
                disk.changed();
            }
        }
        let made = lock(&self.0.pipelines.made);
        let absent =
            |key: &PipelineKey| Error::Shader { shader: key.shader.into(), message: "was not compiled".into() };
        keys.iter().map(|key| made.get(key).cloned().ok_or_else(|| absent(key))).collect()
    }

    fn compile(&self, key: &PipelineKey) -> Result<wgpu::ComputePipeline> {
        let device = &self.0.device;
        let mut text = self.0.shaders.expand(key.shader, &key.vars)?;
        if key.immediates > 0 {
            text = as_immediates(&text).ok_or_else(|| Error::Shader {
                shader: key.shader.into(),
                message: format!("has no line {UNIFORM:?}"),
            })?;
        }
        let by_address = self.by_address(key, &text);
        // The size is for Metal alone.
        let entry = wgpu::PassthroughShaderEntryPoint { name: "main".into(), workgroup_size: (0, 0, 0) };
        let layout = self.bind_layout(key.bindings, key.immediates == 0)?;
        let written = || {
            let source = wgpu::ShaderSource::Wgsl(text.as_str().into());
            let descriptor = wgpu::ShaderModuleDescriptor { label: Some(key.shader), source };
            match self.0.checked_shaders {
                true => device.create_shader_module(descriptor),
                // SAFETY: only the crate's own shaders get here (or those of a kernel author who asked for it); each
                // keeps its indices inside its bindings, its loops finite and its divisors above zero. The tests run
                // every version of every kernel between guard words, and one case of each with the checks on.
                false => unsafe {
                    device.create_shader_module_trusted(descriptor, wgpu::ShaderRuntimeChecks::unchecked())
                },
            }
        };
        let pipeline = |module: &wgpu::ShaderModule| {
            let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
                label: Some(key.shader),
                bind_group_layouts: &[Some(&layout)],
                immediate_size: key.immediates,
            });
            device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: Some(key.shader),
                layout: Some(&pipeline_layout),
                module,
                entry_point: Some("main"),
                compilation_options: wgpu::PipelineCompilationOptions {
                    constants: &[],
                    zero_initialize_workgroup_memory: false,
                },
                cache: self.0.pipelines.disk.as_ref().and_then(DiskCache::raw),
            })
        };
        let plain = || self.scoped(key.shader, 0, || pipeline(&written()));
        let made = match by_address {
            None => plain(),
            Some(words) => {
                // wgpu compares SPIR-V with nothing. What a kernel author wrote has to pass as it stands first.
                let passes = if self.0.shaders.is_changed() { plain().map(drop) } else { Ok(()) };
                let descriptor = wgpu::ShaderModuleDescriptorPassthrough {
                    label: Some(key.shader),
                    entry_points: std::slice::from_ref(&entry).into(),
                    spirv: Some(words.into()),
                    ..wgpu::ShaderModuleDescriptorPassthrough::default()
                };
                // SAFETY: as above. naga has validated the shader, and `addresses` holds the index into every binding's
                // array inside it.
                let module = || unsafe { device.create_shader_module_passthrough(descriptor) };
                passes.and_then(|()| self.scoped(key.shader, 0, || pipeline(&module())))
            }
        };
        made.map_err(|error| match error {
            Error::Validation { message, .. } => {
                let origin = line_of(&message).and_then(|line| self.0.shaders.origin(key.shader, &key.vars, line));
                let place = origin.map_or_else(String::new, |origin| format!("{origin}: "));
                Error::Shader { shader: key.shader.into(), message: format!("{place}{message}") }
            }
            other => other,
        })
    }

    /// The SPIR-V of a shader that reads and writes by addresses, where kernels do. Where it cannot be had, wgpu compiles the
    /// shader as it stands, or says what is wrong with it.
    fn by_address(&self, key: &PipelineKey, text: &str) -> Option<Vec<u32>> {
        let words = self.by_addresses().then(|| addresses::by_address(text, key.bindings, key.immediates > 0))?;
        words.inspect_err(|error| tracing::warn!(shader = key.shader, %error, "buffers are not read by addresses")).ok()
    }

    /// Binding 0 is the uniform block, where there is one, 1 to `storage` are read-write storage. Where kernels read by addresses,
    /// these come in a block after them.
    pub(super) fn bind_layout(&self, storage: usize, uniform: bool) -> Result<Arc<wgpu::BindGroupLayout>> {
        let mut layouts = lock(&self.0.pipelines.layouts);
        if let Some(layout) = layouts.get(&(storage, uniform)) {
            return Ok(Arc::clone(layout));
        }
        let last = storage + usize::from(self.by_addresses());
        let entries: Vec<_> = (usize::from(!uniform)..=last)
            .map(|binding| wgpu::BindGroupLayoutEntry {
                binding: u32::try_from(binding).unwrap_or(u32::MAX),
                visibility: wgpu::ShaderStages::COMPUTE,
                ty: wgpu::BindingType::Buffer {
                    ty: match binding {
                        n if (1..=storage).contains(&n) => wgpu::BufferBindingType::Storage { read_only: false },
                        _ => wgpu::BufferBindingType::Uniform,
                    },
                    has_dynamic_offset: false,
                    min_binding_size: None,
                },
                count: None,
            })
            .collect();
        let descriptor = wgpu::BindGroupLayoutDescriptor { label: Some("nevus"), entries: &entries };
        let layout = self.scoped("bindings", 0, || self.0.device.create_bind_group_layout(&descriptor))?;
        let layout = Arc::new(layout);
        layouts.insert((storage, uniform), Arc::clone(&layout));
        Ok(layout)
    }
}

/// The line in wgpu's `wgsl:LINE:COLUMN`.
fn line_of(message: &str) -> Option<usize> {
    let rest = message.split("wgsl:").nth(1)?;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}
