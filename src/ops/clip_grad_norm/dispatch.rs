//! Bindings and workgroups: for each gradient sums of chunks, then one total.

use crate::error::Result;
use crate::gpu::{ParamBlock, gpu_params};
use crate::graph::{Layout, Op};
use crate::ops::flat::{CHUNK, WG, part, ranges, summing_lanes, version, wide};
use crate::ops::{Call, Launch, Layouts, Lowered, Operand, ShaderInfo, Slot, Version, Worth, fold};

use super::GradNorm;

gpu_params! {
    /// The uniform block of `clip_grad_norm/norm_…`.
    pub struct ChunkParams { len: u32, first: u32, chunks: u32 }
}

gpu_params! {
    /// The uniform block of `clip_grad_norm/total`.
    pub struct TotalParams { chunks: u32, clip: u32, max_norm: f32 }
}

gpu_params! {
    /// The uniform block of `clip_grad_norm/apply_…`.
    pub struct ApplyParams { len: u32 }
}

const TOTAL: ShaderInfo = ShaderInfo { path: "clip_grad_norm/total", fields: TotalParams::FIELDS };

/// Floats of one partial sum of `clip_grad_norm/norm_3_block`.
const BLOCK: usize = 8 * CHUNK;

pub(super) const NORM: &[Version] = &[
    version(
        "clip_grad_norm/norm_1_direct",
        &[ShaderInfo { path: "clip_grad_norm/norm_1_direct", fields: ChunkParams::FIELDS }, TOTAL],
        norm_layouts,
        |call| norm(call, "clip_grad_norm/norm_1_direct", Sums::Floats),
    ),
    version(
        "clip_grad_norm/norm_2_wide",
        &[ShaderInfo { path: "clip_grad_norm/norm_2_wide", fields: ChunkParams::FIELDS }, TOTAL],
        norm_layouts,
        |call| norm(call, "clip_grad_norm/norm_2_wide", Sums::Quads),
    ),
    Version {
        // What is cut is cut between chunks.
        pays: |prospect| match prospect.caps.max_binding < BLOCK as u64 * 4 {
            true => Worth::Impossible,
            false => Worth::Faster,
        },
        ..version(
            "clip_grad_norm/norm_3_block",
            &[ShaderInfo { path: "clip_grad_norm/norm_3_block", fields: ChunkParams::FIELDS }, TOTAL],
            norm_layouts,
            |call| norm(call, "clip_grad_norm/norm_3_block", Sums::Blocks),
        )
    },
];

pub(super) const APPLY: &[Version] = &[
    version(
        "clip_grad_norm/apply_1_direct",
        &[ShaderInfo { path: "clip_grad_norm/apply_1_direct", fields: ApplyParams::FIELDS }],
        apply_layouts,
        |call| apply(call, "clip_grad_norm/apply_1_direct", false),
    ),
    version(
        "clip_grad_norm/apply_2_wide",
        &[ShaderInfo { path: "clip_grad_norm/apply_2_wide", fields: ApplyParams::FIELDS }],
        apply_layouts,
        |call| apply(call, "clip_grad_norm/apply_2_wide", true),
    ),
];

/// Gradients as they are: the pads of every layout are zero.
fn norm_layouts(_: &dyn Op, _: &[&[usize]], _: &[&[usize]], offered: &[Layout]) -> Option<Layouts> {
    let mut inputs = offered.to_vec();
    *inputs.last_mut()? = Layout::Plain;
    Some(Layouts::new(inputs, [Layout::Plain; 2]))
}

fn apply_layouts(_: &dyn Op, _: &[&[usize]], _: &[&[usize]], offered: &[Layout]) -> Option<Layouts> {
    Some(Layouts::new([offered[0], Layout::Plain], [offered[0]]))
}

/// The floats that count: a plain value's last quad may hold anything beyond its elements.
fn floats(operand: &Operand) -> usize {
    match operand.layout {
        Layout::Plain => operand.shape.iter().product(),
        _ => operand.floats(),
    }
}

/// How a version sums.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sums {
    Floats,
    Quads,
    Blocks,
}

fn norm(call: &Call<'_>, shader: &'static str, sums: Sums) -> Result<Lowered> {
    let max_norm = call.op.expect::<GradNorm>()?.max_norm;
    let gradients = call.inputs.len() - 1;
    let chunk = if sums == Sums::Blocks { BLOCK } else { CHUNK };
    let chunks: usize = call.inputs[..gradients].iter().map(|operand| floats(operand).div_ceil(chunk)).sum();
    call.check(chunks)?;
    let mut lowered = Lowered { workspaces: vec![chunks], ..Lowered::default() };
    let parts = call.workspace(0, 0, chunks);
    let mut first = 0;
    for (at, operand) in call.inputs[..gradients].iter().enumerate() {
        for range in ranges(call, floats(operand), chunk)? {
            let here = range.len().div_ceil(chunk);
            let params = ChunkParams { len: range.len() as u32, first: first as u32, chunks: here as u32 };
            let [x, y] = fold(here);
            let launch = Launch::new(shader, &params, vec![part(Slot::Input(at), &range), parts], [x, y, 1]);
            lowered.launches.push(match sums {
                Sums::Floats => launch,
                Sums::Quads => wide(launch, call),
                Sums::Blocks => wide(launch, call).var("lanes", summing_lanes(call) as i64),
            });
            first += here;
        }
    }
    let clip = max_norm.is_finite();
    let max_norm = if clip { max_norm } else { 0.0 };
    let params = TotalParams { chunks: chunks as u32, clip: u32::from(clip), max_norm };
    let small = [Slot::Input(gradients), Slot::Output(0), Slot::Output(1)];
    let mut bindings = vec![parts];
    for slot in small {
        bindings.push(call.whole(slot)?);
    }
    lowered.launches.push(Launch::new(TOTAL.path, &params, bindings, [1; 3]));
    Ok(lowered)
}

fn apply(call: &Call<'_>, shader: &'static str, by_quads: bool) -> Result<Lowered> {
    let control = call.whole(Slot::Input(1))?;
    let mut lowered = Lowered::default();
    for range in ranges(call, call.inputs[0].floats(), WG)? {
        let params = ApplyParams { len: range.len() as u32 };
        let bindings = vec![part(Slot::Input(0), &range), control, part(Slot::Output(0), &range)];
        let [x, y] = fold(range.len().div_ceil(if by_quads { WG * 4 } else { WG }));
        let launch = Launch::new(shader, &params, bindings, [x, y, 1]);
        lowered.launches.push(if by_quads { wide(launch, call) } else { launch });
    }
    Ok(lowered)
}
