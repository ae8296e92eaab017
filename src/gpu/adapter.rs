//! Which adapters there are, which one is taken and why, and what it offers.

use std::path::Path;

use serde::Serialize;

use crate::error::{Error, Result};

/// What kind of device an adapter is, in the order of preference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DeviceType {
    /// A graphics card with memory of its own.
    Discrete,
    /// A GPU that shares the processor's memory.
    Integrated,
    /// A GPU behind a virtual machine.
    Virtual,
    /// The driver does not say.
    Other,
    /// A software driver that runs on the processor.
    Cpu,
}

/// One adapter, as `nevus devices` lists it.
#[derive(Debug, Clone, Serialize)]
pub struct AdapterSummary {
    /// Its place in [`adapters`], which `--device` takes.
    pub index: usize,
    /// The driver's name for it.
    pub name: String,
    /// Kind of device.
    pub device_type: DeviceType,
    /// Vulkan, Metal or Dx12.
    pub backend: String,
    /// Driver and its version.
    pub driver: String,
    /// PCI vendor and device numbers.
    pub ids: (u32, u32),
    /// Largest number of bytes in one binding.
    pub max_binding: u64,
    /// Largest buffer in bytes.
    pub max_buffer: u64,
    /// Bytes of workgroup memory.
    pub max_workgroup_memory: u32,
    /// Invocations in one workgroup.
    pub max_invocations: u32,
    /// Smallest and largest subgroup; (0, 0) where there are none.
    pub subgroup: (u32, u32),
    /// Rows of the square matrices, of f16 and summed in f32, that a subgroup multiplies in one operation, where it does.
    pub matrix: Option<u32>,
    /// The features that nevus can use and the adapter has.
    pub features: Vec<&'static str>,
}

/// The features nevus uses where they are offered; every one has a version of each kernel that does without.
const WANTED: &[(wgpu::Features, &str)] = &[
    (wgpu::Features::SUBGROUP, "subgroup"),
    (wgpu::Features::SHADER_INT64, "int64"),
    (wgpu::Features::TIMESTAMP_QUERY, "timestamp"),
    (wgpu::Features::PIPELINE_CACHE, "pipeline-cache"),
    (wgpu::Features::IMMEDIATES, "immediates"),
];

/// What a shader with cooperative matrices of f16 needs beside subgroups.
const MATRICES: wgpu::Features = wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX.union(wgpu::Features::SHADER_F16);

/// What kernels need that read and write by addresses (`addresses`): wgpu gives buffers addresses where rays may be traced, and
/// takes SPIR-V as it is.
const ADDRESSES: wgpu::Features = wgpu::Features::EXPERIMENTAL_RAY_QUERY
    .union(wgpu::Features::PASSTHROUGH_SHADERS)
    .union(wgpu::Features::SHADER_INT64);

/// Rows of the largest square matrices of f16 whose products the adapter sums in f32, where a workgroup holds the four subgroups
/// that share out a tile.
fn matrix(adapter: &wgpu::Adapter) -> Option<u32> {
    use wgpu::CooperativeScalarType::{F16, F32};
    let (features, info) = (adapter.features(), adapter.get_info());
    // lavapipe 26.1.6 compiles its matrices for eight lanes alone, and dies with sixteen.
    let most = if info.device_type == wgpu::DeviceType::Cpu { NARROW } else { 64 };
    let able = features.contains(MATRICES | wgpu::Features::SUBGROUP) && info.subgroup_max_size <= most;
    let offered = adapter.cooperative_matrix_properties().into_iter();
    let square = |p: &wgpu::CooperativeMatrixProperties| p.m_size == p.n_size && p.n_size == p.k_size;
    let sizes = offered.filter(|p| square(p) && p.ab_type == F16 && p.cr_type == F32).map(|p| p.m_size);
    sizes.filter(|&rows| able && matches!(rows, 8 | 16)).max()
}

/// Every adapter, in wgpu's order.
#[must_use]
pub fn adapters() -> Vec<AdapterSummary> {
    pollster::block_on(enumerate()).into_iter().map(|(_, summary)| summary).collect()
}

fn instance() -> wgpu::Instance {
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    descriptor.backends = wgpu::Backends::PRIMARY;
    wgpu::Instance::new(descriptor)
}

async fn enumerate() -> Vec<(wgpu::Adapter, AdapterSummary)> {
    let found = instance().enumerate_adapters(wgpu::Backends::PRIMARY).await;
    let usable = found.into_iter().filter(|adapter| adapter.get_info().backend != wgpu::Backend::Noop);
    usable
        .enumerate()
        .map(|(index, adapter)| {
            let mut summary = summary(index, &adapter.get_info(), adapter.features(), &adapter.limits());
            summary.matrix = matrix(&adapter);
            (adapter, summary)
        })
        .collect()
}

