//! Bindings and workgroups: sums of chunks of 1024 elements of an image, the image's sums, then the mean of the losses
//! or the gradient.

use crate::error::Result;
use crate::gpu::{ParamBlock, gpu_params};
use crate::ops::flat::{CHUNK, WG, all_plain, part, ranges, version, wide};
use crate::ops::{Binding, Call, Launch, Lowered, ShaderInfo, Slot, Version, fold};

use super::{DiceLoss, DiceLossBackward};

gpu_params! {
    /// The uniform block of `dice_loss/sums_…`.
    pub struct ChunkParams { len: u32, base: u32, stride: u32, first: u32, chunks: u32 }
}

gpu_params! {
    /// The uniform block of `dice_loss/image_sums` and `dice_loss/mean`.
    pub struct ImageParams { chunks: u32, n: u32, added: f32 }
}

gpu_params! {
    /// The uniform block of `dice_loss/backward_…`.
    pub struct BackwardParams { len: u32, base: u32, n: u32, floats: u32, added: f32 }
}

const DIRECT: ShaderInfo = ShaderInfo { path: "dice_loss/sums_1_direct", fields: ChunkParams::FIELDS };
const WIDE: ShaderInfo = ShaderInfo { path: "dice_loss/sums_2_wide", fields: ChunkParams::FIELDS };
const IMAGE: ShaderInfo = ShaderInfo { path: "dice_loss/image_sums", fields: ImageParams::FIELDS };
const MEAN: ShaderInfo = ShaderInfo { path: "dice_loss/mean", fields: ImageParams::FIELDS };

pub(super) const FORWARD: &[Version] = &[
    version("dice_loss/sums_1_direct", &[DIRECT, IMAGE, MEAN], all_plain, |call| forward(call, false)),
    version("dice_loss/sums_2_wide", &[WIDE, IMAGE, MEAN], all_plain, |call| forward(call, true)),
];

pub(super) const BACKWARD: &[Version] = &[
    version(
        "dice_loss/backward_1_direct",
        &[ShaderInfo { path: "dice_loss/backward_1_direct", fields: BackwardParams::FIELDS }, DIRECT, IMAGE],
        all_plain,
        |call| backward(call, "dice_loss/backward_1_direct", false),
    ),
    version(
        "dice_loss/backward_2_wide",
        &[ShaderInfo { path: "dice_loss/backward_2_wide", fields: BackwardParams::FIELDS }, WIDE, IMAGE],
        all_plain,
        |call| backward(call, "dice_loss/backward_2_wide", true),
    ),
];

/// The dispatches that leave every image's four sums in the binding that is returned.
fn sums(call: &Call<'_>, lowered: &mut Lowered, smooth: f32, by_quads: bool) -> Result<Binding> {
    let n = call.inputs[0].shape[0];
    let len = call.inputs[0].sample();
    // An image may start up to three floats after a multiple of four.
    let chunks = (len + 3).div_ceil(CHUNK);
    let floats = n * chunks * 4;
    call.check(floats)?;
    lowered.workspaces = vec![floats, n * 4];
    let (parts, sums) = (call.workspace(0, 0, floats), call.workspace(1, 0, n * 4));
    for batch in call.batches(&[Slot::Input(0), Slot::Input(1)])? {
        let (x, t) = (call.window(Slot::Input(0), &batch), call.window(Slot::Input(1), &batch));
        let first = batch.start as u32;
        let params = ChunkParams { len: len as u32, base: x.base, stride: x.stride, first, chunks: chunks as u32 };
        let groups = [chunks as u32, batch.len() as u32, 1];
        let shader = if by_quads { WIDE.path } else { DIRECT.path };
        let launch = Launch::new(shader, &params, vec![x.binding, t.binding, parts], groups);
        lowered.launches.push(if by_quads { wide(launch, call) } else { launch });
    }
    let params = ImageParams { chunks: chunks as u32, n: n as u32, added: smooth };
    let launch = Launch::new(IMAGE.path, &params, vec![parts, sums], [n as u32, 1, 1]);
    lowered.launches.push(wide(launch, call));
    Ok(sums)
}

fn forward(call: &Call<'_>, by_quads: bool) -> Result<Lowered> {
    let smooth = call.op.expect::<DiceLoss>()?.smooth;
    let mut lowered = Lowered::default();
    let sums = sums(call, &mut lowered, smooth, by_quads)?;
    let params = ImageParams { chunks: 0, n: call.inputs[0].shape[0] as u32, added: smooth };
    let launch = Launch::new(MEAN.path, &params, vec![sums, call.whole(Slot::Output(0))?], [1; 3]);
    lowered.launches.push(wide(launch, call));
    Ok(lowered)
}

fn backward(call: &Call<'_>, shader: &'static str, by_quads: bool) -> Result<Lowered> {
    let smooth = call.op.expect::<DiceLossBackward>()?.loss.smooth;
    let mut lowered = Lowered::default();
    let sums = sums(call, &mut lowered, smooth, by_quads)?;
    let gradient = call.whole(Slot::Input(2))?;
    let n = call.inputs[0].shape[0];
    let len = call.inputs[0].sample();
    for range in ranges(call, n * len, WG)? {
        let (base, floats) = (range.start as u32, range.len() as u32);
        let params = BackwardParams { len: len as u32, base, n: n as u32, floats, added: smooth };
        let of = |slot| part(slot, &range);
        let bindings = vec![of(Slot::Input(0)), of(Slot::Input(1)), sums, gradient, of(Slot::Output(0))];
        let [x, y] = fold(range.len().div_ceil(if by_quads { WG * 4 } else { WG }));
        let launch = Launch::new(shader, &params, bindings, [x, y, 1]);
        lowered.launches.push(if by_quads { wide(launch, call) } else { launch });
    }
    Ok(lowered)
}
