//! What the rooms of losses, optimizers and norms share: plain values as flat arrays, cut where a binding is limited,
//! and summed in chunks whose bounds depend on lengths alone.

use std::ops::Range;

use crate::error::{Error, Result};
use crate::gpu::DeviceType;
use crate::graph::{Layout, Op};

use super::{Binding, Call, Launch, Layouts, Requires, ShaderInfo, Slot, Version};

/// Lanes of a workgroup in every shader of these rooms.
pub const WG: usize = 64;
/// Floats of one partial sum, the work of one workgroup: `CHUNK` in the shaders.
pub const CHUNK: usize = 1024;

/// A [`Version`]'s rule for layouts.
pub type LayoutsFn = fn(&dyn Op, &[&[usize]], &[&[usize]], &[Layout]) -> Option<Layouts>;

/// A version that runs on any adapter and takes no views.
pub const fn version(
    shader: &'static str,
    shaders: &'static [ShaderInfo],
    layouts: LayoutsFn,
    lower: fn(&Call<'_>) -> Result<super::Lowered>,
) -> Version {
    Version {
        shader,
        shaders,
        requires: Requires::NOTHING,
        views: false,
        pays: Version::ALWAYS,
        exact: false,
        layouts,
        lower,
    }
}

/// Every operand plain.
pub fn all_plain(_: &dyn Op, inputs: &[&[usize]], outputs: &[&[usize]], _: &[Layout]) -> Option<Layouts> {
    Some(Layouts::new(vec![Layout::Plain; inputs.len()], vec![Layout::Plain; outputs.len()]))
}

/// The runs of a flat array of `len` floats that keep to the adapter's limit, cut at multiples of `step`, which is
/// itself one of 64.
///
/// # Errors
/// [`Error::Plan`] where `step` floats pass the limit.
pub fn ranges(call: &Call<'_>, len: usize, step: usize) -> Result<Vec<Range<usize>>> {
    let limit = usize::try_from(call.caps.max_binding / 4).unwrap_or(usize::MAX);
    if len.next_multiple_of(4) <= limit {
        return Ok(std::iter::once(0..len).collect());
    }
    call.check(step)?;
    let most = limit / step * step;
    Ok((0..len).step_by(most).map(|at| at..(at + most).min(len)).collect())
}

/// The binding of a run of [`ranges`].
pub fn part(slot: Slot, range: &Range<usize>) -> Binding {
    Binding { slot, offset: range.start, len: range.len().next_multiple_of(4) }
}

/// Tells a shader how 16 bytes are loaded.
pub fn wide(launch: Launch, call: &Call<'_>) -> Launch {
    launch.var("wide_u64", call.caps.wide_as_u64)
}

/// Lanes of a workgroup whose lanes loop. A software driver runs a workgroup few lanes at a time and pays for each such
/// part what comes before the loop and the waiting at barriers: there it is one part.
pub fn lanes(call: &Call<'_>) -> usize {
    match call.caps.adapter.device_type {
        DeviceType::Cpu => call.caps.vector_lanes() as usize,
        _ => WG,
    }
}

/// The same of lanes that sum a share each, which no bit of a software driver's sums may depend on: those of its narrower
/// vectors, whatever it has.
pub fn summing_lanes(call: &Call<'_>) -> usize {
    match call.caps.adapter.device_type {
        DeviceType::Cpu => 8,
        _ => WG,
    }
}

/// Quads of a workgroup whose lanes take one after the other: one each on a GPU.
pub fn tile(call: &Call<'_>) -> usize {
    let lanes = lanes(call);
    if lanes < WG { lanes * 64 } else { lanes }
}

/// As [`wide`], for a shader whose workgroups have [`lanes`] lanes and take [`tile`] quads.
pub fn tiled(launch: Launch, call: &Call<'_>) -> Launch {
    wide(launch, call).var("lanes", lanes(call) as i64).var("tile", tile(call) as i64)
}

/// Refuses another number of inputs than `N`.
///
/// # Errors
/// [`Error::Parameter`].
pub fn exactly<'a, const N: usize>(op: &str, inputs: &[&'a [usize]]) -> Result<[&'a [usize]; N]> {
    inputs.try_into().map_err(|_| Error::parameter(op, format!("takes {N} inputs, got {}", inputs.len())))
}

/// Refuses a shape that is not `expected`.
///
/// # Errors
/// [`Error::Shape`].
pub fn same(op: &str, what: &str, expected: &[usize], got: &[usize]) -> Result<()> {
    match expected == got {
        true => Ok(()),
        false => Err(Error::shape(op, what, format!("{expected:?}"), got)),
    }
}

/// Refuses a shape of more than one element.
///
/// # Errors
/// [`Error::Shape`].
pub fn scalar(op: &str, what: &str, shape: &[usize]) -> Result<()> {
    match shape.iter().product::<usize>() {
        1 => Ok(()),
        _ => Err(Error::shape(op, what, "one element", shape)),
    }
}
