//! Two-dimensional transposed convolution: the data gradient of a convolution as an op of its own.
//!
//! out\[n, co, oy, ox\] = bias\[co\] + Σ over ci, ky, kx and the iy, ix with iy·stride + ky·dilation − padding = oy
//! (ox alike) of x\[n, ci, iy, ix\] · weight\[ci, co, ky, kx\]

mod cases;
mod dispatch;
mod gradient;
#[cfg(test)]
mod tests;
mod twin;

use crate::error::{Error, Result};
use crate::graph::{GradientContext, Graph, Op, Value};

use super::checks::{check_pairs, only_output, span};
use super::conv2d::four;
use super::convolution::Geometry;
use super::{Attributes, Epilogue, Gradient, Kernel, Room, twin as twin_of};

pub(crate) use dispatch::SAME_BITS;

/// The room.
pub const ROOM: Room = Room {
    name: "conv_transpose2d",
    ops: &["conv_transpose2d"],
    kernels: &[
        Kernel {
            name: "conv_transpose2d.forward",
            twin: twin_of!(twin::forward),
            versions: dispatch::FORWARD,
            epilogues: &[Epilogue::Relu],
            tolerance: 1e-5,
        },
        Kernel {
            name: "conv_transpose2d.backward_data",
            twin: twin_of!(twin::backward_data),
            versions: dispatch::BACKWARD_DATA,
            epilogues: &[Epilogue::Add, Epilogue::Mask, Epilogue::AddMask],
            tolerance: 5e-5,
        },
        Kernel {
            name: "conv_transpose2d.backward_weight",
            twin: twin_of!(twin::backward_weight),
            versions: dispatch::BACKWARD_WEIGHT,
            epilogues: &[],
            tolerance: 5e-5,
        },
    ],
    cases: cases::cases,
    from_case,
    gradient: Gradient::Kernels(&[
        "conv_transpose2d.backward_data",
        "conv_transpose2d.backward_weight",
        "reduce.channel_sum",
    ]),
};

/// A transposed convolution's parameters; every pair is vertical, horizontal. Inputs: x (n, ci, h, w),
/// weight (ci, co, kh, kw) and perhaps bias (co).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConvTranspose2d {
    /// Distance of two input pixels on the output.
    pub stride: [usize; 2],
    /// Rows and columns cut off on every side of the output.
    pub padding: [usize; 2],
    /// Rows and columns added at the end of the output.
    pub output_padding: [usize; 2],
    /// Distance of two taps on the output.
    pub dilation: [usize; 2],
}

impl Default for ConvTranspose2d {
    fn default() -> Self {
        Self { stride: [1, 1], padding: [0, 0], output_padding: [0, 0], dilation: [1, 1] }
    }
}

impl ConvTranspose2d {
    /// Checked parameters.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a stride or dilation of 0, an output padding below neither of them, or any number above
    /// 65,535.
    pub fn new(
        stride: [usize; 2],
        padding: [usize; 2],
        output_padding: [usize; 2],
        dilation: [usize; 2],
    ) -> Result<Self> {
        let conv = Self { stride, padding, output_padding, dilation };
        conv.check()?;
        Ok(conv)
    }

    /// The fields are public, so whoever computes with them looks first.
    fn check(&self) -> Result<()> {
        let Self { stride, padding, output_padding, dilation } = *self;
        let op = "conv_transpose2d";
        check_pairs(op, &[("stride", stride, 1), ("padding", padding, 0), ("dilation", dilation, 1)])?;
        if (0..2).any(|axis| output_padding[axis] >= stride[axis].max(dilation[axis])) {
            let most = format!("expected below the stride {stride:?} or the dilation {dilation:?}");
            return Err(Error::parameter(op, format!("output padding is {output_padding:?}, {most}")));
        }
        Ok(())
    }

    /// A kernel of `factor` by `factor` that enlarges an image `factor` times without overlap.
    ///
    /// # Errors
    /// As [`ConvTranspose2d::new`].
    pub fn upsampling(factor: usize) -> Result<Self> {
        Self::new([factor; 2], [0; 2], [0; 2], [1; 2])
    }

    /// Height and width of the output.
    ///
    /// # Errors
    /// Those of [`ConvTranspose2d::new`]; [`Error::Parameter`] for an empty kernel, and where the padding leaves no
    /// output.
    pub fn out_size(&self, size: [usize; 2], kernel: [usize; 2]) -> Result<[usize; 2]> {
        self.check()?;
        if kernel.contains(&0) {
            return Err(Error::parameter("conv_transpose2d", format!("kernel is {kernel:?}, expected 1 or more")));
        }
        let mut out = [0; 2];
        for axis in 0..2 {
            let last = size[axis].saturating_sub(1).saturating_mul(self.stride[axis]);
            let span = span(kernel[axis], self.dilation[axis]);
            let whole = last.saturating_add(span).saturating_add(self.output_padding[axis]);
            let cut = 2 * self.padding[axis];
            if whole <= cut {
                let message = format!("padding {:?} leaves nothing of an output of {whole}", self.padding);
                return Err(Error::parameter("conv_transpose2d", message));
            }
            out[axis] = whole - cut;
        }
        Ok(out)
    }

    /// The convolution whose data gradient this is: its x is `out`, its y is `image`.
    fn geometry(&self, image: &[usize], out: &[usize], kernel: [usize; 2]) -> Geometry {
        Geometry {
            n: image[0],
            x: [out[1], out[2], out[3]],
            y: [image[1], image[2], image[3]],
            kernel,
            stride: self.stride,
            padding: self.padding,
            dilation: self.dilation,
            weight_outer_y: true,
        }
    }
}

