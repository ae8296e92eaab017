//! What a weights file says of its model: the keys of its metadata, and their values with types.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::Start;

/// The version of the keys that this program writes, and the newest that it reads.
pub const SCHEMA: u32 = 1;

/// The keys of the metadata.
pub mod keys {
    /// Version of these keys: [`super::SCHEMA`].
    pub const SCHEMA: &str = "nevus.schema";
    /// The version of nevus that wrote the file.
    pub const VERSION: &str = "nevus.version";
    /// JSON: which model, and its parameters.
    pub const ARCHITECTURE: &str = "nevus.architecture";
    /// HEIGHTxWIDTH of the input.
    pub const INPUT_SIZE: &str = "nevus.input_size";
    /// JSON: `mean` and `std` by channel, for values in 0..=1.
    pub const NORMALISATION: &str = "nevus.normalisation";
    /// The probability from which a pixel counts as lesion.
    pub const THRESHOLD: &str = "nevus.threshold";
    /// JSON: the names of the classes, in the order of the outputs.
    pub const CLASSES: &str = "nevus.classes";
    /// What a classifier's logits are divided by before they become probabilities, fitted on val.
    pub const TEMPERATURE: &str = "nevus.temperature";
    /// JSON: what is then added to a classifier's logits, one a class, fitted on val; without the key zeros.
    pub const CLASS_BIAS: &str = "nevus.class_bias";
    /// JSON: what a classifier's probabilities are multiplied by, one a class, before the greatest names the class; without
    /// the key ones.
    pub const DECISION_WEIGHTS: &str = "nevus.decision_weights";
    /// What of a photograph a classifier is shown.
    pub const VIEW: &str = "nevus.view";
    /// What it was trained on.
    pub const TRAINING_DATA: &str = "nevus.training_data";
    /// JSON: the weights that training started from, see [`super::Start`].
    pub const STARTED_FROM: &str = "nevus.started_from";
    /// JSON: figures reached, by name.
    pub const METRICS: &str = "nevus.metrics";
    /// The licence of the weights.
    pub const LICENSE: &str = "license";
}

/// What is taken from each channel, and what it is divided by, before the network sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Normalisation {
    /// By channel, for values in 0..=1.
    pub mean: Vec<f32>,
    /// By channel, for values in 0..=1.
    pub std: Vec<f32>,
}

/// The metadata of a weights file, with types. A field that is `None` is not in the file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Meta {
    /// The version of nevus that wrote the file.
    pub version: Option<String>,
    /// Which model, and its parameters; [`Meta::architecture_as`] gives it a type.
    pub architecture: Option<serde_json::Value>,
    /// Height and width of the input.
    pub input_size: Option<(usize, usize)>,
    /// Of the input.
    pub normalisation: Option<Normalisation>,
    /// The probability from which a pixel counts as lesion, 0 to 1.
    pub threshold: Option<f32>,
    /// The names of the classes, in the order of the outputs.
    pub classes: Option<Vec<String>>,
    /// What a classifier's logits are divided by before they become probabilities, above 0.
    pub temperature: Option<f64>,
    /// What is then added to a classifier's logits, one a class.
    pub class_bias: Option<Vec<f64>>,
    /// What a classifier's probabilities are multiplied by before the greatest names the class, one a class, above 0.
    pub decision_weights: Option<Vec<f64>>,
    /// What of a photograph a classifier is shown, as the program that trained it describes it.
    pub view: Option<serde_json::Value>,
    /// What it was trained on.
    pub training_data: Option<String>,
    /// The weights that training started from; `None` for a fresh fill.
    pub started_from: Option<Start>,
    /// Figures reached, by name.
    pub metrics: Option<BTreeMap<String, f64>>,
    /// The licence of the weights.
    pub license: Option<String>,
}

impl Meta {
    /// Nothing but the version of this program.
    #[must_use]
    pub fn new() -> Self {
        Self { version: Some(env!("CARGO_PKG_VERSION").into()), ..Self::default() }
    }

    /// Sets [`Meta::architecture`] from a value with a type.
    ///
    /// # Errors
    /// A message, where `value` has no JSON form.
    pub fn set_architecture<T: Serialize>(&mut self, value: &T) -> Result<(), String> {
        let value = serde_json::to_value(value).map_err(|e| format!("{}: {e}", keys::ARCHITECTURE))?;
        self.architecture = Some(value);
        Ok(())
    }

    /// [`Meta::architecture`] as a type, `None` where the file says nothing.
    ///
    /// # Errors
    /// A message, where it is of another type.
    pub fn architecture_as<T: DeserializeOwned>(&self) -> Result<Option<T>, String> {
        let typed = self.architecture.clone().map(serde_json::from_value).transpose();
        typed.map_err(|e| format!("metadata {}: {e}", keys::ARCHITECTURE))
    }

