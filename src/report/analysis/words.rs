//! The page's own words in every language.

use std::collections::BTreeMap;

use super::guidance::{Lang, Text};
use crate::error::{Error, Result};

const WORDS: &str = include_str!("words.toml");

/// The words in one language.
#[derive(Debug, Clone)]
pub(super) struct Words {
    lang: Lang,
    texts: BTreeMap<String, Text>,
}

impl Words {
    pub fn new(lang: Lang) -> Result<Self> {
        let texts = toml::from_str(WORDS).map_err(|error| Error::parameter("words", error.to_string()))?;
        Ok(Self { lang, texts })
    }

    pub fn lang(&self) -> Lang {
        self.lang
    }

    /// The text of a key; a key that is not there stands for itself (a test holds that none is used).
    pub fn get<'a>(&'a self, key: &'a str) -> &'a str {
        self.texts.get(key).map_or(key, |text| text.get(self.lang))
    }

    /// The text of a key with the names in braces replaced.
    pub fn with(&self, key: &str, values: &[(&str, &str)]) -> String {
        // In one pass, so that a value with braces is not replaced again.
        let mut text = String::new();
        let mut rest = self.get(key);
        while let Some(open) = rest.find('{') {
            let (before, after) = rest.split_at(open);
            text.push_str(before);
            let close = after.find('}').unwrap_or(after.len() - 1);
            let name = &after[1..close];
            let value = values.iter().find(|(known, _)| *known == name).map_or(&after[..=close], |(_, value)| value);
            text.push_str(value);
            rest = &after[close + 1..];
        }
        text.push_str(rest);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<&str> {
        let mut names: Vec<&str> = text.split('{').skip(1).filter_map(|part| Some(part.split_once('}')?.0)).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn both_languages_say_everything_with_the_same_figures() {
        let words = Words::new(Lang::Ko).unwrap();
        for (key, text) in &words.texts {
            assert!(text.en.trim() == text.en && text.ko.trim() == text.ko, "{key}");
            assert!(text.ko.chars().any(|c| ('가'..='힣').contains(&c)), "{key}");
            assert!(
                !text.en.is_empty() && text.en.is_ascii() || "“”²π·±\u{a0}".chars().any(|c| text.en.contains(c)),
                "{key}"
            );
            assert_eq!(names(&text.en), names(&text.ko), "{key}");
        }
    }

    #[test]
    fn every_key_that_the_page_asks_for_is_there_and_none_besides() {
        let words = Words::new(Lang::En).unwrap();
        let code =
            [include_str!("page.rs"), include_str!("article.rs"), include_str!("legend.rs"), include_str!("facts.rs")]
                .concat();
        for key in words.texts.keys() {
            assert!(key.starts_with("color_") || code.contains(&format!("\"{key}\"")), "{key} is not used");
        }
        let asked = code.split("words.get(\"").skip(1).chain(code.split("words.with(\"").skip(1));
        for key in asked.filter_map(|rest| rest.split('"').next()) {
            assert!(words.texts.contains_key(key), "{key} is missing");
        }
    }

    #[test]
    fn values_are_put_in_once() {
        let words = Words::new(Lang::En).unwrap();
        let text = words.with("heat", &[("class", "{layer}"), ("layer", "layer4")]);
        assert!(text.contains("“{layer}”") && text.contains("of layer4"), "{text}");
    }
}
