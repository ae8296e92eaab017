//! Bindings, workgroups and versions. The first versions take the statistics of a channel in one invocation; the second
//! ones split them into chunks of a sample's pixels, whose size depends on the image alone, and merge those in order.

use crate::error::Result;
use crate::gpu::{ParamBlock, gpu_params};
use crate::graph::{Layout, Op};
use crate::ops::cut::each_part;
use crate::ops::flat::{self, LayoutsFn, WG, wide};
use crate::ops::{Binding, Call, Launch, Layouts, Lowered, Requires, ShaderInfo, Slot, Version, fold};

use super::chunks::{Chunks, Sizes, merged};
use super::{BatchNorm2d, BatchNorm2dBackward};

gpu_params! {
    /// The uniform block of `batch_norm2d/forward_1_statistics`.
    pub struct StatisticsParams {
        n: u32, c: u32, h: u32, w: u32, x_base: u32, x_stride: u32, first: u32, total: u32, squares: u32,
        momentum: f32, eps: f32,
    }
}

gpu_params! {
    /// The uniform block of `batch_norm2d/forward_1_direct`.
    pub struct DirectParams {
        c: u32, plane: u32, len: u32, x_base: u32, x_stride: u32, y_base: u32, y_stride: u32, running: u32, eps: f32,
        r_base: u32, r_stride: u32, m_base: u32, m_stride: u32,
    }
}

gpu_params! {
    /// The uniform block of `batch_norm2d/forward_2_parts`.
    pub struct PartsParams { plane: u32, x_base: u32, x_stride: u32, first: u32, n: u32, chunks: u32, group: u32 }
}

gpu_params! {
    /// The uniform block of `batch_norm2d/forward_2_statistics`.
    pub struct MergeParams {
        c: u32, n: u32, chunks: u32, chunk: u32, plane: u32, momentum: f32, eps: f32,
    }
}

gpu_params! {
    /// The uniform block of `batch_norm2d/forward_2_wide`.
    pub struct WideParams {
        c: u32, plane: u32, x_base: u32, x_stride: u32, y_base: u32, y_stride: u32, eps: f32, group: u32,
        r_base: u32, r_stride: u32, m_base: u32, m_stride: u32,
    }
}

gpu_params! {
    /// The uniform block of `batch_norm2d/backward_1_sums`.
    pub struct SumsParams {
        n: u32, c: u32, h: u32, w: u32, x_base: u32, x_stride: u32, g_base: u32, g_stride: u32, first: u32, total: u32,
        running: u32, eps: f32,
    }
}

gpu_params! {
    /// The uniform block of `batch_norm2d/backward_1_direct`.
    pub struct BackwardParams {
        c: u32, plane: u32, len: u32, x_base: u32, x_stride: u32, g_base: u32, g_stride: u32, dx_base: u32,
        dx_stride: u32, running: u32, count: f32, eps: f32,
    }
}

gpu_params! {
    /// The uniform block of `batch_norm2d/backward_2_parts`.
    pub struct BackwardPartsParams {
        plane: u32, x_base: u32, x_stride: u32, g_base: u32, g_stride: u32, first: u32, n: u32, chunks: u32,
        group: u32,
    }
}

gpu_params! {
    /// The uniform block of `batch_norm2d/backward_2_sums`.
    pub struct BackwardSumsParams { c: u32, parts: u32, eps: f32 }
}

gpu_params! {
    /// The uniform block of `batch_norm2d/backward_2_wide`.
    pub struct BackwardWideParams {
        c: u32, plane: u32, x_base: u32, x_stride: u32, g_base: u32, g_stride: u32, dx_base: u32, dx_stride: u32,
        count: f32, eps: f32, group: u32,
    }
}

gpu_params! {
    /// The uniform block of `batch_norm2d/update_1_direct`.
    pub struct UpdateParams { c: u32 }
}

const STATISTICS: ShaderInfo =
    ShaderInfo { path: "batch_norm2d/forward_1_statistics", fields: StatisticsParams::FIELDS };
