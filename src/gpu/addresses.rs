//! Reads and writes by address, for software drivers. lavapipe reaches into a storage buffer lane by lane, with a branch, a mask
//! and a comparison with the buffer's end for each: some 240 instructions for 16 bytes in each of eight lanes. What has an
//! address it leaves to LLVM's masked gather and scatter, a few instructions where the processor has AVX2. So the SPIR-V that
//! naga writes of a kernel is changed: what it loads and stores through a storage buffer goes through a pointer into
//! `PhysicalStorageBuffer`, made of the buffer's address, with the index held inside the binding. Addresses and lengths come in a
//! uniform block after the storage bindings. These stay bound: wgpu sees to barriers and lifetimes as ever.

use std::collections::HashMap;
use std::ops::Range;

use rspirv::binary::Assemble as _;
use rspirv::dr::{Builder, Instruction, Module, Operand, load_words};
use rspirv::spirv::{AddressingModel, Capability, Decoration, GlslStd450Op, MemoryAccess, Op, StorageClass, Word};

/// Whether this system has Vulkan of its own, whose SPIR-V is changed.
pub const ABLE: bool = true;

/// Bytes of one binding's entry in the block: its address, its length in bytes, and what is left of 16.
pub(super) const ENTRY: usize = 16;

/// One binding's entry.
pub(super) fn entry(address: u64, bytes: u64) -> [u8; ENTRY] {
    let mut entry = [0; ENTRY];
    entry[..8].copy_from_slice(&address.to_le_bytes());
    entry[8..12].copy_from_slice(&u32::try_from(bytes).unwrap_or(u32::MAX).to_le_bytes());
    entry
}

/// The SPIR-V of a kernel's WGSL `text`, whose storage bindings are 1 to `bindings` of group 0, reading and writing by addresses.
/// The block of these is the binding after them; with `immediates`, binding 0 holds no parameters.
///
/// # Errors
/// A message where naga refuses the text or writes it as this module does not know it.
pub fn by_address(text: &str, bindings: usize, immediates: bool) -> Result<Vec<u32>, String> {
    use wgpu::naga::{back::spv, front::wgsl, proc, valid};
    let module = wgsl::parse_str(text).map_err(|error| error.to_string())?;
    let flags = valid::ValidationFlags::all();
    let info = valid::Validator::new(flags, valid::Capabilities::all()).validate(&module);
    let info = info.map_err(|error| error.to_string())?;
    let unchecked = proc::BoundsCheckPolicy::Unchecked;
    let bindings = u32::try_from(bindings).map_err(|error| error.to_string())?;
    // wgpu numbers a group's bindings without gaps.
    let first = u32::from(!immediates);
    let place = |binding| wgpu::naga::ResourceBinding { group: 0, binding };
    let target = |binding| spv::BindingInfo { descriptor_set: 0, binding, binding_array_size: None };
    let uniform = (!immediates).then(|| (place(0), target(0)));
    let options = spv::Options {
        lang_version: (1, 3),
        fake_missing_bindings: false,
        flags: spv::WriterFlags::empty(),
        binding_map: uniform.into_iter().chain((0..bindings).map(|at| (place(at + 1), target(first + at)))).collect(),
        bounds_check_policies: proc::BoundsCheckPolicies {
            index: unchecked,
            buffer: unchecked,
            image_load: unchecked,
            binding_array: unchecked,
        },
        zero_initialize_workgroup_memory: spv::ZeroInitializeWorkgroupMemoryMode::None,
        force_loop_bounding: false,
        emit_int_div_checks: false,
        ..spv::Options::default()
    };
    let words = spv::write_vec(&module, &info, &options, None).map_err(|error| error.to_string())?;
    changed(&words, &(first..first + bindings))
}

/// The address of a buffer of a device that was opened with buffer addresses, and made for one (`BLAS_INPUT`).
pub(super) fn address(device: &wgpu::Device, buffer: &wgpu::Buffer) -> Option<u64> {
    use wgpu::hal::api::Vulkan;
    // SAFETY: the handles are only used while the guards that lend them live, and nothing is destroyed.
    let (device, buffer) = unsafe { (device.as_hal::<Vulkan>()?, buffer.as_hal::<Vulkan>()?) };
    // SAFETY: the caller's promise: the feature is on, and the buffer has the usage that an address takes.
    unsafe {
        let info = ash::vk::BufferDeviceAddressInfo::default().buffer(buffer.raw_handle());
        Some(device.raw_device().get_buffer_device_address(&info))
    }
}

