//! `nevus analyze`, run as a user runs it, and its page in a browser. Without Chromium the tests that need it say so and
//! pass; tools/test names them as skipped.
#![cfg(feature = "cli")]

#[path = "support/cli.rs"]
mod support;

use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use nevus::Graph;
use nevus::data::View;
use nevus::models::{Meta, Precision, ResNet, ResNetDepth};
use nevus::train::{Familiarity, Init};
use serde_json::Value;

use self::support::{adapter, code, err, nevus, phantoms, text, tiny_unet};

/// A small U-Net in the folder.
fn unet(dir: &Path) -> String {
    let path = dir.join("unet-tiny.safetensors");
    tiny_unet(&path, 0.5);
    text(&path)
}

/// A ResNet-18 with random weights, a temperature, and a limit that no photograph keeps to.
fn resnet(dir: &Path) -> String {
    let path = dir.join("resnet18-tiny.safetensors");
    let net = ResNet::new(ResNetDepth::D18, 3);
    let mut graph = Graph::new();
    let image = graph.input("image", [1, 3, 32, 48]).unwrap();
    net.build(&mut graph, image).unwrap();
    let mut weights = Init::resnet(&net, 3, false).fill(graph.params()).unwrap();
    let mut meta = Meta { input_size: Some((32, 48)), temperature: Some(1.5), ..Meta::new() };
    meta.classes = Some(["MEL", "NV", "Other_SC"].map(String::from).to_vec());
    meta.view = Some(serde_json::to_value(View::Crop { margin: 0.2 }).unwrap());
    meta.set_architecture(&net).unwrap();
    weights.set_meta(&meta);
    // Features are never below zero: these lie on the other side.
    let row = |at: usize| (0..net.features()).map(|f| if f % 5 == at { -2.0 } else { -1.0 }).collect();
    let rows: Vec<Vec<f32>> = (0..5).map(row).collect();
    let mut familiarity = Familiarity::fit(&rows).unwrap();
    familiarity.set_limit(&rows).unwrap();
    familiarity.store(&mut weights).unwrap();
    weights.save(&path, Precision::F16).unwrap();
    text(&path)
}

/// The folder of photographs among phantoms drawn into `dir`.
fn images(dir: &Path, count: &str) -> String {
    phantoms(dir, count, "150x200");
    text(&dir.join("images"))
}

fn page(out: &Path) -> (String, Value) {
    let page = fs::read_to_string(out.join("report.html")).unwrap();
    (page, serde_json::from_slice(&fs::read(out.join("report.json")).unwrap()).unwrap())
}

#[test]
fn without_a_classifier_it_outlines_and_measures_and_says_so() {
    if !adapter() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let images = images(&dir.path().join("data"), "3");
    let out = dir.path().join("out");
    let weights = unet(dir.path());
    let args = ["analyze", &images, "--no-classify", "--weights", &weights, "--mm-per-pixel", "0.1", "--out"];
    let done = nevus(args.into_iter().map(String::from).chain([text(&out)]));
    assert_eq!(code(&done), 0, "{}", err(&done));
    let (html, json) = page(&out);
    assert_eq!(json["not_classified"], "not_asked");
    assert!(html.contains("--no-classify") && html.contains("This is no diagnosis"));
    let photographs = json["photographs"].as_array().unwrap();
    assert_eq!(photographs.len(), 3);
    for case in photographs {
        assert!(case["classification"].is_null());
        let lesion = &case["lesion"];
        if lesion.is_null() {
            assert_eq!(case["warnings"][0]["kind"], "no_lesion");
            continue;
        }
        let mm = lesion["measurements"]["diameter_mm"].as_f64().unwrap();
        assert!((mm - 0.1 * lesion["measurements"]["diameter_pixels"].as_f64().unwrap()).abs() < 1e-9);
        let shown = if mm < 10.0 { format!("{mm:.2}\u{a0}mm") } else { format!("{mm:.1}\u{a0}mm") };
        assert!(html.contains(&shown), "{shown}");
    }
    // A second run over the results, in the same folder, takes the photographs alone.
    let again = nevus(["analyze", &text(dir.path()), "--no-classify", "--weights", &weights, "--out", &text(&out)]);
    assert_eq!(code(&again), 0, "{}", err(&again));
    assert_eq!(page(&out).1["photographs"].as_array().unwrap().len(), 3);
}

