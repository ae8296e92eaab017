//! The parts of a ResNet that are frozen, and learn at rates of their own, as a whole.

use std::fmt::{Display, Formatter};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A part of a ResNet, in the order of the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// `conv1` and `bn1`.
    Stem,
    /// `layer1`.
    Layer1,
    /// `layer2`.
    Layer2,
    /// `layer3`.
    Layer3,
    /// `layer4`.
    Layer4,
    /// The classifier.
    Fc,
}

impl Stage {
    /// Every stage.
    pub const ALL: [Self; 6] = [Self::Stem, Self::Layer1, Self::Layer2, Self::Layer3, Self::Layer4, Self::Fc];
    /// The stages of blocks.
    pub const LAYERS: [Self; 4] = [Self::Layer1, Self::Layer2, Self::Layer3, Self::Layer4];

    /// Its name on the command line; what its parameters' names begin with, but for the stem's.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Stem => "stem",
            Self::Layer1 => "layer1",
            Self::Layer2 => "layer2",
            Self::Layer3 => "layer3",
            Self::Layer4 => "layer4",
            Self::Fc => "fc",
        }
    }

    /// The stage of a parameter; `None` where the name is no ResNet's.
    #[must_use]
    pub fn of(parameter: &str) -> Option<Self> {
        let first = parameter.split('.').next()?;
        if matches!(first, "conv1" | "bn1") {
            return Some(Self::Stem);
        }
        Self::ALL.into_iter().skip(1).find(|stage| stage.name() == first)
    }
}

impl Display for Stage {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Stage {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|stage| stage.name() == text);
        found.ok_or_else(|| format!("{text:?} is no stage, expected stem, layer1, layer2, layer3, layer4 or fc"))
    }
}

/// Whether a ResNet's parameter of this name belongs to a batch norm: `bn2.weight`, `layer1.0.downsample.1.bias`.
#[must_use]
pub fn is_norm(parameter: &str) -> bool {
    let owner = parameter.rsplit_once('.').map_or("", |(owner, _)| owner);
    owner.rsplit('.').next().is_some_and(|last| last.starts_with("bn")) || owner.ends_with("downsample.1")
}
