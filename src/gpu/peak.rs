//! What a device can do at most, measured: multiply-adds, and bytes moved.

use std::time::Instant;

use serde::Serialize;

use crate::error::Result;

use super::{Bind, Dispatch, Gpu, ParamBlock, Sequence, Vars, gpu_params};

gpu_params! {
    /// The uniform block of `peak/fma`.
    struct FmaParams { turns: u32 }
}

gpu_params! {
    /// The uniform block of `peak/copy`.
    struct CopyParams { len4: u32 }
}

/// Independent chains of a lane: enough to hide the latency of a multiply-add, few enough to stay in registers.
const ACCUMULATORS: u32 = 16;
/// Links of each chain in one turn of the shader's loop.
const LINKS: u32 = 8;
const LANES: u32 = 64;
/// Copies of a lane: what a software driver does before a lane's first would otherwise be much of the time.
const LOADS: u32 = 8;
/// A figure counts once a run has taken this long, so that what a submit costs does not.
const LEAST_SECONDS: f64 = 0.03;
/// Bytes that the copy reads, and writes: more than caches hold.
const COPY_BYTES: u64 = 64 << 20;
const RUNS: usize = 5;

/// A device's measured peaks in 32-bit floats. Kernels that are not bound by what these shaders are bound by, one that
/// stays within a cache, say, may come out above.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Peaks {
    /// 10⁹ floating-point operations a second, a multiply-add being two.
    pub gflops: f64,
    /// 10⁹ bytes a second, read and written.
    pub gbps: f64,
}

impl Peaks {
    /// Measures both, in well under a second.
    ///
    /// # Errors
    /// Those of the device.
    pub fn measure(gpu: &Gpu) -> Result<Self> {
        Ok(Self { gflops: multiply_adds(gpu)?, gbps: copies(gpu)? })
    }

    /// The share of the peak that work reaches which is bound by one of the two: the larger of both shares, in percent.
    #[must_use]
    pub fn percent(&self, gflops: f64, gbps: f64) -> f64 {
        (gflops / self.gflops).max(gbps / self.gbps) * 100.0
    }
}

/// The shaders with their variables, fields and number of storage bindings: for tests that look at every shader.
#[must_use]
pub fn shaders(wide_as_u64: bool) -> [(&'static str, Vars, &'static [super::Field], usize); 2] {
    [
        ("peak/fma", Vars::from([("accumulators", i64::from(ACCUMULATORS))]), FmaParams::FIELDS, 1),
        (
            "peak/copy",
            Vars::from([("wide_u64", i64::from(wide_as_u64)), ("loads", i64::from(LOADS))]),
            CopyParams::FIELDS,
            2,
        ),
    ]
}

fn multiply_adds(gpu: &Gpu) -> Result<f64> {
    let groups: u32 = if gpu.caps().adapter.device_type == super::DeviceType::Cpu { 64 } else { 8_192 };
    let invocations = groups * LANES;
    let out = gpu.buffer_with("peak", &vec![0.5; invocations as usize])?;
    let [(shader, vars, ..), _] = shaders(gpu.caps().wide_as_u64);
    let mut turns = 64u32;
    loop {
        let flops = 2.0 * f64::from(invocations) * f64::from(turns) * f64::from(ACCUMULATORS * LINKS);
        let dispatch = Dispatch {
            label: shader.into(),
            shader,
            vars: vars.clone(),
            params: bytemuck::bytes_of(&FmaParams { turns }).to_vec(),
            binds: vec![Bind { buffer: out.clone(), offset: 0, size: u64::from(invocations) * 4 }],
            workgroups: [groups, 1, 1],
            work: flops as u64,
        };
        let seconds = best(gpu, &Sequence::new(gpu, &[dispatch])?)?;
        if seconds >= LEAST_SECONDS || turns >= 1 << 20 {
            return Ok(flops / seconds / 1e9);
        }
        turns *= if seconds < LEAST_SECONDS / 8.0 { 8 } else { 2 };
    }
}