/// A storage buffer of one runtime array.
#[derive(Clone, Copy)]
struct Storage {
    /// Its place among the storage bindings.
    at: u32,
    /// The struct around the array.
    block: Word,
    /// Bytes from one element to the next.
    stride: u32,
}

/// What a pointer of the shader leads to: a storage buffer's variable and the indices into it.
struct Place {
    variable: Word,
    /// The type of what lies there.
    kind: Word,
    indices: Vec<Word>,
}

/// The ids by which a function reaches into a storage buffer.
#[derive(Clone, Copy)]
struct Base {
    /// Its address as a pointer.
    pointer: Word,
    /// The index of its last element.
    last: Word,
}

/// The same of SPIR-V as naga writes it, for storage bindings that are numbered `storage`.
fn changed(words: &[u32], storage: &Range<u32>) -> Result<Vec<u32>, String> {
    let module = load_words(words).map_err(|error| error.to_string())?;
    let mut rewriter = Rewriter::new(module, storage)?;
    for at in 0..rewriter.builder.module_ref().functions.len() {
        rewriter.function(at);
    }
    Ok(rewriter.builder.module().assemble())
}

struct Rewriter {
    builder: Builder,
    storage: HashMap<Word, Storage>,
    types: HashMap<Word, Instruction>,
    glsl: Word,
    u32: Word,
    u64: Word,
    table: Word,
}

impl Rewriter {
    fn new(mut module: Module, bindings: &Range<u32>) -> Result<Self, String> {
        let types = module.types_global_values.iter().filter_map(|i| Some((i.result_id?, i.clone()))).collect();
        let storage = storage(&module, &types, bindings);
        let model = module.memory_model.as_mut().ok_or("no memory model")?;
        model.operands[0] = Operand::AddressingModel(AddressingModel::PhysicalStorageBuffer64);
        let set = |i: &Instruction| matches!(&i.operands[0], Operand::LiteralString(name) if name == "GLSL.std.450");
        let glsl = module.ext_inst_imports.iter().find(|i| set(i)).and_then(|i| i.result_id);
        let shuffles = module.all_inst_iter().any(|i| i.class.opcode == Op::GroupNonUniformShuffle);
        let mut builder = Builder::new_from_module(module);
        builder.capability(Capability::PhysicalStorageBufferAddresses);
        builder.capability(Capability::Int64);
        if shuffles {
            builder.capability(Capability::GroupNonUniformBallot);
        }
        builder.extension("SPV_KHR_physical_storage_buffer");
        let glsl = glsl.unwrap_or_else(|| builder.ext_inst_import("GLSL.std.450"));
        let (u32, u64) = (builder.type_int(32, 0), builder.type_int(64, 0));
        let member = builder.id();
        builder.type_struct_id(Some(member), [u64, u32, u32]);
        for (at, offset) in [(0, 0), (1, 8), (2, 12)] {
            builder.member_decorate(member, at, Decoration::Offset, [Operand::LiteralBit32(offset)]);
        }
        let length = builder.constant_bit32(u32, bindings.end - bindings.start);
        let array = builder.id();
        builder.type_array_id(Some(array), member, length);
        builder.decorate(array, Decoration::ArrayStride, [Operand::LiteralBit32(ENTRY as u32)]);
        let block = builder.id();
        builder.type_struct_id(Some(block), [array]);
        builder.member_decorate(block, 0, Decoration::Offset, [Operand::LiteralBit32(0)]);
        builder.decorate(block, Decoration::Block, []);
        let pointer = builder.type_pointer(None, StorageClass::Uniform, block);
        let table = builder.variable(pointer, None, StorageClass::Uniform, None);
        builder.decorate(table, Decoration::DescriptorSet, [Operand::LiteralBit32(0)]);
        builder.decorate(table, Decoration::Binding, [Operand::LiteralBit32(bindings.end)]);
        Ok(Self { builder, storage, types, glsl, u32, u64, table })
    }

