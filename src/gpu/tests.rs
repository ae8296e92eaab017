use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

/// What was found, or `None` where no adapter answers; in CI that is a failure.
fn present<T>(found: Result<T>) -> Option<T> {
    match found {
        Err(error @ Error::NoAdapter { .. }) if std::env::var("CI").as_deref() != Ok("true") => {
            eprintln!("SKIPPED: {error}");
            None
        }
        other => Some(other.unwrap()),
    }
}

fn gpu() -> Option<Gpu> {
    let device = std::env::var("NEVUS_DEVICE").ok();
    present(Gpu::new(&GpuOptions { device, cache: None, ..GpuOptions::default() }))
}

/// A device as a host opens it, its limits made from those of the adapter.
fn host(limits: impl FnOnce(wgpu::Limits) -> wgpu::Limits) -> Option<(wgpu::Device, wgpu::Queue)> {
    let wanted = std::env::var("NEVUS_DEVICE").ok();
    let (adapter, _) = present(pollster::block_on(adapter::choose(wanted.as_deref())))?;
    let required_limits = limits(adapter.limits());
    let descriptor = wgpu::DeviceDescriptor { required_limits, ..wgpu::DeviceDescriptor::default() };
    Some(pollster::block_on(adapter.request_device(&descriptor)).unwrap())
}

#[test]
fn a_host_with_low_limits_is_refused() {
    let low = |limits: wgpu::Limits| wgpu::Limits { max_storage_buffers_per_shader_stage: 4, ..limits };
    let Some((device, queue)) = host(low) else { return };
    let error = Gpu::from_wgpu(device, queue).unwrap_err();
    assert!(matches!(error, Error::Adapter { .. }), "{error}");
    assert!(error.to_string().contains("max_storage_buffers_per_shader_stage is 4"), "{error}");
}

#[test]
fn a_host_hears_of_its_own_errors_and_of_no_others() {
    let Some((device, queue)) = host(|limits| limits) else { return };
    let heard = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&heard);
    device.on_uncaptured_error(Arc::new(move |_: wgpu::Error| {
        count.fetch_add(1, Ordering::SeqCst);
    }));
    let gpu = Gpu::from_wgpu(device.clone(), queue).unwrap();
    let buffer = gpu.buffer("small", 16).unwrap();
    let refused = gpu.write(&buffer, 64, &[0; 16]).unwrap_err();
    assert!(matches!(refused, Error::Validation { .. }), "{refused}");
    assert_eq!(heard.load(Ordering::SeqCst), 0);
    let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::STORAGE;
    let descriptor = wgpu::BufferDescriptor { label: None, size: 16, usage, mapped_at_creation: false };
    drop(device.create_buffer(&descriptor));
    assert_eq!(heard.load(Ordering::SeqCst), 1);
    gpu.health().unwrap();
}

#[test]
fn a_destroyed_device_is_lost_to_every_call() {
    let Some(gpu) = gpu() else { return };
    let (buffer, other) = (gpu.buffer_with("one", &[1.0; 4]).unwrap(), gpu.buffer("other", 16).unwrap());
    let uploader = Uploader::new(&gpu, 1, 16).unwrap();
    let pending = gpu.download(&[(&buffer, 0, 4)]).unwrap();
    gpu.destroy();
    let zeros = [0u8; 16];
    let lost = |what: &str, result: Result<()>| {
        assert!(matches!(result, Err(Error::DeviceLost(_))), "{what}: {result:?}");
    };
    lost("write", gpu.write(&buffer, 0, &zeros));
    lost("health", gpu.health());
    lost("buffer", gpu.buffer("late", 16).map(drop));
    lost("copy", gpu.copy((&buffer, 0), (&other, 0), 16));
    lost("upload", uploader.upload(&[(&buffer, 0, &zeros[..])]));
    lost("read", gpu.read(&buffer, 0, 4).map(drop));
    lost("a read under way", pending.wait().map(drop));
    lost("wait", gpu.wait());
}

#[test]
fn an_upload_that_fails_leaves_the_ring_whole() {
    let Some(gpu) = gpu() else { return };
    let (buffer, uploader) = (gpu.buffer("values", 16).unwrap(), Uploader::new(&gpu, 1, 64).unwrap());
    for round in 0..3u8 {
        let bytes = [round; 16];
        for (offset, len) in [(1 << 20, 16), (0, 6)] {
            let refused = uploader.upload(&[(&buffer, offset, &bytes[..len])]).unwrap_err();
            assert!(matches!(refused, Error::Validation { .. }), "{refused}");
        }
        uploader.upload(&[(&buffer, 0, &bytes[..])]).unwrap();
        assert_eq!(gpu.read(&buffer, 0, 4).unwrap(), [f32::from_le_bytes([round; 4]); 4]);
    }
}

