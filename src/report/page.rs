//! One page that holds everything: what `nevus segment --page` writes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use image::codecs::{jpeg::JpegEncoder, png::PngEncoder};
use image::{ExtendedColorType, GrayImage, ImageEncoder as _, RgbImage};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{fit, overlay, scale_mask, shrink_photo};
use crate::error::{Error, Result};

const STYLE: &str = include_str!("page.css");
const OVERLAY_SIDE: u32 = 900;
const MASK_SIDE: u32 = 240;
const QUALITY: u8 = 85;

/// What stands at the head of the page.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PageHead {
    /// The model, by the name of its weights.
    pub model: String,
    /// The adapter that computed, see [`crate::gpu::Caps::describe`].
    pub adapter: String,
}

/// One photograph and its outline.
#[derive(Debug, Clone, PartialEq)]
pub struct SegmentEntry {
    /// The photograph's name.
    pub name: String,
    /// The photograph, upright.
    pub photo: RgbImage,
    /// Its mask, 0 and 255, of the same size.
    pub mask: GrayImage,
    /// The lesion's share of the photograph, 0..=1.
    pub area_fraction: f64,
    /// The lesion's box in pixels: left, top, width, height; nothing where no lesion was found.
    pub bounding_box: Option<[u32; 4]>,
    /// The mean probability of what each pixel was taken for, 0..=1.
    pub mean_confidence: f64,
}

/// A photograph that could not be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentFailure {
    /// The photograph's name.
    pub name: String,
    /// Why.
    pub message: String,
}

/// A page in the making: each photograph is scaled down and encoded when it is added, and only that is kept.
#[derive(Debug)]
pub struct Page {
    head: PageHead,
    articles: Vec<String>,
    failures: Vec<SegmentFailure>,
}

impl Page {
    /// A page without photographs.
    #[must_use]
    pub fn new(head: PageHead) -> Self {
        Self { head, articles: Vec::new(), failures: Vec::new() }
    }

    /// Adds a photograph.
    ///
    /// Fails where the mask has another size than the photograph, or there is no pixel.
    pub fn add(&mut self, entry: &SegmentEntry) -> Result<()> {
        let (width, height) = entry.photo.dimensions();
        if entry.mask.dimensions() != (width, height) {
            let (w, h) = entry.mask.dimensions();
            let expected = format!("the photograph's height and width, {height}×{width}");
            return Err(Error::shape("page", format!("mask of {}", entry.name), expected, &[h as usize, w as usize]));
        }
        let photo = shrink_photo(&entry.photo, (OVERLAY_SIDE, OVERLAY_SIDE))?;
        let shown = overlay(&photo, &scale_mask(&entry.mask, photo.dimensions())?)?;
        let mask = scale_mask(&entry.mask, fit((width, height), (MASK_SIDE, MASK_SIDE)))?;
        let number = self.articles.len() + 1;
        self.articles.push(article(number, entry, (&shown, &jpeg(&shown)?), (&mask, &png(&mask)?)).into_string());
        Ok(())
    }

    /// Adds a photograph that could not be used.
    pub fn fail(&mut self, failure: SegmentFailure) {
        self.failures.push(failure);
    }

    /// The page as HTML: one file, with nothing to load besides.
    #[must_use]
    pub fn finish(self) -> String {
        let Self { head, articles, failures } = self;
        let markup = html! {
            (DOCTYPE)
            html lang="en" {
                (page_head(&format!("nevus: outlines of {}", photographs(articles.len())), ""))
                body {
                    header {
                        h1 { "Outlines of lesions" }
                        p.warning role="note" {
                            strong { "This is no diagnosis." }
                            " An outline says where the network sees a lesion, not what it is. Have a doctor look at \
                              a spot that changes, itches or bleeds, whatever stands here."
                        }
                        dl.facts {
                            div { dt { "Photographs" } dd { (articles.len()) } }
                            @if !failures.is_empty() {
                                div.bad { dt { "Not readable" } dd { a href="#failures" { (failures.len()) } } }
                            }
                            @if !head.model.is_empty() { div { dt { "Model" } dd { (head.model) } } }
                            @if !head.adapter.is_empty() { div { dt { "Computed on" } dd { (head.adapter) } } }
                            div { dt { "Made by" } dd { "nevus " (env!("CARGO_PKG_VERSION")) } }
                        }
                    }
                    main {
                        @for article in &articles { (PreEscaped(article)) }
                        @if articles.is_empty() { p { "No photograph was outlined." } }
                        @if !failures.is_empty() {
                            section #failures {
                                h2 { "Photographs that could not be used" }
                                ul { @for failure in &failures { li { b { (failure.name) } br; (failure.message) } } }
                            }
                        }
                    }
                    footer { p { "This is no diagnosis." } }
                }
            }
        };
        markup.into_string()
    }
}

