//! Runs one version of one kernel between guard words on a poisoned output, and compares it with its twin.

use crate::error::{Error, Result};
use crate::gpu::{Bind, Buffer, Dispatch, Gpu, Sequence};
use crate::graph::{Layout, Op};
use crate::tensor::Tensor;

use super::cases::{Case, Draw, Input};
use super::compare;
use super::{Array, Binding, Call, Epilogue, Kernel, Lowered, Operand, Slot, Version, half};

/// What unwritten output reads as: a quiet NaN that no kernel makes.
const POISON: u32 = 0x7fc0_dead;
/// What stands behind every output.
const GUARD: u32 = 0x7fc0_beef;
const GUARD_FLOATS: usize = 64;

/// A call that is ready to run: buffers filled, dispatches recorded.
pub struct Prepared {
    /// The recorded dispatches.
    pub sequence: Sequence,
    inputs: Vec<Layout>,
    outputs: Vec<(Operand, Buffer, bool)>,
    /// Where values beyond the range of 16 bits are noted.
    guard: Buffer,
    gpu: Gpu,
}

/// Operands in, operands out, and the dispatches of a call.
pub type LoweredCall = (Vec<Operand>, Vec<Operand>, Lowered);

/// The dispatches of a call of `version`, or why the version cannot run it. What an epilogue reads follows the inputs
/// that are returned.
///
/// # Errors
/// Those of the version's lowering.
pub fn lower(
    version: &Version,
    op: &dyn Op,
    inputs: &[&[usize]],
    caps: &crate::gpu::Caps,
    epilogue: Option<Epilogue>,
) -> Result<Result<LoweredCall, String>> {
    lower_from(version, op, inputs, &preferred(inputs), caps, epilogue)
}

/// The layouts in which a case's inputs are offered.
fn preferred(inputs: &[&[usize]]) -> Vec<Layout> {
    let prefer = |shape: &&[usize]| if shape.len() == 4 && shape[1] > 1 { Layout::C4 } else { Layout::Plain };
    inputs.iter().map(prefer).collect()
}

fn lower_from(
    version: &Version,
    op: &dyn Op,
    inputs: &[&[usize]],
    offered: &[Layout],
    caps: &crate::gpu::Caps,
    epilogue: Option<Epilogue>,
) -> Result<Result<LoweredCall, String>> {
    if let Some(missing) = version.requires.missing(caps) {
        return Ok(Err(missing));
    }
    let outputs = op.outputs(inputs)?;
    let output_shapes: Vec<&[usize]> = outputs.iter().map(Vec::as_slice).collect();
    let Some(layouts) = (version.layouts)(op, inputs, &output_shapes, offered) else {
        return Ok(Err("does not take these shapes".into()));
    };
    let operand = |(shape, &layout): (&&[usize], &Layout)| Operand { shape: shape.to_vec(), layout, within: None };
    let mut inputs: Vec<Operand> = inputs.iter().zip(&layouts.inputs).map(operand).collect();
    let outputs: Vec<Operand> = output_shapes.iter().zip(&layouts.outputs).map(operand).collect();
    inputs.extend(std::iter::repeat_n(outputs[0].clone(), epilogue.map_or(0, Epilogue::operands)));
    let call = Call { op, inputs: &inputs, outputs: &outputs, epilogue, caps };
    let lowered = (version.lower)(&call)?;
    Ok(Ok((inputs, outputs, lowered)))
}

/// Prepares a call on the device; `Err` inside `Ok` says why the version cannot run it here. `tensors` are the op's
/// inputs, then what the epilogue reads.
///
/// # Errors
/// [`Error::Shader`], [`Error::OutOfMemory`] and the like.
pub fn prepare(
    gpu: &Gpu,
    version: &Version,
    op: &dyn Op,
    tensors: &[Tensor],
    epilogue: Option<Epilogue>,
) -> Result<Result<Prepared, String>> {
    let own = tensors.len() - epilogue.map_or(0, Epilogue::operands);
    let shapes: Vec<&[usize]> = tensors[..own].iter().map(Tensor::shape).collect();
    prepare_from(gpu, version, op, tensors, &preferred(&shapes), epilogue, false)
}