#[test]
fn with_a_classifier_it_judges_explains_and_goes_on_after_a_broken_photograph() {
    if !adapter() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let images = images(&dir.path().join("data"), "2");
    fs::write(Path::new(&images).join("broken.jpg"), b"\xff\xd8\xff\xe0 cut off").unwrap();
    let (weights, classifier) = (unet(dir.path()), resnet(dir.path()));
    for (lang, layer, views, name) in [("en", "layer3.1", 2, "Melanoma"), ("ko", "layer4", 4, "흑색종")] {
        let out = dir.path().join(lang);
        let (shown, tta) = (text(&out), views.to_string());
        let flags = ["--lang", lang, "--layer", layer, "--tta", &tta, "--out", &shown, "--json"];
        let files = ["analyze", &images, "--weights", &weights, "--classifier", &classifier];
        let done = nevus(files.into_iter().chain(flags));
        assert_eq!(code(&done), 1, "{}", err(&done));
        let (html, json) = page(&out);
        assert_eq!(json, serde_json::from_slice::<Value>(&done.stdout).unwrap());
        assert!(err(&done).contains("broken.jpg") && html.contains("broken.jpg") && html.contains(name));
        assert_eq!(json["failures"].as_array().unwrap().len(), 1);
        let photographs = json["photographs"].as_array().unwrap();
        assert_eq!(photographs.len(), 2);
        let mut last = 1.0;
        for case in photographs {
            let found = &case["classification"];
            assert_eq!((&found["layer"], &found["views"]), (&Value::from(layer), &Value::from(views)));
            let classes = found["classes"].as_array().unwrap();
            let sum: f64 = classes.iter().map(|class| class["probability"].as_f64().unwrap()).sum();
            assert!((sum - 1.0).abs() < 1e-6, "{sum}");
            let melanoma = classes[0]["probability"].as_f64().unwrap();
            assert!(melanoma <= last && html.contains(&format!("{:.1}\u{a0}%", 100.0 * melanoma)));
            last = melanoma;
            let kinds: Vec<&str> =
                case["warnings"].as_array().unwrap().iter().map(|warning| warning["kind"].as_str().unwrap()).collect();
            assert!(kinds.contains(&"unfamiliar"), "{kinds:?}");
            let flat = found["heat_flat"].as_bool().unwrap();
            assert_eq!(case["pictures"]["heat"].is_null(), flat);
            for picture in ["outline", "mask", "crop", "heat"].map(|key| &case["pictures"][key]) {
                assert!(picture.is_null() || out.join(picture.as_str().unwrap()).is_file(), "{picture}");
            }
        }
        for source in html.split("src=\"").skip(1) {
            assert!(source.starts_with("data:"), "{}", &source[..60.min(source.len())]);
        }
        assert!(!html.contains("http://") && !html.contains("https://") && !html.contains("<script"));
    }
}

#[test]
fn weights_learn_what_is_familiar_from_the_data_they_were_trained_on() {
    if !adapter() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let images = images(&dir.path().join("data"), "14");
    let (weights, classifier, knowing) = (unet(dir.path()), resnet(dir.path()), dir.path().join("knowing.safetensors"));
    let data = text(&dir.path().join("data"));
    let familiar = ["weights", "familiar", &classifier, &data, "--batch", "3", "--json", "--out"];
    let learnt = nevus(familiar.into_iter().map(String::from).chain([text(&knowing)]));
    assert_eq!(code(&learnt), 0, "{}", err(&learnt));
    let learnt: Value = serde_json::from_slice(&learnt.stdout).unwrap();
    let limit = learnt["limit"].as_f64().unwrap();
    assert!(limit > 0.0 && learnt["train"].as_u64().unwrap() > 5, "{learnt}");
    let again = nevus(familiar.into_iter().map(String::from).chain([text(&knowing)]));
    assert!(code(&again) == 1 && err(&again).contains("--out"), "{}", err(&again));

    let out = dir.path().join("out");
    let files = ["analyze", &images, "--weights", &weights, "--classifier", &text(&knowing), "--tta", "1", "--out"];
    let done = nevus(files.into_iter().map(String::from).chain([text(&out)]));
    assert_eq!(code(&done), 0, "{}", err(&done));
    let (html, json) = page(&out);
    for case in json["photographs"].as_array().unwrap() {
        let found = &case["classification"];
        assert!((found["distance_limit"].as_f64().unwrap() - limit).abs() < 1e-9);
        let distance = found["distance"].as_f64().unwrap();
        let shown = if distance < 0.1 { format!("{distance:.3}") } else { format!("{distance:.2}") };
        assert!(distance > 0.0 && html.contains(&shown), "{distance}");
        let warned = case["warnings"].as_array().unwrap().iter().any(|warning| warning["kind"] == "unfamiliar");
        assert_eq!(warned, distance > limit);
    }
}

