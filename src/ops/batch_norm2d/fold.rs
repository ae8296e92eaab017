//! Batch normalisation by running statistics as a part of the convolution before it: what plans put in their place.

use crate::error::{Error, Result};
use crate::gpu::{ParamBlock, gpu_params};
use crate::graph::{Layout, Op};
use crate::ops::flat::{WG, same};
use crate::ops::{Array, Call, Launch, Layouts, Lowered, Real, Requires, ShaderInfo, Slot, Version, fold as groups};

const KERNEL: &str = "batch_norm2d.fold";

/// A convolution's weight and bias with the [`BatchNorm2d`](super::BatchNorm2d) that follows it taken in: with
/// s = weight of the norm / √(running variance + eps), weight·s and (bias − running mean)·s + bias of the norm. Inputs:
/// weight (four dimensions), perhaps bias, and the norm's weight, bias, running mean and running variance; outputs
/// (weight, bias).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BatchNorm2dFold {
    /// As the norm's.
    pub eps: f32,
    /// The dimension of the convolution's weight that is its output's channels: 0, or 1 of a transposed convolution.
    pub channels: usize,
}

impl Op for BatchNorm2dFold {
    fn kernel(&self) -> &'static str {
        KERNEL
    }

    fn outputs(&self, inputs: &[&[usize]]) -> Result<Vec<Vec<usize>>> {
        let (&[weight, ref vectors @ ..], 5 | 6) = (inputs, inputs.len()) else {
            return Err(Error::parameter(KERNEL, format!("takes 5 or 6 inputs, got {}", inputs.len())));
        };
        if weight.len() != 4 || self.channels > 1 {
            return Err(Error::shape(KERNEL, "weight", "four dimensions, channels in the first or second", weight));
        }
        let c = weight[self.channels];
        vectors.iter().try_for_each(|shape| same(KERNEL, "a vector of channels", &[c], shape))?;
        Ok(vec![weight.to_vec(), vec![c]])
    }
}

pub(super) fn twin<T: Real>(op: &dyn Op, inputs: &[&Array<T>]) -> Result<Vec<Array<T>>> {
    let op = op.expect::<BatchNorm2dFold>()?;
    let (weight, of_norm) = (inputs[0], &inputs[inputs.len() - 4..]);
    let dims = weight.dims4();
    let eps = T::of(f64::from(op.eps));
    let scale: Vec<T> =
        of_norm[0].data.iter().zip(&of_norm[3].data).map(|(&w, &variance)| w / (variance + eps).sqrt()).collect();
    let mut out = weight.clone();
    let inner: usize = dims[op.channels + 1..].iter().product();
    for (at, value) in out.data.iter_mut().enumerate() {
        *value *= scale[at / inner % dims[op.channels]];
    }
    let mut bias = of_norm[1].clone();
    for (c, value) in bias.data.iter_mut().enumerate() {
        let own = if inputs.len() > 5 { inputs[1].data[c] } else { T::zero() };
        *value += (own - of_norm[2].data[c]) * scale[c];
    }
    Ok(vec![out, bias])
}

gpu_params! {
    /// The uniform block of `batch_norm2d/fold_1_direct`.
    pub struct FoldParams { quads: u32, rows: u32, c: u32, eps: f32 }
}

pub(super) const VERSIONS: &[Version] = &[Version {
    shader: "batch_norm2d/fold_1_direct",
    shaders: &[ShaderInfo { path: "batch_norm2d/fold_1_direct", fields: FoldParams::FIELDS }],
    requires: Requires::NOTHING,
    views: false,
    pays: Version::ALWAYS,
    exact: false,
    layouts,
    lower,
}];

fn layouts(op: &dyn Op, inputs: &[&[usize]], _: &[&[usize]], _: &[Layout]) -> Option<Layouts> {
    let packed = if op.downcast::<BatchNorm2dFold>()?.channels == 0 { Layout::Oihw4 } else { Layout::Iohw4 };
    let mut layouts = vec![packed];
    layouts.resize(inputs.len(), Layout::Plain);
    Some(Layouts::new(layouts, [packed, Layout::Plain]))
}

fn lower(call: &Call<'_>) -> Result<Lowered> {
    let op = call.op.expect::<BatchNorm2dFold>()?;
    let weight = &call.inputs[0];
    let quads = weight.floats() / 4;
    let c = weight.shape[op.channels];
    let params = FoldParams { quads: quads as u32, rows: (quads / c) as u32, c: c as u32, eps: op.eps };
    let slots = (0..call.inputs.len()).map(Slot::Input).chain([Slot::Output(0), Slot::Output(1)]);
    let bindings = slots.map(|slot| call.whole(slot)).collect::<Result<_>>()?;
    let [x, y] = groups(quads.div_ceil(WG));
    let launch = Launch::new(VERSIONS[0].shader, &params, bindings, [x, y, 1]);
    Ok(Lowered { launches: vec![launch.var("bias", call.inputs.len() > 5)], ..Lowered::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn array(shape: &[usize], data: &[f64]) -> Array<f64> {
        Array { shape: shape.to_vec(), data: data.to_vec() }
    }

    #[test]
    fn by_hand() {
        // Scales 2/√4 = 1 and 9/√9 = 3, for both dimensions of the weight.
        let vectors = [[2.0, 9.0], [5.0, -1.0], [10.0, 20.0], [3.0, 8.0]].map(|data| array(&[2], &data));
        let bias = array(&[2], &[1.0, 2.0]);
        for (channels, expected) in [(0, [1.0, 2.0, 9.0, 12.0]), (1, [1.0, 6.0, 3.0, 12.0])] {
            let op = BatchNorm2dFold { eps: 1.0, channels };
            let weight = array(&[2, 2, 1, 1], &[1.0, 2.0, 3.0, 4.0]);
            let [w, b, m, v] = &vectors;
            let out = twin(&op, &[&weight, &bias, w, b, m, v]).unwrap();
            assert_eq!((&*out[0].data, &*out[1].data), (&expected[..], &[-4.0, -55.0][..]));
            let out = twin(&op, &[&weight, w, b, m, v]).unwrap();
            assert_eq!(out[1].data, [-5.0, -61.0]);
        }
    }

    #[test]
    fn refuses() {
        let op = BatchNorm2dFold { eps: 1e-5, channels: 1 };
        let four: [&[usize]; 4] = [&[3]; 4];
        let inputs = |weight: &'static [usize]| [&[weight][..], &four].concat();
        assert_eq!(op.outputs(&inputs(&[2, 3, 1, 1])).unwrap(), [vec![2, 3, 1, 1], vec![3]]);
        let error = op.outputs(&inputs(&[3, 2, 1, 1])).unwrap_err().to_string();
        assert_eq!(error, "batch_norm2d.fold: a vector of channels is [3], expected [2]");
        assert!(op.outputs(&inputs(&[3, 3, 1])).is_err());
        assert!(op.outputs(&four).is_err());
    }
}
