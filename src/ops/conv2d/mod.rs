//! Two-dimensional convolution (cross-correlation, as every framework has it).
//!
//! out\[n, co, oy, ox\] = bias\[co\] + Σ over ci, ky, kx of
//! x\[n, ci, oy·stride + ky·dilation − padding, …\] · weight\[co, ci, ky, kx\]

mod cases;
mod dispatch;
mod gradient;
#[cfg(test)]
mod tests;
mod twin;
mod winograd;

use crate::error::{Error, Result};
use crate::graph::{GradientContext, Graph, Op, Value};

use super::checks::{check_pairs, only_output, span};
use super::convolution::Geometry;
pub(crate) use dispatch::SAME_BITS;

use super::{Attributes, Epilogue, Gradient, Kernel, Room, twin as twin_of};

/// The room.
pub const ROOM: Room = Room {
    name: "conv2d",
    ops: &["conv2d"],
    kernels: &[
        Kernel {
            name: "conv2d.forward",
            twin: twin_of!(twin::forward),
            versions: dispatch::FORWARD,
            epilogues: &[Epilogue::Relu, Epilogue::Add, Epilogue::AddRelu],
            tolerance: 1e-5,
        },
        Kernel {
            name: "conv2d.backward_data",
            twin: twin_of!(twin::backward_data),
            versions: dispatch::BACKWARD_DATA,
            epilogues: &[Epilogue::Add, Epilogue::Mask, Epilogue::AddMask],
            tolerance: 5e-5,
        },
        Kernel {
            name: "conv2d.backward_weight",
            twin: twin_of!(twin::backward_weight),
            versions: dispatch::BACKWARD_WEIGHT,
            epilogues: &[],
            tolerance: 5e-5,
        },
    ],
    cases: cases::cases,
    from_case,
    gradient: Gradient::Kernels(&["conv2d.backward_data", "conv2d.backward_weight", "reduce.channel_sum"]),
};

/// A convolution's parameters; every pair is vertical, horizontal. Inputs: x (n, ci, h, w), weight (co, ci, kh, kw)
/// and perhaps bias (co).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conv2d {
    /// Step of the kernel.
    pub stride: [usize; 2],
    /// Zeros around the input.
    pub padding: [usize; 2],
    /// Distance of two taps.
    pub dilation: [usize; 2],
}

impl Default for Conv2d {
    fn default() -> Self {
        Self { stride: [1, 1], padding: [0, 0], dilation: [1, 1] }
    }
}

impl Conv2d {
    /// Checked parameters.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a stride or dilation of 0, or any number above 65,535.
    pub fn new(stride: [usize; 2], padding: [usize; 2], dilation: [usize; 2]) -> Result<Self> {
        let conv = Self { stride, padding, dilation };
        conv.check()?;
        Ok(conv)
    }

    /// The fields are public, so whoever divides by one looks first.
    fn check(&self) -> Result<()> {
        let Self { stride, padding, dilation } = *self;
        check_pairs("conv2d", &[("stride", stride, 1), ("padding", padding, 0), ("dilation", dilation, 1)])
    }

    /// Stride 1 and `padding` on every side.
    #[must_use]
    pub fn padded(padding: usize) -> Self {
        Self { padding: [padding; 2], ..Self::default() }
    }

    /// Height and width of the output.
    ///
    /// # Errors
    /// Those of [`Conv2d::new`]; [`Error::Parameter`] where the kernel is larger than the padded input.
    pub fn out_size(&self, size: [usize; 2], kernel: [usize; 2]) -> Result<[usize; 2]> {
        self.check()?;
        let mut out = [0; 2];
        for (axis, name) in ["height", "width"].into_iter().enumerate() {
            let padded = size[axis].saturating_add(2 * self.padding[axis]);
            let span = span(kernel[axis], self.dilation[axis]);
            if kernel[axis] == 0 || span > padded {
                let message =
                    format!("kernel {name} is {span} with its dilation, but the padded input has only {padded}");
                return Err(Error::parameter("conv2d", message));
            }
            out[axis] = (padded - span) / self.stride[axis] + 1;
        }
        Ok(out)
    }

    fn geometry(&self, x: &[usize], y: &[usize], kernel: [usize; 2]) -> Geometry {
        Geometry {
            n: x[0],
            x: [x[1], x[2], x[3]],
            y: [y[1], y[2], y[3]],
            kernel,
            stride: self.stride,
            padding: self.padding,
            dilation: self.dilation,
            weight_outer_y: false,
        }
    }
}

/// The gradient with respect to x: inputs (gradient of the output, weight).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conv2dBackwardData {
    /// The convolution.
    pub conv: Conv2d,
    /// Height and width of x.
    pub size: [usize; 2],
}

/// The gradient with respect to the weight: inputs (x, gradient of the output).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conv2dBackwardWeight {
    /// The convolution.
    pub conv: Conv2d,
    /// Height and width of the kernel.
    pub kernel: [usize; 2],
}

