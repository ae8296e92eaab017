//! From the inputs; only the logits take a gradient.

use crate::error::Result;
use crate::graph::GradientContext;
use crate::ops::cross_entropy::of_logits;

use super::{FocalLoss, FocalLossBackward};

pub(super) fn gradient(loss: FocalLoss, context: &mut GradientContext<'_>) -> Result<()> {
    of_logits(context, FocalLossBackward { loss })
}