const DIRECT: ShaderInfo = ShaderInfo { path: "batch_norm2d/forward_1_direct", fields: DirectParams::FIELDS };
const PARTS: ShaderInfo = ShaderInfo { path: "batch_norm2d/forward_2_parts", fields: PartsParams::FIELDS };
const SUBGROUP_PARTS: ShaderInfo = ShaderInfo { path: "batch_norm2d/forward_3_subgroup", fields: PartsParams::FIELDS };
const MERGE: ShaderInfo = ShaderInfo { path: "batch_norm2d/forward_2_statistics", fields: MergeParams::FIELDS };
const WIDE: ShaderInfo = ShaderInfo { path: "batch_norm2d/forward_2_wide", fields: WideParams::FIELDS };
const SUMS: ShaderInfo = ShaderInfo { path: "batch_norm2d/backward_1_sums", fields: SumsParams::FIELDS };
const BACKWARD_DIRECT: ShaderInfo =
    ShaderInfo { path: "batch_norm2d/backward_1_direct", fields: BackwardParams::FIELDS };
const BACKWARD_PARTS: ShaderInfo =
    ShaderInfo { path: "batch_norm2d/backward_2_parts", fields: BackwardPartsParams::FIELDS };
const BACKWARD_SUBGROUP_PARTS: ShaderInfo =
    ShaderInfo { path: "batch_norm2d/backward_3_subgroup", fields: BackwardPartsParams::FIELDS };
const BACKWARD_SUMS: ShaderInfo =
    ShaderInfo { path: "batch_norm2d/backward_2_sums", fields: BackwardSumsParams::FIELDS };
const BACKWARD_WIDE: ShaderInfo =
    ShaderInfo { path: "batch_norm2d/backward_2_wide", fields: BackwardWideParams::FIELDS };

const UPDATE_DIRECT: ShaderInfo = ShaderInfo { path: "batch_norm2d/update_1_direct", fields: UpdateParams::FIELDS };