/// The head of a page that loads nothing: its title, the common style, and a style of its own.
pub(super) fn page_head(title: &str, style: &str) -> Markup {
    html! {
        head {
            meta charset="utf-8";
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="color-scheme" content="light dark";
            meta http-equiv="Content-Security-Policy"
                content="default-src 'none'; img-src data:; style-src 'unsafe-inline'";
            title { (title) }
            style { (PreEscaped(STYLE)) (PreEscaped(style)) }
        }
    }
}

fn article(number: usize, entry: &SegmentEntry, shown: (&RgbImage, &str), mask: (&GrayImage, &str)) -> Markup {
    let (width, height) = entry.photo.dimensions();
    let small = entry.area_fraction > 0.0 && entry.area_fraction < 0.001;
    html! {
        article id={ "photo-" (number) } {
            h2 { (entry.name) }
            div.row {
                figure.photo {
                    img src=(shown.1) width=(shown.0.width()) height=(shown.0.height())
                        alt={ "Photograph " (entry.name) " with the lesion outlined" };
                }
                div.side {
                    figure.mask {
                        img src=(mask.1) width=(mask.0.width()) height=(mask.0.height())
                            alt={ "Mask of " (entry.name) ": the lesion is white" };
                        figcaption { "Mask" }
                    }
                    dl.facts {
                        div {
                            dt { "Lesion's share of the photograph" }
                            dd { @if small { "< 0.1 %" } @else { (percent(entry.area_fraction)) } }
                        }
                        div {
                            dt { "Bounding box" }
                            dd {
                                @if let Some([left, top, w, h]) = entry.bounding_box {
                                    (w) " × " (h) " px, from (" (left) ", " (top) ")"
                                } @else {
                                    "no lesion found"
                                }
                            }
                        }
                        div { dt { "Mean confidence" } dd { (percent(entry.mean_confidence)) } }
                        div { dt { "Photograph" } dd { (width) " × " (height) " px" } }
                    }
                }
            }
        }
    }
}

fn percent(share: f64) -> String {
    if share.is_finite() { format!("{:.1} %", 100.0 * share) } else { "unknown".into() }
}

fn photographs(count: usize) -> String {
    if count == 1 { "1 photograph".into() } else { format!("{count} photographs") }
}

fn jpeg(image: &RgbImage) -> Result<String> {
    Ok(jpeg_uri(&jpeg_bytes(image)?))
}

/// A picture as JPEG, as pages hold it.
pub(super) fn jpeg_bytes(image: &RgbImage) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, QUALITY).encode_image(image).map_err(|e| unencoded(&e))?;
    Ok(bytes)
}

/// A JPEG as a data URI.
pub(super) fn jpeg_uri(bytes: &[u8]) -> String {
    format!("data:image/jpeg;base64,{}", STANDARD.encode(bytes))
}

fn png(image: &GrayImage) -> Result<String> {
    let mut bytes = Vec::new();
    let (width, height) = image.dimensions();
    PngEncoder::new(&mut bytes)
        .write_image(image.as_raw(), width, height, ExtendedColorType::L8)
        .map_err(|e| unencoded(&e))?;
    Ok(format!("data:image/png;base64,{}", STANDARD.encode(bytes)))
}

fn unencoded(error: &image::ImageError) -> Error {
    Error::parameter("page", format!("a picture cannot be encoded: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Luma;

    fn entry(name: &str) -> SegmentEntry {
        SegmentEntry {
            name: name.into(),
            photo: RgbImage::from_pixel(1200, 600, image::Rgb([220, 180, 160])),
            mask: GrayImage::from_fn(1200, 600, |x, _| Luma([if x < 300 { 255 } else { 0 }])),
            area_fraction: 0.25,
            bounding_box: Some([0, 0, 300, 600]),
            mean_confidence: f64::NAN,
        }
    }

    #[test]
    fn the_page_is_whole_and_escapes_what_comes_from_outside() {
        let mut page = Page::new(PageHead { model: "<b>unet</b>".into(), adapter: "llvmpipe".into() });
        page.add(&entry("a\"><script>x</script>.jpg")).unwrap();
        page.fail(SegmentFailure { name: "broken.jpg".into(), message: "cut off & <lost>".into() });
        let text = page.finish();
        for wanted in
            ["25.0 %", "300 × 600 px", "unknown", "This is no diagnosis", "&amp; &lt;lost&gt;", "width=\"900\""]
        {
            assert!(text.contains(wanted), "{wanted}");
        }
        for unwanted in ["<script", "<b>unet", "http://", "https://"] {
            assert!(!text.contains(unwanted), "{unwanted}");
        }
    }

    #[test]
    fn an_empty_page_and_a_bad_entry() {
        assert!(Page::new(PageHead::default()).finish().contains("No photograph was outlined"));
        let mut page = Page::new(PageHead::default());
        let odd = SegmentEntry { mask: GrayImage::new(3, 3), ..entry("odd.png") };
        assert!(page.add(&odd).unwrap_err().to_string().contains("odd.png"));
    }
}
