//! Which ResNet a weights file is for.

use crate::error::Result;
use crate::models::weights::Weights;

use super::{ResNet, ResNetDepth, Stage, StrideIn};

impl ResNet {
    /// The network that weights are for: what their metadata say, else what names and shapes tell, with torchvision's
    /// place of the stride. A file that holds only a part gets the smallest depth that has every block in it, and 1000
    /// classes where it has no classifier.
    ///
    /// # Errors
    /// [`crate::Error::Weights`] where the metadata describe another model, or the names and shapes are no ResNet's.
    pub fn from_weights(weights: &Weights) -> Result<Self> {
        let described = weights.meta()?.architecture_as::<Self>();
        if let Some(net) = described.map_err(|message| weights.error(format!("{message}: not a ResNet")))? {
            net.validate().map_err(|error| weights.error(error.to_string()))?;
            return Ok(net);
        }
        let Some(&[64, input, 7, 7]) = weights.get("conv1.weight").map(|stem| stem.shape()) else {
            return Err(weights.error("has no conv1.weight of shape [64, c, 7, 7], so it is no ResNet"));
        };
        let bottleneck = match weights.get("layer1.0.conv1.weight").map(|first| first.shape()) {
            Some([64, 64, 1, 1]) => true,
            Some([64, 64, 3, 3]) => false,
            other => {
                let expected = "expected [64, 64, 1, 1] or [64, 64, 3, 3]";
                return Err(weights.error(format!("layer1.0.conv1.weight has shape {other:?}, {expected}")));
            }
        };
        let blocks = Stage::LAYERS.map(|stage| blocks(weights, stage));
        let has_room = |depth: &ResNetDepth| {
            depth.bottleneck() == bottleneck && depth.blocks().iter().zip(&blocks).all(|(most, held)| held <= most)
        };
        let none = || weights.error(format!("stages of {blocks:?} blocks, more than a ResNet of 18 to 101 layers has"));
        let depth = ResNetDepth::ALL.into_iter().find(has_room).ok_or_else(none)?;
        let classes = match weights.get("fc.weight").map(|head| head.shape()) {
            None => 1000,
            Some(&[classes, width]) if width == 512 * depth.expansion() => classes,
            Some(other) => {
                let width = 512 * depth.expansion();
                return Err(weights.error(format!("fc.weight has shape {other:?}, expected [classes, {width}]")));
            }
        };
        let net = Self { depth, classes, input, stride_in: StrideIn::Conv3x3, dropout: 0.0 };
        net.validate().map_err(|error| weights.error(error.to_string()))?;
        Ok(net)
    }
}

/// The blocks of a stage up to the last that the file holds a part of.
fn blocks(weights: &Weights, stage: Stage) -> usize {
    let prefix = format!("{stage}.");
    let number = |name: &String| name.strip_prefix(&prefix)?.split('.').next()?.parse::<usize>().ok();
    let last = weights.tensors.keys().filter_map(number).max();
    last.map_or(0, |last| last.saturating_add(1))
}
