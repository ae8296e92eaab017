//! The driver's compiled pipelines on disk. wgpu does not verify a cache's content, so a file here carries its own
//! digest and the driver it belongs to, and is dropped when either differs.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use super::Caps;

const MAGIC: &[u8; 8] = b"nevuspc1";

pub(super) struct DiskCache {
    raw: Option<wgpu::PipelineCache>,
    path: PathBuf,
    dirty: AtomicBool,
}

impl DiskCache {
    pub(super) fn open(device: &wgpu::Device, caps: &Caps, folder: &Path) -> Self {
        let key = format!("{} {:?}", caps.describe(), caps.adapter.ids);
        let name = blake3::hash(key.as_bytes()).to_hex();
        let path = folder.join(format!("pipelines-{}.bin", &name[..16]));
        let data = std::fs::read(&path).ok().and_then(|bytes| verified(&bytes).map(<[u8]>::to_vec));
        let descriptor = wgpu::PipelineCacheDescriptor { label: Some("nevus"), data: data.as_deref(), fallback: true };
        // SAFETY: `data` is what `save` got from this adapter and driver (their description is in the file's name) and
        // its digest was just verified.
        let raw = Some(unsafe { device.create_pipeline_cache(&descriptor) });
        Self { raw, path, dirty: AtomicBool::new(false) }
    }

    pub(super) fn raw(&self) -> Option<&wgpu::PipelineCache> {
        self.raw.as_ref()
    }

    pub(super) fn changed(&self) {
        self.dirty.store(true, Ordering::Relaxed);
    }

    /// Best effort: a cache that cannot be written costs time at the next start, nothing else.
    pub(super) fn save(&self) {
        if !self.dirty.swap(false, Ordering::Relaxed) {
            return;
        }
        let Some(data) = self.raw.as_ref().and_then(wgpu::PipelineCache::get_data) else { return };
        if let Err(error) = self.write(&data) {
            tracing::warn!(path = %self.path.display(), %error, "the pipeline cache was not written");
        }
    }

    fn write(&self, data: &[u8]) -> std::io::Result<()> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(MAGIC)?;
        file.write_all(blake3::hash(data).as_bytes())?;
        file.write_all(data)?;
        file.persist(&self.path).map_err(|error| error.error)?;
        Ok(())
    }
}

/// The data of a cache file whose digest holds.
fn verified(bytes: &[u8]) -> Option<&[u8]> {
    let (digest, data) = bytes.strip_prefix(MAGIC)?.split_at_checked(blake3::OUT_LEN)?;
    (blake3::hash(data).as_bytes() == digest).then_some(data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_cache_file_is_dropped() {
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(blake3::hash(b"pipeline").as_bytes());
        bytes.extend_from_slice(b"pipeline");
        assert_eq!(verified(&bytes), Some(b"pipeline".as_slice()));
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert_eq!(verified(&changed), None, "byte {at}");
            assert_eq!(verified(&bytes[..at]), None, "cut at {at}");
        }
    }
}
