//! Batch normalisation of (n, c, h, w) over n, h and w.
//!
//! y = (x − mean)·inv_std·weight + bias, inv_std = 1/√(variance + eps). In training, mean and (biased) variance are the
//! batch's, and the running statistics move towards them by `momentum`, the variance's towards the unbiased one, as
//! PyTorch's do; else the running statistics are used. Statistics hold their precision where the mean is hundreds of
//! deviations from zero.

mod cases;
mod chunks;
mod dispatch;
mod fold;
mod gradient;
mod twin;

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::graph::{GradientContext, Graph, Op, Value};

pub(crate) use dispatch::SAME_BITS;
pub use fold::BatchNorm2dFold;

use super::flat::{exactly, same};
use super::{Attributes, Epilogue, Gradient, Kernel, Room, Version, twin as twin_of};

/// The room.
pub const ROOM: Room = Room {
    name: "batch_norm2d",
    ops: &["batch_norm2d"],
    kernels: &[
        Kernel {
            epilogues: EPILOGUES,
            ..kernel("batch_norm2d.forward", twin_of!(twin::forward), dispatch::FORWARD, 2e-5)
        },
        Kernel {
            epilogues: EPILOGUES,
            ..kernel("batch_norm2d.inference", twin_of!(twin::inference), dispatch::INFERENCE, 2e-5)
        },
        kernel("batch_norm2d.backward", twin_of!(twin::backward), dispatch::BACKWARD, 5e-5),
        kernel("batch_norm2d.inference_backward", twin_of!(twin::backward), dispatch::INFERENCE_BACKWARD, 5e-5),
        kernel("batch_norm2d.update", twin_of!(twin::update), dispatch::UPDATE, 0.0),
        kernel("batch_norm2d.fold", twin_of!(fold::twin), fold::VERSIONS, 1e-6),
    ],
    cases: cases::cases,
    from_case,
    gradient: Gradient::Kernels(&["batch_norm2d.backward", "batch_norm2d.inference_backward"]),
};

const EPILOGUES: &[Epilogue] = &[Epilogue::Relu, Epilogue::Add, Epilogue::AddRelu];

const fn kernel(name: &'static str, twin: super::Twin, versions: &'static [Version], tolerance: f64) -> Kernel {
    Kernel { name, twin, versions, epilogues: &[], tolerance }
}

/// Batch normalisation: inputs (x, weight, bias, running mean, running variance). In training its outputs are (y, new
/// running mean, new running variance, batch mean, batch inv_std), else y alone.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BatchNorm2d {
    /// Whether the statistics are the batch's.
    pub training: bool,
    /// How far the running statistics move towards the batch's, 0 to 1.
    pub momentum: f32,
    /// Added to the variance, above 0.
    pub eps: f32,
}

impl Default for BatchNorm2d {
    /// PyTorch's, for inference.
    fn default() -> Self {
        Self { training: false, momentum: 0.1, eps: 1e-5 }
    }
}

impl BatchNorm2d {
    /// Checked parameters.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a momentum outside 0 to 1, or an eps that is not above 0.
    pub fn new(training: bool, momentum: f32, eps: f32) -> Result<Self> {
        if !(0.0..=1.0).contains(&momentum) {
            return Err(Error::parameter("batch_norm2d", format!("momentum is {momentum}, expected 0 to 1")));
        }
        if !(eps.is_finite() && eps > 0.0) {
            return Err(Error::parameter("batch_norm2d", format!("eps is {eps}, expected above 0")));
        }
        Ok(Self { training, momentum, eps })
    }
}

/// The gradients of [`BatchNorm2d`]: inputs (x, weight, batch mean, batch inv_std, gradient), or, where it was not in
/// training, (x, weight, running mean, running variance, gradient); outputs (dx, dweight, dbias).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BatchNorm2dBackward {
    /// Whether the statistics are the batch's, and thus depend on x.
    pub training: bool,
    /// As the forward op's.
    pub eps: f32,
}

/// The end of a training step: inputs (running mean, running variance, new running mean, new running variance, control
/// \[4\] of [`GradNorm`](super::clip_grad_norm::GradNorm)); outputs running mean and variance, in place. Where control says
/// that the step is not finite, both stay as they are, to the bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunningUpdate;

fn check(op: &str, x: &[usize], of_channels: &[(&str, &[usize])]) -> Result<()> {
    if x.len() != 4 {
        return Err(Error::shape(op, "input", "four dimensions", x));
    }
    of_channels.iter().try_for_each(|(what, shape)| same(op, what, &[x[1]], shape))
}

