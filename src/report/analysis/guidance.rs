//! What is said of each class, from one text file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

const OWN: &str = include_str!("guidance.toml");

/// A language of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lang {
    /// English.
    #[default]
    En,
    /// Korean.
    Ko,
}

impl Lang {
    /// Every language.
    pub const ALL: [Self; 2] = [Self::En, Self::Ko];

    /// Its code in HTML and on the command line.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Ko => "ko",
        }
    }

    fn of<'a>(self, en: &'a str, ko: &'a str) -> &'a str {
        match self {
            Self::En => en,
            Self::Ko => ko,
        }
    }
}

/// A text in every language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Text {
    /// In English.
    pub en: String,
    /// In Korean.
    pub ko: String,
}

impl Text {
    /// The text in one language.
    #[must_use]
    pub fn get(&self, lang: Lang) -> &str {
        lang.of(&self.en, &self.ko)
    }
}

/// A sentence or two with where they come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// In English.
    pub en: String,
    /// In Korean.
    pub ko: String,
    /// Keys of [`Guidance::sources`].
    pub sources: Vec<String>,
}

impl Statement {
    /// The text in one language.
    #[must_use]
    pub fn get(&self, lang: Lang) -> &str {
        lang.of(&self.en, &self.ko)
    }
}

/// Where a statement comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The page's or paper's title.
    pub title: String,
    /// Who publishes it.
    pub publisher: String,
    /// Its edition or year, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edition: Option<String>,
}

/// What is said of one class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassGuidance {
    /// The class names it speaks of, whatever their case.
    pub labels: Vec<String>,
    /// Its name for people.
    pub name: Text,
    /// What it is.
    pub what: Statement,
    /// Which specialist looks after it.
    pub specialist: Statement,
    /// How soon to go there.
    pub how_soon: Statement,
    /// What is usually done.
    pub usually_done: Statement,
}

impl ClassGuidance {
    /// Its four statements in the order in which they are read.
    #[must_use]
    pub fn statements(&self) -> [&Statement; 4] {
        [&self.what, &self.specialist, &self.how_soon, &self.usually_done]
    }
}

/// The text file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Guidance {
    /// That this is no diagnosis.
    pub notice: Statement,
    /// What holds for every class.
    pub always: Statement,
    /// The classes.
    #[serde(rename = "class")]
    pub classes: Vec<ClassGuidance>,
    /// Where the statements come from, by key.
    #[serde(rename = "source")]
    pub sources: BTreeMap<String, Source>,
}

impl Guidance {
    /// The guidance that comes with nevus.
    pub fn own() -> Result<Self> {
        Self::parse(OWN).map_err(|message| Error::parameter("guidance", message))
    }

    /// Reads a file of the same form.
    ///
    /// Fails where it cannot be read, a language or a statement is missing or empty, a statement has no source, a source
    /// is not in the file, or two classes share a label.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path).map_err(Error::io(path))?;
        Self::parse(&text).map_err(|message| Error::data(path, message))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let guidance: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        guidance.check()?;
        Ok(guidance)
    }

    fn check(&self) -> Result<(), String> {
        let mut labels = BTreeSet::new();
        for class in &self.classes {
            let Some(name) = class.labels.first() else { return Err("a class without labels".into()) };
            if let Some(twice) = class.labels.iter().find(|label| !labels.insert(label.to_lowercase())) {
                return Err(format!("two classes have the label {twice:?}"));
            }
            if class.name.en.trim().is_empty() || class.name.ko.trim().is_empty() {
                return Err(format!("class {name:?}: its name is empty in a language"));
            }
        }
        let statements = self.classes.iter().flat_map(ClassGuidance::statements);
        for statement in statements.chain([&self.notice, &self.always]) {
            if statement.en.trim().is_empty() || statement.ko.trim().is_empty() {
                return Err(format!("the statement {:?} is empty in a language", statement.en));
            }
            if statement.sources.is_empty() {
                return Err(format!("the statement {:?} is without a source", statement.en));
            }
            if let Some(key) = statement.sources.iter().find(|key| !self.sources.contains_key(*key)) {
                return Err(format!("the statement {:?} names the source {key:?}, which is not there", statement.en));
            }
        }
        Ok(())
    }

    /// What is said of a class.
    #[must_use]
    pub fn of(&self, class: &str) -> Option<&ClassGuidance> {
        let same = |label: &String| label.to_lowercase() == class.trim().to_lowercase();
        self.classes.iter().find(|known| known.labels.iter().any(same))
    }

    /// The number of a source on the page, from 1.
    #[must_use]
    pub fn number(&self, source: &str) -> Option<usize> {
        self.sources.keys().position(|key| key == source).map(|at| at + 1)
    }
}

