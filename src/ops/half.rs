//! What versions share that store values in 16 bits: `common/wide` packs and unpacks them, and every product and sum is
//! f32. A value beyond the range of 16 bits, or none at all, is noted, and stored as NaN.

use super::{Binding, Call, Launch, Lowered, Slot};

/// The greatest share of a value, beyond what f32 costs, that is lost where it is rounded to 16 bits.
pub const ROUNDING: f64 = 1.0 / 2048.0;
/// Floats of the note of one call.
pub const NOTE: usize = 4;

/// The version of another's shape rule and lowering that stores its images in 16 bits; `$layouts` and `$lower` are those for
/// 32.
macro_rules! version {
    ($shader:literal, $fields:expr, $layouts:path, $lower:expr) => {
        $crate::ops::Version {
            shader: $shader,
            shaders: &[$crate::ops::ShaderInfo { path: $shader, fields: $fields }],
            requires: $crate::ops::Requires::HALF,
            views: true,
            pays: $crate::ops::Version::ALWAYS,
            exact: false,
            layouts: |op, inputs, outputs, offered| {
                $layouts(op, inputs, outputs, offered).map($crate::ops::Layouts::halved)
            },
            lower: |call| {
                let lower: fn(&$crate::ops::Call<'_>) -> $crate::error::Result<$crate::ops::Lowered> = $lower;
                Ok($crate::ops::half::lowered(lower(call)?, call))
            },
        }
    };
}
pub(crate) use version;

/// A launch whose images lie in 16 bits.
#[must_use]
pub fn launch(launch: Launch, call: &Call<'_>) -> Launch {
    let launch = launch.var("half", true).var("wide_u64", call.caps.wide_as_u64);
    if !call.outputs.iter().any(|output| output.layout.is_half()) {
        return launch.var("guard", 0);
    }
    let mut launch = launch;
    launch.bindings.push(Binding { slot: Slot::Guard, offset: 0, len: NOTE });
    let guard = launch.bindings.len();
    launch.var("guard", guard as i64)
}

/// The launches of a call whose images lie in 16 bits, as they are for images in 32.
#[must_use]
pub fn lowered(lowered: Lowered, call: &Call<'_>) -> Lowered {
    let launches = lowered.launches.into_iter().map(|single| launch(single, call));
    Lowered { launches: launches.collect(), ..lowered }
}