const fn version(
    shader: &'static str,
    shaders: &'static [ShaderInfo],
    layouts: LayoutsFn,
    lower: fn(&Call<'_>) -> Result<Lowered>,
) -> Version {
    Version {
        shader,
        shaders,
        requires: Requires::NOTHING,
        views: true,
        pays: Version::ALWAYS,
        exact: false,
        layouts,
        lower,
    }
}

/// A version for subgroups.
const fn by_subgroup(version: Version) -> Version {
    Version { requires: Requires { subgroup: true, ..Requires::NOTHING }, ..version }
}

pub(super) const FORWARD: &[Version] = &[
    version(DIRECT.path, &[STATISTICS, DIRECT], forward_layouts, forward_direct),
    version(WIDE.path, &[PARTS, MERGE, WIDE], forward_layouts, |call| forward_split(call, Chunks::of(call))),
    by_subgroup(version(SUBGROUP_PARTS.path, &[SUBGROUP_PARTS, PARTS, MERGE, WIDE], forward_layouts, |call| {
        forward_split(call, Chunks::of_subgroups(call))
    })),
];

/// Versions whose sums are those of others, those after them, to the bit.
pub(crate) const SAME_BITS: &[(&str, &str)] = &[
    ("batch_norm2d/forward_3_subgroup", "batch_norm2d/forward_2_wide"),
    ("batch_norm2d/backward_3_subgroup", "batch_norm2d/backward_2_wide"),
];

pub(super) const UPDATE: &[Version] = &[flat::version(UPDATE_DIRECT.path, &[UPDATE_DIRECT], flat::all_plain, |call| {
    let c = call.inputs[0].shape[0];
    let slots = [Slot::Output(0), Slot::Output(1), Slot::Input(2), Slot::Input(3), Slot::Input(4)];
    let bindings = slots.iter().map(|&slot| call.whole(slot)).collect::<Result<_>>()?;
    let [x, y] = fold(c.div_ceil(WG));
    let launch = Launch::new(UPDATE_DIRECT.path, &UpdateParams { c: c as u32 }, bindings, [x, y, 1]);
    Ok(Lowered { launches: vec![launch], ..Lowered::default() })
})];

pub(super) const INFERENCE: &[Version] = &[
    version(DIRECT.path, &[DIRECT], forward_layouts, |call| {
        let mut lowered = Lowered::default();
        normalise_direct(call, &mut lowered, true, [Slot::Input(3), Slot::Input(4)])?;
        Ok(lowered)
    }),
    version(WIDE.path, &[WIDE], forward_layouts, |call| {
        let mut lowered = Lowered::default();
        normalise_wide(call, &mut lowered, true, [call.whole(Slot::Input(3))?, call.whole(Slot::Input(4))?])?;
        Ok(lowered)
    }),
];

pub(super) const BACKWARD: &[Version] = &[
    version(BACKWARD_DIRECT.path, &[SUMS, BACKWARD_DIRECT], backward_layouts, backward_direct),
    version(BACKWARD_WIDE.path, &[BACKWARD_PARTS, BACKWARD_SUMS, BACKWARD_WIDE], backward_layouts, |call| {
        backward_split(call, Chunks::of(call))
    }),
    by_subgroup(version(
        BACKWARD_SUBGROUP_PARTS.path,
        &[BACKWARD_SUBGROUP_PARTS, BACKWARD_PARTS, BACKWARD_SUMS, BACKWARD_WIDE],
        backward_layouts,
        |call| backward_split(call, Chunks::of_subgroups(call)),
    )),
];

pub(super) const INFERENCE_BACKWARD: &[Version] = BACKWARD;

fn forward_layouts(_: &dyn Op, _: &[&[usize]], outputs: &[&[usize]], _: &[Layout]) -> Option<Layouts> {
    let mut inputs = vec![Layout::C4];
    inputs.resize(5, Layout::Plain);
    let of_outputs = inputs[..outputs.len()].to_vec();
    Some(Layouts::new(inputs, of_outputs))
}

fn backward_layouts(_: &dyn Op, _: &[&[usize]], _: &[&[usize]], _: &[Layout]) -> Option<Layouts> {
    let (c4, plain) = (Layout::C4, Layout::Plain);
    Some(Layouts::new([c4, plain, plain, plain, c4], [c4, plain, plain]))
}

/// What normalising reads and writes of images.
fn images(call: &Call<'_>) -> Vec<Slot> {
    [Slot::Input(0), Slot::Output(0)].into_iter().chain(call.extra_slots()).collect()
}

fn wholes(call: &Call<'_>, slots: &[Slot]) -> Result<Vec<Binding>> {
    slots.iter().map(|&slot| call.whole(slot)).collect()
}

fn forward_direct(call: &Call<'_>) -> Result<Lowered> {
    let &BatchNorm2d { momentum, eps, .. } = call.op.expect()?;
    let s = Sizes::of(call);
    let outputs = (1..5).map(Slot::Output);
    let slots: Vec<Slot> = [Slot::Input(3), Slot::Input(4)].into_iter().chain(outputs).collect();
    let small = wholes(call, &slots)?;
    let mut lowered = Lowered { workspaces: vec![s.c * 4], ..Lowered::default() };
    let batches = call.batches(&[Slot::Input(0)])?;
    // All sums, then all squares: each goes on from run to run.
    for (squares, batch) in [0, 1].into_iter().flat_map(|squares| batches.iter().map(move |batch| (squares, batch))) {
        let x = call.window(Slot::Input(0), batch);
        let params = StatisticsParams {
            n: batch.len() as u32,
            c: s.c as u32,
            h: s.h as u32,
            w: s.w as u32,
            x_base: x.base,
            x_stride: x.stride,
            first: batch.start as u32,
            total: s.n as u32,
            squares,
            momentum,
            eps,
        };
        let bindings = [&[x.binding], &*small, &[call.workspace(0, 0, s.c * 4)]].concat();
        lowered.launches.push(Launch::new(STATISTICS.path, &params, bindings, [s.c.div_ceil(WG) as u32, 1, 1]));
    }
    normalise_direct(call, &mut lowered, false, [Slot::Output(3), Slot::Output(4)])?;
    Ok(lowered)
}

fn normalise_direct(call: &Call<'_>, lowered: &mut Lowered, running: bool, statistics: [Slot; 2]) -> Result<()> {
    let s = Sizes::of(call);
    let len = s.c4 * 4 * s.plane;
    let small = wholes(call, &[Slot::Input(1), Slot::Input(2), statistics[0], statistics[1]])?;
    for batch in call.batches(&images(call))? {
        let (x, y) = (call.window(Slot::Input(0), &batch), call.window(Slot::Output(0), &batch));
        let extras = call.extras(&batch);
        let [r_base, r_stride, m_base, m_stride] = extras.floats();
        let params = DirectParams {
            c: s.c as u32,
            plane: s.plane as u32,
            len: len as u32,
            x_base: x.base,
            x_stride: x.stride,
            y_base: y.base,
            y_stride: y.stride,
            running: u32::from(running),
            eps: call.op.expect::<BatchNorm2d>()?.eps,
            r_base,
            r_stride,
            m_base,
            m_stride,
        };
        let mut bindings = vec![x.binding];
        bindings.extend(&small);
        bindings.extend(extras.bindings());
        bindings.push(y.binding);
        let [gx, gy] = fold(len.div_ceil(WG));
        let launch = Launch::new(DIRECT.path, &params, bindings, [gx, gy, batch.len() as u32]);
        lowered.launches.push(launch.epilogue(call));
    }
    Ok(())
}

fn forward_split(call: &Call<'_>, chunks: Chunks) -> Result<Lowered> {
    let &BatchNorm2d { momentum, eps, .. } = call.op.expect()?;
    let s = Sizes::of(call);
    let floats = s.c4 * s.n * chunks.count * 12;
    call.check(floats)?;
    let mut lowered = Lowered { workspaces: vec![floats, s.c4 * 8], ..Lowered::default() };
    let (parts, means) = (call.workspace(0, 0, floats), call.workspace(1, 0, s.c4 * 8));
    each_part(call, &[Slot::Input(0)], |part, channels, batch| {
        let x = part.window(Slot::Input(0), batch);
        let params = PartsParams {
            plane: s.plane as u32,
            x_base: x.base / 4,
            x_stride: x.stride / 4,
            first: batch.start as u32,
            n: s.n as u32,
            chunks: chunks.count as u32,
            group: (channels.start / 4) as u32,
        };
        let groups = [chunks.groups() as u32, channels.len().div_ceil(4) as u32, batch.len() as u32];
        let bindings = vec![x.binding, parts];
        lowered.launches.push(chunks.summed(call, [&PARTS, &SUBGROUP_PARTS], &params, bindings, groups));
        Ok(())
    })?;
    let params = MergeParams {
        c: s.c as u32,
        n: s.n as u32,
        chunks: chunks.count as u32,
        chunk: chunks.pixels as u32,
        plane: s.plane as u32,
        momentum,
        eps,
    };
    let mut bindings = vec![parts, call.whole(Slot::Input(3))?, call.whole(Slot::Input(4))?, means];
    bindings.extend(wholes(call, &[Slot::Output(1), Slot::Output(2), Slot::Output(3), Slot::Output(4)])?);
    lowered.launches.push(merged(call, &MERGE, &params, bindings, [s.c4, s.n * chunks.count]));
    normalise_wide(call, &mut lowered, false, [means, call.whole(Slot::Output(4))?])?;
    Ok(lowered)
}

fn normalise_wide(call: &Call<'_>, lowered: &mut Lowered, running: bool, statistics: [Binding; 2]) -> Result<()> {
    let s = Sizes::of(call);
    let small = wholes(call, &[Slot::Input(1), Slot::Input(2)])?;
    each_part(call, &images(call), |part, channels, batch| {
        let (x, y) = (part.window(Slot::Input(0), batch), part.window(Slot::Output(0), batch));
        let extras = part.extras(batch);
        let [r_base, r_stride, m_base, m_stride] = extras.quads();
        let params = WideParams {
            c: s.c as u32,
            plane: s.plane as u32,
            x_base: x.base / 4,
            x_stride: x.stride / 4,
            y_base: y.base / 4,
            y_stride: y.stride / 4,
            eps: call.op.expect::<BatchNorm2d>()?.eps,
            group: (channels.start / 4) as u32,
            r_base,
            r_stride,
            m_base,
            m_stride,
        };
        let mut bindings = vec![x.binding];
        bindings.extend(&small);
        bindings.extend(statistics);
        bindings.extend(extras.bindings());
        bindings.push(y.binding);
        let groups = [s.plane.div_ceil(s.tile) as u32, channels.len().div_ceil(4) as u32, batch.len() as u32];
        let launch = Launch::new(WIDE.path, &params, bindings, groups);
        lowered.launches.push(s.tiled(wide(launch, call)).var("running", running).epilogue(call));
        Ok(())
    })
}

fn backward_direct(call: &Call<'_>) -> Result<Lowered> {
    let &BatchNorm2dBackward { training, eps } = call.op.expect()?;
    let running = u32::from(!training);
    let s = Sizes::of(call);
    let statistics = wholes(call, &[Slot::Input(2), Slot::Input(3)])?;
    let gradients = wholes(call, &[Slot::Output(1), Slot::Output(2)])?;
    let mut lowered = Lowered::default();
    for batch in call.batches(&[Slot::Input(0), Slot::Input(4)])? {
        let (x, g) = (call.window(Slot::Input(0), &batch), call.window(Slot::Input(4), &batch));
        let params = SumsParams {
            n: batch.len() as u32,
            c: s.c as u32,
            h: s.h as u32,
            w: s.w as u32,
            x_base: x.base,
            x_stride: x.stride,
            g_base: g.base,
            g_stride: g.stride,
            first: batch.start as u32,
            total: s.n as u32,
            running,
            eps,
        };
        let bindings = [&[x.binding], &*statistics, &[g.binding], &*gradients].concat();
        lowered.launches.push(Launch::new(SUMS.path, &params, bindings, [s.c.div_ceil(WG) as u32, 1, 1]));
    }
    let len = s.c4 * 4 * s.plane;
    for batch in call.batches(&[Slot::Input(0), Slot::Input(4), Slot::Output(0)])? {
        let [x, g, dx] = [Slot::Input(0), Slot::Input(4), Slot::Output(0)].map(|slot| call.window(slot, &batch));
        let params = BackwardParams {
            c: s.c as u32,
            plane: s.plane as u32,
            len: len as u32,
            x_base: x.base,
            x_stride: x.stride,
            g_base: g.base,
            g_stride: g.stride,
            dx_base: dx.base,
            dx_stride: dx.stride,
            running,
            count: (s.n * s.plane) as f32,
            eps,
        };
        let weight = call.whole(Slot::Input(1))?;
        let bindings = [&[x.binding, weight], &*statistics, &[g.binding], &*gradients, &[dx.binding]].concat();
        let [gx, gy] = fold(len.div_ceil(WG));
        lowered.launches.push(Launch::new(BACKWARD_DIRECT.path, &params, bindings, [gx, gy, batch.len() as u32]));
    }
    Ok(lowered)
}

fn backward_split(call: &Call<'_>, chunks: Chunks) -> Result<Lowered> {
    let &BatchNorm2dBackward { training, eps } = call.op.expect()?;
    let s = Sizes::of(call);
    let floats = s.c4 * s.n * chunks.count * 8;
    call.check(floats)?;
    let mut lowered = Lowered { workspaces: vec![floats], ..Lowered::default() };
    let parts = call.workspace(0, 0, floats);
    let statistics = wholes(call, &[Slot::Input(2), Slot::Input(3)])?;
    let gradients = wholes(call, &[Slot::Output(1), Slot::Output(2)])?;
    each_part(call, &[Slot::Input(0), Slot::Input(4)], |part, channels, batch| {
        let (x, g) = (part.window(Slot::Input(0), batch), part.window(Slot::Input(4), batch));
        let params = BackwardPartsParams {
            plane: s.plane as u32,
            x_base: x.base / 4,
            x_stride: x.stride / 4,
            g_base: g.base / 4,
            g_stride: g.stride / 4,
            first: batch.start as u32,
            n: s.n as u32,
            chunks: chunks.count as u32,
            group: (channels.start / 4) as u32,
        };
        let groups = [chunks.groups() as u32, channels.len().div_ceil(4) as u32, batch.len() as u32];
        let bindings = vec![x.binding, statistics[0], g.binding, parts];
        let shaders = [&BACKWARD_PARTS, &BACKWARD_SUBGROUP_PARTS];
        lowered.launches.push(chunks.summed(call, shaders, &params, bindings, groups));
        Ok(())
    })?;
    let count = s.n * chunks.count;
    let params = BackwardSumsParams { c: s.c as u32, parts: count as u32, eps };
    let bindings = vec![parts, statistics[1], gradients[0], gradients[1]];
    let launch = merged(call, &BACKWARD_SUMS, &params, bindings, [s.c4, count]);
    lowered.launches.push(launch.var("running", !training));
    let images = [Slot::Input(0), Slot::Input(4), Slot::Output(0)];
    each_part(call, &images, |part, channels, batch| {
        let [x, g, dx] = images.map(|slot| part.window(slot, batch));
        let params = BackwardWideParams {
            c: s.c as u32,
            plane: s.plane as u32,
            x_base: x.base / 4,
            x_stride: x.stride / 4,
            g_base: g.base / 4,
            g_stride: g.stride / 4,
            dx_base: dx.base / 4,
            dx_stride: dx.stride / 4,
            count: (s.n * s.plane) as f32,
            eps,
            group: (channels.start / 4) as u32,
        };
        let weight = call.whole(Slot::Input(1))?;
        let bindings = [&[x.binding, weight], &*statistics, &[g.binding], &*gradients, &[dx.binding]].concat();
        let groups = [s.plane.div_ceil(s.tile) as u32, channels.len().div_ceil(4) as u32, batch.len() as u32];
        let launch = Launch::new(BACKWARD_WIDE.path, &params, bindings, groups);
        lowered.launches.push(s.tiled(wide(launch, call)).var("running", !training));
        Ok(())
    })?;
    Ok(lowered)
}
