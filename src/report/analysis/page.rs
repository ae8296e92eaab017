//! The report in the making: pictures go to disk as they come, and at the end the page is written in one stream.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Write};
use std::path::{Path, PathBuf};

use image::{GrayImage, RgbImage};
use maud::{Markup, html};
use serde::Serialize;

use super::article::{Shown, ShownPictures, Writer, spoken_of};
use super::facts::{Case, ReportFailure, ReportHead, percent};
use super::guidance::{Guidance, Said};
use super::words::Words;
use crate::data::measure::SHARP;
use crate::data::save::{write_atomic, write_jpeg, write_png_grey};
use crate::error::{Error, Result};
use crate::report::page::{jpeg_bytes, jpeg_uri, page_head};
use crate::report::{overlay, scale_mask, shrink_photo};

/// The most photographs of one page; more make `report-2.html` and so on, the table of all standing on the first.
pub const PER_PAGE: usize = 600;
/// For up to so many photographs, the longest sides of the outlined photograph and of crop and heat map on the page, so
/// that a page stays below about 20 MB. The pictures in the folder keep their size.
const SIDES: [(usize, u32, u32); 3] = [(60, 900, 400), (200, 560, 280), (usize::MAX, 340, 180)];
/// The longest side of a picture in the overview, which is there where everything is on one page.
const THUMB_SIDE: u32 = 96;
const QUALITY: u8 = 92;
const FOLDER: &str = "pictures";
const STYLE: &str = include_str!("page.css");

/// The pictures that one photograph comes with.
#[derive(Debug)]
pub struct Pictures<'a> {
    /// The photograph.
    pub photo: &'a RgbImage,
    /// The lesion's mask, of the same size; empty where none was found.
    pub mask: &'a GrayImage,
    /// The crop.
    pub crop: Option<&'a RgbImage>,
    /// The crop below its heat map.
    pub heat: Option<&'a RgbImage>,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The pages, the first being `report.html`.
    pub pages: Vec<PathBuf>,
    /// `report.json`.
    pub json: PathBuf,
}

/// A report in the making. Of each photograph it keeps the facts alone.
#[derive(Debug)]
pub struct AnalysisReport {
    folder: PathBuf,
    head: ReportHead,
    guidance: Guidance,
    words: Words,
    sides: (u32, u32),
    entries: Vec<(Case, Places)>,
    failures: Vec<ReportFailure>,
    spool: File,
    end: u64,
}

/// The pictures of a photograph in the spool.
#[derive(Debug, Clone, Copy)]
struct Places {
    outline: Spooled,
    crop: Option<Spooled>,
    heat: Option<Spooled>,
    thumb: Spooled,
}

/// Where the bytes of a picture lie in the spool.
#[derive(Debug, Clone, Copy)]
struct Spooled {
    start: u64,
    len: usize,
    width: u32,
    height: u32,
}

/// Which columns the overview has besides those that it always has.
#[derive(Debug, Clone, Copy)]
struct Columns {
    melanoma: bool,
    class: bool,
}

/// `report.json`.
#[derive(Serialize)]
struct Facts<'a> {
    #[serde(flatten)]
    head: &'a ReportHead,
    /// The sharpness below which a photograph counts as out of focus.
    focus_limit: f64,
    /// What the page calls the classes.
    class_names: BTreeMap<&'a str, &'a str>,
    guidance: Said<'a>,
    photographs: Vec<&'a Case>,
    failures: &'a [ReportFailure],
}

impl AnalysisReport {
    /// A report for about `expected` photographs in a folder, which is made where it is missing.
    ///
    /// Fails where the folder cannot be written, or holds a `report.html` that is not nevus's.
    pub fn new(folder: impl AsRef<Path>, head: ReportHead, guidance: Guidance, expected: usize) -> Result<Self> {
        let folder = folder.as_ref().to_path_buf();
        let page = folder.join("report.html");
        if page.exists() && !folder.join("report.json").exists() {
            return Err(Error::data(&page, "is there already and not from nevus analyze (hint: another --out)"));
        }
        let pictures = folder.join(FOLDER);
        std::fs::create_dir_all(&pictures).map_err(Error::io(&pictures))?;
        let spool = tempfile::tempfile_in(&folder).map_err(Error::io(&folder))?;
        let sides = SIDES.iter().find(|(most, ..)| expected <= *most).map_or((340, 180), |&(_, a, b)| (a, b));
        let words = Words::new(head.lang)?;
        Ok(Self { folder, head, guidance, words, sides, entries: Vec::new(), failures: Vec::new(), spool, end: 0 })
    }

