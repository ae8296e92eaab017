//! What the rooms of ops on images share: checks of shapes and attributes, and the dispatches of a kernel that has one
//! invocation for each float, or each four channels, of what it writes.

use std::ops::Range;

use crate::error::{Error, Result};
use crate::gpu::ParamBlock;
use crate::graph::{Layout, Op};

use super::{Attributes, Binding, Call, Launch, Layouts, Lowered, Slot, Window, flat, fold};

const WG: usize = 64;
/// Workgroups that one axis may have.
const LAYERS: usize = 65_535;

/// The sizes (n, c, h, w) of an operand.
///
/// # Errors
/// [`Error::Shape`] where it has not four dimensions.
pub fn four(op: &str, what: &str, shape: &[usize]) -> Result<[usize; 4]> {
    shape.try_into().map_err(|_| Error::shape(op, what, "four dimensions", shape))
}

/// Exactly `N` inputs.
///
/// # Errors
/// [`Error::Parameter`] for another number of them.
pub fn inputs<'a, const N: usize>(op: &str, inputs: &[&'a [usize]]) -> Result<[&'a [usize]; N]> {
    inputs.try_into().map_err(|_| Error::parameter(op, format!("takes {N} inputs, got {}", inputs.len())))
}

/// Refuses an operand whose shape is not `expected`.
///
/// # Errors
/// [`Error::Shape`].
pub fn same(op: &str, what: &str, shape: &[usize], expected: &[usize]) -> Result<()> {
    match shape == expected {
        true => Ok(()),
        false => Err(Error::shape(op, what, format!("{expected:?}"), shape)),
    }
}

/// Refuses an attribute of a reference case that is there and is not the one value that is supported.
///
/// # Errors
/// [`Error::Parameter`].
pub fn only(attributes: &Attributes<'_>, key: &str, supported: impl Into<serde_json::Value>) -> Result<()> {
    let (got, supported) = (&attributes.json[key], supported.into());
    match got.is_null() || *got == supported {
        true => Ok(()),
        false => Err(Error::parameter(attributes.op, format!("{key} is {got}, only {supported} is supported"))),
    }
}

/// Every operand in C4.
pub fn all_c4(_: &dyn Op, inputs: &[&[usize]], outputs: &[&[usize]], _: &[Layout]) -> Option<Layouts> {
    let four = |shapes: &[&[usize]]| shapes.iter().all(|shape| shape.len() == 4);
    (four(inputs) && four(outputs))
        .then(|| Layouts::new(vec![Layout::C4; inputs.len()], vec![Layout::C4; outputs.len()]))
}

/// A kernel with independent invocations over samples.
#[derive(Debug)]
pub struct Pass<'a> {
    /// Its shader.
    pub shader: &'static str,
    /// The operands that are bound by samples; the last is written.
    pub batched: &'a [Slot],
    /// The operands that are bound whole, between the others and the one that is written.
    pub whole: &'a [Slot],
    /// Whether it moves four channels at a time.
    pub wide: bool,
    /// Invocations a sample.
    pub each: usize,
    /// Loads and stores of an invocation.
    pub moves: usize,
}

impl<'a> Pass<'a> {
    /// One invocation for each element of a C4 output, or, where `wide`, for each four channels of a pixel.
    #[must_use]
    pub fn over_output(call: &Call<'_>, shader: &'static str, batched: &'a [Slot], wide: bool, moves: usize) -> Self {
        let each = batched.last().map_or(0, |&slot| call.operand(slot).elements());
        Self { shader, batched, whole: &[], wide, each: if wide { each / 4 } else { each }, moves }
    }

    /// The dispatch of a run of `samples`.
    #[must_use]
    pub fn launch<P: ParamBlock>(&self, call: &Call<'_>, block: &P, bindings: Vec<Binding>, samples: usize) -> Launch {
        let tile = if self.wide { flat::tile(call) } else { WG };
        let [x, y] = fold(self.each.div_ceil(tile));
        let bytes = if self.wide { 16 } else { 4 } * self.moves * self.each * samples;
        let launch = Launch::new(self.shader, block, bindings, [x, y, samples as u32]).work(bytes as u64);
        if self.wide { flat::tiled(launch, call) } else { launch }
    }
}

/// The runs of samples of a pass: what the adapter can bind, a sample being a layer of workgroups.
///
/// # Errors
/// [`Error::Plan`] where one sample passes the adapter's limit.
pub fn runs(call: &Call<'_>, pass: &Pass<'_>) -> Result<Vec<Range<usize>>> {
    let layers = |run: Range<usize>| {
        let end = run.end;
        run.step_by(LAYERS).map(move |start| start..(start + LAYERS).min(end))
    };
    Ok(call.batches(pass.batched)?.into_iter().flat_map(layers).collect())
}

/// One dispatch for each run of samples. `params` makes the uniform block from the run, the windows of the batched
/// operands, and the number of invocations a sample.
///
/// # Errors
/// [`Error::Plan`] where one sample, or an operand that is bound whole, passes the adapter's limit.
pub fn lower<P: ParamBlock>(
    call: &Call<'_>,
    pass: &Pass<'_>,
    params: impl Fn(&Range<usize>, &[Window], u32) -> P,
) -> Result<Lowered> {
    let mut lowered = Lowered::default();
    for batch in runs(call, pass)? {
        let windows: Vec<Window> = pass.batched.iter().map(|&slot| call.window(slot, &batch)).collect();
        let mut bindings: Vec<_> = windows.iter().map(|window| window.binding).collect();
        let written = bindings.pop();
        for &slot in pass.whole {
            bindings.push(call.whole(slot)?);
        }
        bindings.extend(written);
        let block = params(&batch, &windows, pass.each as u32);
        lowered.launches.push(pass.launch(call, &block, bindings, batch.len()));
    }
    Ok(lowered)
}
