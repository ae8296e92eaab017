//! One dispatch for each run of samples, or of channels, that the adapter can bind; a weight is converted whole.

use crate::error::Result;
use crate::gpu::{ParamBlock, gpu_params};
use crate::graph::{Layout, Op};
use crate::ops::cut::by_channels_of;
use crate::ops::image::{self, Pass};
use crate::ops::{Call, Launch, Layouts, Lowered, Requires, ShaderInfo, Slot, Version, fold, half};

use super::Convert;

gpu_params! {
    /// The uniform block of versions 1 and 3.
    pub struct Params {
        da: u32, db: u32, dy: u32, dx: u32, len: u32, in_base: u32, in_stride: u32, out_base: u32, out_stride: u32,
    }
}

gpu_params! {
    /// The uniform block of `layout/convert_2_pixels`.
    pub struct PixelsParams {
        c: u32, quads: u32, len: u32, in_base: u32, in_stride: u32, out_base: u32, out_stride: u32,
    }
}

macro_rules! version {
    ($shader:literal, $requires:expr) => {
        Version {
            shader: $shader,
            shaders: &[ShaderInfo { path: $shader, fields: Params::FIELDS }],
            requires: $requires,
            views: true,
            pays: Version::ALWAYS,
            exact: false,
            layouts: |op, _, _, _| layouts(op, $requires.half),
            lower: |call| by_parts(call, $shader),
        }
    };
}

pub(super) const CONVERT: &[Version] = &[
    version!("layout/convert_1_direct", Requires::NOTHING),
    Version {
        shader: "layout/convert_2_pixels",
        shaders: &[ShaderInfo { path: "layout/convert_2_pixels", fields: PixelsParams::FIELDS }],
        requires: Requires::NOTHING,
        views: true,
        pays: Version::ALWAYS,
        exact: false,
        layouts: image_layouts,
        lower: |call| by_channels_of(call, &SLOTS, pixels),
    },
    version!("layout/convert_3_half", Requires::HALF),
];

const WG: usize = 64;

/// Both are in 32 bits or, where `half`, one of them is in 16.
fn layouts(op: &dyn Op, half: bool) -> Option<Layouts> {
    let &Convert { from, to } = op.downcast::<Convert>()?;
    let halves = [from, to].into_iter().filter(|layout| layout.is_half()).count();
    (halves == usize::from(half)).then(|| Layouts::new([from], [to]))
}

/// Images whose planes are whole quads.
fn image_layouts(op: &dyn Op, inputs: &[&[usize]], _: &[&[usize]], _: &[Layout]) -> Option<Layouts> {
    let of_both = layouts(op, false)?;
    let image =
        matches!((of_both.inputs[0], of_both.outputs[0]), (Layout::Plain, Layout::C4) | (Layout::C4, Layout::Plain));
    match *inputs[0] {
        [_, _, h, w] if image && (h * w).is_multiple_of(4) => Some(of_both),
        _ => None,
    }
}

fn number(layout: Layout) -> i64 {
    match layout.single() {
        Layout::C4 => 1,
        Layout::Oihw4 => 2,
        Layout::Iohw4 => 3,
        _ => 0,
    }
}

const SLOTS: [Slot; 2] = [Slot::Input(0), Slot::Output(0)];

fn weight(layout: Layout) -> bool {
    matches!(layout.single(), Layout::Oihw4 | Layout::Iohw4)
}

fn by_parts(call: &Call<'_>, shader: &'static str) -> Result<Lowered> {
    let convert = call.op.expect::<Convert>()?;
    match call.outputs[0].shape.len() == 4 && !weight(convert.from) && !weight(convert.to) {
        true => by_channels_of(call, &SLOTS, |call| lower(call, shader)),
        false => lower(call, shader),
    }
}

fn lower(call: &Call<'_>, shader: &'static str) -> Result<Lowered> {
    let convert = call.op.expect::<Convert>()?;
    let slots = SLOTS;
    let [n, b, y, x] = match call.outputs[0].shape.as_slice() {
        &[n, b, y, x] => [n, b, y, x],
        flat => [1, 1, 1, flat.iter().product()],
    };
    let cut = !weight(convert.from) && !weight(convert.to);
    let batches = match cut {
        true => call.batches(&slots)?,
        false => std::iter::once(0..n).collect(),
    };
    let mut lowered = Lowered::default();
    for batch in batches {
        let [from, to] = slots.map(|slot| call.window(slot, &batch));
        let (from, to) = match cut {
            true => (from, to),
            false => {
                let whole = |slot, window: crate::ops::Window| -> Result<_> {
                    Ok(crate::ops::Window { binding: call.whole(slot)?, ..window })
                };
                (whole(slots[0], from)?, whole(slots[1], to)?)
            }
        };
        // One invocation a place of the output, pad lanes too.
        let len = match cut {
            true => batch.len() * call.outputs[0].elements(),
            false if convert.to.is_half() => convert.to.elements(&call.outputs[0].shape),
            false => call.outputs[0].floats(),
        };
        let params = Params {
            da: batch.len() as u32,
            db: b as u32,
            dy: y as u32,
            dx: x as u32,
            len: len as u32,
            in_base: from.base,
            in_stride: from.stride,
            out_base: to.base,
            out_stride: to.stride,
        };
        let narrow = convert.to.is_half();
        let halves = narrow || convert.from.is_half();
        let [gx, gy] = fold(len.div_ceil(if halves { WG * 4 } else { WG }));
        let bindings = vec![from.binding, to.binding];
        let launch = Launch::new(shader, &params, bindings, [gx, gy, 1]);
        let launch = launch.var("from", number(convert.from)).var("to", number(convert.to));
        lowered.launches.push(match halves {
            true => half::launch(launch, call).var("narrow", narrow),
            false => launch,
        });
    }
    Ok(lowered)
}

/// One invocation for each four pixels of four channels.
fn pixels(call: &Call<'_>) -> Result<Lowered> {
    let convert = call.op.expect::<Convert>()?;
    let [_, c, h, w] = image::four(convert.kernel(), "input", &call.inputs[0].shape)?;
    let quads = h * w / 4;
    let pass = Pass {
        shader: "layout/convert_2_pixels",
        batched: &SLOTS,
        whole: &[],
        wide: true,
        each: c.div_ceil(4) * quads,
        moves: 4 + c.min(4),
    };
    let lowered = image::lower(call, &pass, |_, at, len| PixelsParams {
        c: c as u32,
        quads: quads as u32,
        len,
        in_base: at[0].base / 4,
        in_stride: at[0].stride / 4,
        out_base: at[1].base / 4,
        out_stride: at[1].stride / 4,
    })?;
    let pack = convert.to == Layout::C4;
    let launches = lowered.launches.into_iter().map(|launch| launch.var("pack", pack)).collect();
    Ok(Lowered { launches, ..lowered })
}