/// Takes the adapter that `wanted` names, or the best one.
pub(super) async fn choose(wanted: Option<&str>) -> Result<(wgpu::Adapter, AdapterSummary)> {
    let all = enumerate().await;
    let found = match all.is_empty() {
        true => "none".to_owned(),
        false => all.iter().map(|(_, a)| format!("{} {:?}", a.index, a.name)).collect::<Vec<_>>().join(", "),
    };
    let count = all.len();
    let named = all.into_iter().filter(|(_, summary)| wanted.is_none_or(|text| names(text, summary, count)));
    let best = named.min_by_key(|(_, summary)| (summary.device_type, summary.index));
    best.ok_or_else(|| Error::NoAdapter {
        wanted: wanted.map_or_else(|| "answers".to_owned(), |text| format!("matches --device {text:?}")),
        found,
    })
}

/// Whether `text` names this one of `count` adapters. A number that is no index may be a part of a name: `4090`.
fn names(text: &str, adapter: &AdapterSummary, count: usize) -> bool {
    match text.parse::<usize>() {
        Ok(index) if index < count => adapter.index == index,
        _ => adapter.name.to_lowercase().contains(&text.to_lowercase()),
    }
}

/// Refuses limits below those that every kernel counts on, which are the least that WebGPU promises.
pub(super) fn check(adapter: &str, limits: &wgpu::Limits) -> Result<()> {
    let needed = [
        ("max_storage_buffers_per_shader_stage", limits.max_storage_buffers_per_shader_stage, 8),
        ("max_compute_workgroup_storage_size", limits.max_compute_workgroup_storage_size, 16_384),
        ("max_compute_invocations_per_workgroup", limits.max_compute_invocations_per_workgroup, 256),
        ("max_compute_workgroup_size_x", limits.max_compute_workgroup_size_x, 256),
        ("max_compute_workgroups_per_dimension", limits.max_compute_workgroups_per_dimension, 65_535),
    ];
    match needed.into_iter().find(|&(_, limit, least)| limit < least) {
        None => Ok(()),
        Some((name, limit, least)) => Err(Error::Adapter {
            adapter: adapter.into(),
            message: format!(
                "{name} is {limit}, kernels need {least} (hint: where the device is the host's own, ask for it in the \
                 required limits)"
            ),
        }),
    }
}

/// Whether kernels reach into buffers by addresses on such an adapter with these features.
fn reaches_by_addresses(adapter: &AdapterSummary, features: wgpu::Features) -> bool {
    let software = adapter.device_type == DeviceType::Cpu && adapter.backend == "Vulkan";
    super::addresses::ABLE && software && features.contains(ADDRESSES)
}

/// Features that only some adapters are opened for.
fn extras(offered: wgpu::Features, summary: &AdapterSummary) -> wgpu::Features {
    let matrices = summary.matrix.map(|_| MATRICES);
    let addresses = reaches_by_addresses(summary, offered).then_some(ADDRESSES);
    matrices.unwrap_or_default() | addresses.unwrap_or_default()
}

pub(super) async fn open(adapter: &wgpu::Adapter, summary: &AdapterSummary) -> Result<(wgpu::Device, wgpu::Queue)> {
    let offered = adapter.features();
    let features = WANTED.iter().map(|&(feature, _)| feature).filter(|&f| offered.contains(f));
    let features = features.fold(wgpu::Features::empty(), |all, feature| all | feature);
    let extras = extras(offered, summary);
    let experimental = match extras.is_empty() {
        true => wgpu::ExperimentalFeatures::disabled(),
        // SAFETY: wgpu asks that its users know of possible faults in what it calls experimental. One shader,
        // common/matrix_gemm, uses cooperative matrices, and no plan takes it unasked but by a table, whose rows were
        // measured of what was right. Of ray queries nothing is used but that buffers have addresses.
        false => unsafe { wgpu::ExperimentalFeatures::enabled() },
    };
    let descriptor = wgpu::DeviceDescriptor {
        label: Some("nevus"),
        required_features: features | extras,
        required_limits: adapter.limits(),
        experimental_features: experimental,
        // The plan allocates a few large pools of its own; blocks for many small buffers would be wasted.
        memory_hints: wgpu::MemoryHints::MemoryUsage,
        trace: wgpu::Trace::Off,
    };
    let mut opened = adapter.request_device(&descriptor).await;
    // What it is opened for in vain is no reason to do without the adapter, nor without the other.
    let mut asked = extras;
    for kept in [extras.intersection(ADDRESSES), wgpu::Features::empty()] {
        if let (Err(error), false) = (&opened, asked == kept) {
            tracing::debug!(%error, ?kept, "the adapter is opened for less");
            asked = kept;
            let less = wgpu::DeviceDescriptor { required_features: features | kept, ..descriptor.clone() };
            opened = adapter.request_device(&less).await;
        }
    }
    opened.map_err(|error| Error::Adapter { adapter: summary.name.clone(), message: error.to_string() })
}

