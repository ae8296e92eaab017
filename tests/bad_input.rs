//! Files that are broken, hostile or unusual: an error that names the file and says what is wrong, or the right result.
#![cfg(feature = "train")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use image::{DynamicImage, GrayAlphaImage, ImageBuffer, Luma, LumaA, Rgb, RgbImage, Rgba, RgbaImage};
use nevus::data::{Augment, DecodeLimits, LoaderOptions, Sample, Source, read_mask, read_photo};
use nevus::graph::Graph;
use nevus::models::{Meta, Normalisation, Precision, UNet};
use nevus::train::{Init, Segmenter};
use nevus::{Error, Gpu, Tensor, Weights};

fn name(path: &Path) -> &str {
    path.file_name().unwrap().to_str().unwrap()
}

fn written(folder: &Path, file: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(file);
    fs::write(&path, bytes).unwrap();
    path
}

fn safetensors(header: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    bytes
}

/// The error of a weights file, which must name it.
fn refused(path: &Path) -> String {
    let message = Weights::open(path).expect_err("it was taken").to_string();
    assert!(message.contains(name(path)), "{message}");
    message
}

// ---- weights ----------------------------------------------------------------------------------------------------

#[test]
fn a_weights_file_that_is_cut_anywhere_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut weights = Weights::new();
    weights.insert("a.weight", Tensor::full([3, 5], 0.25));
    weights.insert("b.bias", Tensor::full([7], -1.0));
    let path = folder.path().join("whole.safetensors");
    weights.save(&path, Precision::F32).unwrap();
    let bytes = fs::read(&path).unwrap();
    for len in 0..bytes.len() {
        refused(&written(folder.path(), "cut.safetensors", &bytes[..len]));
    }
    let mut longer = bytes.clone();
    longer.push(0);
    refused(&written(folder.path(), "longer.safetensors", &longer));
    assert_eq!(Weights::open(&path).unwrap().tensors, weights.tensors);
}

#[cfg(target_os = "linux")]
fn peak_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

