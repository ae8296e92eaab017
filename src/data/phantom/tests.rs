use super::*;
use crate::data::dataset::{Dataset, Layout, Split};
use crate::data::describe::{Depth, describe};
use crate::data::image::DecodeLimits;

/// IoU of the best "brightness below t" with the mask, over all t.
pub(super) fn best_threshold_iou(phantom: &Phantom) -> f64 {
    let (mut inside, mut outside) = ([0u32; 256], [0u32; 256]);
    for (pixel, mask) in phantom.image.pixels().zip(phantom.mask.pixels()) {
        let [r, g, b] = pixel.0.map(f32::from);
        let luma = (0.299 * r + 0.587 * g + 0.114 * b).round() as usize;
        if mask.0[0] > 0 { inside[luma] += 1 } else { outside[luma] += 1 }
    }
    let lesion: u32 = inside.iter().sum();
    let (mut hit, mut wrong, mut best) = (0u32, 0u32, 0.0f64);
    for t in 0..256 {
        hit += inside[t];
        wrong += outside[t];
        best = best.max(f64::from(hit) / f64::from(lesion + wrong).max(1.0));
    }
    best
}

#[test]
fn no_darkness_threshold_finds_the_lesions() {
    for (height, width) in [(96, 128), (192, 256)] {
        let scores: Vec<f64> = (0..60).map(|i| best_threshold_iou(&phantom(1, i, height, width).unwrap())).collect();
        let mean = scores.iter().sum::<f64>() / scores.len() as f64;
        println!("{height}×{width}: mean IoU of the best thresholds {mean:.3}");
        assert!(mean < 0.75, "{height}×{width}: {mean}");
    }
}

#[test]
fn a_phantom_depends_on_seed_and_index_only() {
    let a = phantom(3, 5, 40, 52).unwrap();
    assert_eq!(a, phantom(3, 5, 40, 52).unwrap());
    assert_ne!(a.image, phantom(4, 5, 40, 52).unwrap().image);
    assert_ne!(a.image, phantom(3, 6, 40, 52).unwrap().image);
    assert!(phantom(1, 1, 4, 50).is_err());
    assert!(phantom(1, 1, 50, 10_000).is_err());
}

#[test]
fn every_phantom_has_a_lesion_and_all_classes_occur() {
    let mut classes = std::collections::BTreeSet::new();
    for index in 0..150 {
        let made = phantom(11, index, 36, 48).unwrap();
        let share = made.mask.iter().filter(|v| **v == 255).count() as f64 / made.mask.len() as f64;
        assert!((0.01..0.75).contains(&share), "{index}: {share}");
        assert!(made.mask.iter().all(|v| [0, 255].contains(v)));
        classes.insert(made.class);
    }
    assert_eq!(classes.into_iter().collect::<Vec<_>>(), DX);
}

/// The mean colour just inside differs from the one just outside, in hue or in brightness: an eye finds the outline.
#[test]
fn the_outline_shows_in_color() {
    let (mut differences, height, width) = (Vec::new(), 96, 128);
    for index in 0..60 {
        let made = phantom(1, index, height, width).unwrap();
        let near = |x: u32, y: u32, inside: bool| {
            let value = if inside { 255 } else { 0 };
            made.mask.get_pixel(x, y).0[0] == value
                && (-5i64..=5).any(|d| {
                    let (u, v) = (i64::from(x) + d, i64::from(y) + d);
                    let other = |u: i64, v: i64| {
                        (0..width as i64).contains(&u)
                            && (0..height as i64).contains(&v)
                            && made.mask.get_pixel(u as u32, v as u32).0[0] != value
                    };
                    other(u, i64::from(y)) || other(i64::from(x), v)
                })
        };
        let mean = |inside: bool| {
            let (mut sum, mut count) = ([0.0f64; 3], 0.0);
            for (x, y, pixel) in made.image.enumerate_pixels() {
                if near(x, y, inside) {
                    (0..3).for_each(|c| sum[c] += f64::from(pixel.0[c]));
                    count += 1.0;
                }
            }
            sum.map(|s| s / f64::max(count, 1.0))
        };
        let (inside, outside) = (mean(true), mean(false));
        differences.push((0..3).map(|c| (inside[c] - outside[c]).abs()).fold(0.0, f64::max));
    }
    differences.sort_by(f64::total_cmp);
    println!("colour difference at the outline: least {:.1}, median {:.1}", differences[0], differences[30]);
    assert!(differences[3] > 8.0 && differences[30] > 25.0, "{differences:?}");
}

