//! Pages and facts of made-up cases.

use std::path::Path;

use image::{GrayImage, Luma, Rgb, RgbImage};

use super::*;
use crate::data::measure::{Measurements, region};

fn head(lang: Lang) -> ReportHead {
    ReportHead {
        nevus: "9.9.9".into(),
        lang,
        device: "llvmpipe".into(),
        outlined_by: "unet-48x64".into(),
        threshold: 0.5,
        classified_by: Some("resnet50-test".into()),
        not_classified: None,
        mm_per_pixel: Some(0.05),
    }
}

fn photo() -> (RgbImage, GrayImage) {
    let inside = |x: u32, y: u32| (f64::from(x) - 60.0).hypot(f64::from(y) - 40.0) < 25.0;
    let photo = RgbImage::from_fn(120, 80, |x, y| Rgb(if inside(x, y) { [102, 64, 45] } else { [225, 172, 150] }));
    (photo, GrayImage::from_fn(120, 80, |x, y| Luma([if inside(x, y) { 255 } else { 0 }])))
}

/// A case whose melanoma has this probability.
fn case(name: &str, melanoma: f64) -> Case {
    let (photo, mask) = photo();
    let region = region(&mask).unwrap();
    let lesion = Lesion {
        bounding_box: region.frame,
        mean_confidence: 0.9371,
        elsewhere_share: 0.0,
        cut_off_share: region.cut_off_share(),
        measurements: Measurements::of(&photo, &region, Some(0.05)).unwrap(),
    };
    let class = |name: &str, probability: f64| ClassProbability {
        name: name.into(),
        probability,
        weight: 1.0,
        deviation: Some(0.0421),
        other_view: Some(1.0 - probability),
    };
    let classification = Classification {
        view: View::Crop,
        classes: vec![class("MEL", melanoma), class("NV", 0.9 - melanoma), class("Other_SC", 0.1)],
        views: 8,
        agreeing: 6,
        calibrated: true,
        distance: Some(3.25),
        distance_limit: Some(2.5),
        layer: "layer4".into(),
        heat_flat: false,
    };
    let warnings = Warning::of(1.5, 75, Some(&lesion), Some(&classification));
    Case {
        name: name.into(),
        file: format!("{name}.jpg").into(),
        width: 120,
        height: 80,
        focus: 1.5,
        chroma: 75,
        lesion: Some(lesion),
        classification: Some(classification),
        warnings,
        pictures: PictureFiles::default(),
    }
}

fn report(dir: &Path, head: ReportHead, cases: &[Case]) -> (String, serde_json::Value) {
    let mut report = AnalysisReport::new(dir, head, Guidance::own().unwrap(), cases.len()).unwrap();
    let (photo, mask) = photo();
    for case in cases {
        let pictures = Pictures { photo: &photo, mask: &mask, crop: Some(&photo), heat: Some(&photo) };
        report.add(case.clone(), &pictures).unwrap();
    }
    report.fail(ReportFailure { file: "bad.jpg".into(), error: "bad.jpg: cut off & <lost>".into() });
    let written = report.finish().unwrap();
    assert_eq!(written.pages[0], dir.join("report.html"));
    let text = std::fs::read_to_string(dir.join("report.html")).unwrap();
    (text, serde_json::from_slice(&std::fs::read(&written.json).unwrap()).unwrap())
}

