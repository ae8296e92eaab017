//! Coarse classes of calls: what tells apart those for which different versions of a kernel may be the fastest.

use crate::graph::Op;

use super::Prospect;
use super::layout::Convert;

/// The class of a call in a few words, `3x3 s1x1 c64>128 p4096` for one: the window (kernel, stride, and dilation where
/// there is one), channels of the inputs and of the output, each up to the next power of two, and the pixels of the
/// largest image, down to the last power of four. Two-dimensional values give the width of their rows as channels; where
/// there are only flat values, `e65536` is their largest number of elements, down to the last power of four. A conversion
/// begins with its layouts.
///
/// An op with a weight ends in `fixed` where the plan leaves parameters as they are: what versions make of the weight
/// alone costs nothing then. What is stored in 16 bits (`half`) ends in `f16`, for other versions take it.
///
/// The batch is no part of it, so that another one finds what was measured with the first.
#[must_use]
pub fn class(prospect: &Prospect<'_>, half: bool) -> String {
    let &Prospect { op, inputs, outputs, fixed, .. } = prospect;
    let mut words = window(op, inputs);
    let operands = || inputs.iter().chain(outputs).copied();
    let pixels = operands().filter_map(|shape| match shape {
        [_, _, h, w] => Some(h * w),
        _ => None,
    });
    words.extend(layouts(op));
    let channels = channels(inputs, outputs);
    if !channels.is_empty() {
        words.push(format!("c{}", channels.join(">")));
    }
    match pixels.max() {
        Some(pixels) => words.push(format!("p{}", band(pixels))),
        None if channels.is_empty() => {
            let elements = operands().map(|shape| shape.iter().product::<usize>()).max().unwrap_or(0);
            words.push(format!("e{}", band(elements)));
        }
        None => {}
    }
    if fixed && op.weight_channels().is_some() {
        words.push("fixed".into());
    }
    if half {
        words.push("f16".into());
    }
    words.join(" ")
}

/// An op with windows has a stride, and a kernel of its own or that of its weight, which is its second input.
fn window(op: &dyn Op, inputs: &[&[usize]]) -> Vec<String> {
    // The Debug form is how an op names its parameters, in cases too.
    let parameters = format!("{op:?}");
    let Some(stride) = pair(&parameters, "stride") else { return Vec::new() };
    let of_weight = || match inputs.get(1) {
        Some(&&[_, _, kh, kw]) => Some([kh, kw]),
        _ => None,
    };
    let kernel = pair(&parameters, "kernel").or_else(of_weight);
    let dilation = pair(&parameters, "dilation").filter(|&dilation| dilation != [1, 1]);
    let word = |before: &str, [y, x]: [usize; 2]| format!("{before}{y}x{x}");
    let words = [kernel.map(|kernel| word("", kernel)), Some(word("s", stride)), dilation.map(|pair| word("d", pair))];
    words.into_iter().flatten().collect()
}

/// `Plain>C4`, where an op takes a value from one layout to another.
fn layouts(op: &dyn Op) -> Option<String> {
    let convert = op.downcast::<Convert>()?;
    Some(format!("{:?}>{:?}", convert.from, convert.to))
}

/// The two whole numbers of `name: [a, b]` in an op's Debug form.
fn pair(parameters: &str, name: &str) -> Option<[usize; 2]> {
    let (_, after) = parameters.split_once(&format!(" {name}: ["))?;
    let (list, _) = after.split_once(']')?;
    let (a, b) = list.split_once(", ")?;
    Some([a.parse().ok()?, b.parse().ok()?])
}

/// The channels of the first input, of the second where it has as many dimensions, and of the first output; the same
/// twice in a row once.
fn channels(inputs: &[&[usize]], outputs: &[&[usize]]) -> Vec<String> {
    let rank = inputs.first().map_or(0, |shape| shape.len());
    let operands = inputs.iter().take(2).filter(|shape| shape.len() == rank).chain(outputs.first());
    let mut channels: Vec<usize> =
        operands.filter_map(|shape| shape.get(1)).map(|channels| channels.next_power_of_two()).collect();
    channels.dedup();
    channels.iter().map(usize::to_string).collect()
}

