use std::io::Cursor;
use std::path::Path;

use ::image::{DynamicImage, ImageBuffer, ImageEncoder, ImageFormat, Luma, Rgb, Rgba};

use super::image::*;

const FORMATS: [(ImageFormat, &str); 5] = [
    (ImageFormat::Png, "png"),
    (ImageFormat::Jpeg, "jpg"),
    (ImageFormat::Bmp, "bmp"),
    (ImageFormat::Tiff, "tiff"),
    (ImageFormat::WebP, "webp"),
];

fn encoded(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn scene(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| Rgb([(x * 5) as u8, (y * 7) as u8, ((x / 4 + y / 4) % 2 * 200) as u8]))
}

fn photo(bytes: &[u8]) -> crate::error::Result<RgbImage> {
    decode_photo(bytes, "some/photo.jpg", &DecodeLimits::default())
}

#[test]
fn formats_are_told_by_content_and_truncation_is_refused() {
    let image = scene(37, 23);
    for (format, name) in FORMATS {
        let bytes = encoded(&image.clone().into(), format);
        let back = photo(&bytes).unwrap();
        assert_eq!(back.dimensions(), (37, 23), "{name}");
        if format != ImageFormat::Jpeg {
            assert_eq!(back, image, "{name}");
        }
        for cut in [0, 1, 11, bytes.len() / 3, bytes.len() / 2, bytes.len() * 9 / 10] {
            let error = photo(&bytes[..cut]).expect_err(&format!("{name} cut at {cut}")).to_string();
            assert!(error.contains("some/photo.jpg"), "{error}");
        }
    }
    let jpeg = encoded(&image.into(), ImageFormat::Jpeg);
    assert!(photo(&jpeg[..jpeg.len() - 1]).unwrap_err().to_string().contains("truncated"));
    let mut trailing = jpeg.clone();
    trailing.extend([1, 2, 3]);
    assert!(photo(&trailing).is_ok());
    assert!(photo(b"GIF89a not at all").unwrap_err().to_string().contains("some/photo.jpg"));
}

#[test]
fn garbage_never_panics() {
    let mut rng = super::rng::Rng::new(1, "garbage", &[]);
    for (format, _) in FORMATS {
        let good = encoded(&scene(19, 11).into(), format);
        for _ in 0..60 {
            let mut bytes = good.clone();
            for _ in 0..rng.count(1, 6) {
                let at = rng.below(bytes.len());
                bytes[at] = rng.next_u64() as u8;
            }
            let _ = photo(&bytes);
            let _ = decode_mask(&bytes, "m", &DecodeLimits::default());
        }
    }
}

#[test]
fn any_kind_of_pixel_becomes_rgb() {
    let one = photo(&encoded(&scene(1, 1).into(), ImageFormat::Png)).unwrap();
    assert_eq!(one.dimensions(), (1, 1));
    let grey = ImageBuffer::from_pixel(3, 2, Luma([77u8])).into();
    assert_eq!(photo(&encoded(&grey, ImageFormat::Png)).unwrap().get_pixel(2, 1).0, [77; 3]);
    let deep = DynamicImage::ImageRgb16(ImageBuffer::from_pixel(3, 2, Rgb([65535u16, 257 * 20, 0])));
    assert_eq!(photo(&encoded(&deep, ImageFormat::Png)).unwrap().get_pixel(0, 0).0, [255, 20, 0]);
    let clear =
        DynamicImage::ImageRgba8(ImageBuffer::from_fn(2, 1, |x, _| Rgba([200, 0, 0, if x == 0 { 0 } else { 128 }])));
    let flat = photo(&encoded(&clear, ImageFormat::Png)).unwrap();
    assert_eq!(flat.get_pixel(0, 0).0, [255; 3]);
    assert_eq!(flat.get_pixel(1, 0).0, [227, 127, 127]);
}

#[test]
fn masks_are_binary_whatever_they_were() {
    let limits = DecodeLimits::default();
    let mask =
        |image: DynamicImage| decode_mask(&encoded(&image, ImageFormat::Png), "m.png", &limits).unwrap().into_raw();
    assert_eq!(
        mask(ImageBuffer::from_raw(4, 1, vec![0u8, 127, 128, 255]).map(DynamicImage::ImageLuma8).unwrap()),
        [0, 0, 255, 255]
    );
    assert_eq!(mask(ImageBuffer::from_raw(2, 1, vec![0u8, 1]).map(DynamicImage::ImageLuma8).unwrap()), [0, 255]);
    let deep = ImageBuffer::from_raw(3, 1, vec![0u16, 200, 65535]).map(DynamicImage::ImageLuma16).unwrap();
    assert_eq!(mask(deep), [0, 0, 255]);
    let color = ImageBuffer::from_raw(2, 1, vec![255u8, 255, 255, 30, 30, 30]).map(DynamicImage::ImageRgb8).unwrap();
    assert_eq!(mask(color), [255, 0]);
    let clear = ImageBuffer::from_raw(2, 1, vec![255u8, 0, 255, 255]).map(DynamicImage::ImageLumaA8).unwrap();
    assert_eq!(mask(clear), [0, 255]);
}