/// What a report says of classes, in its language: a part of `report.json`.
#[derive(Debug, Serialize)]
pub(super) struct Said<'a> {
    notice: SaidStatement<'a>,
    always: SaidStatement<'a>,
    classes: Vec<SaidOfClass<'a>>,
    /// In the order of their numbers on the page.
    sources: Vec<SaidSource<'a>>,
}

/// A statement with the keys of its sources.
#[derive(Debug, Serialize)]
struct SaidStatement<'a> {
    text: &'a str,
    sources: &'a [String],
}

#[derive(Debug, Serialize)]
struct SaidOfClass<'a> {
    class: &'a str,
    name: &'a str,
    what: SaidStatement<'a>,
    specialist: SaidStatement<'a>,
    how_soon: SaidStatement<'a>,
    usually_done: SaidStatement<'a>,
}

#[derive(Debug, Serialize)]
struct SaidSource<'a> {
    key: &'a str,
    #[serde(flatten)]
    source: &'a Source,
}

impl Guidance {
    /// What is said in one language of the classes that are spoken of.
    pub(super) fn said<'a>(&'a self, lang: Lang, spoken_of: &[&'a str]) -> Said<'a> {
        let say = |statement: &'a Statement| SaidStatement { text: statement.get(lang), sources: &statement.sources };
        let of_class = |&class: &&'a str| {
            let known = self.of(class)?;
            Some(SaidOfClass {
                class,
                name: known.name.get(lang),
                what: say(&known.what),
                specialist: say(&known.specialist),
                how_soon: say(&known.how_soon),
                usually_done: say(&known.usually_done),
            })
        };
        Said {
            notice: say(&self.notice),
            always: say(&self.always),
            classes: spoken_of.iter().filter_map(of_class).collect(),
            sources: self.sources.iter().map(|(key, source)| SaidSource { key, source }).collect(),
        }
    }
}

/// Whether a class is melanoma by its name.
#[must_use]
pub fn is_melanoma(class: &str) -> bool {
    ["mel", "melanoma"].contains(&class.trim().to_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Classes;

    #[test]
    fn every_class_of_the_models_is_covered_in_both_languages() {
        let guidance = Guidance::own().unwrap();
        for class in [Classes::three(), Classes::seven()].iter().flat_map(Classes::names) {
            let found = guidance.of(class).unwrap_or_else(|| panic!("no guidance for {class}"));
            let hangul = |text: &str| text.chars().any(|c| ('가'..='힣').contains(&c));
            assert!(hangul(&found.name.ko) && !hangul(&found.name.en), "{class}");
            for statement in found.statements() {
                assert!(hangul(&statement.ko) && !hangul(&statement.en), "{class}: {statement:?}");
            }
        }
        assert_eq!(guidance.of("mel"), guidance.of("MEL"));
        assert_eq!(guidance.of("frog"), None);
        assert!(is_melanoma("MEL") && is_melanoma("mel") && !is_melanoma("NV"));
    }

    #[test]
    fn every_source_is_used() {
        let guidance = Guidance::own().unwrap();
        let of_classes = guidance.classes.iter().flat_map(ClassGuidance::statements);
        let statements = of_classes.chain([&guidance.notice, &guidance.always]);
        let used: BTreeSet<&String> = statements.flat_map(|statement| &statement.sources).collect();
        assert!(guidance.sources.keys().all(|key| used.contains(key)), "{used:?}");
        assert_eq!(guidance.number("aad-abcde"), Some(1));
    }

    #[test]
    fn files_that_say_too_little_are_refused() {
        let broken = [
            ("sources = [\"nice-ng12\"]", "sources = [\"nowhere\"]", "nowhere"),
            ("sources = [\"nice-ng12\"]", "sources = []", "without a source"),
            ("sources = [\"bmj-apps\", \"ham10000\"]", "sources = []", "\"This is no diagnosis."),
            ("sources = [\"aad-abcde\"]", "sources = []", "\"Have a doctor look"),
            ("labels = [\"bcc\"]", "labels = [\"DF\"]", "two classes"),
            ("ko = \"피부과 전문의입니다.\"", "ko = \" \"", "empty in a language"),
            ("ko = \"피부과 전문의입니다.\"\n", "", "missing field"),
            ("[always]", "[sometimes]", "sometimes"),
        ];
        for (from, to, wanted) in broken {
            assert!(OWN.contains(from), "{from}");
            let error = Guidance::parse(&OWN.replace(from, to)).unwrap_err();
            assert!(error.contains(wanted), "{wanted}: {error}");
        }
        let missing = Guidance::open("no/such/guidance.toml").unwrap_err().to_string();
        assert!(missing.contains("no/such/guidance.toml"), "{missing}");
    }
}