impl Op for BatchNorm2d {
    fn kernel(&self) -> &'static str {
        if self.training { "batch_norm2d.forward" } else { "batch_norm2d.inference" }
    }

    fn outputs(&self, inputs: &[&[usize]]) -> Result<Vec<Vec<usize>>> {
        let [x, weight, bias, mean, variance] = exactly(self.kernel(), inputs)?;
        let small = [("weight", weight), ("bias", bias), ("running mean", mean), ("running variance", variance)];
        check(self.kernel(), x, &small)?;
        if !self.training {
            return Ok(vec![x.to_vec()]);
        }
        if x[0] * x[2] * x[3] < 2 {
            return Err(Error::shape(self.kernel(), "input", "two values or more a channel in training", x));
        }
        let mut outputs = vec![x.to_vec()];
        outputs.resize(5, vec![x[1]]);
        Ok(outputs)
    }

    fn gradient(&self, context: &mut GradientContext<'_>) -> Result<()> {
        gradient::gradient(self, context)
    }

    fn fold(&self, channels: usize) -> Option<Arc<dyn Op>> {
        (!self.training).then(|| Arc::new(BatchNorm2dFold { eps: self.eps, channels }) as Arc<dyn Op>)
    }

    fn flops(&self, inputs: &[&[usize]], _: &[&[usize]]) -> u64 {
        inputs[0].iter().product::<usize>() as u64 * if self.training { 8 } else { 2 }
    }
}

impl Op for BatchNorm2dBackward {
    fn kernel(&self) -> &'static str {
        if self.training { "batch_norm2d.backward" } else { "batch_norm2d.inference_backward" }
    }

    fn outputs(&self, inputs: &[&[usize]]) -> Result<Vec<Vec<usize>>> {
        let [x, weight, mean, second, gradient] = exactly(self.kernel(), inputs)?;
        check(self.kernel(), x, &[("weight", weight), ("mean", mean), ("second statistic", second)])?;
        same(self.kernel(), "gradient", x, gradient)?;
        Ok(vec![x.to_vec(), vec![x[1]], vec![x[1]]])
    }

    fn flops(&self, inputs: &[&[usize]], _: &[&[usize]]) -> u64 {
        inputs[0].iter().product::<usize>() as u64 * 9
    }
}

impl Op for RunningUpdate {
    fn kernel(&self) -> &'static str {
        "batch_norm2d.update"
    }

    fn outputs(&self, inputs: &[&[usize]]) -> Result<Vec<Vec<usize>>> {
        let [mean, variance, new_mean, new_variance, control] = exactly(self.kernel(), inputs)?;
        let &[c] = mean else {
            return Err(Error::shape(self.kernel(), "running mean", "one dimension", mean));
        };
        let others =
            [("running variance", variance), ("new running mean", new_mean), ("new running variance", new_variance)];
        others.into_iter().try_for_each(|(what, shape)| same(self.kernel(), what, &[c], shape))?;
        same(self.kernel(), "control", &[4], control)?;
        Ok(vec![vec![c]; 2])
    }

    fn in_place(&self) -> &'static [(usize, usize)] {
        &[(0, 0), (1, 1)]
    }
}

impl Graph {
    /// Lets the running mean and variance (c) take the values that a training step's [`BatchNorm2d`] gave, unless
    /// `control` \[4\] says that the step is not finite.
    ///
    /// # Errors
    /// [`Error::Shape`] where the shapes do not go together.
    pub fn update_running(&mut self, running: [Value; 2], new: [Value; 2], control: Value) -> Result<()> {
        self.push(RunningUpdate, &[running[0], running[1], new[0], new[1], control])?;
        Ok(())
    }

    /// Batch normalisation of x (n, c, h, w) by weight, bias, running mean and running variance, each (c). Returns y
    /// and, in training, the new running mean and variance and the batch's mean and inv_std.
    ///
    /// # Errors
    /// [`Error::Shape`] where the shapes do not go together.
    pub fn batch_norm2d(&mut self, op: BatchNorm2d, x: Value, of_channels: [Value; 4]) -> Result<Vec<Value>> {
        let [weight, bias, mean, variance] = of_channels;
        self.push(op, &[x, weight, bias, mean, variance])
    }
}

