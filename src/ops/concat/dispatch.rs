//! One dispatch for each input and run of samples, so that any number of inputs can be joined; dispatches write
//! different places, so their order does not matter.

use crate::error::Result;
use crate::gpu::{ParamBlock, gpu_params};
use crate::graph::{Layout, Op};
use crate::ops::image::{self, Pass};
use crate::ops::{Call, Layouts, Lowered, Requires, ShaderInfo, Slot, Version, half};

gpu_params! {
    /// The uniform block of both versions.
    pub struct Params {
        c: u32, h: u32, w: u32, first: u32, len: u32,
        in_base: u32, in_stride: u32, out_base: u32, out_stride: u32,
    }
}

pub(super) const FORWARD: &[Version] = &[
    Version {
        shader: "concat/forward_1_direct",
        shaders: &[ShaderInfo { path: "concat/forward_1_direct", fields: Params::FIELDS }],
        requires: Requires::NOTHING,
        views: true,
        pays: Version::ALWAYS,
        exact: false,
        layouts: image::all_c4,
        lower: |call| forward(call, "concat/forward_1_direct", false),
    },
    Version {
        shader: "concat/forward_2_wide",
        shaders: &[ShaderInfo { path: "concat/forward_2_wide", fields: Params::FIELDS }],
        requires: Requires::NOTHING,
        views: true,
        pays: Version::ALWAYS,
        exact: false,
        layouts: aligned,
        lower: |call| forward(call, "concat/forward_2_wide", true),
    },
    half::version!("concat/forward_3_half", Params::FIELDS, aligned, |call| {
        forward(call, "concat/forward_3_half", true)
    }),
];

/// Every input must start at a group of four channels.
fn aligned(op: &dyn Op, inputs: &[&[usize]], outputs: &[&[usize]], offered: &[Layout]) -> Option<Layouts> {
    let (_, before) = inputs.split_last()?;
    image::all_c4(op, inputs, outputs, offered).filter(|_| before.iter().all(|shape| shape[1].is_multiple_of(4)))
}

fn forward(call: &Call<'_>, shader: &'static str, wide: bool) -> Result<Lowered> {
    let out = &call.outputs[0].shape;
    let (channels, [h, w]) = (out[1], [out[2], out[3]]);
    let mut lowered = Lowered::default();
    let mut first = 0;
    for (at, input) in call.inputs.iter().enumerate() {
        let c = input.shape[1];
        // The last input's dispatch writes the pad lanes too.
        let end = if first + c == channels { channels.next_multiple_of(4) } else { first + c };
        let span = end - first;
        let each = if wide { c.div_ceil(4) } else { span } * h * w;
        let pass = Pass { shader, batched: &[Slot::Input(at), Slot::Output(0)], whole: &[], wide, each, moves: 2 };
        let part = image::lower(call, &pass, |_, windows, len| Params {
            c: c as u32,
            h: h as u32,
            w: w as u32,
            first: first as u32,
            len,
            in_base: windows[0].base,
            in_stride: windows[0].stride,
            out_base: windows[1].base,
            out_stride: windows[1].stride,
        })?;
        lowered.launches.extend(part.launches);
        first += c;
    }
    Ok(lowered)
}