#[test]
fn reads_go_through_the_buffers_of_reads_before() {
    let Some(gpu) = gpu() else { return };
    let values: Vec<f32> = (0..100u8).map(f32::from).collect();
    let buffer = gpu.buffer_with("values", &values).unwrap();
    for _ in 0..3 {
        assert_eq!(gpu.read(&buffer, 0, 100).unwrap(), values);
        assert_eq!(gpu.0.idle.len(), 1);
    }
    // A shorter one fits; two at once need two.
    let first = gpu.download(&[(&buffer, 16, 3)]).unwrap();
    let second = gpu.download(&[(&buffer, 40, 2), (&buffer, 0, 1)]).unwrap();
    assert_eq!(gpu.0.idle.len(), 0);
    assert_eq!(second.wait().unwrap(), [vec![10.0, 11.0], vec![0.0]]);
    assert_eq!(first.wait().unwrap(), [vec![4.0, 5.0, 6.0]]);
    assert_eq!(gpu.0.idle.len(), 2);
    // One that nobody waits for takes its buffer along.
    drop(gpu.download(&[(&buffer, 0, 4)]).unwrap());
    assert_eq!(gpu.0.idle.len(), 1);
    assert_eq!(gpu.read(&buffer, 8, 5).unwrap(), values[2..7]);
}

#[test]
fn an_index_by_address_stays_inside_its_binding() {
    let Some(gpu) = gpu() else { return };
    if !gpu.caps().addresses {
        eprintln!("SKIPPED: kernels do not reach into buffers by address on this adapter");
        return;
    }
    // As immediates, and as a uniform block where there are more than fit.
    for (more, bytes) in [("", 4), (", @align(16) rest: array<vec4<u32>, 40>", 656)] {
        reach(more, bytes);
    }
}

fn reach(more: &str, bytes: usize) {
    let folder = tempfile::tempdir().unwrap();
    let text = "struct Params { far: u32MORE }
        @group(0) @binding(0) var<uniform> p: Params;
        @group(0) @binding(1) var<storage, read_write> x: array<f32>;
        @group(0) @binding(2) var<storage, read_write> y: array<vec2<f32>>;
        fn take(i: u32) -> f32 { return x[i]; }
        @compute @workgroup_size(8) fn main(@builtin(local_invocation_index) lane: u32) {
            y[lane] = vec2<f32>(take(lane * p.far), x[lane]);
            if lane == 7u { y[p.far * 4u].y = x[p.far * 0xffffffu]; }
        }";
    std::fs::write(folder.path().join("reach.wgsl"), text.replace("MORE", more)).unwrap();
    let options = GpuOptions { shaders: Some(folder.path().into()), cache: None, ..GpuOptions::default() };
    let gpu = Gpu::new(&GpuOptions { device: std::env::var("NEVUS_DEVICE").ok(), ..options }).unwrap();
    let values: Vec<f32> = (0..200u8).map(f32::from).collect();
    let x = gpu.buffer_with("x", &values).unwrap();
    let y = gpu.buffer_with("y", &[-1.0; 256]).unwrap();
    // Bindings of 100 values of x from the 64th on, and of 10 pairs of y from its 64th value on.
    let binds = vec![Bind { buffer: x, offset: 256, size: 400 }, Bind { buffer: y.clone(), offset: 256, size: 80 }];
    let mut params = 30u32.to_le_bytes().to_vec();
    params.resize(bytes, 0);
    assert_eq!(bytes > gpu.caps().immediates as usize, bytes > 4);
    let dispatch = Dispatch {
        label: "reach".into(),
        shader: "reach",
        vars: Vars::new(),
        params,
        binds,
        workgroups: [1, 1, 1],
        work: 1,
    };
    Sequence::new(&gpu, &[dispatch]).unwrap().submit().unwrap();
    let found = gpu.read(&y, 0, 256).unwrap();
    let mut expected = vec![-1.0; 256];
    for lane in 0..8 {
        expected[64 + lane * 2] = values[64 + (lane * 30).min(99)];
        expected[65 + lane * 2] = values[64 + lane];
    }
    expected[64 + 19] = values[163];
    assert_eq!(found, expected);
}

#[test]
fn a_shader_that_asks_for_another_binding_is_refused() {
    if gpu().is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let text = "struct Params { n: u32 }
        @group(0) @binding(0) var<uniform> p: Params;
        @group(0) @binding(1) var<storage, read_write> x: array<u32>;
        @group(0) @binding(2) var<storage, read_write> y: array<u32>;
        @compute @workgroup_size(8) fn NAME(@builtin(local_invocation_index) lane: u32) { y[lane] = x[lane] + p.n; }";
    std::fs::write(folder.path().join("more.wgsl"), text.replace("NAME", "main")).unwrap();
    std::fs::write(folder.path().join("named.wgsl"), text.replace("NAME", "other")).unwrap();
    let device = std::env::var("NEVUS_DEVICE").ok();
    let options = GpuOptions { device, shaders: Some(folder.path().into()), cache: None, ..GpuOptions::default() };
    let gpu = Gpu::new(&options).unwrap();
    for (shader, bound) in [("more", 1), ("named", 2)] {
        let bind = |_| Bind { buffer: gpu.buffer("x", 64).unwrap(), offset: 0, size: 64 };
        let dispatch = Dispatch {
            label: shader.into(),
            shader,
            vars: Vars::new(),
            params: vec![0; 4],
            binds: (0..bound).map(bind).collect(),
            workgroups: [1, 1, 1],
            work: 1,
        };
        let error = Sequence::new(&gpu, &[dispatch]).unwrap_err();
        assert!(matches!(error, Error::Shader { .. }), "{error}");
    }
}