#[test]
fn hostile_headers_are_refused_and_allocate_nothing() {
    let folder = tempfile::tempdir().unwrap();
    #[cfg(target_os = "linux")]
    let before = peak_bytes();
    let tensor = |shape: &str, start: u64, end: u64| {
        format!(r#"{{"a":{{"dtype":"F32","shape":{shape},"data_offsets":[{start},{end}]}}}}"#)
    };
    let tera = 4u64 << 40;
    let cases = [
        ("terabytes", safetensors(&tensor("[1099511627776]", 0, tera), &[0; 64])),
        ("overflow", safetensors(&tensor("[9223372036854775807,16]", 0, 64), &[0; 64])),
        ("negative", safetensors(&tensor("[-4]", 0, 16), &[0; 16])),
        ("backwards", safetensors(&tensor("[4]", 16, 0), &[0; 16])),
        ("gap", safetensors(&tensor("[4]", 16, 32), &[0; 32])),
        ("short", safetensors(&tensor("[4]", 0, 12), &[0; 12])),
        ("no json", safetensors("{\"a\":", &[0; 16])),
        ("a list", safetensors("[1,2,3]", &[])),
        ("deep", safetensors(&"[".repeat(100_000), &[])),
        ("dtype", safetensors(r#"{"a":{"dtype":"F99","shape":[1],"data_offsets":[0,4]}}"#, &[0; 4])),
        ("nan", safetensors(&tensor("[1]", 0, 4), &f32::NAN.to_le_bytes())),
        ("header of exabytes", [u64::MAX.to_le_bytes().to_vec(), vec![b'{'; 64]].concat()),
        ("header of terabytes", [tera.to_le_bytes().to_vec(), vec![b'{'; 64]].concat()),
        ("utf8", [8u64.to_le_bytes().to_vec(), vec![0xff; 8]].concat()),
        ("a pickle", b"PK\x03\x04 archive/data.pkl and more of it".to_vec()),
    ];
    for (what, bytes) in cases {
        let message = refused(&written(folder.path(), &format!("{what}.safetensors"), &bytes));
        assert!(message.len() < 2000, "{what}: a message of {} bytes", message.len());
    }
    let two = r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
    refused(&written(folder.path(), "two in one place.safetensors", &safetensors(two, &[0; 4])));
    refused(&folder.path().join("absent.safetensors"));
    refused(folder.path());
    #[cfg(target_os = "linux")]
    assert!(peak_bytes() < before + (256 << 20), "{} MiB were allocated", (peak_bytes() - before) >> 20);
}

const NET: UNet = UNet { base: 4, depth: 2, input: 3, output: 1, dropout: 0.0 };

fn weights(change: impl FnOnce(&mut Weights, &mut Meta)) -> Weights {
    let mut graph = Graph::new();
    let image = graph.input("image", [1, 3, 16, 24]).unwrap();
    NET.build(&mut graph, image).unwrap();
    let mut weights = Init::default().fill(graph.params()).unwrap();
    let mut meta = Meta::new();
    meta.set_architecture(&NET).unwrap();
    meta.input_size = Some((16, 24));
    change(&mut weights, &mut meta);
    weights.set_meta(&meta);
    weights
}

/// Saves, opens and puts to work: the error, which must name the file.
fn useless(gpu: &Gpu, folder: &Path, change: impl FnOnce(&mut Weights, &mut Meta)) -> String {
    let path = folder.join("net.safetensors");
    weights(change).save(&path, Precision::F32).unwrap();
    let made = Weights::open(&path).and_then(|weights| Segmenter::new(gpu, &weights));
    made.expect_err("it was taken").to_string()
}

#[test]
fn weights_that_do_not_fit_the_model_are_refused() {
    let Some(gpu) = support::gpu(&support::options()) else { return };
    let folder = tempfile::tempdir().unwrap();
    let segmenter = Segmenter::new(&gpu, &weights(|_, _| ())).unwrap();
    let map = segmenter.probabilities(&RgbImage::from_pixel(31, 17, Rgb([90, 60, 50]))).unwrap();
    assert_eq!(map.shape(), [1, 1, 17, 31]);

    let check = |expected: &[&str], change: fn(&mut Weights, &mut Meta)| {
        let message = useless(&gpu, folder.path(), change);
        for part in ["net.safetensors"].iter().chain(expected) {
            assert!(message.contains(part), "{message:?} lacks {part:?}");
        }
    };
    check(&["\"bottom.conv1.weight\" is missing"], |weights, _| {
        weights.tensors.remove("bottom.conv1.weight");
    });
    check(&["head.weight", "[1, 4, 3, 3]", "[1, 4, 1, 1]"], |weights, _| {
        weights.insert("head.weight", Tensor::zeros([1, 4, 3, 3]));
    });
    check(&["up.0.upconv.weight", "[8, 16, 2, 2]", "[16, 8, 2, 2]"], |weights, _| {
        weights.insert("up.0.upconv.weight", Tensor::zeros([8, 16, 2, 2]));
    });
    check(&["missing", "module.head.bias"], |weights, _| {
        let bias = weights.tensors.remove("head.bias").unwrap();
        weights.insert("module.head.bias", bias);
    });
    check(&["describes no U-Net"], |_, meta| meta.architecture = None);
    check(&["input size"], |_, meta| meta.input_size = None);
    check(&["three channels"], |_, meta| {
        meta.normalisation = Some(Normalisation { mean: vec![0.5], std: vec![0.5] });
    });
    check(&[], |_, meta| meta.set_architecture(&"a tree").unwrap());
}

#[test]
fn architectures_that_cannot_be_are_refused_without_building_them() {
    let Some(gpu) = support::gpu(&support::options()) else { return };
    for (field, net) in [
        ("base", UNet { base: 1 << 40, ..NET }),
        ("depth", UNet { depth: 60, ..NET }),
        ("depth", UNet { depth: 0, ..NET }),
        ("output", UNet { output: 1 << 50, ..NET }),
        ("dropout", UNet { dropout: 7.0, ..NET }),
    ] {
        let weights = weights(|_, meta| meta.set_architecture(&net).unwrap());
        let message = Segmenter::new(&gpu, &weights).unwrap_err().to_string();
        assert!(message.contains(field), "{message}");
    }
    let weights = weights(|_, meta| meta.input_size = Some((17, 24)));
    let message = Segmenter::new(&gpu, &weights).unwrap_err().to_string();
    assert!(message.contains("multiples of 4"), "{message}");
}

#[test]
fn weights_that_cannot_be_written_leave_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.safetensors");
    let good = weights(|_, _| ());
    good.save(&path, Precision::F32).unwrap();
    let before = fs::read(&path).unwrap();
    let bad = weights(|weights, _| weights.insert("head.bias", Tensor::full([1], f32::NAN)));
    assert!(bad.save(&path, Precision::F32).is_err());
    assert_eq!(fs::read(&path).unwrap(), before);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

// ---- devices ----------------------------------------------------------------------------------------------------

#[test]
fn a_destroyed_device_is_lost_to_what_runs_on_it() {
    let Some(gpu) = support::gpu(&support::options()) else { return };
    let segmenter = Segmenter::new(&gpu, &weights(|_, _| ())).unwrap();
    let photo = RgbImage::from_pixel(24, 16, Rgb([90, 60, 50]));
    segmenter.probabilities(&photo).unwrap();
    gpu.destroy();
    for _ in 0..2 {
        let error = segmenter.probabilities(&photo).unwrap_err();
        assert!(matches!(error, Error::DeviceLost(_)), "{error}");
    }
}

#[cfg(all(feature = "cli", target_os = "linux"))]
#[test]
fn without_a_driver_commands_end_in_an_error_that_helps() {
    let folder = tempfile::tempdir().unwrap();
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let photo = text(&saved(folder.path(), "photo.png", RgbImage::from_pixel(32, 24, Rgb([120, 90, 80]))));
    let net = folder.path().join("net.safetensors");
    weights(|_, _| ()).save(&net, Precision::F32).unwrap();
    let (net, out, absent) = (text(&net), text(&folder.path().join("out")), folder.path().join("no_driver.json"));
    let run = |args: &[&str]| {
        let mut command = assert_cmd::Command::cargo_bin("nevus").unwrap();
        command.env("VK_DRIVER_FILES", &absent).env("VK_ICD_FILENAMES", &absent).env_remove("VK_ADD_DRIVER_FILES");
        let output = command.args(args).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{args:?}: {said}");
        assert!(said.contains("no GPU adapter answers") && said.contains("mesa-vulkan-drivers"), "{args:?}: {said}");
        assert!(!said.contains("panicked"), "{args:?}: {said}");
        output.stdout
    };
    run(&["devices"]);
    let listed: serde_json::Value = serde_json::from_slice(&run(&["devices", "--json"])).unwrap();
    assert_eq!(listed["adapters"], serde_json::json!([]));
    run(&["segment", &photo, "--weights", &net, "--out", &out]);
}

// ---- images -----------------------------------------------------------------------------------------------------

fn saved(folder: &Path, file: &str, image: impl Into<DynamicImage>) -> PathBuf {
    let path = folder.join(file);
    image.into().save(&path).unwrap();
    path
}

fn photo(path: &Path) -> RgbImage {
    read_photo(path, &DecodeLimits::default()).unwrap()
}

fn no_photo(path: &Path) -> String {
    let message = read_photo(path, &DecodeLimits::default()).expect_err("it was taken").to_string();
    assert!(message.contains(name(path)), "{message}");
    message
}

#[test]
fn broken_photographs_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let scene = RgbImage::from_fn(40, 30, |x, y| Rgb([(x * 6) as u8, (y * 8) as u8, 77]));
    for file in ["scene.png", "scene.jpg", "scene.bmp", "scene.tiff", "scene.webp"] {
        let path = saved(folder.path(), file, scene.clone());
        let bytes = fs::read(&path).unwrap();
        assert_eq!(photo(&path).dimensions(), (40, 30));
        for share in [0, 1, 5, 9] {
            no_photo(&written(folder.path(), &format!("cut {file}"), &bytes[..bytes.len() * share / 10]));
        }
    }
    no_photo(&written(folder.path(), "text.png", b"this is no image"));
    no_photo(&folder.path().join("absent.jpg"));
    no_photo(folder.path());
}

#[test]
fn unusual_photographs_are_read_right() {
    let folder = tempfile::tempdir().unwrap();
    let dot = saved(folder.path(), "dot.png", RgbImage::from_pixel(1, 1, Rgb([1, 2, 3])));
    assert_eq!(photo(&dot).get_pixel(0, 0).0, [1, 2, 3]);
    let grey = DynamicImage::ImageLuma8(ImageBuffer::from_pixel(5, 3, Luma([200])));
    let grey = photo(&saved(folder.path(), "grey.png", grey));
    assert_eq!((grey.dimensions(), grey.get_pixel(4, 2).0), ((5, 3), [200; 3]));
    let deep = DynamicImage::ImageRgb16(ImageBuffer::from_pixel(5, 3, Rgb([0x1234, 0x8000, 0xffff])));
    let [r, g, b] = photo(&saved(folder.path(), "deep.png", deep)).get_pixel(0, 0).0;
    assert!(r.abs_diff(0x12) <= 1 && g.abs_diff(0x80) <= 1 && b == 255, "{r} {g} {b}");
    let deep = DynamicImage::ImageLuma16(ImageBuffer::from_pixel(5, 3, Luma([0x4000])));
    let [r, g, b] = photo(&saved(folder.path(), "deep grey.png", deep)).get_pixel(0, 0).0;
    assert!(r.abs_diff(0x40) <= 1 && r == g && g == b, "{r} {g} {b}");
    // What is transparent is drawn over white.
    let clear = RgbaImage::from_fn(2, 1, |x, _| if x == 0 { Rgba([10, 20, 30, 255]) } else { Rgba([10, 20, 30, 0]) });
    let clear = photo(&saved(folder.path(), "clear.png", clear));
    assert_eq!((clear.get_pixel(0, 0).0, clear.get_pixel(1, 0).0), ([10, 20, 30], [255; 3]));
    let clear = DynamicImage::ImageLumaA8(GrayAlphaImage::from_pixel(2, 1, LumaA([0, 0])));
    assert_eq!(photo(&saved(folder.path(), "clear grey.png", clear)).get_pixel(1, 0).0, [255; 3]);
    // The name's ending does not matter.
    let lying = folder.path().join("really a png.jpg");
    fs::copy(&dot, &lying).unwrap();
    assert_eq!(photo(&lying).dimensions(), (1, 1));
}

#[test]
fn images_beyond_the_limit_are_refused_before_they_are_decoded() {
    let folder = tempfile::tempdir().unwrap();
    let path = saved(folder.path(), "large.png", RgbImage::new(300, 200));
    let limits = DecodeLimits { max_pixels: 59_999, ..DecodeLimits::default() };
    let message = read_photo(&path, &limits).unwrap_err().to_string();
    assert!(message.contains("large.png") && message.contains("300×200") && message.contains("59999"), "{message}");
    assert!(read_photo(&path, &DecodeLimits { max_pixels: 60_000, ..limits }).is_ok());
    // A head that claims 4 gigapixels on a file of a few bytes.
    let mut bytes = fs::read(&path).unwrap();
    bytes[16..24].copy_from_slice(&[0, 1, 0, 0, 0, 1, 0, 0]);
    no_photo(&written(folder.path(), "claims.png", &bytes));
}

fn sample(image: &Path, mask: &Path) -> Sample {
    let id = "one".to_owned();
    Sample { id, image: image.into(), mask: Some(mask.into()), label: None, lesion: None, split: None }
}

fn first_batch(image: &Path, mask: &Path) -> nevus::Result<nevus::data::Batch> {
    let options = LoaderOptions { augment: Augment::none(), ..LoaderOptions::evaluation(8, 8, 1) };
    Source::new(vec![sample(image, mask)], options)?.epoch(0, 0)?.next().unwrap()
}

#[test]
fn masks_of_another_size_fit_or_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let image = saved(folder.path(), "image.png", RgbImage::from_pixel(32, 24, Rgb([120, 90, 80])));
    let mask = |file: &str, w: u32, h: u32| {
        let half = ImageBuffer::from_fn(w, h, |x, _| Luma([if x < w / 2 { 255u8 } else { 0 }]));
        saved(folder.path(), file, DynamicImage::ImageLuma8(half))
    };
    // The same proportions at another resolution: the mask is enlarged.
    for (file, w, h) in [("same.png", 32, 24), ("half.png", 16, 12), ("double.png", 64, 48)] {
        let batch = first_batch(&image, &mask(file, w, h)).unwrap();
        assert_eq!(batch.masks.shape(), [1, 1, 8, 8]);
        let row: Vec<f32> = batch.masks.data()[24..32].to_vec();
        assert_eq!(row, [1., 1., 1., 1., 0., 0., 0., 0.], "{file}");
    }
    let message = first_batch(&image, &mask("turned.png", 24, 32)).unwrap_err().to_string();
    assert!(message.contains("turned.png"), "{message}");
    let message =
        first_batch(&image, &written(folder.path(), "broken.png", b"\x89PNG no more")).unwrap_err().to_string();
    assert!(message.contains("broken.png"), "{message}");
    let message = first_batch(&folder.path().join("gone.png"), &mask("mask.png", 32, 24)).unwrap_err().to_string();
    assert!(message.contains("gone.png"), "{message}");
}

#[test]
fn masks_of_every_kind_become_black_and_white() {
    let folder = tempfile::tempdir().unwrap();
    let limits = DecodeLimits::default();
    let zeros_and_ones = ImageBuffer::from_fn(2, 1, |x, _| Luma([x as u8]));
    let deep = ImageBuffer::from_fn(2, 1, |x, _| Luma([(x * 65_535) as u16]));
    let colour = RgbImage::from_fn(2, 1, |x, _| Rgb([(x * 255) as u8; 3]));
    let clear = RgbaImage::from_fn(2, 1, |x, _| Rgba([255, 255, 255, (x * 255) as u8]));
    let images: [(&str, DynamicImage); 4] = [
        ("ones.png", DynamicImage::ImageLuma8(zeros_and_ones)),
        ("deep.png", DynamicImage::ImageLuma16(deep)),
        ("colour.png", colour.into()),
        ("clear.png", clear.into()),
    ];
    for (file, image) in images {
        let mask = read_mask(saved(folder.path(), file, image), &limits).unwrap();
        assert_eq!(mask.as_raw().as_slice(), [0, 255], "{file}");
    }
}