#[test]
fn the_page_says_what_the_json_says_sorted_by_melanoma() {
    let dir = tempfile::tempdir().unwrap();
    let cases = [case("calm", 0.0213), case("a\"><script>x", 0.8642), case("middle", 0.3)];
    let (text, json) = report(dir.path(), head(Lang::En), &cases);
    let photographs = json["photographs"].as_array().unwrap();
    let names: Vec<&str> = photographs.iter().map(|case| case["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["a\"><script>x", "middle", "calm"]);
    for case in photographs {
        for class in case["classification"]["classes"].as_array().unwrap() {
            for key in ["probability", "other_view"] {
                let shown = format!("{:.1}\u{a0}%", 100.0 * class[key].as_f64().unwrap());
                assert!(text.contains(&shown), "{key} {shown}");
            }
            assert!(text.contains(&format!("± {:.1}", 100.0 * class["deviation"].as_f64().unwrap())));
        }
        let measured = &case["lesion"]["measurements"];
        assert!(text.contains(&format!("{:.2}", measured["border_irregularity"].as_f64().unwrap())));
        assert!(text.contains(&format!("{:.2}\u{a0}mm", measured["diameter_mm"].as_f64().unwrap())));
        assert!(text.contains(&format!("{:.1}\u{a0}%", 100.0 * measured["area_fraction"].as_f64().unwrap())));
        let kinds: Vec<&str> =
            case["warnings"].as_array().unwrap().iter().map(|warning| warning["kind"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["out_of_focus", "unfamiliar", "views_disagree", "unsure"]);
        for file in ["outline", "mask", "crop", "heat"] {
            assert!(dir.path().join(case["pictures"][file].as_str().unwrap()).is_file(), "{file}");
        }
    }
    // The table first, in order, each row linking to its part.
    for rank in 1..=3 {
        assert!(text.contains(&format!("href=\"#photo-{rank}\"")) && text.contains(&format!("id=\"photo-{rank}\"")));
    }
    let at = |text: &str, what: &str| text.find(what).unwrap_or_else(|| panic!("{what}"));
    assert!(at(&text, "id=\"overview\"") < at(&text, "id=\"photo-1\""));
    assert!(at(&text, "id=\"photo-1\"") < at(&text, "id=\"photo-2\""));
    for wanted in ["unet-48x64", "resnet50-test", "llvmpipe", "9.9.9", "&amp; &lt;lost&gt;", "This is no diagnosis"] {
        assert!(text.contains(wanted), "{wanted}");
    }
    assert!(text.contains("[1]") && text.contains("id=\"source-1\""));
    assert!(!text.contains("<script"));
}

/// What the page says of classes, and where it comes from, stands in the facts in the page's language.
#[test]
fn the_json_holds_the_guidance_that_the_page_gives() {
    let own = Guidance::own().unwrap();
    for lang in Lang::ALL {
        let dir = tempfile::tempdir().unwrap();
        // The first is most probably a melanoma; of the second only the nevus is spoken of.
        let (text, json) = report(dir.path(), head(lang), &[case("one", 0.8642), case("two", 0.01)]);
        let said = &json["guidance"];
        let sources = said["sources"].as_array().unwrap();
        let agrees = |said: &serde_json::Value, known: &Statement| {
            assert_eq!(said["text"], known.get(lang));
            assert_eq!(said["sources"], serde_json::to_value(&known.sources).unwrap());
            for key in &known.sources {
                let number = own.number(key).unwrap();
                assert_eq!(sources[number - 1]["key"], key.as_str());
                assert!(text.contains(&format!("#source-{number}\"")), "{key}");
            }
        };
        agrees(&said["notice"], &own.notice);
        agrees(&said["always"], &own.always);
        let classes = said["classes"].as_array().unwrap();
        let names: Vec<&str> = classes.iter().map(|class| class["class"].as_str().unwrap()).collect();
        assert_eq!(names, ["MEL", "NV"]);
        for class in classes {
            let known = own.of(class["class"].as_str().unwrap()).unwrap();
            assert_eq!(class["name"], known.name.get(lang));
            for (key, statement) in ["what", "specialist", "how_soon", "usually_done"].iter().zip(known.statements()) {
                agrees(&class[*key], statement);
            }
        }
        assert_eq!(json["class_names"]["Other_SC"], own.of("Other_SC").unwrap().name.get(lang));
        assert_eq!(json["class_names"].as_object().unwrap().len(), 3);
        assert_eq!(json["focus_limit"], crate::data::measure::SHARP);
        assert_eq!(sources.len(), own.sources.len());
        for (shown, known) in sources.iter().zip(own.sources.values()) {
            assert_eq!(shown["title"], known.title);
            assert_eq!(shown["publisher"], known.publisher);
            assert_eq!(shown["edition"].as_str(), known.edition.as_deref());
        }
        assert!(text.contains("(NICE), 2015, updated 2022.") && text.contains("Scientific Data 5, 180161, 2018."));
    }
}

#[test]
fn a_check_that_the_weights_cannot_make_is_named() {
    let dir = tempfile::tempdir().unwrap();
    for (lang, wanted) in [(Lang::En, "was not made"), (Lang::Ko, "검사를 하지 않았습니다")] {
        let mut unknown = case("one", 0.5);
        if let Some(found) = &mut unknown.classification {
            (found.distance, found.distance_limit) = (None, None);
        }
        unknown.warnings = Warning::of(unknown.focus, 75, unknown.lesion.as_ref(), unknown.classification.as_ref());
        let (text, json) = report(dir.path(), head(lang), &[unknown]);
        assert!(text.contains(wanted) && json["photographs"][0]["classification"]["distance"].is_null());
        let (text, _) = report(dir.path(), head(lang), &[case("one", 0.5)]);
        assert!(!text.contains(wanted));
        let (text, _) = report(dir.path(), head(lang), &[Case { classification: None, ..case("one", 0.5) }]);
        assert!(!text.contains(wanted), "nothing was to be checked");
    }
}

#[test]
fn pages_load_nothing_from_elsewhere() {
    let dir = tempfile::tempdir().unwrap();
    for lang in Lang::ALL {
        let (text, _) = report(dir.path(), head(lang), &[case("one", 0.5)]);
        assert!(text.contains(&format!("<html lang=\"{}\">", lang.code())));
        for unwanted in ["http://", "https://", "//cdn", "<script", "<link", "@import", "url("] {
            assert!(!text.contains(unwanted), "{unwanted}");
        }
        for source in text.split("src=\"").skip(1) {
            assert!(source.starts_with("data:image/jpeg;base64,"), "{}", &source[..40]);
        }
        for link in text.split("href=\"").skip(1) {
            assert!(link.starts_with('#'), "{}", &link[..40]);
        }
        assert_eq!(text.matches("<img ").count(), 4);
    }
}

#[test]
fn melanoma_is_spoken_of_where_it_is_not_the_most_probable() {
    let dir = tempfile::tempdir().unwrap();
    let what = Guidance::own().unwrap().of("MEL").unwrap().what.clone();
    for (melanoma, spoken) in [(0.3, true), (0.07, true), (0.01, false)] {
        let (text, _) = report(dir.path(), head(Lang::Ko), &[case("one", melanoma)]);
        assert_eq!(text.contains(&what.ko), spoken, "{melanoma}");
    }
}

#[test]
fn decision_weights_name_the_class_everywhere() {
    let mut made = case("one", 0.3);
    let found = made.classification.as_mut().unwrap();
    // 0.3, 0.6 and 0.1: 0.75, 0.6 and 0.1 with the weights.
    found.classes[0].weight = 2.5;
    assert_eq!((found.named().unwrap().name.as_str(), found.top().unwrap().name.as_str()), ("MEL", "NV"));
    // By the other view 0.7, 0.4 and 0.9: 1.75 is the greatest.
    assert_eq!(found.other_named().unwrap().name, "MEL");
    found.heat_flat = true;
    made.warnings = Warning::of(50.0, 75, made.lesion.as_ref(), Some(found));
    assert!(
        !made.warnings.iter().any(|warning| matches!(warning, Warning::ViewsDisagree { .. })),
        "{:?}",
        made.warnings
    );
    assert!(made.warnings.contains(&Warning::HeatFlat { class: "MEL".into(), layer: "layer4".into() }));
    for lang in Lang::ALL {
        let dir = tempfile::tempdir().unwrap();
        let (text, json) = report(dir.path(), head(lang), &[made.clone()]);
        assert_eq!(json["photographs"][0]["classification"]["classes"][0]["weight"], 2.5);
        let own = Guidance::own().unwrap();
        for class in ["MEL", "NV"] {
            assert!(text.contains(own.of(class).unwrap().what.get(lang)), "both are spoken of: {class}");
        }
        assert!(text.contains(if lang == Lang::En { "counts 2.50 times" } else { "2.50배" }), "{lang:?}");
        let plain = report(dir.path(), head(lang), &[case("one", 0.3)]).0;
        assert!(!plain.contains(if lang == Lang::En { "though" } else { "더 높지만" }), "{lang:?}");
    }
}

#[test]
fn without_a_classifier_the_page_says_so() {
    let dir = tempfile::tempdir().unwrap();
    for (why, wanted) in
        [(NotClassified::NoClassifier, "No weights of a classifier"), (NotClassified::NotAsked, "--no-classify")]
    {
        let head = ReportHead { classified_by: None, not_classified: Some(why), ..head(Lang::En) };
        let mut case = case("one", 0.5);
        case.classification = None;
        case.lesion = None;
        case.warnings = Warning::of(50.0, 75, None, None);
        let (text, json) = report(dir.path(), head, &[case]);
        assert!(text.contains(wanted) && text.contains("No lesion found"), "{wanted}");
        assert!(!text.contains("Probabilities") && json["photographs"][0]["classification"].is_null());
        assert_eq!(json["photographs"][0]["warnings"][0]["kind"], "no_lesion");
    }
}

#[test]
fn warnings_stay_away_where_there_is_nothing_to_warn_of() {
    let made = case("one", 0.5);
    let mut calm = made.classification.clone().unwrap();
    calm.agreeing = 8;
    calm.distance = Some(1.0);
    for class in &mut calm.classes {
        class.other_view = Some(class.probability);
    }
    assert_eq!(Warning::of(50.0, 75, made.lesion.as_ref(), Some(&calm)), []);
    let grey = Warning::of(50.0, 3, made.lesion.as_ref(), Some(&calm));
    assert_eq!(grey, [Warning::Grey { chroma: 3, limit: 12 }]);
    let mut lesion = made.lesion.unwrap();
    (lesion.elsewhere_share, lesion.cut_off_share) = (0.2, 0.3);
    calm.heat_flat = true;
    assert_eq!(Warning::of(50.0, 75, Some(&lesion), Some(&calm)).len(), 3);
}

#[test]
fn many_photographs_make_several_pages_of_small_pictures() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("report-2.html"), "stale").unwrap();
    std::fs::write(dir.path().join("report-3.html"), "stale").unwrap();
    std::fs::write(dir.path().join("report.json"), "{}").unwrap();
    let count = PER_PAGE + 5;
    let mut report = AnalysisReport::new(dir.path(), head(Lang::En), Guidance::own().unwrap(), count).unwrap();
    let photo = RgbImage::from_pixel(800, 10, Rgb([225, 172, 150]));
    let mask = GrayImage::new(800, 10);
    for number in 0..count {
        let case = case(&format!("p{number}"), number as f64 / 1000.0);
        report.add(case, &Pictures { photo: &photo, mask: &mask, crop: None, heat: None }).unwrap();
    }
    let written = report.finish().unwrap();
    assert_eq!(written.pages.len(), 2);
    assert!(!dir.path().join("report-3.html").exists());
    let [first, second] = [0, 1].map(|page| std::fs::read_to_string(&written.pages[page]).unwrap());
    assert_eq!((first.matches("<article ").count(), second.matches("<article ").count()), (PER_PAGE, 5));
    let last = format!("report-2.html#photo-{count}");
    assert!(first.contains(&last) && second.contains(&format!("id=\"photo-{count}\"")));
    assert!(second.contains("href=\"report.html#overview\"") && !second.contains("id=\"overview\""));
    assert!(first.contains("width=\"340\"") && !first.contains("width=\"800\""));
    // The last photograph has the lowest probability of melanoma.
    assert!(second.contains("<h2>p0</h2>"));
}

#[test]
fn a_page_of_someone_else_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("report.html"), "mine").unwrap();
    let refused = AnalysisReport::new(dir.path(), head(Lang::En), Guidance::own().unwrap(), 1).unwrap_err();
    assert!(refused.to_string().contains("report.html") && refused.to_string().contains("--out"), "{refused}");
}
