//! What a software driver reads from the environment when it is loaded.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// Mesa's variable: what its compiler may use of a processor. `avx` is all but AVX-512: AVX2 and F16C stay.
const CPU_CAPS: &str = "GALLIUM_OVERRIDE_CPU_CAPS";
/// Mesa's variable: bits of the vectors it compiles for, 256 if nobody says.
const VECTOR_WIDTH: &str = "LP_NATIVE_VECTOR_WIDTH";

/// Lets lavapipe compile for vectors of 512 bits, where the processor has AVX-512, the driver is one whose kernels go by addresses,
/// and the environment does not say otherwise: sixteen lanes at once in place of eight (ARCHITECTURE.md, "Why the convolution is
/// fast"). An older driver, or one that the environment asks for narrower vectors, it keeps from AVX-512: LLVM would move and spill
/// vectors of 256 bits in registers of 512, which costs convolutions a tenth of their time. Nothing that a GPU computes depends
/// on it.
///
/// # Safety
/// As of [`std::env::set_var`]: no other thread may read or write the environment meanwhile. A program calls it first of all.
pub unsafe fn prepare() {
    let [caps, width] = [CPU_CAPS, VECTOR_WIDTH].map(std::env::var_os);
    if let Some((name, value)) = wanted(has_avx512(), is_recent, caps.as_deref(), width.as_deref()) {
        // SAFETY: the caller's promise is the one that this asks for.
        unsafe { std::env::set_var(name, value) };
    }
}

fn wanted(
    avx512: bool,
    recent: impl Fn() -> bool,
    caps: Option<&OsStr>,
    width: Option<&OsStr>,
) -> Option<(&'static str, &'static str)> {
    match (avx512 && caps.is_none(), width) {
        (false, _) => None,
        (true, None) if recent() => Some((VECTOR_WIDTH, "512")),
        (true, width) => (width.is_none_or(|width| width != "512")).then_some((CPU_CAPS, "avx")),
    }
}

/// Whether lavapipe, as the Vulkan loader finds it, is of Mesa 25 or later, which have Vulkan 1.4: all of these trace rays, which
/// addresses take, and without them sixteen lanes are ten times as slow as eight.
fn is_recent() -> bool {
    all_recent(&manifests(|name| std::env::var_os(name)))
}

/// The files, and folders of files, that describe drivers to the Vulkan loader (its "Driver Discovery on Linux").
fn manifests(var: impl Fn(&str) -> Option<OsString>) -> Vec<PathBuf> {
    let set = |name: &str| var(name).filter(|value| !value.is_empty());
    let list = |name: &str| set(name).map(|list| std::env::split_paths(&list).collect::<Vec<_>>());
    if let Some(files) = list("VK_DRIVER_FILES").or_else(|| list("VK_ICD_FILENAMES")) {
        return files;
    }
    let home = |folder: &str| var("HOME").map(|home| vec![Path::new(&home).join(folder)]).unwrap_or_default();
    let or = |name: &str, usual: Vec<PathBuf>| list(name).unwrap_or(usual);
    let system = |folders: &[&str]| folders.iter().map(PathBuf::from).collect();
    let roots = [
        or("XDG_CONFIG_HOME", home(".config")),
        or("XDG_CONFIG_DIRS", system(&["/etc/xdg"])),
        system(&["/etc"]),
        or("XDG_DATA_HOME", home(".local/share")),
        or("XDG_DATA_DIRS", system(&["/usr/local/share", "/usr/share"])),
    ];
    let folders = roots.into_iter().flatten().map(|root| root.join("vulkan/icd.d"));
    folders.chain(list("VK_ADD_DRIVER_FILES").unwrap_or_default()).collect()
}

/// Whether there is a description of lavapipe, and each says Vulkan 1.4 or later.
fn all_recent(places: &[PathBuf]) -> bool {
    let within = |place: &PathBuf| match std::fs::read_dir(place) {
        Ok(entries) => {
            let files = entries.flatten().map(|entry| entry.path());
            files.filter(|file| file.extension().is_some_and(|ending| ending == "json")).collect()
        }
        Err(_) => vec![place.clone()],
    };
    let names_lavapipe = |file: &PathBuf| file.file_name().is_some_and(|name| name.to_string_lossy().contains("lvp"));
    let recent = |file: PathBuf| {
        let manifest: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(file).ok()?).ok()?;
        let mut numbers = manifest["ICD"]["api_version"].as_str()?.split('.').map(str::parse::<u32>);
        Some((numbers.next()?.ok()?, numbers.next()?.ok()?) >= (1, 4))
    };
    let mut found =
        places.iter().flat_map(within).filter(names_lavapipe).map(|file| recent(file) == Some(true)).peekable();
    found.peek().is_some() && found.all(|recent| recent)
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
        let of = |avx512, caps, width| wanted(avx512, || true, caps, width);
        assert_eq!(of(true, None, None), Some((VECTOR_WIDTH, "512")));
        assert_eq!(wanted(true, || false, None, None), Some((CPU_CAPS, "avx")), "an older driver");
        assert_eq!(of(true, None, said("512")), None);
        assert_eq!(of(true, None, said("256")), Some((CPU_CAPS, "avx")));
        assert_eq!(of(true, said(""), None), None);
        assert_eq!(of(true, said("sse2"), said("128")), None);
        assert_eq!(of(false, None, None), None);
        assert_eq!(of(false, None, said("256")), None);
    }

    #[test]
    fn a_driver_is_as_recent_as_the_least_of_its_descriptions() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        let version = |number: &str| format!(r#"{{"ICD": {{"api_version": "{number}", "library_path": "a.so"}}}}"#);
        let recent = || all_recent(&[folder.path().into()]);
        write("radeon_icd.json", &version("1.3.1"));
        assert!(!recent(), "none of lavapipe");
        write("lvp_icd.x86_64.json", &version("1.4.305"));
        assert!(recent());
        write("lvp_icd.x86_64.json.bak", &version("1.3.230"));
        assert!(recent(), "what the loader does not read");
        assert!(all_recent(&[folder.path().join("lvp_icd.x86_64.json"), folder.path().join("none")]));
        for other in [version("1.3.255"), version("new"), "{".into(), "{}".into()] {
            write("lvp_icd.i686.json", &other);
            assert!(!recent(), "{other}");
        }
    }

    #[test]
    #[cfg(unix)]
    fn descriptions_lie_where_the_loader_looks() {
        let of = |set: &'static [(&str, &str)]| {
            manifests(|name| set.iter().find(|(of, _)| *of == name).map(|&(_, value)| value.into()))
        };
        let usual = of(&[("HOME", "/home/a")]);
        for folder in ["/home/a/.local/share/vulkan/icd.d", "/etc/vulkan/icd.d", "/usr/share/vulkan/icd.d"] {
            assert!(usual.contains(&folder.into()), "{folder} in {usual:?}");
        }
        assert_eq!(
            of(&[("VK_ICD_FILENAMES", "/b.json:/c.json"), ("HOME", "/a")]),
            ["/b.json", "/c.json"].map(PathBuf::from)
        );
        assert!(of(&[("XDG_DATA_DIRS", "")]).contains(&"/usr/share/vulkan/icd.d".into()));
        assert!(of(&[("XDG_DATA_DIRS", "/d")]).contains(&"/d/vulkan/icd.d".into()));
    }
}