pub(super) fn summary(
    index: usize,
    info: &wgpu::AdapterInfo,
    features: wgpu::Features,
    limits: &wgpu::Limits,
) -> AdapterSummary {
    let subgroup = match features.contains(wgpu::Features::SUBGROUP) {
        true => (info.subgroup_min_size, info.subgroup_max_size),
        false => (0, 0),
    };
    AdapterSummary {
        index,
        name: info.name.clone(),
        device_type: match info.device_type {
            wgpu::DeviceType::DiscreteGpu => DeviceType::Discrete,
            wgpu::DeviceType::IntegratedGpu => DeviceType::Integrated,
            wgpu::DeviceType::VirtualGpu => DeviceType::Virtual,
            wgpu::DeviceType::Cpu => DeviceType::Cpu,
            wgpu::DeviceType::Other => DeviceType::Other,
        },
        backend: format!("{:?}", info.backend),
        driver: format!("{} {}", info.driver, info.driver_info).trim().to_owned(),
        ids: (info.vendor, info.device),
        max_binding: limits.max_storage_buffer_binding_size,
        max_buffer: limits.max_buffer_size,
        max_workgroup_memory: limits.max_compute_workgroup_storage_size,
        max_invocations: limits.max_compute_invocations_per_workgroup,
        subgroup,
        matrix: None,
        features: WANTED.iter().filter(|(f, _)| features.contains(*f)).map(|&(_, name)| name).collect(),
    }
}

/// What kernels and plans may count on.
#[derive(Debug, Clone)]
pub struct Caps {
    /// The adapter.
    pub adapter: AdapterSummary,
    /// The one size that every subgroup has, where the adapter has subgroups of only one size.
    pub subgroup_exact: Option<u32>,
    /// Whether shaders may use 64-bit integers.
    pub int64: bool,
    /// Whether a 16-byte load is best spelled as two 64-bit integers (software drivers gather by the element).
    pub wide_as_u64: bool,
    /// [`AdapterSummary::matrix`], where the device was opened for it.
    pub matrix: Option<u32>,
    /// Largest number of bytes in one binding.
    pub max_binding: u64,
    /// Largest buffer in bytes.
    pub max_buffer: u64,
    /// Alignment of a binding's offset, in bytes.
    pub offset_alignment: u64,
    /// Workgroups along one axis of a dispatch.
    pub max_workgroups: u32,
    /// Whether time can be taken per dispatch.
    pub timestamps: bool,
    /// Bytes of a dispatch's parameters that travel with its command, without a buffer; 0 where none can.
    pub immediates: u32,
    /// Bytes of the nearest instruction cache of the processor that a software driver runs on, where the system tells.
    pub instruction_cache: Option<u32>,
    /// Whether kernels read and write buffers by their addresses, for a software driver that is faster so.
    pub addresses: bool,
    pub(super) pipeline_cache: bool,
    pub(super) timestamp_period: f32,
}

/// Lanes of vectors of 256 bits.
const NARROW: u32 = 8;
/// Lanes of vectors of 512 bits.
const WIDE: u32 = 16;

impl Caps {
    pub(super) fn new(
        adapter: AdapterSummary,
        features: wgpu::Features,
        limits: &wgpu::Limits,
        timestamp_period: f32,
    ) -> Self {
        let int64 = features.contains(wgpu::Features::SHADER_INT64);
        let (low, high) = adapter.subgroup;
        Self {
            subgroup_exact: (low == high && low > 0).then_some(low),
            int64,
            wide_as_u64: int64 && adapter.device_type == DeviceType::Cpu,
            matrix: adapter.matrix.filter(|_| features.contains(MATRICES)),
            max_binding: limits.max_storage_buffer_binding_size,
            max_buffer: limits.max_buffer_size,
            offset_alignment: u64::from(limits.min_storage_buffer_offset_alignment).max(256),
            max_workgroups: limits.max_compute_workgroups_per_dimension,
            timestamps: features.contains(wgpu::Features::TIMESTAMP_QUERY),
            immediates: match features.contains(wgpu::Features::IMMEDIATES) {
                true => limits.max_immediate_size,
                false => 0,
            },
            instruction_cache: match adapter.device_type {
                DeviceType::Cpu => instruction_cache(Path::new("/sys/devices/system/cpu/cpu0/cache")),
                _ => None,
            },
            addresses: reaches_by_addresses(&adapter, features),
            pipeline_cache: features.contains(wgpu::Features::PIPELINE_CACHE),
            timestamp_period,
            adapter,
        }
    }