/// What is drawn in other colours is the lesion: its hue tells the class, and it is as bright as before, but for red that
/// bright light makes too bright for a byte.
#[test]
fn coded_colors_tell_the_class_and_change_nothing_else() {
    let luma = |pixel: [f32; 3]| 0.299 * pixel[0] + 0.587 * pixel[1] + 0.114 * pixel[2];
    let (mut told, mut darker) = (0, Vec::new());
    for index in 0..60 {
        let natural = phantom(5, index, 48, 64).unwrap();
        let coded = colored_phantom(Coloring::ByClass, 5, index, 48, 64).unwrap();
        assert_eq!(coded, colored_phantom(Coloring::ByClass, 5, index, 48, 64).unwrap());
        assert_eq!((&coded.mask, coded.class), (&natural.mask, natural.class));
        assert_ne!(coded.image, natural.image);
        // Far from the lesion, where neither its edge nor the lens's blur reaches.
        let far = |x: i64, y: i64| {
            natural
                .mask
                .enumerate_pixels()
                .all(|(u, v, mask)| mask.0[0] == 0 || (i64::from(u) - x).pow(2) + (i64::from(v) - y).pow(2) > 14 * 14)
        };
        let corners = [(0, 0), (63, 0), (0, 47), (63, 47)].into_iter().filter(|&(x, y)| far(x, y));
        for (x, y) in corners {
            let at = |image: &RgbImage| *image.get_pixel(x as u32, y as u32);
            assert_eq!(at(&coded.image), at(&natural.image), "{index} at {x}, {y}");
        }
        let mean = |phantom: &Phantom| {
            let inside = phantom.image.pixels().zip(phantom.mask.pixels()).filter(|(_, mask)| mask.0[0] == 255);
            let (mut sum, mut count) = ([0.0f32; 3], 0.0f32);
            for (pixel, _) in inside {
                (0..3).for_each(|c| sum[c] += f32::from(pixel.0[c]));
                count += 1.0;
            }
            sum.map(|sum| sum / count)
        };
        let [red, green, blue] = mean(&coded);
        let hue = if blue > red { "mel" } else { ["nv", "other"][usize::from(green < 1.45 * blue)] };
        told += u32::from(hue == if ["mel", "nv"].contains(&coded.class) { coded.class } else { "other" });
        darker.push(luma(mean(&natural)) - luma([red, green, blue]));
    }
    assert!(told >= 58, "{told} of 60 told by hue");
    let most = darker.iter().fold(0.0f32, |most, by| most.max(by.abs()));
    let mean = darker.iter().sum::<f32>() / darker.len() as f32;
    assert!(most < 20.0 && mean.abs() < 2.0, "{most} {mean}: {darker:?}");
}

#[test]
fn a_folder_of_phantoms_is_a_data_set() {
    let options = PhantomOptions { count: 24, height: 24, width: 32, seed: 9, coloring: Coloring::Natural, threads: 2 };
    let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write_phantoms(a.path(), &options, |_| true).unwrap();
    write_phantoms(b.path(), &PhantomOptions { count: 12, threads: 1, ..options }, |_| true).unwrap();
    let data = Dataset::open(a.path()).unwrap();
    assert_eq!((data.layout, data.samples.len()), (Layout::Ham10000, 24));
    assert!(data.samples.iter().all(|s| s.mask.is_some() && s.label.is_some() && s.split.is_some()));
    let coded = tempfile::tempdir().unwrap();
    write_phantoms(coded.path(), &PhantomOptions { coloring: Coloring::ByClass, ..options }, |_| true).unwrap();
    let about = |dir: &std::path::Path| std::fs::read_to_string(dir.join("HAM10000_metadata.csv")).unwrap();
    assert_eq!(about(coded.path()), about(a.path()));
    for sample in Dataset::open(b.path()).unwrap().samples {
        let other = data.samples.iter().find(|s| s.id == sample.id).unwrap();
        assert_eq!(std::fs::read(&sample.image).unwrap(), std::fs::read(&other.image).unwrap());
        assert_eq!((&sample.label, &sample.lesion), (&other.label, &other.lesion));
    }
    let seen = describe(&data, Depth::Contents, &DecodeLimits::default(), |_| true).unwrap();
    assert!(!seen.repeated_lesions.is_empty());
    assert!(seen.lesions_on_two_sides.is_empty() && seen.unreadable.is_empty() && seen.identical.is_empty());
    assert!(!data.side(Split::Test).is_empty());
    let gone = tempfile::tempdir().unwrap();
    assert!(matches!(write_phantoms(gone.path(), &options, |done| done < 3), Err(Error::Cancelled)));
    assert!(!gone.path().join("HAM10000_metadata.csv").exists());
    assert!(write_phantoms(gone.path(), &PhantomOptions { count: 0, ..options }, |_| true).is_err());
}
