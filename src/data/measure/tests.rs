//! Shapes whose figures are known.

use std::f64::consts::PI;

use ::image::{GrayImage, Luma, Rgb, RgbImage};

use super::*;

fn drawn(width: u32, height: u32, inside: impl Fn(f64, f64) -> bool) -> GrayImage {
    GrayImage::from_fn(width, height, |x, y| {
        Luma([if inside(f64::from(x) + 0.5, f64::from(y) + 0.5) { 255 } else { 0 }])
    })
}

fn shape(width: u32, height: u32, inside: impl Fn(f64, f64) -> bool) -> Region {
    region(&drawn(width, height, inside)).unwrap()
}

fn border(region: &Region) -> f64 {
    border_irregularity(region).unwrap().unwrap()
}

fn disc(radius: f64) -> Region {
    shape(400, 300, |x, y| (x - 200.0).hypot(y - 150.0) < radius)
}

fn near(got: f64, wanted: f64, off: f64) {
    assert!((got - wanted).abs() <= off, "{got}, expected {wanted} ± {off}");
}

#[test]
fn a_disc_is_symmetric_round_and_as_wide_as_its_diameter() {
    for radius in [12.0, 50.0, 140.0] {
        let disc = disc(radius);
        assert!(asymmetry(&disc).iter().all(|a| *a < 0.03), "{:?}", asymmetry(&disc));
        near(border(&disc), 1.0, 0.02);
        near(diameter(&disc), 2.0 * radius, 1.5);
        near(disc.area as f64, PI * radius * radius, 4.0 * radius);
    }
}

#[test]
fn a_tidy_mask_keeps_its_large_parts_whole_and_loses_the_stray_ones() {
    let ring = |x: f64, y: f64| (10.0..30.0).contains(&(x - 60.0).hypot(y - 60.0));
    let beside = |x: f64, y: f64| (x - 150.0).hypot(y - 60.0) < 20.0;
    let stray = |x: f64, y: f64| (x - 150.0).hypot(y - 150.0) < 10.0;
    let mask = drawn(200, 180, |x, y| ring(x, y) || beside(x, y) || stray(x, y));
    let wanted = drawn(200, 180, |x, y| (x - 60.0).hypot(y - 60.0) < 30.0 || beside(x, y));
    assert_eq!(tidy(&mask), wanted);
    assert_eq!(tidy(&wanted), wanted);
    for same in [0, 255] {
        let plain = GrayImage::from_pixel(7, 5, Luma([same]));
        assert_eq!(tidy(&plain), plain);
    }
}

#[test]
fn a_turned_ellipse_is_symmetric_about_its_own_axes() {
    let (sin, cos) = 0.5f64.sin_cos();
    let ellipse = shape(400, 300, |x, y| {
        let (dx, dy) = (x - 200.0, y - 150.0);
        ((cos * dx + sin * dy) / 120.0).powi(2) + ((cos * dy - sin * dx) / 60.0).powi(2) < 1.0
    });
    assert!(asymmetry(&ellipse).iter().all(|a| *a < 0.02), "{:?}", asymmetry(&ellipse));
    // Ramanujan's perimeter.
    let (a, b) = (120.0f64, 60.0f64);
    let perimeter = PI * (3.0 * (a + b) - ((3.0 * a + b) * (a + 3.0 * b)).sqrt());
    near(border(&ellipse), perimeter.powi(2) / (4.0 * PI * PI * a * b), 0.02);
    near(diameter(&ellipse), 240.0, 2.0);
}

#[test]
fn a_half_disc_is_symmetric_about_one_axis_alone() {
    let half = shape(400, 300, |x, y| y < 150.0 && (x - 200.0).hypot(y - 150.0) < 120.0);
    // Of the half disc of radius 1 with its centroid at c = 4/3π, mirrored about y = c, the part that stays inside.
    let c = 4.0 / (3.0 * PI);
    let under = |y: f64| y * (1.0 - y * y).sqrt() + y.asin();
    let wanted = 1.0 - 2.0 * (under(2.0 * c) - under(c)) / (PI / 2.0);
    let [long, short] = asymmetry(&half);
    near(long, wanted, 0.01);
    near(short, 0.0, 0.01);
    near(border(&half), (PI + 2.0).powi(2) / (4.0 * PI * PI / 2.0), 0.05);
}

