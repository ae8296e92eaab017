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
    both(Layout::Oihw4, [5, 3, 3, 2], "channels in are padded");
    both(Layout::Oihw4, [7, 8, 1, 5], "channels in are not");
    both(Layout::Iohw4, [3, 5, 2, 3], "channels in are padded");
    both(Layout::Iohw4, [8, 7, 4, 1], "channels in are not");
    cases
}
