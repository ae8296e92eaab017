//! What a software driver reads from the environment when it is loaded.

use std::ffi::OsStr;

/// Mesa's variable: what its compiler may use of a processor. `avx` is all but AVX-512: AVX2 and F16C stay.
const CPU_CAPS: &str = "GALLIUM_OVERRIDE_CPU_CAPS";
/// Mesa's variable: bits of the vectors it compiles for, 256 if nobody says.
const VECTOR_WIDTH: &str = "LP_NATIVE_VECTOR_WIDTH";

/// Lets lavapipe compile for vectors of 512 bits, where the processor has AVX-512 and the environment does not say otherwise:
/// sixteen lanes at once in place of eight (ARCHITECTURE.md, "Why the convolution is fast"). Where the environment asks for
/// narrower ones, it keeps the compiler from AVX-512: LLVM would move and spill vectors of 256 bits in registers of 512, which
/// costs convolutions a tenth of their time. Nothing that a GPU computes depends on it.
///
/// # Safety
/// As of [`std::env::set_var`]: no other thread may read or write the environment meanwhile. A program calls it first of all.
pub unsafe fn prepare() {
    let [caps, width] = [CPU_CAPS, VECTOR_WIDTH].map(std::env::var_os);
    if let Some((name, value)) = wanted(has_avx512(), caps.as_deref(), width.as_deref()) {
        // SAFETY: the caller's promise is the one that this asks for.
        unsafe { std::env::set_var(name, value) };
    }
}

fn wanted(avx512: bool, caps: Option<&OsStr>, width: Option<&OsStr>) -> Option<(&'static str, &'static str)> {
    match (avx512 && caps.is_none(), width) {
        (false, _) => None,
        (true, None) => Some((VECTOR_WIDTH, "512")),
        (true, Some(width)) => (width != "512").then_some((CPU_CAPS, "avx")),
    }
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn has_avx512() -> bool {
    use std::arch::is_x86_feature_detected as has;
    has!("avx512f") && has!("avx512bw") && has!("avx512dq") && has!("avx512vl")
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
        let said = |text: &'static str| Some(OsStr::new(text));
        assert_eq!(wanted(true, None, None), Some((VECTOR_WIDTH, "512")));
        assert_eq!(wanted(true, None, said("512")), None);
        assert_eq!(wanted(true, None, said("256")), Some((CPU_CAPS, "avx")));
        assert_eq!(wanted(true, said(""), None), None);
        assert_eq!(wanted(true, said("sse2"), said("128")), None);
        assert_eq!(wanted(false, None, None), None);
        assert_eq!(wanted(false, None, said("256")), None);
    }
}