/// [`prepare`] where the op's inputs are offered in these layouts; with `fixed`, what the version makes of the weight
/// alone is made here, and is no part of the call.
///
/// # Errors
/// As [`prepare`].
pub fn prepare_from(
    gpu: &Gpu,
    version: &Version,
    op: &dyn Op,
    tensors: &[Tensor],
    offered: &[Layout],
    epilogue: Option<Epilogue>,
    fixed: bool,
) -> Result<Result<Prepared, String>> {
    let own = tensors.len() - epilogue.map_or(0, Epilogue::operands);
    let shapes: Vec<&[usize]> = tensors[..own].iter().map(Tensor::shape).collect();
    let (inputs, outputs, lowered) = match lower_from(version, op, &shapes, offered, gpu.caps(), epilogue)? {
        Ok(ready) => ready,
        Err(why) => return Ok(Err(why)),
    };
    let guarded = |floats: usize| ((floats + GUARD_FLOATS) * 4) as u64;
    let mut input_buffers = Vec::with_capacity(inputs.len());
    for (operand, tensor) in inputs.iter().zip(tensors) {
        let mut packed = operand.layout.pack(&operand.shape, tensor.data(), 0.0);
        packed.extend(std::iter::repeat_n(f32::from_bits(GUARD), GUARD_FLOATS));
        input_buffers.push(gpu.buffer_with("case input", &packed)?);
    }
    let mut output_buffers = Vec::with_capacity(outputs.len());
    for (at, operand) in outputs.iter().enumerate() {
        let shared = op.in_place().iter().find(|&&(_, output)| output == at).map(|&(input, _)| input);
        let buffer = match shared {
            Some(input) => input_buffers[input].clone(),
            None => {
                let mut poison = vec![f32::from_bits(POISON); operand.floats()];
                poison.extend(std::iter::repeat_n(f32::from_bits(GUARD), GUARD_FLOATS));
                let buffer = gpu.buffer("case output", guarded(operand.floats()))?;
                gpu.write(&buffer, 0, bytemuck::cast_slice(&poison))?;
                buffer
            }
        };
        output_buffers.push((operand.clone(), buffer, shared.is_some()));
    }
    let mut workspaces = Vec::with_capacity(lowered.workspaces.len());
    for &floats in &lowered.workspaces {
        workspaces.push(gpu.buffer_with("case workspace", &vec![f32::from_bits(POISON); floats.next_multiple_of(4)])?);
    }
    let guard = gpu.buffer_with("case guard", &[0.0; half::NOTE])?;
    let bind = |binding: &Binding| {
        let buffer = match binding.slot {
            Slot::Guard => &guard,
            Slot::Input(at) => &input_buffers[at],
            Slot::Output(at) => &output_buffers[at].1,
            Slot::Workspace(at) => &workspaces[at],
        };
        Bind { buffer: buffer.clone(), offset: binding.offset as u64 * 4, size: binding.len as u64 * 4 }
    };
    let mut dispatches: Vec<Dispatch> = lowered
        .launches
        .into_iter()
        .map(|launch| Dispatch {
            label: launch.shader.to_owned(),
            shader: launch.shader,
            vars: launch.vars,
            params: launch.params,
            binds: launch.bindings.iter().map(bind).collect(),
            workgroups: launch.workgroups,
            work: launch.work,
        })
        .collect();
    if fixed && lowered.derived.launches > 0 {
        let once: Vec<Dispatch> = dispatches.drain(..lowered.derived.launches).collect();
        Sequence::new(gpu, &once)?.submit()?;
    }
    let sequence = Sequence::new(gpu, &dispatches)?;
    let inputs = inputs.iter().map(|operand| operand.layout).collect();
    Ok(Ok(Prepared { sequence, inputs, outputs: output_buffers, guard, gpu: gpu.clone() }))
}