pub(super) fn four<'a>(op: &'static str, what: &str, shape: &'a [usize]) -> Result<&'a [usize; 4]> {
    shape.try_into().map_err(|_| Error::shape(op, what, "four dimensions", shape))
}

impl Op for Conv2d {
    fn kernel(&self) -> &'static str {
        "conv2d.forward"
    }

    fn outputs(&self, inputs: &[&[usize]]) -> Result<Vec<Vec<usize>>> {
        let (x, weight) = match inputs {
            [x, weight] | [x, weight, _] => (four("conv2d", "input", x)?, four("conv2d", "weight", weight)?),
            _ => return Err(Error::parameter("conv2d", format!("takes 2 or 3 inputs, got {}", inputs.len()))),
        };
        if weight[1] != x[1] {
            let expected =
                format!("[co, {}, kh, kw] for an input of {} channels (groups are not supported)", x[1], x[1]);
            return Err(Error::shape("conv2d", "weight", expected, weight));
        }
        if let Some(bias) = inputs.get(2)
            && **bias != [weight[0]]
        {
            return Err(Error::shape("conv2d", "bias", format!("[{}]", weight[0]), bias));
        }
        let [oh, ow] = self.out_size([x[2], x[3]], [weight[2], weight[3]])?;
        only_output("conv2d", [x[0], weight[0], oh, ow])
    }

    fn gradient(&self, context: &mut GradientContext<'_>) -> Result<()> {
        gradient::gradient(self, context)
    }

    fn weight_channels(&self) -> Option<usize> {
        Some(0)
    }

    fn flops(&self, inputs: &[&[usize]], outputs: &[&[usize]]) -> u64 {
        2 * (outputs[0].iter().product::<usize>() * inputs[1][1..].iter().product::<usize>()) as u64
    }
}

impl Op for Conv2dBackwardData {
    fn kernel(&self) -> &'static str {
        "conv2d.backward_data"
    }

    fn outputs(&self, inputs: &[&[usize]]) -> Result<Vec<Vec<usize>>> {
        let &[gradient, weight] = inputs else { return Err(Error::parameter(self.kernel(), "takes two inputs")) };
        let (gradient, weight) = (four(self.kernel(), "gradient", gradient)?, four(self.kernel(), "weight", weight)?);
        let [oh, ow] = self.conv.out_size(self.size, [weight[2], weight[3]])?;
        if gradient[1..] != [weight[0], oh, ow] {
            return Err(Error::shape(self.kernel(), "gradient", format!("[n, {}, {oh}, {ow}]", weight[0]), gradient));
        }
        only_output(self.kernel(), [gradient[0], weight[1], self.size[0], self.size[1]])
    }

    fn flops(&self, inputs: &[&[usize]], _: &[&[usize]]) -> u64 {
        2 * (inputs[0].iter().product::<usize>() * inputs[1][1..].iter().product::<usize>()) as u64
    }
}

impl Op for Conv2dBackwardWeight {
    fn kernel(&self) -> &'static str {
        "conv2d.backward_weight"
    }

    fn outputs(&self, inputs: &[&[usize]]) -> Result<Vec<Vec<usize>>> {
        let &[x, gradient] = inputs else { return Err(Error::parameter(self.kernel(), "takes two inputs")) };
        let (x, gradient) = (four(self.kernel(), "input", x)?, four(self.kernel(), "gradient", gradient)?);
        let [oh, ow] = self.conv.out_size([x[2], x[3]], self.kernel)?;
        if [gradient[0], gradient[2], gradient[3]] != [x[0], oh, ow] {
            return Err(Error::shape(self.kernel(), "gradient", format!("[{}, co, {oh}, {ow}]", x[0]), gradient));
        }
        only_output(self.kernel(), [gradient[1], x[1], self.kernel[0], self.kernel[1]])
    }

    fn flops(&self, inputs: &[&[usize]], outputs: &[&[usize]]) -> u64 {
        2 * (inputs[1].iter().product::<usize>() * outputs[0][1..].iter().product::<usize>()) as u64
    }
}

impl Graph {
    /// A convolution of x (n, ci, h, w) with weight (co, ci, kh, kw) and bias (co).
    ///
    /// # Errors
    /// [`Error::Shape`] and [`Error::Parameter`] where the shapes do not go together.
    pub fn conv2d(&mut self, op: Conv2d, x: Value, weight: Value, bias: Option<Value>) -> Result<Value> {
        let inputs: Vec<Value> = [x, weight].into_iter().chain(bias).collect();
        self.push1(op, &inputs)
    }
}

fn from_case(graph: &mut Graph, op: &str, attributes: &Attributes<'_>, inputs: &[Value]) -> Result<Vec<Value>> {
    if !attributes.json["groups"].is_null() && attributes.index("groups")? != 1 {
        return Err(Error::parameter(op, format!("groups is {}, only 1 is supported", attributes.json["groups"])));
    }
    let pair = |key, default| attributes.pair(key, default);
    let conv = Conv2d::new(pair("stride", [1; 2])?, pair("padding", [0; 2])?, pair("dilation", [1; 2])?)?;
    Ok(vec![graph.push1(conv, inputs)?])
}
