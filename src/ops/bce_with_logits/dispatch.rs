//! Bindings and workgroups: sums of chunks of 1024 elements, then one sum of those.

use crate::error::Result;
use crate::gpu::{ParamBlock, gpu_params};
use crate::ops::flat::{CHUNK, WG, all_plain, part, ranges, version, wide};
use crate::ops::{Call, Launch, Lowered, ShaderInfo, Slot, Version, fold};

gpu_params! {
    /// The uniform block of `bce_with_logits/forward_…`.
    pub struct ChunkParams { len: u32, first: u32, chunks: u32 }
}

gpu_params! {
    /// The uniform block of `bce_with_logits/mean`.
    pub struct MeanParams { chunks: u32, count: f32 }
}

gpu_params! {
    /// The uniform block of `bce_with_logits/backward_…`.
    pub struct BackwardParams { len: u32, count: f32 }
}

const MEAN: ShaderInfo = ShaderInfo { path: "bce_with_logits/mean", fields: MeanParams::FIELDS };

pub(super) const FORWARD: &[Version] = &[
    version(
        "bce_with_logits/forward_1_direct",
        &[ShaderInfo { path: "bce_with_logits/forward_1_direct", fields: ChunkParams::FIELDS }, MEAN],
        all_plain,
        |call| forward(call, "bce_with_logits/forward_1_direct", false),
    ),
    version(
        "bce_with_logits/forward_2_wide",
        &[ShaderInfo { path: "bce_with_logits/forward_2_wide", fields: ChunkParams::FIELDS }, MEAN],
        all_plain,
        |call| forward(call, "bce_with_logits/forward_2_wide", true),
    ),
];

pub(super) const BACKWARD: &[Version] = &[
    version(
        "bce_with_logits/backward_1_direct",
        &[ShaderInfo { path: "bce_with_logits/backward_1_direct", fields: BackwardParams::FIELDS }],
        all_plain,
        |call| backward(call, "bce_with_logits/backward_1_direct", false),
    ),
    version(
        "bce_with_logits/backward_2_wide",
        &[ShaderInfo { path: "bce_with_logits/backward_2_wide", fields: BackwardParams::FIELDS }],
        all_plain,
        |call| backward(call, "bce_with_logits/backward_2_wide", true),
    ),
];

fn elements(call: &Call<'_>) -> usize {
    call.inputs[0].shape.iter().product()
}

fn forward(call: &Call<'_>, shader: &'static str, by_quads: bool) -> Result<Lowered> {
    let len = elements(call);
    let chunks = len.div_ceil(CHUNK);
    call.check(chunks)?;
    let mut lowered = Lowered { workspaces: vec![chunks], ..Lowered::default() };
    let parts = call.workspace(0, 0, chunks);
    for range in ranges(call, len, CHUNK)? {
        let here = range.len().div_ceil(CHUNK);
        let first = (range.start / CHUNK) as u32;
        let params = ChunkParams { len: range.len() as u32, first, chunks: here as u32 };
        let bindings = vec![part(Slot::Input(0), &range), part(Slot::Input(1), &range), parts];
        let [x, y] = fold(here);
        let launch = Launch::new(shader, &params, bindings, [x, y, 1]);
        lowered.launches.push(if by_quads { wide(launch, call) } else { launch });
    }
    let params = MeanParams { chunks: chunks as u32, count: len as f32 };
    let bindings = vec![parts, call.whole(Slot::Output(0))?];
    lowered.launches.push(Launch::new(MEAN.path, &params, bindings, [1; 3]));
    Ok(lowered)
}

fn backward(call: &Call<'_>, shader: &'static str, by_quads: bool) -> Result<Lowered> {
    let len = elements(call);
    let gradient = call.whole(Slot::Input(2))?;
    let mut lowered = Lowered::default();
    for range in ranges(call, len, WG)? {
        let params = BackwardParams { len: range.len() as u32, count: len as f32 };
        let of = |slot| part(slot, &range);
        let bindings = vec![of(Slot::Input(0)), of(Slot::Input(1)), gradient, of(Slot::Output(0))];
        let [x, y] = fold(range.len().div_ceil(if by_quads { WG * 4 } else { WG }));
        let launch = Launch::new(shader, &params, bindings, [x, y, 1]);
        lowered.launches.push(if by_quads { wide(launch, call) } else { launch });
    }
    Ok(lowered)
}
