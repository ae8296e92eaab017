//! One page of charts, tables and pictures, with nothing to load besides: what trainings and measurements leave behind.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use image::RgbImage;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::page::{jpeg_bytes, jpeg_uri, page_head};
use super::shrink_photo;
use crate::error::Result;

const STYLE: &str = include_str!("document.css");
/// The most pixels of a picture's side.
const PICTURE_SIDE: u32 = 320;

/// A page in the making.
#[derive(Debug)]
pub struct Document {
    title: String,
    facts: Vec<(String, String)>,
    sections: Vec<Markup>,
}

/// A cell of a table.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// Words.
    Text(String),
    /// A number, as it is to be shown.
    Number(String),
    /// A number on a ground as dark as its share, 0 to 1.
    Shaded(String, f64),
}

/// A picture and what stands below it.
#[derive(Debug, Clone, PartialEq)]
pub struct Tile {
    /// The picture.
    pub picture: RgbImage,
    /// Below it, a line each.
    pub lines: Vec<String>,
}

impl Document {
    /// A page with a title and nothing else.
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), facts: Vec::new(), sections: Vec::new() }
    }

    /// Adds a fact to the page's head.
    pub fn fact(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.facts.push((name.into(), value.into()));
    }

    /// Adds charts (SVG) beside each other, under a heading and a sentence.
    pub fn charts(&mut self, heading: &str, about: &str, charts: &[String]) {
        let uri = |svg: &String| format!("data:image/svg+xml;base64,{}", STANDARD.encode(svg));
        self.section(
            heading,
            about,
            &html! {
                div.charts { @for svg in charts { img src=(uri(svg)) alt={ "Chart: " (heading) }; } }
            },
        );
    }

    /// Adds a table under a heading and a sentence.
    pub fn table(&mut self, heading: &str, about: &str, head: &[&str], rows: &[Vec<Cell>]) {
        let number = |column: usize| rows.iter().any(|row| !matches!(row.get(column), None | Some(Cell::Text(_))));
        self.section(
            heading,
            about,
            &html! {
                div.scroll {
                    table {
                        thead {
                            tr { @for (column, name) in head.iter().enumerate() { th.number[number(column)] { (name) } } }
                        }
                        tbody { @for row in rows { tr { @for cell in row { (td(cell)) } } } }
                    }
                }
            },
        );
    }

    /// Adds pictures beside each other, under a heading and a sentence; they are scaled down.
    pub fn tiles(&mut self, heading: &str, about: &str, tiles: &[Tile]) -> Result<()> {
        let mut shown = Vec::with_capacity(tiles.len());
        for Tile { picture, lines } in tiles {
            let picture = shrink_photo(picture, (PICTURE_SIDE, PICTURE_SIDE))?;
            shown.push((jpeg_uri(&jpeg_bytes(&picture)?), picture.dimensions(), lines));
        }
        self.section(
            heading,
            about,
            &html! {
                div.tiles {
                    @for (uri, (width, height), lines) in &shown {
                        figure {
                            img src=(uri) width=(width) height=(height)
                                alt=(lines.first().map_or("", String::as_str)) loading="lazy";
                            figcaption { @for line in *lines { (line) br; } }
                        }
                    }
                }
            },
        );
        Ok(())
    }

    fn section(&mut self, heading: &str, about: &str, body: &Markup) {
        self.sections.push(html! {
            article {
                h2 { (heading) }
                @if !about.is_empty() { p { (about) } }
                (body)
            }
        });
    }

    /// The page as HTML.
    #[must_use]
    pub fn finish(self) -> String {
        let markup = html! {
            (DOCTYPE)
            html lang="en" {
                (page_head(&format!("nevus: {}", self.title), STYLE))
                body {
                    header {
                        h1 { (self.title) }
                        dl.facts {
                            @for (name, value) in &self.facts { div { dt { (name) } dd { (value) } } }
                            div { dt { "Made by" } dd { "nevus " (env!("CARGO_PKG_VERSION")) } }
                        }
                    }
                    main { @for section in &self.sections { (section) } }
                    footer { p { "Figures of a network on photographs; no diagnosis of anyone." } }
                }
            }
        };
        markup.into_string()
    }
}

fn td(cell: &Cell) -> Markup {
    match cell {
        Cell::Text(text) => html! { td { (text) } },
        Cell::Number(text) => html! { td.number { (text) } },
        Cell::Shaded(text, share) => {
            let percent = (100.0 * share.clamp(0.0, 1.0)).round();
            html! { td.number.shaded style=(PreEscaped(format!("--share: {percent}%"))) { (text) } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    #[test]
    fn a_page_holds_what_it_was_given_and_loads_nothing() {
        let mut page = Document::new("a <b> title");
        page.fact("data", "x & y");
        page.charts("Curves", "Two of them.", &["<svg/>".into(), "<svg/>".into()]);
        let row = vec![Cell::Text("<i>".into()), Cell::Number("0.5".into()), Cell::Shaded("7".into(), 0.256)];
        page.table("Figures", "", &["class", "share", "count"], &[row]);
        let picture = RgbImage::from_pixel(800, 400, Rgb([200, 150, 120]));
        page.tiles("Worst", "", &[Tile { picture, lines: vec!["a\"b".into(), "second".into()] }]).unwrap();
        let text = page.finish();
        for wanted in ["a &lt;b&gt; title", "x &amp; y", "&lt;i&gt;", "--share: 26%", "width=\"320\"", "second"] {
            assert!(text.contains(wanted), "{wanted}");
        }
        assert_eq!(text.matches("data:image/svg+xml").count(), 2);
        for unwanted in ["http://", "https://", "<script", "<i>"] {
            assert!(!text.contains(unwanted), "{unwanted}");
        }
    }
}