/// The gradient with respect to x: inputs (gradient of the output, weight).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConvTranspose2dBackwardData {
    /// The transposed convolution.
    pub conv: ConvTranspose2d,
    /// Height and width of x.
    pub size: [usize; 2],
}

/// The gradient with respect to the weight: inputs (x, gradient of the output).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConvTranspose2dBackwardWeight {
    /// The transposed convolution.
    pub conv: ConvTranspose2d,
    /// Height and width of the kernel.
    pub kernel: [usize; 2],
}

impl Op for ConvTranspose2d {
    fn kernel(&self) -> &'static str {
        "conv_transpose2d.forward"
    }

    fn outputs(&self, inputs: &[&[usize]]) -> Result<Vec<Vec<usize>>> {
        let (x, weight) = match inputs {
            [x, weight] | [x, weight, _] => {
                (four("conv_transpose2d", "input", x)?, four("conv_transpose2d", "weight", weight)?)
            }
            _ => {
                return Err(Error::parameter("conv_transpose2d", format!("takes 2 or 3 inputs, got {}", inputs.len())));
            }
        };
        if weight[0] != x[1] {
            let expected =
                format!("[{}, co, kh, kw] for an input of {} channels (groups are not supported)", x[1], x[1]);
            return Err(Error::shape("conv_transpose2d", "weight", expected, weight));
        }
        if let Some(bias) = inputs.get(2)
            && **bias != [weight[1]]
        {
            return Err(Error::shape("conv_transpose2d", "bias", format!("[{}]", weight[1]), bias));
        }
        let [oh, ow] = self.out_size([x[2], x[3]], [weight[2], weight[3]])?;
        only_output("conv_transpose2d", [x[0], weight[1], oh, ow])
    }

    fn gradient(&self, context: &mut GradientContext<'_>) -> Result<()> {
        gradient::gradient(self, context)
    }

    fn weight_channels(&self) -> Option<usize> {
        Some(1)
    }

    fn flops(&self, inputs: &[&[usize]], _: &[&[usize]]) -> u64 {
        2 * (inputs[0].iter().product::<usize>() * inputs[1][1..].iter().product::<usize>()) as u64
    }
}

impl Op for ConvTranspose2dBackwardData {
    fn kernel(&self) -> &'static str {
        "conv_transpose2d.backward_data"
    }

    fn outputs(&self, inputs: &[&[usize]]) -> Result<Vec<Vec<usize>>> {
        let &[gradient, weight] = inputs else { return Err(Error::parameter(self.kernel(), "takes two inputs")) };
        let (gradient, weight) = (four(self.kernel(), "gradient", gradient)?, four(self.kernel(), "weight", weight)?);
        let [oh, ow] = self.conv.out_size(self.size, [weight[2], weight[3]])?;
        if gradient[1..] != [weight[1], oh, ow] {
            return Err(Error::shape(self.kernel(), "gradient", format!("[n, {}, {oh}, {ow}]", weight[1]), gradient));
        }
        only_output(self.kernel(), [gradient[0], weight[0], self.size[0], self.size[1]])
    }

    fn flops(&self, inputs: &[&[usize]], outputs: &[&[usize]]) -> u64 {
        2 * (outputs[0].iter().product::<usize>() * inputs[1][1..].iter().product::<usize>()) as u64
    }
}

impl Op for ConvTranspose2dBackwardWeight {
    fn kernel(&self) -> &'static str {
        "conv_transpose2d.backward_weight"
    }

    fn outputs(&self, inputs: &[&[usize]]) -> Result<Vec<Vec<usize>>> {
        let &[x, gradient] = inputs else { return Err(Error::parameter(self.kernel(), "takes two inputs")) };
        let (x, gradient) = (four(self.kernel(), "input", x)?, four(self.kernel(), "gradient", gradient)?);
        let [oh, ow] = self.conv.out_size([x[2], x[3]], self.kernel)?;
        if [gradient[0], gradient[2], gradient[3]] != [x[0], oh, ow] {
            return Err(Error::shape(self.kernel(), "gradient", format!("[{}, co, {oh}, {ow}]", x[0]), gradient));
        }
        only_output(self.kernel(), [x[1], gradient[1], self.kernel[0], self.kernel[1]])
    }

    fn flops(&self, inputs: &[&[usize]], outputs: &[&[usize]]) -> u64 {
        2 * (inputs[0].iter().product::<usize>() * outputs[0][1..].iter().product::<usize>()) as u64
    }
}

impl Graph {
    /// A transposed convolution of x (n, ci, h, w) with weight (ci, co, kh, kw) and bias (co).
    ///
    /// # Errors
    /// [`Error::Shape`] and [`Error::Parameter`] where the shapes do not go together.
    pub fn conv_transpose2d(
        &mut self,
        op: ConvTranspose2d,
        x: Value,
        weight: Value,
        bias: Option<Value>,
    ) -> Result<Value> {
        let inputs: Vec<Value> = [x, weight].into_iter().chain(bias).collect();
        self.push1(op, &inputs)
    }
}

fn from_case(graph: &mut Graph, op: &str, attributes: &Attributes<'_>, inputs: &[Value]) -> Result<Vec<Value>> {
    if !attributes.json["groups"].is_null() && attributes.index("groups")? != 1 {
        return Err(Error::parameter(op, format!("groups is {}, only 1 is supported", attributes.json["groups"])));
    }
    let pair = |key, default| attributes.pair(key, default);
    let conv = ConvTranspose2d::new(
        pair("stride", [1; 2])?,
        pair("padding", [0; 2])?,
        pair("output_padding", [0; 2])?,
        pair("dilation", [1; 2])?,
    )?;
    Ok(vec![graph.push1(conv, inputs)?])
}
