//! Where wgpu has no Vulkan of the system's own, nothing reaches into buffers by addresses; see `addresses.rs`.

/// Whether this system has Vulkan of its own, whose SPIR-V is changed.
pub const ABLE: bool = false;

pub(super) const ENTRY: usize = 16;

pub(super) fn entry(_: u64, _: u64) -> [u8; ENTRY] {
    [0; ENTRY]
}

/// Nothing.
///
/// # Errors
/// Always.
pub fn by_address(_: &str, _: usize, _: bool) -> Result<Vec<u32>, String> {
    Err("this system has no Vulkan of its own".into())
}

pub(super) fn address(_: &wgpu::Device, _: &wgpu::Buffer) -> Option<u64> {
    None
}