/// A JPEG with an EXIF block that holds the orientation alone.
fn oriented(image: &RgbImage, orientation: u16) -> Vec<u8> {
    let mut exif = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
    exif.extend(orientation.to_le_bytes());
    exif.extend([0; 6]);
    let mut bytes = Vec::new();
    let mut encoder = ::image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, 100);
    encoder.set_exif_metadata(exif).unwrap();
    encoder.encode_image(image).unwrap();
    bytes
}

#[test]
fn exif_turns_the_photograph_upright() {
    // One dark corner, at the top left of the upright scene; each orientation stores it elsewhere.
    let upright = RgbImage::from_fn(32, 16, |x, y| if x < 8 && y < 8 { Rgb([0; 3]) } else { Rgb([255; 3]) });
    let stored: [fn(&RgbImage) -> RgbImage; 8] = [
        RgbImage::clone,
        ::image::imageops::flip_horizontal,
        ::image::imageops::rotate180,
        ::image::imageops::flip_vertical,
        |i| ::image::imageops::flip_horizontal(&::image::imageops::rotate90(i)),
        ::image::imageops::rotate270,
        |i| ::image::imageops::flip_horizontal(&::image::imageops::rotate270(i)),
        ::image::imageops::rotate90,
    ];
    let dir = tempfile::tempdir().unwrap();
    for (turn, orientation) in stored.into_iter().zip(1u16..) {
        let bytes = oriented(&turn(&upright), orientation);
        let back = photo(&bytes).unwrap();
        assert_eq!(back.dimensions(), (32, 16), "{orientation}");
        let wrong = back.pixels().zip(upright.pixels()).filter(|(a, b)| a.0[0].abs_diff(b.0[0]) > 60).count();
        assert_eq!(wrong, 0, "{orientation}");
        let path = dir.path().join("a.jpg");
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(photo_size(&path).unwrap(), (32, 16), "{orientation}");
    }
}

#[test]
fn limits_hold_before_anything_is_allocated() {
    let bytes = encoded(&scene(40, 30).into(), ImageFormat::Png);
    let small = DecodeLimits { max_pixels: 1000, ..DecodeLimits::default() };
    assert!(decode_photo(&bytes, "a.png", &small).unwrap_err().to_string().contains("limit 1000"));
    let tight = DecodeLimits { max_bytes: 2000, ..DecodeLimits::default() };
    assert!(decode_photo(&bytes, "a.png", &tight).is_err());
    let claims = |width: u32, height: u32| {
        let mut bytes = bytes.clone();
        bytes[16..20].copy_from_slice(&width.to_be_bytes());
        bytes[20..24].copy_from_slice(&height.to_be_bytes());
        let crc = crc32(&bytes[12..29]);
        bytes[29..33].copy_from_slice(&crc.to_be_bytes());
        photo(&bytes).unwrap_err().to_string()
    };
    assert!(claims(60_000, 60_000).contains("60000×60000"));
    assert!(claims(16_000, 16_001).contains("256016000 pixels"));
    // What a phone's sensor of 200 megapixels gives is decoded, and then found to be cut off.
    assert!(claims(16_320, 12_240).contains("cannot be decoded"));
    let limits = DecodeLimits::default();
    let dir = tempfile::tempdir().unwrap();
    assert!(read_photo(dir.path(), &limits).unwrap_err().to_string().contains("not a file"));
    assert!(read_photo(dir.path().join("gone.png"), &limits).is_err());
}

fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, &byte: &u8| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 })
    };
    !bytes.iter().fold(!0, step)
}

#[test]
fn sixty_megapixels_pass() {
    let mut bytes = Vec::new();
    let raw = vec![120u8; 10_000 * 6_000];
    let encoder = ::image::codecs::png::PngEncoder::new(&mut bytes);
    encoder.write_image(&raw, 10_000, 6_000, ::image::ExtendedColorType::L8).unwrap();
    assert_eq!(photo(&bytes).unwrap().dimensions(), (10_000, 6_000));
}

#[test]
fn what_is_saved_reads_back() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.png");
    super::save::write_png(&path, &scene(9, 5)).unwrap();
    assert_eq!(read_photo(&path, &DecodeLimits::default()).unwrap(), scene(9, 5));
    let grey = GrayImage::from_raw(2, 1, vec![0, 255]).unwrap();
    super::save::write_png_grey(&path, &grey).unwrap();
    assert_eq!(read_mask(&path, &DecodeLimits::default()).unwrap(), grey);
    assert!(Path::new(&path).exists());
}