impl Prepared {
    /// Runs the call once and reads its outputs, row-major.
    ///
    /// # Errors
    /// [`Error::Range`] where a value is beyond what 16 bits hold, [`Error::Mismatch`] where a pad lane is not zero or a
    /// guard word has changed.
    pub fn run(&self) -> Result<Vec<Tensor>> {
        self.sequence.submit()?;
        if self.gpu.read(&self.guard, 0, 1)?[0].to_bits() != 0 {
            return Err(Error::Range { name: "the case".into() });
        }
        self.outputs.iter().map(|(operand, buffer, shared)| self.read(operand, buffer, *shared)).collect()
    }

    fn read(&self, operand: &Operand, buffer: &Buffer, shared: bool) -> Result<Tensor> {
        let floats = operand.floats();
        let words = self.gpu.read(buffer, 0, floats + GUARD_FLOATS)?;
        let (values, guard) = words.split_at(floats);
        if let Some(at) = guard.iter().position(|word| word.to_bits() != GUARD) {
            return Err(Error::Mismatch(format!("wrote {} behind the output, float {}", guard[at], floats + at)));
        }
        if operand.layout != Layout::Plain {
            let elements = operand.layout.spread(values);
            let dirty = |&at: &usize| elements[at].to_bits() << 1 != 0;
            if let Some(at) = operand.layout.pad_places(&operand.shape).into_iter().find(dirty) {
                return Err(Error::Mismatch(format!("pad lane at element {at} is {}, expected 0", elements[at])));
            }
        }
        if operand.layout.is_half() {
            // Two poisoned elements are one word, which no two values make.
            let words = &values[..operand.layout.elements(&operand.shape) / 2];
            if let Some(at) = words.iter().position(|word| word.to_bits() == POISON) {
                return Err(Error::Mismatch(format!("elements {} and the next were never written", at * 2)));
            }
        }
        let values = operand.layout.unpack(&operand.shape, values);
        if !shared && let Some(at) = values.iter().position(|value| value.to_bits() == POISON) {
            return Err(Error::Mismatch(format!("element {at} of {} was never written", values.len())));
        }
        Tensor::new(operand.shape.clone(), values)
    }
}

/// Bound of the relative error of a version of `kernel`: where it stores values in 16 bits, an output may lose as much more
/// as its last rounding costs. Its inputs are compared as they are stored.
#[must_use]
pub fn tolerance(kernel: &Kernel, half: bool) -> f64 {
    kernel.tolerance + if half { half::ROUNDING } else { 0.0 }
}

/// `tensors` as they are stored in these layouts: rounded where that is in 16 bits.
#[must_use]
pub fn stored(mut tensors: Vec<Tensor>, layouts: &[Layout]) -> Vec<Tensor> {
    for (tensor, layout) in tensors.iter_mut().zip(layouts) {
        tensor.data_mut().iter_mut().for_each(|value| *value = layout.rounded(*value));
    }
    tensors
}

/// How a case went.
#[derive(Debug)]
pub enum Outcome {
    /// Within the bound, with the worst error over the outputs.
    Passed(f64),
    /// The adapter or the shapes do not allow the version.
    Skipped(String),
}

/// Runs `case` by `version` and compares every output with the twin: exactly where `exact`, else within the kernel's
/// tolerance, and then also with one of the epilogues that the kernel carries; two runs must give the same bits.
///
/// # Errors
/// [`Error::Mismatch`] that names the case, the version, and the place of the worst element.
pub fn check(gpu: &Gpu, kernel: &Kernel, version: &Version, case: &Case, exact: bool) -> Result<Outcome> {
    let plain = check_with(gpu, kernel, version, case, exact, None)?;
    // Each epilogue is a pipeline of its own, which takes time to compile: the cases take them by turns.
    let turn: usize = case.inputs.iter().flat_map(|input| &input.shape).sum();
    let epilogue = kernel.epilogues.get(turn % kernel.epilogues.len().max(1));
    match (plain, epilogue) {
        (Outcome::Passed(error), Some(&epilogue)) if !exact => {
            match check_with(gpu, kernel, version, case, exact, Some(epilogue))? {
                Outcome::Passed(other) => Ok(Outcome::Passed(error.max(other))),
                skipped @ Outcome::Skipped(_) => Ok(skipped),
            }
        }
        (plain, _) => Ok(plain),
    }
}