    /// The capabilities of an adapter that does not exist, for tests that need no device.
    #[doc(hidden)]
    #[must_use]
    pub fn for_tests(subgroup_exact: Option<u32>, wide_as_u64: bool) -> Self {
        let size = subgroup_exact.unwrap_or(0);
        let adapter = AdapterSummary {
            index: 0,
            name: "an adapter of the tests".into(),
            device_type: if wide_as_u64 { DeviceType::Cpu } else { DeviceType::Discrete },
            backend: "none".into(),
            driver: String::new(),
            ids: (0, 0),
            max_binding: 1 << 30,
            max_buffer: 1 << 30,
            max_workgroup_memory: 16_384,
            max_invocations: 256,
            subgroup: (size, size),
            matrix: None,
            features: Vec::new(),
        };
        Self {
            subgroup_exact,
            int64: wide_as_u64,
            wide_as_u64,
            matrix: None,
            max_binding: adapter.max_binding,
            max_buffer: adapter.max_buffer,
            offset_alignment: 256,
            max_workgroups: 65_535,
            timestamps: false,
            immediates: 0,
            instruction_cache: None,
            addresses: false,
            pipeline_cache: false,
            timestamp_period: 1.0,
            adapter,
        }
    }

    /// Lanes of the subgroups that kernels broadcast in: 8, or 16 where kernels reach by addresses, which is how a software
    /// driver is told which lane is meant and need not ask each.
    #[must_use]
    pub fn broadcast_lanes(&self) -> Option<u32> {
        self.subgroup_exact.filter(|&lanes| lanes == NARROW || lanes == WIDE && self.addresses)
    }

    /// Lanes that a software driver runs at once, as far as kernels are written for so many.
    #[must_use]
    pub fn vector_lanes(&self) -> u32 {
        if self.subgroup_exact == Some(WIDE) { WIDE } else { NARROW }
    }

    /// Adapter, backend and driver in one line: what results are told apart by.
    #[must_use]
    pub fn describe(&self) -> String {
        format!("{} ({}, {})", self.adapter.name, self.adapter.backend, self.adapter.driver)
    }
}

/// Bytes of the nearest instruction cache, by Linux's description of a processor's caches in `folder`.
fn instruction_cache(folder: &Path) -> Option<u32> {
    let of = |index: u32| {
        let text = |name: &str| std::fs::read_to_string(folder.join(format!("index{index}/{name}"))).ok();
        let size = text("size")?;
        let kib: u32 = size.trim().strip_suffix('K')?.parse().ok()?;
        (text("type")?.trim() == "Instruction").then(|| kib.checked_mul(1024)).flatten()
    };
    (0..8).find_map(of)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caches_are_read_as_linux_describes_them() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(instruction_cache(folder.path()), None);
        for (index, kind, size) in [(0, "Data", "48K"), (1, "Instruction", "64K"), (2, "Unified", "2048K")] {
            let cache = folder.path().join(format!("index{index}"));
            std::fs::create_dir(&cache).unwrap();
            std::fs::write(cache.join("type"), format!("{kind}\n")).unwrap();
            std::fs::write(cache.join("size"), format!("{size}\n")).unwrap();
        }
        assert_eq!(instruction_cache(folder.path()), Some(65_536));
        std::fs::write(folder.path().join("index1/size"), "much").unwrap();
        assert_eq!(instruction_cache(folder.path()), None);
    }

    #[test]
    fn a_number_is_an_index_or_else_a_part_of_a_name() {
        let adapter =
            |index, name: &str| AdapterSummary { index, name: name.into(), ..Caps::for_tests(None, false).adapter };
        let all = [adapter(0, "NVIDIA GeForce RTX 4090"), adapter(1, "llvmpipe (LLVM 15.0.6, 256 bits)")];
        let named = |text: &str| -> Vec<usize> {
            all.iter().filter(|adapter| names(text, adapter, all.len())).map(|adapter| adapter.index).collect()
        };
        assert_eq!(named("1"), [1]);
        assert_eq!(named("0"), [0]);
        assert_eq!(named("4090"), [0]);
        assert_eq!(named("LLVM"), [1]);
        assert_eq!(named("2"), [1], "no index, but a part of 256");
        assert!(named("7").is_empty());
    }

    #[test]
    fn limits_too_low_for_a_kernel_are_refused_by_name() {
        assert!(check("one", &wgpu::Limits::defaults()).is_ok());
        let low = wgpu::Limits { max_storage_buffers_per_shader_stage: 4, ..wgpu::Limits::defaults() };
        let message = check("one", &low).unwrap_err().to_string();
        let expected = "adapter one: max_storage_buffers_per_shader_stage is 4, kernels need 8";
        assert!(message.starts_with(expected), "{message}");
        let low = wgpu::Limits { max_compute_workgroup_storage_size: 0, ..wgpu::Limits::defaults() };
        assert!(check("one", &low).is_err());
    }
}