/// The last power of four up to `count`.
fn band(count: usize) -> usize {
    1 << (count.max(1).ilog2() / 2 * 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::Caps;
    use crate::ops::conv2d::{Conv2d, Conv2dBackwardData, Conv2dBackwardWeight};
    use crate::ops::dropout::Dropout;
    use crate::ops::linear::Linear;
    use crate::ops::max_pool2d::MaxPool2d;
    use crate::ops::pointwise::Relu;

    fn of_plan(op: &dyn Op, inputs: &[&[usize]], fixed: bool, half: bool) -> String {
        let outputs = op.outputs(inputs).unwrap();
        let outputs: Vec<&[usize]> = outputs.iter().map(Vec::as_slice).collect();
        class(&Prospect { caps: &Caps::for_tests(None, false), op, inputs, outputs: &outputs, fixed }, half)
    }

    fn of(op: &dyn Op, inputs: &[&[usize]]) -> String {
        of_plan(op, inputs, false, false)
    }

    #[test]
    fn a_weight_that_stays_and_16_bits_tell_apart() {
        let (conv, shapes): (_, [&[usize]; 2]) = (Conv2d::padded(1), [&[8, 64, 56, 56], &[96, 64, 3, 3]]);
        assert_eq!(of_plan(&conv, &shapes, true, false), "3x3 s1x1 c64>128 p1024 fixed");
        assert_eq!(of_plan(&conv, &shapes, true, true), "3x3 s1x1 c64>128 p1024 fixed f16");
        assert_eq!(of_plan(&Relu, &[&[70_000]], true, false), "e65536");
    }

    #[test]
    fn a_convolution_and_its_gradients() {
        let conv = Conv2d::padded(1);
        assert_eq!(of(&conv, &[&[8, 64, 56, 56], &[96, 64, 3, 3]]), "3x3 s1x1 c64>128 p1024");
        let data = Conv2dBackwardData { conv, size: [56, 56] };
        assert_eq!(of(&data, &[&[8, 96, 56, 56], &[96, 64, 3, 3]]), "3x3 s1x1 c128>64 p1024");
        let weight = Conv2dBackwardWeight { conv, kernel: [3, 3] };
        assert_eq!(of(&weight, &[&[8, 64, 56, 56], &[8, 96, 56, 56]]), "3x3 s1x1 c64>128>64 p1024");
    }

    #[test]
    fn stride_dilation_and_kernel_tell_apart() {
        let x: &[usize] = &[1, 3, 64, 64];
        let (small, large): (&[usize], &[usize]) = (&[8, 3, 3, 3], &[8, 3, 5, 3]);
        let conv = |stride, dilation| Conv2d::new(stride, [2, 2], dilation).unwrap();
        let classes = [
            of(&conv([1, 1], [1, 1]), &[x, small]),
            of(&conv([1, 1], [1, 1]), &[x, large]),
            of(&conv([2, 1], [1, 1]), &[x, small]),
            of(&conv([1, 1], [1, 2]), &[x, small]),
        ];
        assert_eq!(classes[0], "3x3 s1x1 c4>8 p4096");
        assert_eq!(classes[3], "3x3 s1x1 d1x2 c4>8 p4096");
        for (at, class) in classes.iter().enumerate() {
            assert!(!classes[..at].contains(class), "{classes:?}");
        }
    }

    #[test]
    fn another_batch_is_the_same_class() {
        for (one, other) in [([1, 16, 48, 64], [64, 16, 48, 64]), ([2, 13, 60, 60], [1, 16, 63, 65])] {
            assert_eq!(of(&Relu, &[&one]), of(&Relu, &[&other]));
            let dropout = |seed| Dropout { p: 0.5, seed, sample: 7 };
            assert_eq!(of(&dropout(1), &[&one, &[1]]), of(&dropout(2), &[&other, &[1]]));
        }
        assert_ne!(of(&Relu, &[&[1, 16, 48, 64]]), of(&Relu, &[&[1, 16, 96, 128]]));
    }

    #[test]
    fn pools_rows_and_flat_values() {
        let pool = MaxPool2d::new([2, 2], [2, 2], [0, 0]).unwrap();
        assert_eq!(of(&pool, &[&[2, 16, 32, 32]]), "2x2 s2x2 c16 p1024");
        assert_eq!(of(&Linear, &[&[32, 2048], &[1000, 2048], &[1000]]), "c2048>1024");
        assert_eq!(of(&Relu, &[&[70_000]]), "e65536");
        assert_eq!(of(&Relu, &[&[]]), "e1");
    }
}
