//! Which stages of a ResNet learn, and how fast.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::step::Rate;
use crate::error::{Error, Result};
use crate::graph::ParamInfo;
use crate::models::Stage;
use crate::models::resnet::is_norm;

/// How the stages of a ResNet learn; a stage that is not named learns at the whole rate.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StageRates {
    /// Stages that stay as they are, their norms' running statistics too.
    #[serde(default)]
    pub frozen: BTreeSet<Stage>,
    /// Stages whose norms alone stay as they are.
    #[serde(default)]
    pub frozen_norms: BTreeSet<Stage>,
    /// Factors of the learning rate, above 0.
    #[serde(default)]
    pub lr: BTreeMap<Stage, f32>,
}

impl StageRates {
    /// Refuses factors that are not above 0, and a network of which nothing learns.
    ///
    /// # Errors
    /// [`Error::Parameter`].
    pub fn validate(&self) -> Result<()> {
        if let Some((stage, lr)) = self.lr.iter().find(|(_, lr)| !(lr.is_finite() && **lr > 0.0)) {
            let message = format!("the factor of {stage}'s learning rate is {lr}, expected above 0");
            return Err(Error::parameter("train", format!("{message} (hint: freeze the stage)")));
        }
        match self.frozen.len() == Stage::ALL.len() {
            true => Err(Error::parameter("train", "every stage is frozen, so there is nothing to learn")),
            false => Ok(()),
        }
    }

    /// The stages whose norms use their running statistics in training.
    #[must_use]
    pub fn norms(&self) -> BTreeSet<Stage> {
        self.frozen.union(&self.frozen_norms).copied().collect()
    }

    /// How fast a parameter of a ResNet moves.
    #[must_use]
    pub fn of(&self, param: &ParamInfo) -> Rate {
        let Some(stage) = Stage::of(&param.name) else { return Rate::usual(param) };
        if self.frozen.contains(&stage) || self.frozen_norms.contains(&stage) && is_norm(&param.name) {
            return Rate::FROZEN;
        }
        Rate { lr: self.lr.get(&stage).copied().unwrap_or(1.0), ..Rate::usual(param) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Graph, ParamKind};

    #[test]
    fn stages_learn_as_they_are_told() {
        let rates = StageRates {
            frozen: [Stage::Stem].into(),
            frozen_norms: [Stage::Layer1].into(),
            lr: [(Stage::Layer2, 0.5)].into(),
        };
        rates.validate().unwrap();
        assert_eq!(rates.norms(), [Stage::Stem, Stage::Layer1].into());
        let mut graph = Graph::new();
        let mut rate = |name: &str, shape: &[usize]| {
            graph.param(name, shape, ParamKind::Plain).unwrap();
            rates.of(graph.params().last().unwrap())
        };
        assert_eq!(rate("conv1.weight", &[2, 2]), Rate::FROZEN);
        assert_eq!(rate("layer1.0.bn1.weight", &[2]), Rate::FROZEN);
        assert_eq!(rate("layer1.0.conv1.weight", &[2, 2]), Rate { lr: 1.0, decay: 1.0 });
        assert_eq!(rate("layer2.0.conv1.weight", &[2, 2]), Rate { lr: 0.5, decay: 1.0 });
        assert_eq!(rate("layer2.0.bn1.bias", &[2]), Rate { lr: 0.5, decay: 0.0 });
        assert_eq!(rate("fc.bias", &[2]), Rate { lr: 1.0, decay: 0.0 });
        let text = serde_json::to_string(&rates).unwrap();
        assert_eq!(text, r#"{"frozen":["stem"],"frozen_norms":["layer1"],"lr":{"layer2":0.5}}"#);
        assert_eq!(serde_json::from_str::<StageRates>(&text).unwrap(), rates);
    }

    #[test]
    fn nothing_to_learn_is_refused() {
        assert!(StageRates { frozen: Stage::ALL.into(), ..StageRates::default() }.validate().is_err());
        for lr in [0.0, -1.0, f32::NAN] {
            let rates = StageRates { lr: [(Stage::Fc, lr)].into(), ..StageRates::default() };
            assert!(rates.validate().unwrap_err().to_string().contains("fc's learning rate"), "{lr}");
        }
    }
}
