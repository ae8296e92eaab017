use std::fs;

use super::dataset::Dataset;
use super::describe::{Depth, describe};
use super::image::{DecodeLimits, GrayImage};
use super::phantom::{Coloring, PhantomOptions, write_phantoms};
use super::save::write_png_grey;
use crate::error::Error;

#[test]
fn what_is_wrong_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    let options = PhantomOptions { count: 9, height: 24, width: 32, seed: 4, coloring: Coloring::Natural, threads: 1 };
    write_phantoms(dir.path(), &options, |_| true).unwrap();
    let data = Dataset::open(dir.path()).unwrap();
    let sample = |i: usize| &data.samples[i];
    fs::copy(&sample(0).image, &sample(8).image).unwrap();
    let whole = fs::read(&sample(3).image).unwrap();
    fs::write(&sample(3).image, &whole[..whole.len() - 9]).unwrap();
    write_png_grey(sample(4).mask.as_ref().unwrap(), &GrayImage::new(7, 5)).unwrap();
    write_png_grey(sample(5).mask.as_ref().unwrap(), &GrayImage::from_pixel(32, 24, ::image::Luma([255]))).unwrap();
    fs::remove_file(sample(6).mask.as_ref().unwrap()).unwrap();
    fs::remove_file(&sample(7).image).unwrap();
    let data = Dataset::open(dir.path()).unwrap();
    let limits = DecodeLimits::default();
    let seen = describe(&data, Depth::Contents, &limits, |_| true).unwrap();
    let id = |i: u64| super::phantom::image_id(i);
    assert_eq!((seen.images, seen.masks), (8, 7));
    assert_eq!(seen.without_image, [id(7)]);
    assert_eq!(seen.without_mask, [id(6)]);
    assert_eq!(seen.identical, [[id(0), id(8)]]);
    assert_eq!(seen.unreadable.len(), 1);
    assert!(seen.unreadable[0].id == id(3) && seen.unreadable[0].message.contains("truncated"));
    assert_eq!((seen.mask_size_differs, seen.empty_masks), (vec![id(4)], vec![id(4)]));
    assert_eq!(seen.full_masks, [id(5)]);
    assert_eq!((seen.sizes.len(), seen.sizes[0].width, seen.sizes[0].count), (1, 32, 7));
    assert_eq!(seen.classes.iter().map(|c| c.count).sum::<usize>(), 8);
    assert!((seen.classes.iter().map(|c| c.share).sum::<f64>() - 1.0).abs() < 1e-9);
    let headers = describe(&data, Depth::Headers, &limits, |_| true).unwrap();
    assert!(headers.unreadable.is_empty() && headers.identical.is_empty() && headers.mean_lesion_area.is_none());
    assert!(matches!(describe(&data, Depth::Headers, &limits, |done| done < 2), Err(Error::Cancelled)));
}
