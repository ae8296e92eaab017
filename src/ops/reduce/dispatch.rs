//! Bindings and workgroups; the split version cuts at samples and adds its parts in order.

use crate::error::Result;
use crate::gpu::{ParamBlock, gpu_params};
use crate::graph::{Layout, Op};
use crate::ops::{Call, Launch, Layouts, Lowered, Requires, ShaderInfo, Slot, Version};

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
        layouts,
        lower: split,
    },
];

const WG: usize = 64;

fn layouts(_: &dyn Op, _: &[&[usize]], _: &[&[usize]], _: &[Layout]) -> Option<Layouts> {
    Some(Layouts::new([Layout::C4], [Layout::Plain]))
}

fn direct(call: &Call<'_>) -> Result<Lowered> {
    let &[n, c, h, w] = call.inputs[0].shape.as_slice() else { return Ok(Lowered::default()) };
    let x = call.window(Slot::Input(0), &(0..n));
    call.check(x.binding.len)?;
    let params = Params {
        n: n as u32,
        c: c as u32,
        plane: (h * w) as u32,
        x_base: x.base,
        x_stride: x.stride,
        first: 0,
        parts: 1,
    };
    let bindings = vec![x.binding, call.whole(Slot::Output(0))?];
    let groups = [c.div_ceil(WG) as u32, 1, 1];
    let launch = Launch::new("reduce/channel_sum_1_direct", &params, bindings, groups);
    Ok(Lowered { workspaces: vec![], launches: vec![launch] })
}

/// Every lane of a workgroup sums every 64th pixel of one sample's group of channels; the lanes' sums are the parts.
fn split(call: &Call<'_>) -> Result<Lowered> {
    let &[n, c, h, w] = call.inputs[0].shape.as_slice() else { return Ok(Lowered::default()) };
    let c4 = c.div_ceil(4);
    let floats = n * WG * c4 * 4;
    call.check(floats)?;
    let mut lowered = Lowered { workspaces: vec![floats], launches: vec![] };
    let block = |x_base, x_stride, first| Params {
        n: n as u32,
        c: c as u32,
        plane: (h * w) as u32,
        x_base,
        x_stride,
        first,
        parts: (n * WG) as u32,
    };
    for batch in call.batches(&[Slot::Input(0)])? {
        let x = call.window(Slot::Input(0), &batch);
        let params = block(x.base / 4, x.stride / 4, batch.start as u32);
        let bindings = vec![x.binding, call.workspace(0, 0, floats)];
        let groups = [c4 as u32, batch.len() as u32, 1];
        let launch = Launch::new("reduce/channel_sum_2_split", &params, bindings, groups);
        lowered.launches.push(launch.var("wide_u64", call.caps.wide_as_u64));
    }
    let bindings = vec![call.workspace(0, 0, floats), call.whole(Slot::Output(0))?];
    let groups = [c4.div_ceil(WG) as u32, 1, 1];
    let launch = Launch::new("reduce/channel_sum_2_total", &block(0, 0, 0), bindings, groups);
    lowered.launches.push(launch.var("wide_u64", call.caps.wide_as_u64));
    Ok(lowered)
}