    /// Adds a photograph: writes its pictures, whose names it puts into the facts.
    ///
    /// Fails where the mask is of another size than the photograph, or a file cannot be written.
    pub fn add(&mut self, mut case: Case, pictures: &Pictures) -> Result<()> {
        let named = |what: &str| Path::new(FOLDER).join(format!("{}_{what}", case.name));
        let (outline, mask) = (named("outline.jpg"), named("mask.png"));
        let files = [pictures.crop.map(|_| named("crop.jpg")), pictures.heat.map(|_| named("heat.jpg"))];
        write_jpeg(self.folder.join(&outline), &overlay(pictures.photo, pictures.mask)?, QUALITY)?;
        write_png_grey(self.folder.join(&mask), pictures.mask)?;
        for (file, picture) in files.iter().zip([pictures.crop, pictures.heat]) {
            if let (Some(file), Some(picture)) = (file, picture) {
                write_jpeg(self.folder.join(file), picture, QUALITY)?;
            }
        }
        let (large, small) = self.sides;
        let photo = shrink_photo(pictures.photo, (large, large))?;
        let shown = overlay(&photo, &scale_mask(pictures.mask, photo.dimensions())?)?;
        let thumb = pictures.crop.unwrap_or(&shown);
        let places = Places {
            outline: self.spool(&shown)?,
            crop: pictures.crop.map(|crop| self.spool(&shrink_photo(crop, (small, small))?)).transpose()?,
            heat: pictures.heat.map(|heat| self.spool(&shrink_photo(heat, (small, small))?)).transpose()?,
            thumb: self.spool(&shrink_photo(thumb, (THUMB_SIDE, THUMB_SIDE))?)?,
        };
        let [crop, heat] = files;
        case.pictures.outline = outline;
        case.pictures.mask = mask;
        case.pictures.crop = crop;
        case.pictures.heat = heat;
        self.entries.push((case, places));
        Ok(())
    }

    /// Adds a photograph that could not be used.
    pub fn fail(&mut self, failure: ReportFailure) {
        self.failures.push(failure);
    }

    /// Every photograph's facts, in the order in which they were added.
    pub fn cases(&self) -> impl Iterator<Item = &Case> {
        self.entries.iter().map(|(case, _)| case)
    }

    /// Writes `report.json`, then the page or pages.
    ///
    /// Fails where a file cannot be written.
    pub fn finish(mut self) -> Result<Written> {
        let melanoma =
            |case: &Case| case.classification.as_ref().and_then(|c| c.melanoma()).map_or(-1.0, |c| c.probability);
        self.entries.sort_by(|(a, _), (b, _)| melanoma(b).total_cmp(&melanoma(a)));
        let json = self.folder.join("report.json");
        let photographs = self.entries.iter().map(|(case, _)| case).collect();
        let facts = Facts {
            head: &self.head,
            focus_limit: SHARP,
            class_names: self.class_names(),
            guidance: self.guidance.said(self.head.lang, &self.spoken_of()),
            photographs,
            failures: &self.failures,
        };
        let text = serde_json::to_string_pretty(&facts).map_err(|error| Error::parameter("json", error.to_string()))?;
        write_atomic(&json, |out| writeln!(out, "{text}").map_err(Error::io(&json)))?;
        let count = self.entries.len().div_ceil(PER_PAGE).max(1);
        let pages: Vec<PathBuf> = (1..=count).map(|page| self.folder.join(page_name(page))).collect();
        for (number, path) in (1..).zip(&pages) {
            self.write_page(path, number, count)?;
        }
        for stale in (count + 1..).map(|page| self.folder.join(page_name(page))).take_while(|path| path.exists()) {
            std::fs::remove_file(&stale).map_err(Error::io(&stale))?;
        }
        Ok(Written { pages, json })
    }

    /// The classes of the probabilities, each with its name for people.
    fn class_names(&self) -> BTreeMap<&str, &str> {
        let found = self.cases().filter_map(|case| case.classification.as_ref());
        let classes = found.flat_map(|found| &found.classes).map(|class| class.name.as_str());
        let name = |class| self.guidance.of(class).map_or(class, |known| known.name.get(self.head.lang));
        classes.map(|class| (class, name(class))).collect()
    }

    /// The classes that the page speaks of, each once, in the order of the photographs.
    fn spoken_of(&self) -> Vec<&str> {
        let mut classes = Vec::new();
        for found in self.cases().filter_map(|case| case.classification.as_ref()) {
            for class in spoken_of(found) {
                if !classes.contains(&class.name.as_str()) {
                    classes.push(class.name.as_str());
                }
            }
        }
        classes
    }

