//! Bindings and workgroups. Where a batch is cut, the sums go on from run to run in the order of its samples.

use crate::error::Result;
use crate::gpu::{ParamBlock, gpu_params};
use crate::graph::{Layout, Op};
use crate::ops::{Call, Launch, Layouts, Lowered, Requires, ShaderInfo, Slot, Version, flat};

gpu_params! {
    /// The uniform block of the `reduce/channel_sum` shaders.
    pub struct Params {
        n: u32, c: u32, plane: u32, x_base: u32, x_stride: u32, first: u32, parts: u32,
    }
}

pub(super) const CHANNEL_SUM: &[Version] = &[
    Version {
        shader: "reduce/channel_sum_1_direct",
        shaders: &[ShaderInfo { path: "reduce/channel_sum_1_direct", fields: Params::FIELDS }],
        requires: Requires::NOTHING,
        views: true,
        pays: Version::ALWAYS,
        exact: true,
        layouts,
        lower: direct,
    },
    Version {
        shader: "reduce/channel_sum_2_split",
        shaders: &[
            ShaderInfo { path: "reduce/channel_sum_2_split", fields: Params::FIELDS },
            ShaderInfo { path: "reduce/channel_sum_2_total", fields: Params::FIELDS },
        ],
        requires: Requires::NOTHING,
        views: true,
        pays: Version::ALWAYS,
        exact: true,
        layouts,
        lower: split,
    },
];

const WG: usize = 64;

fn layouts(_: &dyn Op, _: &[&[usize]], _: &[&[usize]], _: &[Layout]) -> Option<Layouts> {
    Some(Layouts::new([Layout::C4], [Layout::Plain]))
}

fn direct(call: &Call<'_>) -> Result<Lowered> {
    let &[_, c, h, w] = call.inputs[0].shape.as_slice() else { return Ok(Lowered::default()) };
    let mut lowered = Lowered::default();
    for batch in call.batches(&[Slot::Input(0)])? {
        let x = call.window(Slot::Input(0), &batch);
        let params = Params {
            n: batch.len() as u32,
            c: c as u32,
            plane: (h * w) as u32,
            x_base: x.base,
            x_stride: x.stride,
            first: batch.start as u32,
            parts: 1,
        };
        let bindings = vec![x.binding, call.whole(Slot::Output(0))?];
        let groups = [c.div_ceil(WG) as u32, 1, 1];
        lowered.launches.push(Launch::new("reduce/channel_sum_1_direct", &params, bindings, groups));
    }
    Ok(lowered)
}

/// A workgroup sums every 64th pixel of one sample's group of channels; these sums are the parts, which are added in order.
fn split(call: &Call<'_>) -> Result<Lowered> {
    let &[n, c, h, w] = call.inputs[0].shape.as_slice() else { return Ok(Lowered::default()) };
    let c4 = c.div_ceil(4);
    let each = WG * c4 * 4;
    call.check(each)?;
    let most = usize::try_from(call.caps.max_binding / 4).unwrap_or(usize::MAX) / each;
    let batches = call.batches(&[Slot::Input(0)])?;
    let most = batches.first().map_or(n, ExactSizeIterator::len).min(most);
    let mut lowered = Lowered { workspaces: vec![most * each], ..Lowered::default() };
    for start in (0..n).step_by(most) {
        let batch = start..(start + most).min(n);
        let x = call.window(Slot::Input(0), &batch);
        let params = Params {
            n: batch.len() as u32,
            c: c as u32,
            plane: (h * w) as u32,
            x_base: x.base / 4,
            x_stride: x.stride / 4,
            first: start as u32,
            parts: (batch.len() * WG) as u32,
        };
        let parts = call.workspace(0, 0, batch.len() * each);
        let wide = |launch: Launch| launch.var("wide_u64", call.caps.wide_as_u64);
        let groups = [c4 as u32, batch.len() as u32, 1];
        let launch = Launch::new("reduce/channel_sum_2_split", &params, vec![x.binding, parts], groups);
        lowered.launches.push(wide(launch).var("lanes", flat::lanes(call) as i64));
        let bindings = vec![parts, call.whole(Slot::Output(0))?];
        let groups = [c4.div_ceil(WG) as u32, 1, 1];
        lowered.launches.push(wide(Launch::new("reduce/channel_sum_2_total", &params, bindings, groups)));
    }
    Ok(lowered)
}