fn copies(gpu: &Gpu) -> Result<f64> {
    let bytes = COPY_BYTES.min(gpu.caps().max_binding / 1024 * 1024).max(1024);
    let (source, target) = (gpu.buffer("peak", bytes)?, gpu.buffer("peak", bytes)?);
    let [_, (shader, vars, ..)] = shaders(gpu.caps().wide_as_u64);
    let len4 = (bytes / 16) as u32;
    let groups = len4.div_ceil(LANES * LOADS);
    let rows = groups.div_ceil(gpu.caps().max_workgroups.min(32_768));
    let bind = |buffer: &super::Buffer| Bind { buffer: buffer.clone(), offset: 0, size: bytes };
    let dispatch = Dispatch {
        label: shader.into(),
        shader,
        vars,
        params: bytemuck::bytes_of(&CopyParams { len4 }).to_vec(),
        binds: vec![bind(&source), bind(&target)],
        workgroups: [groups.div_ceil(rows), rows, 1],
        work: bytes * 2,
    };
    let seconds = best(gpu, &Sequence::new(gpu, &[dispatch])?)?;
    Ok(bytes as f64 * 2.0 / seconds / 1e9)
}

/// Seconds of the fastest of a few runs, after one that does not count.
fn best(gpu: &Gpu, sequence: &Sequence) -> Result<f64> {
    let mut best = f64::INFINITY;
    for run in 0..=RUNS {
        let start = Instant::now();
        sequence.submit()?;
        gpu.wait()?;
        if run > 0 {
            best = best.min(start.elapsed().as_secs_f64());
        }
    }
    Ok(best)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::GpuOptions;

    #[test]
    fn a_device_has_peaks() {
        let gpu = Gpu::new(&GpuOptions::default()).unwrap();
        let peaks = Peaks::measure(&gpu).unwrap();
        assert!(peaks.gflops > 0.1 && peaks.gflops < 1e6, "{peaks:?}");
        assert!(peaks.gbps > 0.1 && peaks.gbps < 1e5, "{peaks:?}");
    }

    #[test]
    fn the_copy_copies_and_the_chains_converge() {
        let gpu = Gpu::new(&GpuOptions::default()).unwrap();
        let source: Vec<f32> = (0..4096u16).map(f32::from).collect();
        let (from, to) = (gpu.buffer_with("from", &source).unwrap(), gpu.buffer("to", 16_384).unwrap());
        let [(fma, fma_vars, ..), (copy, copy_vars, ..)] = shaders(gpu.caps().wide_as_u64);
        let bind = |buffer: &crate::gpu::Buffer| Bind { buffer: buffer.clone(), offset: 0, size: 16_384 };
        let dispatch = |shader: &'static str, vars, params: Vec<u8>, binds, groups| Dispatch {
            label: shader.into(),
            shader,
            vars,
            params,
            binds,
            workgroups: [groups, 1, 1],
            work: 1,
        };
        let params = bytemuck::bytes_of(&CopyParams { len4: 1024 }).to_vec();
        let moving = dispatch(copy, copy_vars, params, vec![bind(&from), bind(&to)], 16 / LOADS);
        Sequence::new(&gpu, &[moving]).unwrap().submit().unwrap();
        assert_eq!(gpu.read(&to, 0, 4096).unwrap(), source);
        // c = c / 2 + 1/4 goes to 1/2 from wherever it began, so each lane gives half the number of its chains.
        let half = gpu.buffer_with("half", &[0.5; 4096]).unwrap();
        let params = bytemuck::bytes_of(&FmaParams { turns: 8 }).to_vec();
        let chains = dispatch(fma, fma_vars, params, vec![bind(&half)], 64);
        Sequence::new(&gpu, &[chains]).unwrap().submit().unwrap();
        let expected = ACCUMULATORS as f32 / 2.0;
        assert!(gpu.read(&half, 0, 4096).unwrap().iter().all(|&v| (v - expected).abs() < 1e-5));
    }
}