/// What the epilogue makes of the twin's first output.
fn finish(epilogue: Epilogue, output: &mut Array<f64>, extras: &[Array<f64>]) {
    let residual = extras.first().filter(|_| epilogue.adds());
    let mask = extras.last().filter(|_| epilogue.masks());
    for (at, value) in output.data.iter_mut().enumerate() {
        *value += residual.map_or(0.0, |residual| residual.data[at]);
        let zero = epilogue.relu() && *value < 0.0 || mask.is_some_and(|mask| mask.data[at] <= 0.0);
        *value = if zero { 0.0 } else { *value };
    }
}

fn check_with(
    gpu: &Gpu,
    kernel: &Kernel,
    version: &Version,
    case: &Case,
    exact: bool,
    epilogue: Option<Epilogue>,
) -> Result<Outcome> {
    let named = |error: Error| match error {
        Error::Mismatch(message) => Error::Mismatch(format!(
            "{}\n  {} with epilogue {epilogue:?} against the twin ({}): {message}",
            case.describe(),
            version.shader,
            case.why
        )),
        other => other,
    };
    let mut tensors = case.tensors();
    if let Some(epilogue) = epilogue {
        let shapes: Vec<&[usize]> = tensors.iter().map(Tensor::shape).collect();
        let shape = case.op.outputs(&shapes)?.swap_remove(0);
        let extra = |at| Input::normal(shape.clone()).tensor(0x0add + at as u64);
        tensors.extend((0..epilogue.operands()).map(extra));
    }
    let prepared = match prepare(gpu, version, &*case.op, &tensors, epilogue)? {
        Ok(prepared) => prepared,
        Err(why) => return Ok(Outcome::Skipped(why)),
    };
    let got = prepared.run().map_err(named)?;
    if case.op.in_place().is_empty() {
        let again = prepared.run().map_err(named)?;
        for (a, b) in got.iter().zip(&again) {
            let same = a.data().iter().zip(b.data()).all(|(x, y)| x.to_bits() == y.to_bits());
            if !same {
                return Err(named(Error::Mismatch("two runs differ in their bits".into())));
            }
        }
    }
    let tensors = stored(tensors, &prepared.inputs);
    let arrays: Vec<Array<f64>> = tensors.iter().map(Into::into).collect();
    let own = case.inputs.len();
    let mut expected = kernel.twin.run::<f64>(&*case.op, &arrays[..own].iter().collect::<Vec<_>>())?;
    if let Some(epilogue) = epilogue {
        finish(epilogue, &mut expected[0], &arrays[own..]);
    }
    // Indices and step numbers say nothing of the outputs' size.
    let sized = case.inputs.iter().zip(&tensors).filter(|(input, _)| !matches!(input.draw, Draw::Classes(_)));
    let sized = sized.flat_map(|(_, tensor)| tensor.data());
    let scale = sized.fold(0f32, |most, value| most.max(value.abs()));
    let bound = tolerance(kernel, version.requires.half);
    let mut worst = 0f64;
    for ((got, expected), (operand, ..)) in got.iter().zip(&expected).zip(&prepared.outputs) {
        let mut expected: Tensor = expected.into();
        if exact {
            expected.data_mut().iter_mut().for_each(|value| *value = operand.layout.rounded(*value));
        }
        worst = worst.max(
            match exact {
                true => compare::exact(got, &expected).map(|()| 0.0),
                false => compare::within(got, &expected, f64::from(scale), bound),
            }
            .map_err(named)?,
        );
    }
    Ok(Outcome::Passed(worst))
}
