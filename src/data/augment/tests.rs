use ::image::{GrayImage, Luma, Rgb, RgbImage};

use super::*;

const SIZE: (usize, usize) = (30, 40);

/// A photograph that shows its own mask: red where the lesion is, blue elsewhere.
fn telling(width: u32, height: u32) -> Picture {
    let inside = |x: u32, y: u32| {
        let (u, v) = (x as f32 / width as f32 - 0.55, y as f32 / height as f32 - 0.4);
        u * u * 1.5 + v * v + 0.3 * u * v < 0.06
    };
    let photo = RgbImage::from_fn(width, height, |x, y| if inside(x, y) { Rgb([255, 0, 0]) } else { Rgb([0, 0, 255]) });
    let mask = GrayImage::from_fn(width, height, |x, y| Luma([if inside(x, y) { 255 } else { 0 }]));
    Picture::new(&photo, Some(&mask)).unwrap()
}

fn apply(config: &Augment, picture: &Picture, key: (u64, u64, &str)) -> (Vec<f32>, Vec<f32>) {
    let (mut image, mut mask) = (vec![f32::NAN; 3 * SIZE.0 * SIZE.1], vec![f32::NAN; SIZE.0 * SIZE.1]);
    config.apply(picture, SIZE, key, &mut image, &mut mask).unwrap();
    (image, mask)
}

#[test]
fn image_and_mask_move_alike() {
    let base = Augment { flip: true, rotation: 180.0, scale: [0.4, 2.0], stretch: 0.2, shift: 0.3, ..Augment::none() };
    for pad in [Pad::Reflect, Pad::Edge] {
        let config = Augment { pad, ..base.clone() };
        for picture in [telling(80, 60), telling(41, 77), telling(400, 300)] {
            for epoch in 0..40 {
                let (image, mask) = apply(&config, &picture, (1, epoch, "a"));
                let area = mask.len();
                for (i, &lesion) in mask.iter().enumerate() {
                    // Where red and blue are nearly equal the outline runs through the pixel.
                    let lead = image[i] - image[2 * area + i];
                    assert!(lead.abs() < 0.02 || (lead > 0.0) == (lesion > 0.5), "epoch {epoch}, pixel {i}");
                }
            }
        }
    }
}

#[test]
fn values_stay_in_range_and_masks_binary() {
    let everything = Augment {
        hair_chance: 1.0,
        ruler_chance: 1.0,
        frame_chance: 1.0,
        blur_chance: 1.0,
        noise_chance: 1.0,
        ..Augment::default()
    };
    let picture = telling(80, 60);
    for epoch in 0..60 {
        let (image, mask) = apply(&everything, &picture, (5, epoch, "b"));
        assert!(image.iter().all(|v| (0.0..=1.0).contains(v)), "epoch {epoch}");
        assert!(mask.iter().all(|v| *v == 0.0 || *v == 1.0));
    }
}

#[test]
fn a_sample_depends_on_its_key_only() {
    let picture = telling(80, 60);
    let config = Augment::default();
    let first = apply(&config, &picture, (1, 2, "c"));
    assert_eq!(first, apply(&config, &picture, (1, 2, "c")));
    for other in [(2, 2, "c"), (1, 3, "c"), (1, 2, "d")] {
        assert_ne!(first.0, apply(&config, &picture, other).0);
    }
}