    fn function(&mut self, at: usize) {
        let mut blocks = std::mem::take(&mut self.builder.module_mut().functions[at].blocks);
        let mut places: HashMap<Word, Place> = HashMap::new();
        let mut bases: HashMap<Word, Base> = HashMap::new();
        let mut prologue = Vec::new();
        for block in &mut blocks {
            let mut out = Vec::with_capacity(block.instructions.len());
            for instruction in std::mem::take(&mut block.instructions) {
                if let Some((id, place)) = self.place(&instruction, &places) {
                    places.insert(id, place);
                }
                let instruction = self.broadcast(instruction);
                let place = match (instruction.class.opcode, instruction.operands.first()) {
                    (Op::Load | Op::Store, Some(Operand::IdRef(pointer))) => places.get(pointer),
                    _ => None,
                };
                let bytes = place.and_then(|place| self.bytes(place.kind));
                let (Some(place), Some(bytes)) = (place, bytes) else {
                    out.push(instruction);
                    continue;
                };
                let base = match bases.get(&place.variable) {
                    Some(&base) => base,
                    None => {
                        let base = self.base(self.storage[&place.variable], &mut prologue);
                        *bases.entry(place.variable).or_insert(base)
                    }
                };
                self.access(instruction, place, base, bytes, &mut out);
            }
            block.instructions = out;
        }
        if let Some(first) = blocks.first_mut() {
            let body = first.instructions.iter().position(|i| i.class.opcode != Op::Variable).unwrap_or(0);
            first.instructions.splice(body..body, prologue);
        }
        self.builder.module_mut().functions[at].blocks = blocks;
    }

    /// What naga writes of a lane's value for all, a shuffle, as what it is where that lane is a constant: without vectors of 256
    /// bits lavapipe shuffles lane by lane.
    fn broadcast(&self, instruction: Instruction) -> Instruction {
        let constant = |operand: &Operand| {
            let value = operand.id_ref_any().and_then(|id| self.types.get(&id));
            value.is_some_and(|value| value.class.opcode == Op::Constant)
        };
        let shuffle = instruction.class.opcode == Op::GroupNonUniformShuffle;
        if !(shuffle && instruction.operands.last().is_some_and(constant)) {
            return instruction;
        }
        let Instruction { result_type, result_id, operands, .. } = instruction;
        Instruction::new(Op::GroupNonUniformBroadcast, result_type, result_id, operands)
    }

    /// The place that an access chain leads to.
    fn place(&self, chain: &Instruction, places: &HashMap<Word, Place>) -> Option<(Word, Place)> {
        if !matches!(chain.class.opcode, Op::AccessChain | Op::InBoundsAccessChain) {
            return None;
        }
        let mut ids = chain.operands.iter().filter_map(Operand::id_ref_any);
        let base = ids.next()?;
        let (variable, mut indices) = match places.get(&base) {
            Some(place) => (place.variable, place.indices.clone()),
            None => (base, Vec::new()),
        };
        self.storage.get(&variable)?;
        indices.extend(ids);
        let &Operand::IdRef(kind) = self.types.get(&chain.result_type?)?.operands.get(1)? else { return None };
        Some((chain.result_id?, Place { variable, kind, indices }))
    }