fn from_case(graph: &mut Graph, op: &str, attributes: &Attributes<'_>, inputs: &[Value]) -> Result<Vec<Value>> {
    let &[x, weight, bias, mean, variance] = inputs else {
        return Err(Error::parameter(op, format!("takes 5 inputs, got {}", inputs.len())));
    };
    let number = |key| attributes.number(key).map(|value| value as f32);
    let norm = BatchNorm2d::new(attributes.flag("training"), number("momentum")?, number("eps")?)?;
    let mut outputs = graph.batch_norm2d(norm, x, [weight, bias, mean, variance])?;
    outputs.truncate(3);
    Ok(outputs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::Array;

    fn array(shape: &[usize], data: &[f64]) -> Array<f64> {
        Array { shape: shape.to_vec(), data: data.to_vec() }
    }

    #[test]
    fn by_hand() {
        // Mean 2, biased variance 1, unbiased 2.
        let x = array(&[2, 1, 1, 1], &[1.0, 3.0]);
        let [w, b, m, v] = [5.0, 7.0, 10.0, 20.0].map(|value| array(&[1], &[value]));
        let op = BatchNorm2d { training: true, momentum: 0.5, eps: 1e-12 };
        let out = twin::forward(&op, &[&x, &w, &b, &m, &v]).unwrap();
        assert!((out[0].data[0] - 2.0).abs() < 1e-10 && (out[0].data[1] - 12.0).abs() < 1e-10);
        assert_eq!((out[1].data[0], out[2].data[0], out[3].data[0]), (6.0, 11.0, 2.0));
        let op = BatchNorm2d { training: false, momentum: 0.5, eps: 44.0 };
        let out = twin::inference(&op, &[&x, &w, &b, &m, &v]).unwrap();
        assert_eq!(out[0].data, [1.375, 2.625]);
        let g = array(&[2, 1, 1, 1], &[1.0, 2.0]);
        let out = twin::backward(&BatchNorm2dBackward { training: false, eps: 44.0 }, &[&x, &w, &m, &v, &g]).unwrap();
        assert_eq!((&*out[0].data, out[1].data[0], out[2].data[0]), (&[0.625, 1.25][..], -2.875, 3.0));
        // Of two values, each is as far from the mean as the other: y does not depend on x.
        let (mean, inv) = (array(&[1], &[2.0]), array(&[1], &[1.0]));
        let out =
            twin::backward(&BatchNorm2dBackward { training: true, eps: 1e-5 }, &[&x, &w, &mean, &inv, &g]).unwrap();
        assert_eq!((&*out[0].data, out[1].data[0], out[2].data[0]), (&[0.0, 0.0][..], 1.0, 3.0));
    }

    #[test]
    fn an_update_is_all_or_nothing() {
        let [m, v, nm, nv] = [1.0, 2.0, 3.0, 4.0].map(|value| array(&[1], &[value]));
        let out = twin::update(&RunningUpdate, &[&m, &v, &nm, &nv, &array(&[4], &[9.0, 0.5, 1.0, 0.0])]).unwrap();
        assert_eq!((&out[0], &out[1]), (&nm, &nv));
        let out = twin::update(&RunningUpdate, &[&m, &v, &nm, &nv, &array(&[4], &[9.0, 0.0, 0.0, 0.0])]).unwrap();
        assert_eq!((&out[0], &out[1]), (&m, &v));
        let error = RunningUpdate.outputs(&[&[3], &[3], &[3], &[4], &[4]]).unwrap_err();
        assert_eq!(error.to_string(), "batch_norm2d.update: new running variance is [4], expected [3]");
        assert!(RunningUpdate.outputs(&[&[3], &[3], &[3], &[3], &[3]]).is_err());
    }

    #[test]
    fn refuses() {
        let error = BatchNorm2d::new(true, 1.5, 1e-5).unwrap_err();
        assert_eq!(error.to_string(), "batch_norm2d: momentum is 1.5, expected 0 to 1");
        assert_eq!(
            BatchNorm2d::new(true, 0.1, 0.0).unwrap_err().to_string(),
            "batch_norm2d: eps is 0, expected above 0"
        );
        let op = BatchNorm2d { training: true, ..BatchNorm2d::default() };
        let error = op.outputs(&[&[1, 3, 1, 1], &[3], &[3], &[3], &[3]]).unwrap_err();
        let expected = "input is [1, 3, 1, 1], expected two values or more a channel in training";
        assert_eq!(error.to_string(), format!("batch_norm2d.forward: {expected}"));
        let error = op.outputs(&[&[2, 3, 1, 1], &[3], &[4], &[3], &[3]]).unwrap_err();
        assert_eq!(error.to_string(), "batch_norm2d.forward: bias is [4], expected [3]");
        assert!(op.outputs(&[&[2, 3], &[3], &[3], &[3], &[3]]).is_err());
        let backward = BatchNorm2dBackward { training: true, eps: 1e-5 };
        assert!(backward.outputs(&[&[2, 3, 1, 1], &[3], &[3], &[3], &[2, 3, 1, 2]]).is_err());
    }
}
