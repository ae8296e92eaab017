//! Every op's room is whole, and nothing stands outside of one.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use nevus::gpu::ShaderLibrary;
use nevus::ops::{Gradient, OPS};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn folders(of: &str) -> BTreeSet<String> {
    let entries = std::fs::read_dir(root().join(of)).unwrap().map(Result::unwrap);
    entries.filter(|e| e.path().is_dir()).map(|e| e.file_name().into_string().unwrap()).collect()
}

fn files(of: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(of).into_iter().flatten().map(Result::unwrap);
    entries.filter(|e| e.path().is_file()).map(|e| e.file_name().into_string().unwrap()).collect()
}

#[test]
fn rooms_have_every_part() {
    let mut missing: Vec<PathBuf> = Vec::new();
    for room in OPS {
        let mut parts = ["mod.rs", "dispatch.rs", "twin.rs", "cases.rs"].map(Some).to_vec();
        parts.push(matches!(room.gradient, Gradient::Kernels(_)).then_some("gradient.rs"));
        let folder = Path::new("src/ops").join(room.name);
        let mut wanted: Vec<PathBuf> = parts.into_iter().flatten().map(|part| folder.join(part)).collect();
        wanted.push(Path::new("shaders").join(room.name));
        missing.extend(wanted.into_iter().filter(|path| !root().join(path).exists()));
    }
    assert!(missing.is_empty(), "rooms lack these files: {missing:#?}");
}

#[test]
fn no_folder_lacks_a_room() {
    let rooms: BTreeSet<String> = OPS.iter().map(|room| room.name.to_owned()).collect();
    assert_eq!(rooms.len(), OPS.len(), "a name twice");
    let mut code = folders("src/ops");
    assert!(code.remove("convolution"), "what two rooms share");
    assert_eq!(code, rooms);
    let mut shaders = folders("shaders");
    assert!(shaders.remove("common") && shaders.remove("peak"));
    assert_eq!(shaders, rooms);
    assert_eq!(files(&root().join("shaders")), BTreeSet::new());
    let sorted = OPS.windows(2).all(|pair| pair[0].name < pair[1].name);
    assert!(sorted, "OPS is in the order of names");
}

#[test]
fn every_shader_is_named_by_a_version() {
    let versions = || OPS.iter().flat_map(|room| room.kernels).flat_map(|kernel| kernel.versions);
    let mut named: BTreeSet<&str> = versions().flat_map(|version| version.shaders).map(|info| info.path).collect();
    named.extend(nevus::gpu::peak::shaders(false).map(|(shader, ..)| shader));
    let on_disk: BTreeSet<String> = folders("shaders")
        .into_iter()
        .filter(|folder| folder != "common")
        .flat_map(|folder| {
            let names = files(&root().join("shaders").join(&folder));
            names.into_iter().map(move |name| format!("{folder}/{}", name.strip_suffix(".wgsl").unwrap_or(&name)))
        })
        .collect();
    let embedded: BTreeSet<String> = ShaderLibrary::names().into_iter().collect();
    assert_eq!(on_disk, embedded);
    assert_eq!(named.iter().map(|&name| name.to_owned()).collect::<BTreeSet<_>>(), on_disk);
    for version in versions() {
        let listed = version.shaders.iter().any(|info| info.path == version.shader);
        assert!(listed, "{} does not list itself among its shaders", version.shader);
    }
}

#[test]
fn every_file_of_common_is_included() {
    let text = |name: &str| std::fs::read_to_string(root().join("shaders").join(name)).unwrap();
    let all: String = folders("shaders")
        .into_iter()
        .flat_map(|folder| {
            files(&root().join("shaders").join(&folder)).into_iter().map(move |f| format!("{folder}/{f}"))
        })
        .map(|name| text(&name))
        .collect();
    for file in files(&root().join("shaders/common")) {
        let name = format!("\"common/{}\"", file.strip_suffix(".wgsl").unwrap());
        assert!(all.contains(&name), "nothing includes {name}");
    }
}

#[test]
fn every_kernel_has_cases_a_name_of_its_own_and_versions() {
    let mut names = BTreeSet::new();
    for room in OPS {
        let cases = (room.cases)();
        assert!(!room.kernels.is_empty(), "{}", room.name);
        for kernel in room.kernels {
            assert!(names.insert(kernel.name), "{} twice", kernel.name);
            assert!(kernel.name.starts_with(&format!("{}.", room.name)), "{} in room {}", kernel.name, room.name);
            assert!(cases.iter().any(|case| case.op.kernel() == kernel.name), "{} has no case", kernel.name);
            assert!(!kernel.versions.is_empty(), "{} has no version", kernel.name);
            let plainest = &kernel.versions[0];
            assert!(!plainest.requires.subgroup, "{} must run anywhere", plainest.shader);
            let shaders: BTreeSet<_> = kernel.versions.iter().map(|version| version.shader).collect();
            assert_eq!(shaders.len(), kernel.versions.len(), "{}: a version twice", kernel.name);
            assert!((0.0..1e-3).contains(&kernel.tolerance), "{}", kernel.name);
        }
        for case in &cases {
            assert!(room.kernels.iter().any(|k| k.name == case.op.kernel()), "{}: {}", room.name, case.describe());
            assert!(!case.why.is_empty(), "{}", case.describe());
        }
    }
    for room in OPS {
        match room.gradient {
            Gradient::Kernels(kernels) => {
                let unknown: Vec<_> = kernels.iter().filter(|&&name| nevus::ops::kernel(name).is_none()).collect();
                assert!(!kernels.is_empty() && unknown.is_empty(), "{}: {unknown:?}", room.name);
            }
            Gradient::None { why } => assert!(!why.is_empty(), "{}", room.name),
        }
    }
}

#[test]
fn cases_print_as_themselves() {
    let mut seen = BTreeSet::new();
    for case in OPS.iter().flat_map(|room| (room.cases)()) {
        let draws: Vec<_> = case.inputs.iter().map(|input| input.draw).collect();
        assert!(seen.insert(format!("{} {draws:?}", case.describe())), "twice: {}", case.describe());
    }
}
