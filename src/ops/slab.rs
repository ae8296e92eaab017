//! What the optimizers' rooms share: steps over whole flat slabs, and the small operands that steer them.

use crate::error::{Error, Result};
use crate::gpu::ParamBlock;
use crate::graph::{Graph, SEGMENT, Value};
use crate::tensor::Tensor;

use super::flat::{WG, part, ranges, same, tile, tiled};
use super::{Attributes, Binding, Call, Launch, Lowered, Slot, fold};

/// Refuses anything but slabs of one length, then hyper \[4\], control \[4\] and, where the op reads one, segments.
///
/// # Errors
/// [`Error::Shape`] that names the operand.
pub fn check(op: &str, inputs: &[&[usize]], names: &[&str], with_segments: bool) -> Result<()> {
    let &[len] = inputs[0] else {
        return Err(Error::shape(op, names[0], "one dimension", inputs[0]));
    };
    for (name, shape) in names.iter().zip(inputs) {
        same(op, name, &[len], shape)?;
    }
    same(op, "hyper", &[4], inputs[names.len()])?;
    same(op, "control", &[4], inputs[names.len() + 1])?;
    match with_segments {
        true => same(op, "segments", &[2 * len.div_ceil(SEGMENT)], inputs[names.len() + 2]),
        false => Ok(()),
    }
}

/// The operands of a step.
#[derive(Debug, Clone, Copy)]
pub struct Step<'a> {
    /// The whole slabs, in the order of the shader's bindings: the outputs for those that change in place.
    pub slabs: &'a [Slot],
    /// Hyper and control, which follow them.
    pub small: [Slot; 2],
    /// The table of segments, the last binding.
    pub segments: Option<Slot>,
}

/// One dispatch for each run of a slab that the adapter can bind. `params` is given the run's floats and the first of
/// its segments within their binding.
///
/// # Errors
/// [`Error::Plan`] where not even one segment can be bound.
pub fn step<P: ParamBlock>(
    call: &Call<'_>,
    shader: &'static str,
    by_quads: bool,
    step: Step<'_>,
    params: impl Fn(u32, u32) -> P,
) -> Result<Lowered> {
    let len = call.inputs[0].shape[0];
    let small = [call.whole(step.small[0])?, call.whole(step.small[1])?];
    let mut lowered = Lowered::default();
    for range in ranges(call, len, SEGMENT)? {
        let mut bindings: Vec<Binding> = step.slabs.iter().map(|&slot| part(slot, &range)).collect();
        bindings.extend(small);
        let mut first = 0;
        if let Some(slot) = step.segments {
            // A pair of floats for every segment; bindings start at whole multiples of 64 floats.
            let pair = range.start / SEGMENT * 2;
            let offset = pair / SEGMENT * SEGMENT;
            let end = pair + range.len().div_ceil(SEGMENT) * 2;
            bindings.push(Binding { slot, offset, len: (end - offset).next_multiple_of(4) });
            first = (pair - offset) / 2;
        }
        let [x, y] = fold(range.len().div_ceil(if by_quads { tile(call) * 4 } else { WG }));
        let launch = Launch::new(shader, &params(range.len() as u32, first as u32), bindings, [x, y, 1]);
        lowered.launches.push(if by_quads { tiled(launch, call) } else { launch });
    }
    Ok(lowered)
}

/// The small operands of a reference case's step: the given hyper-parameters, a control that lets everything pass, and
/// segments that change nothing.
pub fn constants(graph: &mut Graph, attributes: &Attributes<'_>, hyper: [f64; 4]) -> [Value; 3] {
    let pairs = attributes.inputs.first().map_or(0, |param| 2 * param.len().div_ceil(SEGMENT));
    let mut four = |name: &str, values: [f64; 4]| {
        let mut tensor = Tensor::zeros([4]);
        tensor.data_mut().copy_from_slice(&values.map(|value| value as f32));
        graph.constant(name, tensor)
    };
    let (hyper, control) = (four("hyper", hyper), four("control", [0.0, 1.0, 1.0, 0.0]));
    [hyper, control, graph.constant("segments", Tensor::full([pairs], 1.0))]
}

/// A fixed number of outputs.
///
/// # Errors
/// [`Error::Parameter`] for another number, which the op's shape rule excludes.
pub fn outputs<const N: usize>(op: &str, outputs: Vec<Value>) -> Result<[Value; N]> {
    outputs.try_into().map_err(|got: Vec<Value>| Error::parameter(op, format!("has {} outputs", got.len())))
}
