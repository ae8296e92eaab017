//! One photograph's part of the page.

use maud::{Markup, html};

use super::facts::{Case, ClassProbability, Classification, Lesion, NotClassified, View, figure, percent};
use super::guidance::{ClassGuidance, Guidance, Statement};
use super::legend::FIGURES;
use super::words::Words;
use crate::data::measure::{COLOR_SHARE, LesionColor, SHARP};

/// From this probability on, with its deviation added, melanoma is spoken of though another class is more probable.
const MENTIONED: f64 = 0.1;

/// What every part of the page is written with.
pub(super) struct Writer<'a> {
    pub words: &'a Words,
    pub guidance: &'a Guidance,
    /// Where the overview is.
    pub overview: &'a str,
}

/// A picture as the page has it.
pub(super) struct Shown {
    pub uri: String,
    pub width: u32,
    pub height: u32,
}

/// The pictures of one photograph.
pub(super) struct ShownPictures {
    pub outline: Shown,
    pub crop: Option<Shown>,
    pub heat: Option<Shown>,
}

impl Writer<'_> {
    /// A class's name for people.
    pub fn name(&self, class: &str) -> String {
        let known = self.guidance.of(class);
        known.map_or_else(|| class.to_owned(), |known| known.name.get(self.words.lang()).to_owned())
    }

    /// A statement with the numbers of its sources.
    pub fn statement(&self, statement: &Statement) -> Markup {
        let numbers = statement.sources.iter().filter_map(|source| self.guidance.number(source));
        html! {
            (statement.get(self.words.lang()))
            @for number in numbers {
                "\u{a0}"
                a.cite href={ "#source-" (number) } aria-label={ (self.words.get("source")) " " (number) } {
                    "[" (number) "]"
                }
            }
        }
    }

    pub fn article(&self, rank: usize, case: &Case, pictures: &ShownPictures) -> Markup {
        let words = self.words;
        html! {
            article id={ "photo-" (rank) } {
                h2 { (case.name) }
                @if !case.warnings.is_empty() {
                    ul.warnings {
                        @for warning in &case.warnings { li { (warning.sentence(words, |class| self.name(class))) } }
                    }
                }
                (self.pictures(case, pictures))
                @if let Some(found) = &case.classification { (self.probabilities(found)) }
                (self.measurements(case))
                @if let Some(found) = &case.classification {
                    @for class in spoken_of(found) { (self.class(&class.name)) }
                }
                p.back { a href=(self.overview) { (words.get("back")) } }
            }
        }
    }

    fn pictures(&self, case: &Case, pictures: &ShownPictures) -> Markup {
        let words = self.words;
        let by_crop = case.classification.as_ref().is_some_and(|found| found.view == View::Crop);
        let outline = if case.lesion.is_some() { "outline" } else { "outline_none" };
        let crop = words.get(if by_crop { "crop" } else { "crop_unclassified" });
        let heat = case.classification.as_ref().and_then(|found| {
            let values = [("class", self.name(&found.named()?.name)), ("layer", found.layer.clone())];
            Some(words.with("heat", &values.each_ref().map(|(key, value)| (*key, value.as_str()))))
        });
        let size = match [&pictures.crop, &pictures.heat].into_iter().flatten().count() {
            0 => "pictures one",
            1 => "pictures two",
            _ => "pictures",
        };
        html! {
            div class=(size) {
                (figure_of(&pictures.outline, "outline", words.get(outline), &case.name))
                @if let Some(shown) = &pictures.crop { (figure_of(shown, "crop", crop, &case.name)) }
                @if let Some(shown) = &pictures.heat {
                    (figure_of(shown, "heat", heat.as_deref().unwrap_or(words.get("heat_short")), &case.name))
                }
            }
        }
    }

    fn probabilities(&self, found: &Classification) -> Markup {
        let words = self.words;
        html! {
            section {
                h3 { (words.get("probabilities")) " " (self.how()) }
                div.bars { @for class in &found.classes { (self.bar(found, class)) } }
                @if let (Some(named), Some(top)) = (found.named(), found.top()) {
                    @if named.name != top.name {
                        p.says { (self.named(named, top)) }
                    }
                }
            }
        }
    }

    /// Why a photograph is named by another class than the most probable one.
    fn named(&self, named: &ClassProbability, top: &ClassProbability) -> String {
        let times = figure(named.weight / top.weight);
        let values = [("class", self.name(&named.name)), ("top", self.name(&top.name)), ("times", times)];
        self.words.with("named", &values.each_ref().map(|(key, value)| (*key, value.as_str())))
    }

    fn bar(&self, found: &Classification, class: &ClassProbability) -> Markup {
        let named = found.named().is_some_and(|named| named.name == class.name);
        let share = |value: f64| format!("{:.2}%", 100.0 * value.clamp(0.0, 1.0));
        let spread = class.deviation.map(|deviation| {
            let (low, high) = ((class.probability - deviation).max(0.0), (class.probability + deviation).min(1.0));
            format!("left:{};width:{}", share(low), share(high - low))
        });
        let other_view = match found.view {
            View::Crop => "by_whole",
            View::Whole => "by_crop",
        };
        html! {
            div.class.top[named] {
                span.label { (self.name(&class.name)) }
                div.bar {
                    div.fill style={ "width:" (share(class.probability)) } {}
                    @if let Some(spread) = spread { div.spread style=(spread) {} }
                }
                span.value {
                    (percent(class.probability))
                    @if let Some(deviation) = class.deviation { small { " ± " (points(deviation)) } }
                    @if let Some(other) = class.other_view {
                        br;
                        small { (self.words.with(other_view, &[("probability", &percent(other))])) }
                    }
                }
            }
        }
    }

    fn measurements(&self, case: &Case) -> Markup {
        let words = self.words;
        let familiarity = case.classification.as_ref().map(|found| found.distance.zip(found.distance_limit));
        let below = |key: &str, limit: f64| words.with(key, &[("limit", &figure(limit))]);
        html! {
            section {
                h3 { (words.get("measurements")) " " (self.how()) }
                dl.measures {
                    @if let Some(lesion) = &case.lesion { (self.shape(lesion)) }
                    (measure(words.get("sharpness"), &figure(case.focus), &below("sharpness_cue", SHARP)))
                    @match familiarity {
                        Some(Some((distance, limit))) => (measure(
                            words.get("familiarity"),
                            &figure(distance),
                            &below("familiarity_cue", limit),
                        )),
                        Some(None) => (measure(
                            words.get("familiarity"),
                            words.get("familiarity_unknown"),
                            words.get("familiarity_unknown_says"),
                        )),
                        None => {}
                    }
                }
            }
        }
    }

    /// A link to what the figures mean.
    fn how(&self) -> Markup {
        html! { a.how href={ "#" (FIGURES) } { (self.words.get("how_to_read")) } }
    }

    fn shape(&self, lesion: &Lesion) -> Markup {
        let words = self.words;
        let found = &lesion.measurements;
        let counted = found.colors.iter().filter(|color| color.share >= COLOR_SHARE);
        let names: Vec<String> =
            counted.map(|color| format!("{} {}", self.color(color.color), percent(color.share))).collect();
        let colors = if names.is_empty() { words.get("no_colors").to_owned() } else { names.join(", ") };
        let (diameter, says) = match found.diameter_mm {
            Some(mm) => (format!("{}\u{a0}mm", figure(mm)), words.get("diameter_cue")),
            None => (words.get("diameter_unknown").to_owned(), words.get("diameter_unknown_says")),
        };
        let (border, border_says) = match found.border_irregularity {
            Some(irregularity) => (figure(irregularity), words.get("border_cue")),
            None => (words.get("border_unknown").to_owned(), words.get("border_unknown_says")),
        };
        html! {
            (measure(words.get("area"), &percent(found.area_fraction), words.get("area_cue")))
            (measure(words.get("asymmetry"), &found.asymmetry.map(percent).join(" · "), words.get("asymmetry_cue")))
            (measure(words.get("border"), &border, border_says))
            (measure(words.get("colors"), &names.len().to_string(), &colors))
            (measure(words.get("diameter"), &diameter, says))
            (measure(words.get("confidence"), &percent(lesion.mean_confidence), words.get("confidence_cue")))
        }
    }

    fn color(&self, color: LesionColor) -> &str {
        self.words.get(match color {
            LesionColor::White => "color_white",
            LesionColor::Red => "color_red",
            LesionColor::LightBrown => "color_light_brown",
            LesionColor::DarkBrown => "color_dark_brown",
            LesionColor::BlueGrey => "color_blue_grey",
            LesionColor::Black => "color_black",
        })
    }

    fn class(&self, class: &str) -> Markup {
        let words = self.words;
        let known = self.guidance.of(class);
        let topics = [words.get("what"), words.get("specialist"), words.get("how_soon"), words.get("usually_done")];
        let statements = known.map(ClassGuidance::statements);
        html! {
            section.guidance {
                h3 { (words.get("guidance")) ": " (self.name(class)) }
                @if let Some(statements) = statements {
                    dl {
                        @for (topic, statement) in topics.iter().zip(statements) {
                            div { dt { (topic) } dd { (self.statement(statement)) } }
                        }
                    }
                } @else {
                    p { (words.with("no_guidance", &[("class", class)])) }
                }
            }
        }
    }

    /// Why there are no probabilities.
    pub fn not_classified(&self, why: NotClassified) -> Markup {
        let key = match why {
            NotClassified::NotAsked => "not_asked",
            NotClassified::NoClassifier => "no_classifier",
        };
        html! {
            p.warning role="note" { strong { (self.words.get("not_classified")) } " " (self.words.get(key)) }
        }
    }
}

/// The class it is named by, the most probable one, and melanoma where it cannot be left out.
pub(super) fn spoken_of(found: &Classification) -> Vec<&ClassProbability> {
    let likely = |class: &&ClassProbability| class.probability + class.deviation.unwrap_or(0.0) >= MENTIONED;
    // Melanoma first: it is what must not be missed.
    let mut spoken: Vec<&ClassProbability> = Vec::new();
    for class in [found.melanoma().filter(likely), found.named(), found.top()].into_iter().flatten() {
        if spoken.iter().all(|known| known.name != class.name) {
            spoken.push(class);
        }
    }
    spoken
}

fn figure_of(shown: &Shown, kind: &str, caption: &str, name: &str) -> Markup {
    html! {
        figure class=(kind) {
            img src=(shown.uri) width=(shown.width) height=(shown.height) decoding="async"
                alt={ (name) ": " (caption) };
            figcaption { (caption) }
        }
    }
}

/// A figure, and beside what to hold it.
fn measure(name: &str, value: &str, cue: &str) -> Markup {
    html! { div { dt { (name) } dd { b { (value) } p.says { (cue) } } } }
}

/// A deviation in percentage points.
fn points(deviation: f64) -> String {
    format!("{:.1}", 100.0 * deviation)
}