#[test]
fn a_notch_makes_the_border_longer_and_the_disc_less_symmetric() {
    let whole = border(&disc(100.0));
    let notched = shape(400, 300, |x, y| {
        let (dx, dy) = (x - 200.0, y - 150.0);
        dx.hypot(dy) < 100.0 && !(dx > 0.0 && dy.abs() < 25.0)
    });
    let irregular = border(&notched);
    // The notch takes 50 from the circle and adds two sides of 100 less its arc, and its bottom of 50.
    let arc = 200.0 * (0.25f64).asin();
    let (length, area) = (200.0 * PI - arc + 2.0 * 96.8 + 50.0, PI * 1e4 - 25.0 * 2.0 * 98.9);
    near(irregular, length * length / (4.0 * PI * area), 0.12);
    assert!(irregular > whole + 0.5);
    assert!(asymmetry(&notched).iter().any(|a| *a > 0.08), "{:?}", asymmetry(&notched));
}

#[test]
fn figures_do_not_depend_on_the_photographs_size() {
    let star = |size: f64| {
        shape((400.0 * size) as u32, (300.0 * size) as u32, move |x, y| {
            let (dx, dy) = (x / size - 200.0, y / size - 150.0);
            dx.hypot(dy) < 90.0 + 18.0 * (5.0 * dy.atan2(dx)).cos()
        })
    };
    let (small, large) = (star(1.0), star(4.0));
    near(border(&small), border(&large), 0.02);
    for (a, b) in asymmetry(&small).into_iter().zip(asymmetry(&large)) {
        near(a, b, 0.02);
    }
    near(4.0 * diameter(&small), diameter(&large), 6.0);
}

#[test]
fn the_largest_part_counts_and_holes_are_filled() {
    let ring_and_speck = drawn(200, 100, |x, y| {
        let r = (x - 60.0).hypot(y - 50.0);
        (r < 40.0 && r > 20.0) || ((x - 160.0).hypot(y - 50.0) < 10.0)
    });
    let found = region(&ring_and_speck).unwrap();
    near(found.area as f64, PI * 1600.0, 60.0);
    near(found.elsewhere as f64, PI * 100.0, 20.0);
    assert_eq!((found.frame, found.on_edge), ([20, 10, 80, 80], 0));
    assert_eq!(found.crop(0.25), [0, 0, 120, 100]);
    assert_eq!(found.mask.get_pixel(60, 50).0, [255]);
    assert_eq!(found.mask.get_pixel(160, 50).0, [0]);
    near(found.elsewhere_share(), 314.0 / (314.0 + PI * 1200.0 + 1257.0), 0.03);
}

#[test]
fn nothing_specks_and_full_frames() {
    assert_eq!(region(&GrayImage::new(100, 80)), None);
    assert_eq!(region(&drawn(300, 300, |x, y| x < 5.0 && y < 5.0)), None);
    let full = region(&GrayImage::from_pixel(30, 20, Luma([255]))).unwrap();
    assert_eq!((full.area, full.frame, full.elsewhere), (600, [0, 0, 30, 20], 0));
    near(full.cut_off_share(), 1.0, 1e-9);
    border(&full);
    let line = shape(300, 100, |_, y| (50.0..51.0).contains(&y));
    near(diameter(&line), 300.0, 0.01);
    assert_eq!(border_irregularity(&line).unwrap(), None, "smoothed away");
}