#[test]
fn what_it_cannot_do_it_refuses_by_name() {
    if !adapter() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let images = images(&dir.path().join("data"), "1");
    let (weights, classifier) = (unet(dir.path()), resnet(dir.path()));
    let out = text(&dir.path().join("out"));
    let bad = text(&dir.path().join("bad.toml"));
    fs::write(&bad, "[notice]\nen = \"x\"\n").unwrap();
    let cases: [(&[&str], i32, &str); 8] = [
        (&["--classifier", &classifier, "--layer", "layer9"], 1, "layer9"),
        (&["--classifier", &weights], 1, "unet-tiny.safetensors"),
        (&["--classifier", "no/such/file.safetensors"], 1, "no/such/file.safetensors"),
        (&["--no-classify", "--weights", &classifier], 1, "resnet18-tiny.safetensors"),
        (&["--no-classify", "--guidance", &bad], 1, "bad.toml"),
        (&["--classifier", &classifier, "--tta", "3"], 2, "1, 2 or 4"),
        (&["--no-classify", "--mm-per-pixel=-1"], 2, "mm-per-pixel"),
        (&["--no-classify", "--lang", "fr"], 2, "lang"),
    ];
    for (flags, wanted, named) in cases {
        let mut args = vec!["analyze", images.as_str(), "--out", &out];
        if !flags.contains(&"--weights") {
            args.extend(["--weights", &weights]);
        }
        args.extend(flags);
        let done = nevus(&args);
        assert_eq!(code(&done), wanted, "{flags:?}: {}", err(&done));
        assert!(err(&done).contains(named), "{flags:?}: {}", err(&done));
        assert!(!Path::new(&out).join("report.html").exists(), "{flags:?}");
    }
    let nothing =
        nevus(["analyze", &text(&dir.path().join("none")), "--no-classify", "--weights", &weights, "--out", &out]);
    assert_eq!(code(&nothing), 1, "{}", err(&nothing));
}

/// Chromium, where there is one.
fn chromium() -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    let names = ["chromium", "chromium-browser", "google-chrome"];
    std::env::split_paths(&folders).flat_map(|folder| names.map(|name| folder.join(name))).find(|path| path.is_file())
}

/// Opens a page without a window and with these flags; returns what comes on stdout, and what was said on the console.
fn open(browser: &Path, page: &Path, profile: &Path, flags: &[&str]) -> (String, Vec<String>) {
    let output = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--timeout=180000"])
        // Nothing but the page is to be loaded.
        .args(["--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .arg("--allow-file-access-from-files")
        .arg(format!("--user-data-dir={}", profile.display()))
        .args(flags)
        .arg(format!("file://{}", page.display()))
        .timeout(std::time::Duration::from_secs(240))
        .output()
        .unwrap();
    let console = err(&output).lines().filter(|line| line.contains("CONSOLE")).map(String::from).collect();
    (String::from_utf8_lossy(&output.stdout).into_owned(), console)
}

/// The flag that asks for the DOM after the page has loaded.
const DOM: &str = "--dump-dom";

/// Put into a copy of the page, which itself runs no script: tells the page around it how wide it is, whether it must be
/// scrolled sideways, how many pictures it has, how many of them are there, and whether it is darker than its text. All at
/// once when it has loaded, for the DOM is handed over then, and with every photograph laid out, also those that are not in
/// sight.
const PROBE: &str = "<script>addEventListener('load', () => {
  for (const article of document.querySelectorAll('article')) article.style.contentVisibility = 'visible';
  const images = [...document.images];
  const loaded = images.filter(image => image.complete && image.naturalWidth > 0).length;
  const sideways = document.documentElement.scrollWidth > innerWidth;
  const { backgroundColor, color } = getComputedStyle(document.body);
  const light = of => of.match(/\\d+/g).slice(0, 3).reduce((sum, part) => sum + Number(part), 0);
  const mode = light(backgroundColor) < light(color) ? 'dark' : 'light';
  const said = parent.document.createElement('output');
  said.append(`[${innerWidth} ${sideways} ${images.length} ${loaded} ${mode}]`);
  parent.document.body.append(said);
});</script></body>";