    /// Reads the keys of `map`; others are passed over.
    ///
    /// # Errors
    /// A message that names the key.
    pub fn from_map(map: &BTreeMap<String, String>) -> Result<Self, String> {
        if let Some(schema) = map.get(keys::SCHEMA) {
            match schema.parse::<u32>() {
                Ok(version) if (1..=SCHEMA).contains(&version) => {}
                Ok(version) if version > SCHEMA => {
                    let by = map.get(keys::VERSION).map_or("a newer one", String::as_str);
                    return Err(format!("was written by nevus {by} (schema {version}); this one reads up to {SCHEMA}"));
                }
                _ => return Err(format!("metadata {} is {schema:?}, expected a version", keys::SCHEMA)),
            }
        }
        let text = |key: &str| map.get(key).cloned();
        let meta = Self {
            version: text(keys::VERSION),
            architecture: json(map, keys::ARCHITECTURE)?,
            input_size: match map.get(keys::INPUT_SIZE) {
                None => None,
                Some(text) => Some(parse_size(text).ok_or_else(|| {
                    format!("metadata {} is {text:?}, expected HEIGHTxWIDTH, each 1 to 65535", keys::INPUT_SIZE)
                })?),
            },
            normalisation: json(map, keys::NORMALISATION)?,
            threshold: json(map, keys::THRESHOLD)?,
            classes: json(map, keys::CLASSES)?,
            temperature: json(map, keys::TEMPERATURE)?,
            class_bias: json(map, keys::CLASS_BIAS)?,
            decision_weights: json(map, keys::DECISION_WEIGHTS)?,
            view: json(map, keys::VIEW)?,
            training_data: text(keys::TRAINING_DATA),
            started_from: match json(map, keys::STARTED_FROM)? {
                None => map.get(keys::TRAINING_DATA).and_then(|text| Start::in_description(text)),
                start => start,
            },
            metrics: json(map, keys::METRICS)?,
            license: text(keys::LICENSE),
        };
        meta.check()?;
        Ok(meta)
    }

    /// Sets the keys of `map`; a field that is `None` removes its key, keys that are not nevus's stay.
    pub fn write_to(&self, map: &mut BTreeMap<String, String>) {
        let entries = [
            (keys::SCHEMA, Some(SCHEMA.to_string())),
            (keys::VERSION, self.version.clone()),
            (keys::ARCHITECTURE, self.architecture.as_ref().map(ToString::to_string)),
            (keys::INPUT_SIZE, self.input_size.map(|(height, width)| format_size(height, width))),
            (keys::NORMALISATION, to_json(self.normalisation.as_ref())),
            (keys::THRESHOLD, to_json(self.threshold.as_ref())),
            (keys::CLASSES, to_json(self.classes.as_ref())),
            (keys::TEMPERATURE, to_json(self.temperature.as_ref())),
            (keys::CLASS_BIAS, to_json(self.class_bias.as_ref())),
            (keys::DECISION_WEIGHTS, to_json(self.decision_weights.as_ref())),
            (keys::VIEW, to_json(self.view.as_ref())),
            (keys::TRAINING_DATA, self.training_data.clone()),
            (keys::STARTED_FROM, to_json(self.started_from.as_ref())),
            (keys::METRICS, to_json(self.metrics.as_ref())),
            (keys::LICENSE, self.license.clone()),
        ];
        for (key, value) in entries {
            match value {
                Some(value) => map.insert(key.into(), value),
                None => map.remove(key),
            };
        }
    }

    fn check(&self) -> Result<(), String> {
        if let Some(normalisation) = &self.normalisation {
            let (mean, std) = (&normalisation.mean, &normalisation.std);
            let sound = mean.iter().all(|v| v.is_finite()) && std.iter().all(|v| v.is_finite() && *v > 0.0);
            if mean.is_empty() || mean.len() != std.len() || !sound {
                let expected = "as many finite means as positive deviations";
                return Err(format!("metadata {}: {normalisation:?}, expected {expected}", keys::NORMALISATION));
            }
        }
        if let Some(temperature) = self.temperature.filter(|t| !(t.is_finite() && *t > 0.0)) {
            return Err(format!("metadata {} is {temperature}, expected above 0", keys::TEMPERATURE));
        }
        self.check_lengths()?;
        let finite = |values: &Vec<f64>| values.iter().all(|value| value.is_finite());
        if let Some(bias) = self.class_bias.as_ref().filter(|bias| !finite(bias)) {
            return Err(format!("metadata {} is {bias:?}, expected finite numbers", keys::CLASS_BIAS));
        }
        let sound = |weights: &Vec<f64>| finite(weights) && weights.iter().all(|weight| *weight > 0.0);
        if let Some(weights) = self.decision_weights.as_ref().filter(|weights| !sound(weights)) {
            return Err(format!("metadata {} is {weights:?}, expected above 0", keys::DECISION_WEIGHTS));
        }
        match self.threshold {
            Some(threshold) if !(0.0..=1.0).contains(&threshold) => {
                Err(format!("metadata {} is {threshold}, expected 0 to 1", keys::THRESHOLD))
            }
            _ => Ok(()),
        }
    }

    /// What is one a class must be as many as the classes, where these are known.
    fn check_lengths(&self) -> Result<(), String> {
        let lists = [(keys::CLASS_BIAS, &self.class_bias), (keys::DECISION_WEIGHTS, &self.decision_weights)];
        for (key, values) in lists {
            if let (Some(values), Some(classes)) = (values, &self.classes)
                && values.len() != classes.len()
            {
                return Err(format!("metadata {key} has {} numbers, expected {}", values.len(), classes.len()));
            }
        }
        Ok(())
    }
}

/// HEIGHTxWIDTH, as sizes are written everywhere.
#[must_use]
pub fn format_size(height: usize, width: usize) -> String {
    format!("{height}x{width}")
}

/// (height, width) of HEIGHTxWIDTH, each 1 to 65535.
#[must_use]
pub fn parse_size(text: &str) -> Option<(usize, usize)> {
    let (height, width) = text.split_once('x')?;
    let side = |text: &str| text.parse::<u16>().ok().filter(|&side| side > 0).map(usize::from);
    Some((side(height)?, side(width)?))
}

fn json<T: DeserializeOwned>(map: &BTreeMap<String, String>, key: &str) -> Result<Option<T>, String> {
    let value = map.get(key).map(|text| serde_json::from_str(text)).transpose();
    value.map_err(|e| format!("metadata {key}: {e}"))
}

fn to_json<T: Serialize>(value: Option<&T>) -> Option<String> {
    value.and_then(|value| serde_json::to_string(value).ok())
}