    fn spool(&mut self, picture: &RgbImage) -> Result<Spooled> {
        let bytes = jpeg_bytes(picture)?;
        let start = self.end;
        self.spool.write_all(&bytes).map_err(Error::io(&self.folder))?;
        self.end += bytes.len() as u64;
        Ok(Spooled { start, len: bytes.len(), width: picture.width(), height: picture.height() })
    }

    fn shown(&self, place: Spooled) -> Result<Shown> {
        let mut bytes = vec![0; place.len];
        let mut spool = &self.spool;
        spool.seek(SeekFrom::Start(place.start)).map_err(Error::io(&self.folder))?;
        spool.read_exact(&mut bytes).map_err(Error::io(&self.folder))?;
        Ok(Shown { uri: jpeg_uri(&bytes), width: place.width, height: place.height })
    }

    fn write_page(&self, path: &Path, number: usize, count: usize) -> Result<()> {
        let words = &self.words;
        let overview = if number == 1 { "#overview".to_owned() } else { format!("{}#overview", page_name(1)) };
        let writer = Writer { words, guidance: &self.guidance, overview: &overview };
        let first = (number - 1) * PER_PAGE;
        let here = &self.entries[first..self.entries.len().min(first + PER_PAGE)];
        let title = words.get(if self.head.classified_by.is_some() { "title" } else { "title_outlined" });
        write_atomic(path, |out| {
            let mut put = |text: &str| out.write_all(text.as_bytes()).map_err(Error::io(path));
            put(&format!("<!DOCTYPE html><html lang=\"{}\">", words.lang().code()))?;
            put(&page_head(title, STYLE).into_string())?;
            put("<body>")?;
            put(&self.header(&writer, title).into_string())?;
            put("<main>")?;
            if number == 1 {
                put(&self.overview(&writer)?.into_string())?;
            }
            if count > 1 {
                put(&self.pager(number, count).into_string())?;
            }
            for (rank, (case, places)) in (first + 1..).zip(here) {
                let [crop, heat] = [places.crop, places.heat].map(|place| place.map(|it| self.shown(it)).transpose());
                let pictures = ShownPictures { outline: self.shown(places.outline)?, crop: crop?, heat: heat? };
                put(&writer.article(rank, case, &pictures).into_string())?;
            }
            if number == 1 && !self.failures.is_empty() {
                put(&self.failed().into_string())?;
            }
            if !here.is_empty() {
                put(&writer.legend(here.iter().map(|(case, _)| case)).into_string())?;
            }
            put("</main>")?;
            put(&self.footer(&writer).into_string())?;
            put("</body></html>\n")
        })
    }

    fn header(&self, writer: &Writer, title: &str) -> Markup {
        let (words, head) = (&self.words, &self.head);
        html! {
            header {
                h1 { (title) }
                p.warning role="note" {
                    strong { (writer.statement(&self.guidance.notice)) } " "
                    (writer.statement(&self.guidance.always))
                }
                @if let Some(why) = head.not_classified { (writer.not_classified(why)) }
                dl.facts {
                    div { dt { (words.get("photographs")) } dd { (self.entries.len()) } }
                    @if !self.failures.is_empty() {
                        div.bad {
                            dt { (words.get("not_readable")) }
                            dd { a href=(self.on_first("failures")) { (self.failures.len()) } }
                        }
                    }
                }
            }
        }
    }

    /// A link to a place on the first page, from any page.
    fn on_first(&self, place: &str) -> String {
        if self.entries.len() > PER_PAGE { format!("{}#{place}", page_name(1)) } else { format!("#{place}") }
    }

    fn link(&self, rank: usize) -> String {
        let page = rank.saturating_sub(1) / PER_PAGE + 1;
        if page == 1 { format!("#photo-{rank}") } else { format!("{}#photo-{rank}", page_name(page)) }
    }