#[test]
fn colors_are_told_apart_from_each_other_and_from_skin() {
    let mut photo = RgbImage::from_pixel(200, 100, Rgb([225, 172, 150]));
    let mask = drawn(200, 100, |x, _| x < 120.0);
    for (x, _, pixel) in photo.enumerate_pixels_mut() {
        // Six colours of 18 columns each, then 12 columns that are marked as lesion and look like skin.
        if let Some(color) = LesionColor::ALL.get((x / 18) as usize) {
            *pixel = Rgb(color.reference());
        }
    }
    let region = region(&mask).unwrap();
    let found = colors(&photo, &region).unwrap();
    assert_eq!(found.len(), 6);
    for color in &found {
        near(color.share, 0.15, 1e-9);
    }
    let measured = Measurements::of(&photo, &region, Some(0.1)).unwrap();
    assert_eq!(measured.color_count(), 6);
    near(measured.area_fraction, 0.6, 1e-9);
    near(measured.diameter_mm.unwrap(), 0.1 * 120f64.hypot(100.0), 1e-6);
    // Under a blue light the same colours are found.
    let mut tinted = photo.clone();
    for pixel in tinted.pixels_mut() {
        pixel.0[0] = (f32::from(pixel.0[0]) * 0.9) as u8;
    }
    assert_eq!(Measurements::of(&tinted, &region, None).unwrap().color_count(), 6);
    assert!(Measurements::of(&photo, &region, Some(0.0)).is_err());
    assert!(colors(&RgbImage::new(3, 3), &region).is_err());
}

#[test]
fn a_lesion_without_skin_around_it_still_has_colors() {
    let photo = RgbImage::from_pixel(60, 40, Rgb(LesionColor::DarkBrown.reference()));
    let full = region(&GrayImage::from_pixel(60, 40, Luma([255]))).unwrap();
    assert_eq!(colors(&photo, &full).unwrap(), [ColorShare { color: LesionColor::DarkBrown, share: 1.0 }]);
}

/// Every name is that of the nearest reference, so without this a grey photograph would have brown and red in it.
#[test]
fn a_grey_photograph_has_no_colors() {
    let region = disc(90.0);
    let grey = RgbImage::from_fn(400, 300, |x, y| {
        let inside = region.mask.get_pixel(x, y).0[0] == 255;
        let level = if inside { 60 + (x % 90) as u8 } else { 190 };
        // As decoders round.
        Rgb([level, level + 2, level + 1])
    });
    assert_eq!((chroma(&grey), colors(&grey, &region).unwrap()), (2, Vec::new()));
    let mut stained = grey.clone();
    for (_, _, pixel) in stained.enumerate_pixels_mut().take(1201) {
        *pixel = Rgb([190, 65, 60]);
    }
    assert_eq!(chroma(&stained), 130, "just above one pixel in a hundred");
    assert!(!colors(&stained, &region).unwrap().is_empty());
    assert_eq!((chroma(&RgbImage::new(0, 0)), chroma(&RgbImage::from_pixel(1, 1, Rgb([1, 9, 4])))), (0, 8));
}

#[test]
fn blur_takes_a_photograph_out_of_focus() {
    let sharp = crate::data::phantom::phantom(5, 3, 240, 320).unwrap().image;
    let mut planes = vec![0f32; 3 * 240 * 320];
    crate::data::resize::write_planes(sharp.as_raw(), 3, &mut planes);
    crate::data::augment::blur(&mut planes, 240, 320, 3.0);
    let blurred = RgbImage::from_fn(320, 240, |x, y| {
        let at = (y * 320 + x) as usize;
        Rgb([0, 1, 2].map(|c| (255.0 * planes[c * 240 * 320 + at]).round() as u8))
    });
    let (before, after) = (focus(&sharp).unwrap(), focus(&blurred).unwrap());
    assert!(before > SHARP && after < SHARP, "{before} {after}");
    assert_eq!(focus(&RgbImage::new(2, 50)).unwrap(), 0.0);
    assert_eq!(focus(&RgbImage::from_pixel(50, 50, Rgb([9; 3]))).unwrap(), 0.0);
}
