//! The facts of a report. `report.json` is these, and the page says nothing that is not in them.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::guidance::{Lang, is_melanoma};
use super::words::Words;
use crate::data::measure::{GREY, Measurements, SHARP};

/// From this share of the mask on, spots besides the largest one are worth a warning.
const SEVERAL: f64 = 0.1;
/// From this share of its box's outline on, the photograph's edge cuts the lesion off.
const CUT_OFF: f64 = 0.1;

/// What holds for a whole report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReportHead {
    /// The version of nevus.
    pub nevus: String,
    /// The page's language.
    pub lang: Lang,
    /// The adapter that computed, see [`crate::gpu::Caps::describe`].
    pub device: String,
    /// The weights of the U-Net.
    pub outlined_by: String,
    /// The probability from which a pixel counts as lesion.
    pub threshold: f32,
    /// The weights of the classifier.
    pub classified_by: Option<String>,
    /// Why there are no probabilities, where there are none.
    pub not_classified: Option<NotClassified>,
    /// The photographs' scale, where it was given.
    pub mm_per_pixel: Option<f64>,
}

/// Why photographs were not classified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotClassified {
    /// It was not wanted.
    NotAsked,
    /// There are no weights.
    NoClassifier,
}

/// A photograph that could not be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportFailure {
    /// The file.
    pub file: PathBuf,
    /// Why.
    pub error: String,
}

/// Everything that is said of one photograph.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Case {
    /// Its name, which its pictures begin with.
    pub name: String,
    /// The file.
    pub file: PathBuf,
    /// Columns of the upright photograph.
    pub width: u32,
    /// Its rows.
    pub height: u32,
    /// See [`crate::data::measure::focus`].
    pub focus: f64,
    /// See [`crate::data::measure::chroma`].
    pub chroma: u8,
    /// The outlined lesion; nothing where none was found.
    pub lesion: Option<Lesion>,
    /// The probabilities; nothing where it was not classified.
    pub classification: Option<Classification>,
    /// What to be wary of.
    pub warnings: Vec<Warning>,
    /// The pictures, below the report's folder.
    pub pictures: PictureFiles,
}

/// The outlined lesion.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Lesion {
    /// Left, top, width, height in pixels of the photograph.
    pub bounding_box: [u32; 4],
    /// The mean probability of lesion over its pixels.
    pub mean_confidence: f64,
    /// The share of the outlined pixels that lie in other spots.
    pub elsewhere_share: f64,
    /// The share of its box's outline that is the photograph's edge.
    pub cut_off_share: f64,
    /// Its figures.
    pub measurements: Measurements,
}

/// What part of the photograph a classifier was shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum View {
    /// The lesion's crop, or the lesion without what lies around it.
    Crop,
    /// The whole photograph.
    Whole,
}

/// The probabilities of one photograph.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Classification {
    /// What was classified.
    pub view: View,
    /// Every class in the order of the model's outputs.
    pub classes: Vec<ClassProbability>,
    /// Over how many mirrored views the probabilities are means.
    pub views: usize,
    /// How many of them name the same class as the mean.
    pub agreeing: usize,
    /// Whether a temperature from the weights was applied, and biases where they have some.
    pub calibrated: bool,
    /// How far the features lie from those of the training images, where the weights know that.
    pub distance: Option<f64>,
    /// The distance from which on a photograph counts as unlike them.
    pub distance_limit: Option<f64>,
    /// The layer whose activations the heat map weighs.
    pub layer: String,
    /// Whether the heat map is zero everywhere.
    pub heat_flat: bool,
}

/// One class.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassProbability {
    /// Its name in the weights.
    pub name: String,
    /// Its probability, the mean over the views.
    pub probability: f64,
    /// What the probability is multiplied by before the greatest names the photograph; 1 where the weights do not say.
    #[serde(default = "one")]
    pub weight: f64,
    /// The deviation over the views; nothing where there is one view.
    pub deviation: Option<f64>,
    /// Its probability by the other view: the whole photograph where the crop was classified, and the other way round.
    pub other_view: Option<f64>,
}

fn one() -> f64 {
    1.0
}

impl Classification {
    /// The most probable class.
    #[must_use]
    pub fn top(&self) -> Option<&ClassProbability> {
        self.classes.iter().reduce(|best, class| if class.probability > best.probability { class } else { best })
    }

    /// The class that the photograph is named by: the most probable one, each probability multiplied by its weight.
    #[must_use]
    pub fn named(&self) -> Option<&ClassProbability> {
        let say = |class: &ClassProbability| class.weight * class.probability;
        self.classes.iter().reduce(|best, class| if say(class) > say(best) { class } else { best })
    }

    /// The class that the other view names it by.
    #[must_use]
    pub fn other_named(&self) -> Option<&ClassProbability> {
        let seen = self.classes.iter().filter(|class| class.other_view.is_some());
        let say = |class: &ClassProbability| class.other_view.map(|other| class.weight * other);
        seen.reduce(|best, class| if say(class) > say(best) { class } else { best })
    }

    /// The probability of melanoma, where the classes have it.
    #[must_use]
    pub fn melanoma(&self) -> Option<&ClassProbability> {
        self.classes.iter().find(|class| is_melanoma(&class.name))
    }
}

/// The pictures of a photograph: paths below the report's folder.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PictureFiles {
    /// The photograph with the lesion outlined.
    pub outline: PathBuf,
    /// The mask.
    pub mask: PathBuf,
    /// The crop.
    pub crop: Option<PathBuf>,
    /// The crop below its heat map.
    pub heat: Option<PathBuf>,
}

