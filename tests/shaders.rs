//! Every shader, as every version of every kernel expands it, without a GPU: it parses and validates, its uniform block
//! and its bindings are those of the Rust side, and naga writes it as SPIR-V, MSL and HLSL; what only some of these have, as
//! those. For software drivers the SPIR-V is changed to reach into buffers by their addresses.

use std::collections::{BTreeMap, BTreeSet};

use naga::back::{hlsl, msl, spv};
use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};
use naga::{AddressSpace, Module, ScalarKind, StorageAccess, TypeInner};
use nevus::Error;
use nevus::gpu::{Caps, Field, FieldKind, ParamBlock, ShaderLibrary, Vars};
use nevus::graph::Op;
use nevus::ops::conv_transpose2d::ConvTranspose2d;
use nevus::ops::conv2d::{Conv2d, Conv2dBackwardData, Conv2dBackwardWeight};
use nevus::ops::{Epilogue, Launch, OPS, ShaderInfo, Version, harness};
use rspirv::dr::{Instruction, Operand};
use rspirv::spirv::{self, StorageClass};

/// A shader as it is compiled, with the number of its storage bindings.
type Use = (&'static str, Vars, usize);

struct Found {
    fields: &'static [Field],
    /// A case that needs it, for messages.
    example: String,
    subgroup: bool,
    int64: bool,
    /// Rows of the cooperative matrices.
    matrix: Option<u32>,
}

fn shapes(inputs: &[nevus::ops::cases::Input]) -> Vec<&[usize]> {
    inputs.iter().map(|input| input.shape.as_slice()).collect()
}

fn note(found: &mut BTreeMap<Use, Found>, version: &'static Version, launch: &Launch, example: &str, caps: &Caps) {
    let info = version.shaders.iter().find(|info| info.path == launch.shader);
    let info: &ShaderInfo =
        info.unwrap_or_else(|| panic!("{} dispatches {}, which it does not list", version.shader, launch.shader));
    let bytes = info.fields.iter().map(|field| field.offset + 4).max().unwrap_or(0);
    assert_eq!(launch.params.len(), bytes, "{example}: {}: the launch's uniform block", launch.shader);
    for binding in &launch.bindings {
        assert!(binding.offset % 64 == 0 && binding.len % 4 == 0, "{example}: {}: {binding:?}", launch.shader);
    }
    let key = (launch.shader, launch.vars.clone(), launch.bindings.len());
    let known = found.entry(key).or_insert_with(|| Found {
        fields: info.fields,
        example: example.to_owned(),
        subgroup: false,
        int64: false,
        matrix: None,
    });
    let same = |(a, b): (&Field, &Field)| a.name == b.name && a.offset == b.offset && a.kind == b.kind;
    assert!(known.fields.len() == info.fields.len() && known.fields.iter().zip(info.fields).all(same), "{example}");
    known.subgroup |= version.requires.subgroup;
    known.int64 |= caps.int64;
    known.matrix = known.matrix.or(caps.matrix.filter(|_| version.requires.matrix));
}

/// A software driver with such subgroups, whose kernels reach by addresses.
fn by_addresses(lanes: u32) -> Caps {
    let mut caps = Caps::for_tests(Some(lanes), true);
    caps.addresses = true;
    caps
}

/// Every use of every shader, from lowering every case for adapters with subgroups of either size and without, with 64-bit loads and
/// without, with matrices of both sizes, and for such as must cut it.
fn uses() -> BTreeMap<Use, Found> {
    let mut found = BTreeMap::new();
    let matrices = |mut caps: Caps, rows| {
        caps.matrix = Some(rows);
        caps
    };
    let large = matrices(Caps::for_tests(Some(32), false), 16);
    // Subgroups of 64, or of some sizes up to it, as Metal says.
    let wide = [8, 16].map(|rows| matrices(Caps::for_tests(Some(64), false), rows));
    let mut adapters =
        vec![matrices(Caps::for_tests(Some(8), true), 8), by_addresses(16), Caps::for_tests(None, false), large];
    adapters.extend(wide);
    let limits = [None, Some(4096), Some(1024)];
    for caps in &adapters {
        for (shader, vars, fields, bindings) in nevus::gpu::peak::shaders(caps.wide_as_u64) {
            let example = shader.to_owned();
            let peak = Found { fields, example, subgroup: false, int64: caps.int64, matrix: None };
            found.insert((shader, vars, bindings), peak);
        }
    }
    for (caps, limit) in adapters.iter().flat_map(|caps| limits.map(|limit| (caps, limit))) {
        let mut caps = caps.clone();
        caps.max_binding = limit.unwrap_or(caps.max_binding);
        for room in OPS {
            for case in (room.cases)() {
                let kernel = nevus::ops::kernel(case.op.kernel()).unwrap();
                let epilogues = kernel.epilogues.iter().map(|&epilogue: &Epilogue| Some(epilogue));
                for epilogue in std::iter::once(None).chain(epilogues) {
                    for version in kernel.versions {
                        let example = format!("{} by {}", case.describe(), version.shader);
                        let lowered = harness::lower(version, &*case.op, &shapes(&case.inputs), &caps, epilogue);
                        let lowered = match lowered {
                            // What cannot be cut as far is refused.
                            Err(Error::Plan { .. }) if limit.is_some() => continue,
                            other => other.unwrap_or_else(|error| panic!("{example}: {error}")),
                        };
                        if let Ok((_, _, lowered)) = lowered {
                            for launch in &lowered.launches {
                                note(&mut found, version, launch, &example, &caps);
                            }
                        }
                    }
                }
            }
        }
    }
    // Larger tiles, for larger caches and images than the cases'.
    let adapters = [Caps::for_tests(Some(8), true), by_addresses(8), by_addresses(16)];
    let (point, padded) = (Conv2d::padded(0), Conv2d::padded(1));
    let of_data = |conv| Conv2dBackwardData { conv, size: [112, 112] };
    let of_weight = |conv, kernel| Conv2dBackwardWeight { conv, kernel };
    // Where loads of eight lanes go by addresses, two fours of input channels in place of twice the channels, and twice the pixels.
    let images = [("tile", 64), ("fours", 2), ("tile", 64)];
    let weights = [("columns", 2), ("pixels", 8), ("pixels", 4)];
    let ops: [(&dyn Op, [[usize; 4]; 2], _); 7] = [
        (&point, [[1, 64, 112, 112], [128, 64, 1, 1]], images),
        (&padded, [[1, 64, 112, 112], [128, 64, 3, 3]], images),
        (&of_data(point), [[1, 128, 112, 112], [128, 64, 1, 1]], images),
        (&of_data(padded), [[1, 128, 112, 112], [128, 64, 3, 3]], images),
        (&ConvTranspose2d::upsampling(2).unwrap(), [[1, 64, 112, 112], [64, 32, 2, 2]], images),
        (&of_weight(point, [1, 1]), [[1, 64, 112, 112], [1, 128, 112, 112]], weights),
        (&of_weight(padded, [3, 3]), [[1, 64, 112, 112], [1, 128, 112, 112]], weights),
    ];
    for ((op, inputs, names), at) in ops.iter().flat_map(|op| (0..adapters.len()).map(move |at| (op, at))) {
        let mut caps = adapters[at].clone();
        caps.instruction_cache = Some(64 << 10);
        let (name, larger) = names[at];
        let lanes = caps.broadcast_lanes().map(i64::from);
        let inputs: Vec<&[usize]> = inputs.iter().map(<[usize; 4]>::as_slice).collect();
        let mut count = 0;
        for version in nevus::ops::kernel(op.kernel()).unwrap().versions {
            let example = format!("{op:?} {inputs:?} by {}", version.shader);
            if let Ok((_, _, lowered)) = harness::lower(version, *op, &inputs, &caps, None).unwrap() {
                for launch in &lowered.launches {
                    note(&mut found, version, launch, &example, &caps);
                    count += usize::from(
                        launch.vars.get(name) == Some(&larger) && launch.vars.get("lanes").copied() == lanes,
                    );
                }
            }
        }
        assert!(count > 0, "{op:?}: no {name} of {larger}");
    }
    found
}

fn validate(module: &Module, found: &Found) -> ModuleInfo {
    validate_with(module, found, Capabilities::empty())
}

fn validate_with(module: &Module, found: &Found, more: Capabilities) -> ModuleInfo {
    // WebGPU's core has pack2x16float, which naga counts as a capability.
    let mut capabilities = Capabilities::SHADER_FLOAT16_IN_FLOAT32 | more;
    capabilities.set(Capabilities::SUBGROUP, found.subgroup || found.matrix.is_some());
    capabilities.set(Capabilities::COOPERATIVE_MATRIX | Capabilities::SHADER_FLOAT16, found.matrix.is_some());
    capabilities.set(Capabilities::SHADER_INT64, found.int64);
    Validator::new(ValidationFlags::all(), capabilities)
        .validate(module)
        .unwrap_or_else(|error| panic!("{}: {}", found.example, error.into_inner()))
}

fn check_block(module: &Module, ty: naga::Handle<naga::Type>, found: &Found, shader: &str) {
    let TypeInner::Struct { members, .. } = &module.types[ty].inner else {
        panic!("{shader}: the uniform block is no struct");
    };
    assert_eq!(module.types[ty].name.as_deref(), Some("Params"), "{shader}");
    let wgsl: Vec<_> = members
        .iter()
        .map(|member| {
            let TypeInner::Scalar(scalar) = module.types[member.ty].inner else {
                panic!("{shader}: {:?} is no scalar", member.name);
            };
            assert_eq!(scalar.width, 4, "{shader}: {:?}", member.name);
            (member.name.clone().unwrap_or_default(), member.offset as usize, scalar.kind)
        })
        .collect();
    let kind = |field: &Field| match field.kind {
        FieldKind::U32 => ScalarKind::Uint,
        FieldKind::I32 => ScalarKind::Sint,
        FieldKind::F32 => ScalarKind::Float,
    };
    let rust: Vec<_> = found.fields.iter().map(|field| (field.name.to_owned(), field.offset, kind(field))).collect();
    assert_eq!(wgsl, rust, "{shader}: Params in WGSL (left) and in Rust");
}

fn check_interface(module: &Module, found: &Found, &(shader, ref vars, bindings): &Use) {
    let mut storage = BTreeSet::new();
    let mut workgroup = 0;
    let mut layouter = naga::proc::Layouter::default();
    layouter.update(module.to_ctx()).unwrap();
    let mut blocks = 0;
    for (_, variable) in module.global_variables.iter() {
        let place = variable.binding.map(|binding| (binding.group, binding.binding));
        match variable.space {
            AddressSpace::Uniform => {
                assert_eq!(place, Some((0, 0)), "{shader} {vars:?}");
                check_block(module, variable.ty, found, shader);
                blocks += 1;
            }
            AddressSpace::Storage { access } => {
                let (group, binding) = place.unwrap();
                assert_eq!(group, 0, "{shader}");
                assert_eq!(access, StorageAccess::LOAD | StorageAccess::STORE, "{shader}: binding {binding}");
                assert!(storage.insert(binding), "{shader}: binding {binding} twice");
            }
            AddressSpace::WorkGroup => workgroup += layouter[variable.ty].size,
            AddressSpace::Private => {}
            other => panic!("{shader}: a variable in {other:?}"),
        }
    }
    assert_eq!(blocks, 1, "{shader} {vars:?}: uniform blocks");
    let expected: BTreeSet<u32> = (1..=u32::try_from(bindings).unwrap()).collect();
    assert_eq!(storage, expected, "{shader} {vars:?}: storage bindings in WGSL (left) and of its launch");
    assert!(bindings <= 8, "{shader} has {bindings} storage bindings, WebGPU promises 8");
    assert!(
        workgroup <= 16_384,
        "{shader} {vars:?} takes {workgroup} bytes of workgroup memory, WebGPU promises 16384"
    );
    let [entry] = module.entry_points.as_slice() else { panic!("{shader}: not one entry point") };
    assert_eq!(entry.name, "main", "{shader}");
    let invocations: u32 = entry.workgroup_size.iter().product();
    assert!(invocations <= 256, "{shader} {vars:?} has {invocations} invocations, WebGPU promises 256");
}

fn translate(module: &Module, info: &ModuleInfo, found: &Found, name: &str) {
    let lang_version = match found.matrix {
        Some(_) => (1, 6),
        None if found.subgroup => (1, 3),
        None => (1, 0),
    };
    let options = spv::Options { lang_version, ..spv::Options::default() };
    let words = spv::write_vec(module, info, &options, None).unwrap_or_else(|e| panic!("{name}: SPIR-V: {e}"));
    assert_eq!(words[0], 0x0723_0203, "{name}");

    // Metal has matrices of 8 by 8, DirectX none.
    if found.matrix == Some(16) {
        return;
    }
    let options = msl::Options { lang_version: (2, 4), ..msl::Options::default() };
    let pipeline = msl::PipelineOptions::default();
    let (text, _) = msl::write_string(module, info, &options, &pipeline).unwrap_or_else(|e| panic!("{name}: MSL: {e}"));
    assert!(text.contains("kernel void main_"), "{name}");

    if found.matrix.is_some() {
        return;
    }
    // 64-bit integers and subgroups exist from shader model 6.0.
    let shader_model = if found.subgroup || found.int64 { hlsl::ShaderModel::V6_0 } else { hlsl::ShaderModel::V5_1 };
    let options = hlsl::Options { shader_model, ..hlsl::Options::default() };
    let pipeline = hlsl::PipelineOptions::default();
    let mut text = String::new();
    hlsl::Writer::new(&mut text, &options, &pipeline)
        .write(module, info, None)
        .unwrap_or_else(|e| panic!("{name}: HLSL: {e}"));
    assert!(text.contains("numthreads"), "{name}");
}

/// What software drivers run, on systems with Vulkan of their own: no storage buffer but those of atomics is reached into other
/// than by its address.
fn check_addresses(text: &str, bindings: usize, immediates: bool, name: &str) {
    if !nevus::gpu::ABLE {
        return;
    }
    let words = nevus::gpu::by_address(text, bindings, immediates).unwrap_or_else(|e| panic!("{name}: addresses: {e}"));
    let module = rspirv::dr::load_words(words).unwrap_or_else(|e| panic!("{name}: addresses: {e}"));
    let types: BTreeMap<u32, &Instruction> =
        module.types_global_values.iter().filter_map(|i| Some((i.result_id?, i))).collect();
    let class = |kind: u32| types.get(&kind).and_then(|kind| kind.operands.first()).cloned();
    let mut reached = BTreeMap::new();
    for instruction in module.all_inst_iter() {
        if let (spirv::Op::AccessChain, Some(kind), Some(id)) =
            (instruction.class.opcode, instruction.result_type, instruction.result_id)
        {
            reached.insert(id, class(kind));
        }
        if let (spirv::Op::Load | spirv::Op::Store, Some(Operand::IdRef(pointer))) =
            (instruction.class.opcode, instruction.operands.first())
        {
            let class = reached.get(pointer).cloned().flatten();
            assert_ne!(class, Some(Operand::StorageClass(StorageClass::StorageBuffer)), "{name}: {instruction:?}");
        }
    }
    let constant = |lane: &Operand| {
        let id = lane.id_ref_any();
        id.and_then(|id| types.get(&id)).is_some_and(|lane| lane.class.opcode == spirv::Op::Constant)
    };
    let of_one = module
        .all_inst_iter()
        .find(|i| i.class.opcode == spirv::Op::GroupNonUniformShuffle && i.operands.last().is_some_and(constant));
    assert_eq!(of_one, None, "{name}: a lane's value for all by a shuffle");
    let by_address = Some(Operand::StorageClass(StorageClass::PhysicalStorageBuffer));
    assert!(reached.values().any(|class| *class == by_address), "{name}");
}

#[test]
fn every_use_validates_agrees_with_rust_and_translates() {
    let library = ShaderLibrary::new(None).unwrap();
    let uses = uses();
    for (key @ (shader, vars, bindings), found) in &uses {
        let name = format!("{shader} {vars:?} ({})", found.example);
        let text = library.expand(shader, vars).unwrap_or_else(|error| panic!("{name}: {error}"));
        let module = naga::front::wgsl::parse_str(&text)
            .unwrap_or_else(|error| panic!("{name}: {}", error.emit_to_string_with_path(&text, shader)));
        let info = validate(&module, found);
        check_interface(&module, found, key);
        translate(&module, &info, found, &name);
        check_addresses(&text, *bindings, false, &name);
        // Where an adapter has them, the parameters are immediates.
        let text = nevus::gpu::as_immediates(&text).unwrap_or_else(|| panic!("{name}: its parameters"));
        let module = naga::front::wgsl::parse_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        validate_with(&module, found, Capabilities::IMMEDIATES);
        check_addresses(&text, *bindings, true, &name);
    }
    println!("{} expansions of {} shaders", uses.len(), ShaderLibrary::names().len());
}

/// A tile of 64 channels gives way where no more than 32 of an image can be bound.
#[test]
fn larger_tiles_leave_large_images_to_be_cut() {
    let mut caps = Caps::for_tests(Some(8), true);
    (caps.instruction_cache, caps.max_binding) = (Some(64 << 10), 2 << 20);
    let (conv, inputs) = (Conv2d::new([2, 2], [3, 3], [1, 1]).unwrap(), [vec![1, 3, 224, 224], vec![64, 3, 7, 7]]);
    let inputs: Vec<&[usize]> = inputs.iter().map(Vec::as_slice).collect();
    let versions = nevus::ops::kernel(conv.kernel()).unwrap().versions;
    let long = versions.iter().find(|version| version.shader == "conv2d/forward_15_long_subgroup").unwrap();
    let tiles = |caps: &Caps| -> Vec<i64> {
        let (_, _, lowered) = harness::lower(long, &conv, &inputs, caps, None).unwrap().unwrap();
        lowered.launches.iter().map(|launch| launch.vars["tile"]).collect()
    };
    assert_eq!(tiles(&caps), [32, 32]);
    caps.max_binding *= 2;
    assert_eq!(tiles(&caps), [64]);
}

#[test]
fn every_shader_is_reached_by_a_case() {
    let reached: BTreeSet<&str> = uses().into_keys().map(|(shader, ..)| shader).collect();
    let orphans: Vec<String> = ShaderLibrary::names().into_iter().filter(|name| !reached.contains(&**name)).collect();
    assert!(orphans.is_empty(), "no case reaches {orphans:?}");
}

#[test]
fn every_head_says_op_kernel_and_version() {
    let library = ShaderLibrary::new(None).unwrap();
    for name in ShaderLibrary::names() {
        let text = library.source(&name).unwrap();
        let (op, file) = name.split_once('/').unwrap();
        let head = text.lines().next().unwrap();
        let parts: Vec<&str> = head.strip_prefix("// ").unwrap_or_default().split(" / ").collect();
        assert!(parts.len() >= 2, "{name}: its head is {head:?}, expected // op / kernel / version");
        assert_eq!(parts[0], op, "{name}: {head:?}");
        let words: String = parts[1..].join("_").chars().take_while(|&c| c != ':').collect();
        assert!(words.replace(' ', "_").starts_with(file), "{name}: its head is {head:?}");
    }
}

/// The check above must see a field that WGSL does not have, and one in another place.
#[test]
fn the_layout_check_sees_a_difference() {
    nevus::gpu::gpu_params! {
        struct Two { a: u32, b: f32 }
    }
    let check = |text: &str| {
        let module = naga::front::wgsl::parse_str(text).unwrap();
        let found = Found { fields: Two::FIELDS, example: String::new(), subgroup: false, int64: false, matrix: None };
        check_interface(&module, &found, &("test", Vars::new(), 1));
    };
    let shader = |fields: &str, access: &str| {
        format!(
            "struct Params {{ {fields} }} @group(0) @binding(0) var<uniform> p: Params;
             @group(0) @binding(1) var<storage, {access}> x: array<f32>;
             @compute @workgroup_size(1) fn main() {{ _ = p.a; _ = x[0]; }}"
        )
    };
    check(&shader("a: u32, b: f32", "read_write"));
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let wrong = [
        shader("a: u32, c: f32", "read_write"),
        shader("a: u32, b: u32", "read_write"),
        shader("a: u32", "read_write"),
        shader("b: f32, a: u32", "read_write"),
        shader("a: u32, @align(16) b: f32", "read_write"),
        shader("a: u32, b: f32", "read"),
    ];
    let passed: Vec<_> = wrong.iter().filter(|text| std::panic::catch_unwind(|| check(text)).is_ok()).collect();
    std::panic::set_hook(hook);
    assert!(passed.is_empty(), "{passed:#?}");
}
