//! What a software driver reads from the environment when it is loaded.

use std::ffi::OsStr;

/// Mesa's variable: what its compiler may use of a processor. `avx` is all but AVX-512: AVX2 and F16C stay.
const CPU_CAPS: &str = "GALLIUM_OVERRIDE_CPU_CAPS";

/// Keeps lavapipe from compiling for AVX-512, unless the environment already says what for. Its vectors are of 256 bits; where
/// the processor has registers of 512, LLVM moves and spills them as such, which costs convolutions a tenth of their time
/// (ARCHITECTURE.md, "Why the convolution is fast"). No bit of a result depends on it, and nothing that a GPU computes.
///
/// # Safety
/// As of [`std::env::set_var`]: no other thread may read or write the environment meanwhile. A program calls it first of all.
pub unsafe fn prepare() {
    if let Some(caps) = wanted(has_avx512(), std::env::var_os(CPU_CAPS).as_deref()) {
        // SAFETY: the caller's promise is the one that this asks for.
        unsafe { std::env::set_var(CPU_CAPS, caps) };
    }
}

fn wanted(avx512: bool, present: Option<&OsStr>) -> Option<&'static str> {
    (avx512 && present.is_none()).then_some("avx")
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn has_avx512() -> bool {
    std::arch::is_x86_feature_detected!("avx512f")
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
fn has_avx512() -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_environment_says_stands() {
        assert_eq!(wanted(true, None), Some("avx"));
        assert_eq!(wanted(true, Some(OsStr::new(""))), None);
        assert_eq!(wanted(true, Some(OsStr::new("sse2"))), None);
        assert_eq!(wanted(false, None), None);
    }
}