#[test]
fn turning_by_a_quarter_is_exact() {
    // 90 degrees on a square picture maps pixels onto pixels.
    let photo = RgbImage::from_fn(8, 8, |x, y| Rgb([(x * 30) as u8, (y * 30) as u8, 0]));
    let picture = Picture::new(&photo, None).unwrap();
    let none = Augment::none();
    let (mut image, mut mask) = (vec![0.0; 192], vec![0.0; 64]);
    none.apply(&picture, (8, 8), (0, 0, ""), &mut image, &mut mask).unwrap();
    assert!((image[3 * 8 + 5] * 255.0 - 150.0).abs() < 1e-3 && (image[64 + 3 * 8 + 5] * 255.0 - 90.0).abs() < 1e-3);
    // Only flips: the values of a row come back in one of two orders.
    let flips = Augment { flip: true, ..none };
    let mut seen = std::collections::BTreeSet::new();
    for epoch in 0..40 {
        flips.apply(&picture, (8, 8), (0, epoch, ""), &mut image, &mut mask).unwrap();
        let corner = [(image[0] * 255.0).round() as u8, (image[64] * 255.0).round() as u8];
        seen.insert(corner);
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), [[0, 0], [0, 210], [210, 0], [210, 210]]);
}

#[test]
fn hair_is_drawn_over_the_image_only() {
    let picture = telling(80, 60);
    let hairy = Augment { hair_chance: 1.0, hairs: 40, ..Augment::none() };
    let (plain, mask) = apply(&Augment { flip: false, ..Augment::none() }, &picture, (1, 1, "h"));
    let (drawn, same) = apply(&hairy, &picture, (1, 1, "h"));
    assert_eq!(mask, same);
    assert!(plain.iter().zip(&drawn).filter(|(a, b)| (*a - *b).abs() > 0.1).count() > 30);
}

#[test]
fn masks_of_another_size_are_fitted_or_refused() {
    let photo = RgbImage::new(40, 30);
    let half = GrayImage::from_pixel(20, 15, Luma([255]));
    assert!(Picture::new(&photo, Some(&half)).unwrap().pixels().iter().all(|p| p[3] == 255));
    let error = Picture::new(&photo, Some(&GrayImage::new(30, 40))).unwrap_err().to_string();
    assert!(error.contains("30×40") && error.contains("40×30"), "{error}");
    let small = telling(400, 300).reduced(30, 40).unwrap();
    assert_eq!((small.height(), small.width()), (60, 80));
    let one = Picture::new(&RgbImage::new(1, 1), None).unwrap();
    let (image, _) = apply(&Augment::default(), &one, (0, 0, "one"));
    assert!(image.iter().all(|v| v.is_finite()));
}

#[test]
fn bad_amounts_are_refused_by_name() {
    Augment::default().validate().unwrap();
    Augment::none().validate().unwrap();
    assert!(Augment::none().is_none() && !Augment::default().is_none());
    let bad = [
        (Augment { scale: [1.2, 0.8], ..Augment::none() }, "scale[1]"),
        (Augment { scale: [0.0, 1.0], ..Augment::none() }, "scale[0]"),
        (Augment { blur: f32::NAN, ..Augment::none() }, "blur"),
        (Augment { hair_chance: 1.5, ..Augment::none() }, "hair_chance"),
        (Augment { brightness: -0.1, ..Augment::none() }, "brightness"),
        (Augment { hairs: usize::MAX, ..Augment::none() }, "hairs"),
    ];
    for (config, name) in bad {
        assert!(config.validate().unwrap_err().to_string().contains(name));
    }
    let text = serde_json::to_string(&Augment::default()).unwrap();
    assert_eq!(serde_json::from_str::<Augment>(&text).unwrap(), Augment::default());
    assert!(serde_json::from_str::<Augment>("{\"flop\": true}").is_err());
    let picture = telling(8, 6);
    assert!(Augment::none().apply(&picture, SIZE, (0, 0, ""), &mut [0.0; 3], &mut [0.0; 1]).is_err());
}

#[test]
fn blur_keeps_the_mean_and_noise_is_small() {
    let mut planes = vec![0.0; 3 * 24 * 24];
    planes[12 * 24 + 12] = 1.0;
    color::blur(&mut planes, 24, 24, 1.1);
    assert!((planes.iter().sum::<f32>() - 1.0).abs() < 1e-4);
    assert!(planes[12 * 24 + 12] < 0.2 && planes[12 * 24 + 13] > planes[12 * 24 + 14]);
}