    /// What a function's first block computes of a storage buffer.
    fn base(&mut self, storage: Storage, prologue: &mut Vec<Instruction>) -> Base {
        let b = &mut self.builder;
        let pointer_u64 = b.type_pointer(None, StorageClass::Uniform, self.u64);
        let pointer_u32 = b.type_pointer(None, StorageClass::Uniform, self.u32);
        let pointer_block = b.type_pointer(None, StorageClass::PhysicalStorageBuffer, storage.block);
        let at = b.constant_bit32(self.u32, storage.at);
        let [zero, one] = [0, 1].map(|n| b.constant_bit32(self.u32, n));
        let stride = b.constant_bit32(self.u32, storage.stride);
        let mut emit = |op, kind, operands: Vec<Operand>| {
            let id = b.id();
            prologue.push(Instruction::new(op, Some(kind), Some(id), operands));
            id
        };
        let id = Operand::IdRef;
        let address = emit(Op::AccessChain, pointer_u64, vec![id(self.table), id(zero), id(at), id(zero)]);
        let address = emit(Op::Load, self.u64, vec![id(address)]);
        let pointer = emit(Op::ConvertUToPtr, pointer_block, vec![id(address)]);
        let bytes = emit(Op::AccessChain, pointer_u32, vec![id(self.table), id(zero), id(at), id(one)]);
        let bytes = emit(Op::Load, self.u32, vec![id(bytes)]);
        let length = emit(Op::UDiv, self.u32, vec![id(bytes), id(stride)]);
        let most = Operand::LiteralExtInstInteger(GlslStd450Op::UMax as u32);
        let length = emit(Op::ExtInst, self.u32, vec![id(self.glsl), most, id(length), id(one)]);
        let last = emit(Op::ISub, self.u32, vec![id(length), id(one)]);
        Base { pointer, last }
    }

    /// A load or a store by the address of its place.
    fn access(&mut self, mut access: Instruction, place: &Place, base: Base, bytes: u32, out: &mut Vec<Instruction>) {
        let id = Operand::IdRef;
        let pointer = self.builder.type_pointer(None, StorageClass::PhysicalStorageBuffer, place.kind);
        let within = self.builder.id();
        let minimum = vec![
            id(self.glsl),
            Operand::LiteralExtInstInteger(GlslStd450Op::UMin as u32),
            id(place.indices[1]),
            id(base.last),
        ];
        out.push(Instruction::new(Op::ExtInst, Some(self.u32), Some(within), minimum));
        let mut indices = vec![id(base.pointer), id(place.indices[0]), id(within)];
        indices.extend(place.indices[2..].iter().map(|&index| id(index)));
        let chain = self.builder.id();
        out.push(Instruction::new(Op::AccessChain, Some(pointer), Some(chain), indices));
        access.operands[0] = id(chain);
        access.operands.extend([Operand::MemoryAccess(MemoryAccess::ALIGNED), Operand::LiteralBit32(bytes)]);
        out.push(access);
    }

    /// Size of a scalar or of a vector of one, two or four of them: what it is aligned to.
    fn bytes(&self, kind: Word) -> Option<u32> {
        let kind = self.types.get(&kind)?;
        let word = |at: usize| match kind.operands.get(at) {
            Some(&Operand::LiteralBit32(n) | &Operand::IdRef(n)) => Some(n),
            _ => None,
        };
        match kind.class.opcode {
            Op::TypeFloat | Op::TypeInt => Some(word(0)? / 8),
            Op::TypeVector => word(1).filter(|&n| n != 3).and_then(|n| Some(self.bytes(word(0)?)? * n)),
            _ => None,
        }
    }
}

/// The module's storage buffers at `bindings` that are a struct around one runtime array.
fn storage(module: &Module, types: &HashMap<Word, Instruction>, bindings: &Range<u32>) -> HashMap<Word, Storage> {
    let decorated = |target: Word, decoration: Decoration| {
        module.annotations.iter().find_map(|i| match &i.operands[..] {
            [Operand::IdRef(id), Operand::Decoration(of), Operand::LiteralBit32(value)]
                if i.class.opcode == Op::Decorate && *id == target && *of == decoration =>
            {
                Some(*value)
            }
            _ => None,
        })
    };
    let of = |variable: &Instruction| {
        let id = variable.result_id?;
        let pointer = types.get(&variable.result_type?)?;
        let [Operand::StorageClass(StorageClass::StorageBuffer), Operand::IdRef(block)] = pointer.operands[..] else {
            return None;
        };
        let [Operand::IdRef(array)] = types.get(&block)?.operands[..] else { return None };
        let runtime = types.get(&array)?.class.opcode == Op::TypeRuntimeArray;
        let binding = decorated(id, Decoration::Binding).filter(|b| runtime && bindings.contains(b))?;
        Some((id, Storage { at: binding - bindings.start, block, stride: decorated(array, Decoration::ArrayStride)? }))
    };
    let variables = module.types_global_values.iter().filter(|i| i.class.opcode == Op::Variable);
    variables.filter_map(of).collect()
}
