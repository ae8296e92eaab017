//! What the figures on a page mean, said once.

use maud::{Markup, html};

use super::article::Writer;
use super::facts::{Case, Classification, figure};
use crate::data::measure::SHARP;

/// Where on the page it stands.
pub(super) const FIGURES: &str = "figures";

/// What is measured of every lesion: its name, and what its figure means.
const MEASURES: [(&str, &str); 6] = [
    ("area", "area_says"),
    ("asymmetry", "asymmetry_says"),
    ("border", "border_says"),
    ("colors", "colors_says"),
    ("diameter", "diameter_says"),
    ("confidence", "confidence_says"),
];

impl Writer<'_> {
    /// What the figures of these photographs mean.
    pub fn legend<'a>(&self, cases: impl Iterator<Item = &'a Case> + Clone) -> Markup {
        let words = self.words;
        let found = cases.clone().find_map(|case| case.classification.as_ref());
        let unfamiliar = cases.filter_map(|case| case.classification.as_ref()).find_map(|found| found.distance_limit);
        let mut entries: Vec<(&str, String)> = Vec::new();
        entries.extend(found.map(|found| ("probabilities", self.spread(found))));
        entries.extend(MEASURES.map(|(name, says)| (name, words.get(says).to_owned())));
        entries.push(("sharpness", words.with("sharpness_says", &[("limit", &figure(SHARP))])));
        entries.extend(
            unfamiliar.map(|limit| ("familiarity", words.with("familiarity_says", &[("limit", &figure(limit))]))),
        );
        html! {
            section id=(FIGURES) {
                h2 { (words.get("figures")) }
                dl.measures {
                    @for (name, says) in &entries { div { dt { (words.get(name)) } dd { (says) } } }
                }
                p.says { (words.get("sources_of_measures")) }
            }
        }
    }

    /// What a probability and its ± say.
    fn spread(&self, found: &Classification) -> String {
        let views = found.views.to_string();
        match (found.views, found.calibrated) {
            (..=1, _) => self.words.get("one_view").to_owned(),
            (_, true) => self.words.with("plus_minus", &[("views", &views)]),
            (_, false) => self.words.with("plus_minus_uncalibrated", &[("views", &views)]),
        }
    }
}