    fn overview(&self, writer: &Writer) -> Result<Markup> {
        let words = &self.words;
        let found = || self.cases().filter_map(|case| case.classification.as_ref());
        let columns =
            Columns { melanoma: found().any(|found| found.melanoma().is_some()), class: found().next().is_some() };
        let mut rows = Vec::with_capacity(self.entries.len());
        for (rank, (case, places)) in (1..).zip(&self.entries) {
            let thumb = (self.entries.len() <= PER_PAGE).then(|| self.shown(places.thumb)).transpose()?;
            rows.push(self.row(writer, rank, case, thumb.as_ref(), columns));
        }
        Ok(html! {
            section #overview {
                h2 { (words.get("overview")) }
                @if rows.is_empty() { p { (words.get("no_photographs")) } }
                @if columns.melanoma { p.says { (words.get("overview_sorted")) } }
                @if !rows.is_empty() {
                    table {
                        thead {
                            tr {
                                th.photo scope="col" { (words.get("photograph")) }
                                @if columns.melanoma { th.melanoma scope="col" { (words.get("melanoma")) } }
                                @if columns.class { th.named scope="col" { (words.get("class")) } }
                                th.area.wide[columns.class] scope="col" { (words.get("lesion")) }
                                th.wary scope="col" { (words.get("warnings")) }
                            }
                        }
                        tbody { @for row in &rows { (row) } }
                    }
                }
            }
        })
    }

    fn row(&self, writer: &Writer, rank: usize, case: &Case, thumb: Option<&Shown>, columns: Columns) -> Markup {
        let words = &self.words;
        let found = case.classification.as_ref();
        let probability = found.and_then(|found| found.melanoma()).map(|class| class.probability);
        let warnings: Vec<&str> = case.warnings.iter().map(|warning| warning.short(words)).collect();
        html! {
            tr {
                th.photo scope="row" {
                    a href=(self.link(rank)) {
                        // The name beside it says what it is.
                        @if let Some(Shown { uri, width, height }) = thumb {
                            img src=(uri) width=(width) height=(height) alt="" decoding="async";
                        }
                        span { (case.name) }
                    }
                }
                @if columns.melanoma {
                    td.melanoma {
                        @if let Some(value) = probability {
                            span { (percent(value)) }
                            div.bar { div.fill style={ "width:" (format!("{:.1}", 100.0 * value)) "%" } {} }
                        }
                    }
                }
                @if columns.class {
                    td.named {
                        @if let Some(named) = found.and_then(|found| found.named()) {
                            (writer.name(&named.name)) " " span.share { (percent(named.probability)) }
                        }
                    }
                }
                td.area.wide[columns.class] {
                    @match &case.lesion {
                        Some(lesion) => (percent(lesion.measurements.area_fraction)),
                        None => (words.get("not_found")),
                    }
                }
                td.wary.calm[warnings.is_empty()] {
                    @if warnings.is_empty() { (words.get("none")) } @else { (warnings.join(", ")) }
                }
            }
        }
    }

    fn pager(&self, number: usize, count: usize) -> Markup {
        let words = &self.words;
        html! {
            nav {
                p { (words.with("other_pages", &[("pages", &count.to_string())])) }
                ul {
                    @for page in 1..=count {
                        @let (first, last) = ((page - 1) * PER_PAGE + 1, self.entries.len().min(page * PER_PAGE));
                        @let values = [page, first, last].map(|value| value.to_string());
                        @let text = words.with(
                            "page",
                            &[("page", &values[0]), ("first", &values[1]), ("last", &values[2])],
                        );
                        li {
                            @if page == number { b { (text) } } @else { a href=(page_name(page)) { (text) } }
                        }
                    }
                }
            }
        }
    }

    fn failed(&self) -> Markup {
        html! {
            section #failures {
                h2 { (self.words.get("failures")) }
                ul { @for failure in &self.failures { li { (failure.error) } } }
            }
        }
    }

    fn footer(&self, writer: &Writer) -> Markup {
        let (words, head) = (&self.words, &self.head);
        html! {
            footer {
                section #sources {
                    h2 { (words.get("sources")) }
                    ol {
                        @for (number, source) in (1..).zip(self.guidance.sources.values()) {
                            li id={ "source-" (number) } {
                                (source.title) ". " (source.publisher)
                                @if let Some(edition) = &source.edition { ", " (edition) }
                                "."
                            }
                        }
                    }
                }
                dl.facts {
                    div { dt { (words.get("made_by")) } dd { "nevus " (head.nevus) } }
                    div { dt { (words.get("outlined_by")) } dd { (head.outlined_by) } }
                    @if let Some(name) = &head.classified_by {
                        div { dt { (words.get("classified_by")) } dd { (name) } }
                    }
                    div { dt { (words.get("computed_on")) } dd { (head.device) } }
                }
                p { (words.with("full_size", &[("folder", FOLDER)])) }
                p { strong { (writer.statement(&self.guidance.notice)) } }
            }
        }
    }
}

fn page_name(page: usize) -> String {
    if page == 1 { "report.html".into() } else { format!("report-{page}.html") }
}
