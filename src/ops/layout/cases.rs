//! Every pair of layouts, with and without pad lanes.

use crate::graph::Layout;
use crate::ops::cases::{Case, Input};

use super::Convert;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut both = |layout, shape: [usize; 4], why| {
        cases.push(Case::new(Convert { from: Layout::Plain, to: layout }, vec![Input::normal(shape)], why));
        cases.push(Case::new(Convert { from: layout, to: Layout::Plain }, vec![Input::normal(shape)], why));
    };
    both(Layout::C4, [2, 5, 3, 7], "five channels leave three pad lanes");
    both(Layout::C4, [3, 8, 9, 11], "no pad lanes, more than one workgroup");
    both(Layout::C4, [2, 1, 6, 5], "one channel");
    both(Layout::C4, [2, 5, 6, 10], "planes of whole quads, three pad lanes");
    both(Layout::C4, [3, 8, 4, 23], "planes of whole quads, no pad lanes, more than one workgroup");
    both(Layout::C4, [2, 1, 2, 14], "planes of whole quads whose rows are not, one channel");
    both(Layout::C4, [1, 6, 1, 4], "the smallest plane of a whole quad, two pad lanes");
    both(Layout::C4, [1, 11, 3, 8], "one pad lane in the last of several groups");
    both(Layout::Oihw4, [5, 3, 3, 2], "channels in are padded");
    both(Layout::Oihw4, [70, 8, 1, 5], "channels in are not, three panels of channels out");
    both(Layout::Iohw4, [3, 5, 2, 3], "channels in are padded");
    both(Layout::Iohw4, [8, 39, 4, 1], "channels in are not, two panels of channels out");
    let mut twins = |from: Layout, to: Layout, shape: [usize; 4], why| {
        for [from, to] in [[from, to], [to, from]] {
            cases.push(Case::new(Convert { from, to }, vec![Input::normal(shape)], why));
        }
    };
    twins(Layout::Plain, Layout::C4Half, [2, 5, 3, 7], "pad lanes in 16 bits");
    twins(Layout::Plain, Layout::C4Half, [3, 2, 5, 1], "the last 8 bytes belong to no pixel");
    twins(Layout::C4, Layout::C4Half, [2, 6, 9, 11], "the same order of elements");
    twins(Layout::Plain, Layout::Oihw4Half, [5, 3, 3, 2], "channels in are padded, in 16 bits");
    twins(Layout::Oihw4, Layout::Oihw4Half, [7, 9, 1, 5], "the same order of a weight's elements");
    twins(Layout::Iohw4, Layout::Iohw4Half, [9, 7, 2, 2], "and of a transposed one's");
    twins(Layout::Plain, Layout::Iohw4Half, [3, 35, 2, 3], "channels in are padded, in 16 bits");
    cases
}