#[test]
fn a_browser_shows_every_picture_at_phone_and_desktop_width_light_and_dark_prints_it_and_does_not_complain() {
    let Some(browser) = chromium() else {
        eprintln!("SKIPPED: no chromium, chromium-browser or google-chrome in PATH");
        return;
    };
    if !adapter() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let images = images(&dir.path().join("data"), "2");
    let (weights, classifier) = (unet(dir.path()), resnet(dir.path()));
    let out = dir.path().join("out");
    let shown = text(&out);
    let done =
        nevus(["analyze", &images, "--weights", &weights, "--classifier", &classifier, "--tta", "2", "--out", &shown]);
    assert_eq!(code(&done), 0, "{}", err(&done));
    let profile = dir.path().join("profile");
    let report = out.join("report.html");
    let (dom, console) = open(&browser, &report, &profile, &[DOM]);
    assert_eq!(console, Vec::<String>::new());
    assert_eq!(dom.matches("<article").count(), 2, "{}", &dom[..500.min(dom.len())]);

    let html = fs::read_to_string(&report).unwrap();
    let pictures = html.matches("<img ").count();
    assert!(pictures >= 6, "{pictures}");
    assert_eq!(
        html.matches("<img ").count(),
        html.matches(" alt=\"").count(),
        "a picture says nothing to those who hear it"
    );
    for (flags, mode) in [(&[DOM][..], "light"), (&[DOM, "--force-dark-mode"], "dark")] {
        let (said, console) = probe(&browser, &html, dir.path(), flags);
        assert_eq!(console, Vec::<String>::new(), "{mode}");
        // As wide as the frame, without a need to scroll sideways.
        let wanted = [390, 1280].map(|width| format!("[{width} false {pictures} {pictures} {mode}]"));
        assert_eq!(said, wanted);
    }

    let printed = dir.path().join("report.pdf");
    let (_, console) = open(&browser, &report, &profile, &[&format!("--print-to-pdf={}", printed.display())]);
    assert_eq!(console, Vec::<String>::new());
    let pdf = fs::read(&printed).unwrap();
    let count = |what: &[u8]| pdf.windows(what.len()).filter(|part| *part == what).count();
    assert!(pdf.starts_with(b"%PDF-"));
    // The overview, a sheet for each photograph, and where what is said comes from.
    assert!(count(b"/Type /Page\n") > 2, "{} sheets", count(b"/Type /Page\n"));
    assert!(count(b"/Subtype /Image") >= 4, "{} pictures", count(b"/Subtype /Image"));
}

/// What the test above looks for, it finds: a page that is too wide, whose picture is broken, and that complains.
#[test]
fn a_browser_tells_a_broken_page() {
    let Some(browser) = chromium() else {
        eprintln!("SKIPPED: no chromium, chromium-browser or google-chrome in PATH");
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let pixel = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7";
    let html = format!(
        "<!DOCTYPE html><html><head><meta http-equiv=\"refresh\" content=\"999\"></head><body>
        <img src=\"{pixel}\" alt=\"\"><img src=\"data:image/jpeg;base64,/9j/4AAQ\" alt=\"\">
        <div style=\"width:700px\">wide</div><script>console.error('broken')</script></body></html>"
    );
    let (said, console) = probe(&browser, &html, dir.path(), &[DOM]);
    assert_eq!(said, ["[390 true 2 1 light]", "[1280 false 2 1 light]"]);
    assert!(console.len() == 2 && console.iter().all(|line| line.contains("broken")), "{console:?}");
}

/// Opens a page in frames as wide as a phone and a desktop; returns what its copies say by [`PROBE`], the narrower first, and
/// what was said on the console.
fn probe(browser: &Path, html: &str, dir: &Path, flags: &[&str]) -> (Vec<String>, Vec<String>) {
    // The page's own policy allows no script.
    let policy = html.find("<meta http-equiv").unwrap();
    let end = policy + html[policy..].find('>').unwrap() + 1;
    let open_to_scripts = format!("{}{}", &html[..policy], &html[end..]).replace("</body>", PROBE);
    fs::write(dir.join("copy.html"), open_to_scripts).unwrap();
    let frames = "<!DOCTYPE html><body>
      <iframe width=390 height=800 style='border:0' src='copy.html'></iframe>
      <iframe width=1280 height=800 style='border:0' src='copy.html'></iframe></body>";
    fs::write(dir.join("frames.html"), frames).unwrap();
    let (dom, console) = open(browser, &dir.join("frames.html"), &dir.join("profile"), flags);
    let rest = dom.split("<output>").skip(1);
    let mut said: Vec<String> = rest.filter_map(|rest| Some(rest.split_once("</output>")?.0.to_owned())).collect();
    said.sort_by_key(|said| said.starts_with("[1280"));
    (said, console)
}