/// What a reader should know before trusting the rest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Warning {
    /// The U-Net outlined nothing, or specks alone.
    NoLesion,
    /// There are other spots.
    SeveralLesions {
        /// See [`Lesion::elsewhere_share`].
        share: f64,
    },
    /// The photograph's edge cuts the lesion off.
    CutOff {
        /// See [`Lesion::cut_off_share`].
        share: f64,
    },
    /// The photograph is blurred.
    OutOfFocus {
        /// Its sharpness.
        focus: f64,
        /// What it should reach.
        limit: f64,
    },
    /// The photograph is grey: a network that was trained on colours sees half, and there are none to count.
    Grey {
        /// See [`Case::chroma`].
        chroma: u8,
        /// What it should reach.
        limit: u8,
    },
    /// The photograph is unlike those of training.
    Unfamiliar {
        /// Its distance.
        distance: f64,
        /// What it should stay below.
        limit: f64,
    },
    /// One model, shown crop and whole photograph, names them by different classes.
    ViewsDisagree {
        /// The class by the crop.
        crop: String,
        /// The class by the whole photograph.
        whole: String,
    },
    /// Turned or mirrored, the photograph gets another class.
    Unsure {
        /// See [`Classification::agreeing`].
        agree: usize,
        /// See [`Classification::views`].
        views: usize,
    },
    /// Grad-CAM is zero everywhere.
    HeatFlat {
        /// The class.
        class: String,
        /// The layer.
        layer: String,
    },
}

impl Warning {
    /// The warnings that a photograph's facts call for.
    #[must_use]
    pub fn of(focus: f64, chroma: u8, lesion: Option<&Lesion>, classification: Option<&Classification>) -> Vec<Self> {
        let mut warnings = Vec::new();
        match lesion {
            None => warnings.push(Self::NoLesion),
            Some(lesion) => {
                let (elsewhere, cut) = (lesion.elsewhere_share, lesion.cut_off_share);
                warnings.extend((elsewhere >= SEVERAL).then_some(Self::SeveralLesions { share: elsewhere }));
                warnings.extend((cut >= CUT_OFF).then_some(Self::CutOff { share: cut }));
            }
        }
        warnings.extend((focus < SHARP).then_some(Self::OutOfFocus { focus, limit: SHARP }));
        warnings.extend((chroma < GREY).then_some(Self::Grey { chroma, limit: GREY }));
        let Some(found) = classification else { return warnings };
        if let (Some(distance), Some(limit)) = (found.distance, found.distance_limit) {
            warnings.extend((distance > limit).then_some(Self::Unfamiliar { distance, limit }));
        }
        if let (Some(named), Some(other)) = (found.named(), found.other_named())
            && named.name != other.name
        {
            let (crop, whole) = match found.view {
                View::Crop => (named, other),
                View::Whole => (other, named),
            };
            warnings.push(Self::ViewsDisagree { crop: crop.name.clone(), whole: whole.name.clone() });
        }
        if found.agreeing < found.views {
            warnings.push(Self::Unsure { agree: found.agreeing, views: found.views });
        }
        if let (true, Some(named)) = (found.heat_flat, found.named()) {
            warnings.push(Self::HeatFlat { class: named.name.clone(), layer: found.layer.clone() });
        }
        warnings
    }

    /// The warning in one or two words.
    pub(super) fn short<'a>(&self, words: &'a Words) -> &'a str {
        words.get(match self {
            Self::NoLesion => "no_lesion_short",
            Self::SeveralLesions { .. } => "several_lesions_short",
            Self::CutOff { .. } => "cut_off_short",
            Self::OutOfFocus { .. } => "out_of_focus_short",
            Self::Grey { .. } => "grey_short",
            Self::Unfamiliar { .. } => "unfamiliar_short",
            Self::ViewsDisagree { .. } => "views_disagree_short",
            Self::Unsure { .. } => "unsure_short",
            Self::HeatFlat { .. } => "heat_flat_short",
        })
    }

    /// The warning as a sentence; `name` gives a class's name for people.
    pub(super) fn sentence(&self, words: &Words, name: impl Fn(&str) -> String) -> String {
        match self {
            Self::NoLesion => words.get("no_lesion").into(),
            Self::SeveralLesions { share } => words.with("several_lesions", &[("share", &percent(*share))]),
            Self::CutOff { .. } => words.get("cut_off").into(),
            Self::OutOfFocus { focus, limit } => {
                words.with("out_of_focus", &[("focus", &figure(*focus)), ("limit", &figure(*limit))])
            }
            Self::Grey { .. } => words.get("grey").into(),
            Self::Unfamiliar { distance, limit } => {
                words.with("unfamiliar", &[("distance", &figure(*distance)), ("limit", &figure(*limit))])
            }
            Self::ViewsDisagree { crop, whole } => {
                words.with("views_disagree", &[("crop", &name(crop)), ("whole", &name(whole))])
            }
            Self::Unsure { agree, views } => {
                words.with("unsure", &[("agree", &agree.to_string()), ("views", &views.to_string())])
            }
            Self::HeatFlat { class, layer } => words.with("heat_flat", &[("class", &name(class)), ("layer", layer)]),
        }
    }
}

/// A share for people; no line ends before the sign.
pub(super) fn percent(share: f64) -> String {
    if share > 0.0 && share < 0.0005 { "<\u{a0}0.1\u{a0}%".into() } else { format!("{:.1}\u{a0}%", 100.0 * share) }
}

/// A number for people: two digits after the point, one from ten on, three below a tenth.
pub(super) fn figure(value: f64) -> String {
    match value.abs() {
        v if v < 0.1 => format!("{value:.3}"),
        v if v < 10.0 => format!("{value:.2}"),
        _ => format!("{value:.1}"),
    }
}
