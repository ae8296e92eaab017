//! Bindings and workgroups: one dispatch for each run of samples, or of channels, that the adapter can bind.

use crate::error::Result;
use crate::gpu::{ParamBlock, gpu_params};
use crate::graph::{Layout, Op};
use crate::ops::cut::by_channels;
use crate::ops::flat::{WG, tile, tiled};
use crate::ops::{Call, Launch, Layouts, Lowered, Requires, ShaderInfo, Slot, Version, fold, half};

use super::Scale;

gpu_params! {
    /// The uniform block of every shader of the room.
    pub struct Params {
        n: u32, len: u32, c: u32, plane: u32,
        a_base: u32, a_stride: u32, b_base: u32, b_stride: u32, out_base: u32, out_stride: u32,
        factor: f32, packed: u32,
    }
}

macro_rules! version {
    ($shader:literal, $wide:literal) => {
        Version {
            shader: $shader,
            shaders: &[ShaderInfo { path: $shader, fields: Params::FIELDS }],
            requires: Requires::NOTHING,
            views: true,
            pays: Version::ALWAYS,
            exact: false,
            layouts,
            lower: |call| by_channels(call, |call| lower(call, $shader, $wide)),
        }
    };
}

pub(super) const UNARY: &[Version] = &[
    version!("pointwise/unary_1_direct", false),
    version!("pointwise/unary_2_wide", true),
    half::version!("pointwise/unary_3_half", Params::FIELDS, image_layouts, |call| {
        by_channels(call, |call| lower(call, "pointwise/unary_3_half", true))
    }),
];
pub(super) const BINARY: &[Version] = &[
    version!("pointwise/binary_1_direct", false),
    version!("pointwise/binary_2_wide", true),
    half::version!("pointwise/binary_3_half", Params::FIELDS, image_layouts, |call| {
        by_channels(call, |call| lower(call, "pointwise/binary_3_half", true))
    }),
];

/// All operands take the layout that the first input has, in 32 bits.
fn layouts(_: &dyn Op, inputs: &[&[usize]], _: &[&[usize]], offered: &[Layout]) -> Option<Layouts> {
    let layout = offered[0].single();
    Some(Layouts::new(vec![layout; inputs.len()], [layout]))
}

/// [`layouts`], where that is one of images.
fn image_layouts(op: &dyn Op, inputs: &[&[usize]], outputs: &[&[usize]], offered: &[Layout]) -> Option<Layouts> {
    layouts(op, inputs, outputs, offered).filter(|layouts| layouts.outputs[0].is_image())
}

/// The number by which the shaders know a member.
fn function(op: &dyn Op) -> i64 {
    match op.kernel() {
        "pointwise.relu" | "pointwise.add" => 0,
        "pointwise.sigmoid" | "pointwise.mul" => 1,
        "pointwise.scale" | "pointwise.relu_backward" => 2,
        _ => 3,
    }
}

fn lower(call: &Call<'_>, shader: &'static str, wide: bool) -> Result<Lowered> {
    let mut slots: Vec<Slot> = (0..call.inputs.len()).map(Slot::Input).collect();
    slots.push(Slot::Output(0));
    let output = &call.outputs[0];
    let packed = output.layout.is_image();
    let (c, plane) = match output.shape.as_slice() {
        &[_, c, h, w] if packed => (c, h * w),
        _ => (1, 1),
    };
    let factor = call.op.downcast::<Scale>().map_or(0.0, |scale| scale.factor);
    // Samples follow each other without a gap: then they are one long sample.
    let dense = slots.iter().all(|&slot| call.operand(slot).within.is_none());
    let whole = output.floats() as u64 * 4 <= call.caps.max_binding;
    let mut lowered = Lowered::default();
    let mut push = |windows: &[crate::ops::Window], n: usize, len: usize| {
        let [x, y] = fold(len.div_ceil(if wide { tile(call) * 4 } else { WG }));
        let b = windows[windows.len() - 2];
        let (a, out) = (windows[0], windows[windows.len() - 1]);
        let params = Params {
            n: n as u32,
            len: len as u32,
            c: c as u32,
            plane: plane as u32,
            a_base: a.base,
            a_stride: a.stride,
            b_base: b.base,
            b_stride: b.stride,
            out_base: out.base,
            out_stride: out.stride,
            factor,
            packed: u32::from(packed && !c.is_multiple_of(4)),
        };
        let bindings = windows.iter().map(|window| window.binding).collect();
        let mut launch = Launch::new(shader, &params, bindings, [x, y, n as u32]).var("function", function(call.op));
        if wide {
            launch = tiled(launch, call);
        }
        lowered.launches.push(launch);
    };
    if dense && whole && (!packed || c.is_multiple_of(4)) {
        let all = 0..output.shape.first().copied().unwrap_or(1);
        let windows: Vec<_> = slots.iter().map(|&slot| call.window(slot, &all)).collect();
        push(&windows, 1, output.layout.elements(&output.shape));
        return Ok(lowered);
    }
    if output.layout == Layout::Plain {
        // A sample of a plain value may start in the middle of a quad, so its flat array is cut instead.
        let most = usize::try_from(call.caps.max_binding / 256).unwrap_or(usize::MAX).max(1) * 64;
        let total = output.layout.elements(&output.shape);
        for offset in (0..total).step_by(most) {
            let len = most.min(total - offset);
            let window = |&slot: &Slot| crate::ops::Window {
                binding: crate::ops::Binding { slot, offset, len: len.next_multiple_of(4) },
                base: 0,
                stride: len as u32,
            };
            push(&slots.iter().map(window).collect::<Vec<_>>(), 1, len);
        }
        return Ok(lowered);
    }
    for batch in call.batches(&slots)? {
        let windows: Vec<_> = slots.iter().map(|&slot| call.window(slot, &batch)).collect();
        push(&windows, batch.len(), output.elements());
    }
    Ok(lowered)
}
