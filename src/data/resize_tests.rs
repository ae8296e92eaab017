use super::image::{GrayImage, RgbImage};
use super::resize::*;
use super::rng::Rng;
use crate::tensor::Tensor;

#[test]
fn bilinear_is_pytorchs() {
    // torch: F.interpolate(torch.tensor([[[[0., 4.]]]]), size=(1, 4), mode="bilinear", align_corners=False)
    // weights: centres at (i + 0.5) / 2 - 0.5 = -0.25, 0.25, 0.75, 1.25, clamped at both ends.
    let line = Tensor::new([1, 1, 1, 2], vec![0.0, 4.0]).unwrap();
    assert_eq!(resize_maps(&line, 1, 4).unwrap().data(), [0.0, 1.0, 3.0, 4.0]);
    // Down by 3/2 without antialiasing: centres at 0.25 and 1.75.
    let line = Tensor::new([1, 1, 1, 3], vec![0.0, 8.0, 16.0]).unwrap();
    assert_eq!(resize_maps(&line, 1, 2).unwrap().data(), [2.0, 14.0]);
    let column = Tensor::new([1, 1, 2, 1], vec![1.0, 2.0]).unwrap();
    assert_eq!(resize_maps(&column, 4, 3).unwrap().data()[..6], [1.0, 1.0, 1.0, 1.25, 1.25, 1.25]);
}

#[test]
fn a_plane_stays_a_plane_inside() {
    let (h, w, th, tw) = (7, 5, 23, 16);
    let at = |y: f32, x: f32| 3.0 + 2.0 * x - 0.5 * y;
    let map: Vec<f32> = (0..2 * h * w).map(|i| at((i / w % h) as f32, (i % w) as f32) + (i / (h * w)) as f32).collect();
    let out = resize_maps(&Tensor::new([1, 2, h, w], map).unwrap(), th, tw).unwrap();
    assert_eq!(out.shape(), [1, 2, th, tw]);
    for y in 2..th - 2 {
        for x in 2..tw - 2 {
            let (v, u) = ((y as f32 + 0.5) * h as f32 / th as f32 - 0.5, (x as f32 + 0.5) * w as f32 / tw as f32 - 0.5);
            assert!((out.data()[(th + y) * tw + x] - at(v, u) - 1.0).abs() < 1e-4, "{y} {x}");
        }
    }
    assert!(resize_maps(&Tensor::zeros([1, 2, 3]), 2, 2).is_err());
    assert!(resize_maps(&Tensor::zeros([1, 1, 2, 2]), 0, 2).is_err());
}

#[test]
fn padding_is_taken_back_exactly() {
    let mut rng = Rng::new(1, "pad", &[]);
    for pad in [Pad::Reflect, Pad::Edge] {
        for (h, w) in [(1, 1), (5, 16), (33, 17), (16, 32), (2, 3)] {
            let map = Tensor::new([2, 1, h, w], (0..2 * h * w).map(|_| rng.unit()).collect::<Vec<_>>()).unwrap();
            let (padded, padding) = pad_to_multiple(&map, 16, pad).unwrap();
            assert!(padded.shape()[2] % 16 == 0 && padded.shape()[3] % 16 == 0);
            assert!(padded.shape()[2] < h + 16 && padded.shape()[3] < w + 16);
            assert_eq!(crop(&padded, &padding).unwrap(), map);
        }
    }
    let line = Tensor::new([1, 1, 1, 3], vec![1.0, 2.0, 3.0]).unwrap();
    let values = |pad| pad_to_multiple(&line, 7, pad).unwrap().0.data()[3 * 7..4 * 7].to_vec();
    assert_eq!(values(Pad::Reflect), [3.0, 2.0, 1.0, 2.0, 3.0, 2.0, 1.0]);
    assert_eq!(values(Pad::Edge), [1.0, 1.0, 1.0, 2.0, 3.0, 3.0, 3.0]);
    assert!(pad_to_multiple(&line, 0, Pad::Edge).is_err());
    let padding = Padding { top: 0, left: 2, height: 1, width: 2 };
    assert!(crop(&line, &padding).is_err());
}

#[test]
fn photographs_shrink_without_aliasing() {
    let checks = RgbImage::from_fn(64, 48, |x, y| ::image::Rgb([if (x + y) % 2 == 0 { 255 } else { 0 }; 3]));
    let small = photo_tensor(&checks, 12, 16).unwrap();
    assert_eq!(small.shape(), [1, 3, 12, 16]);
    assert!(small.data().iter().all(|v| (v - 0.5).abs() < 0.02), "grey, not black and white");
    let mask = GrayImage::from_fn(64, 48, |x, _| ::image::Luma([if x < 32 { 255 } else { 0 }]));
    let small = mask_tensor(&mask, 6, 8).unwrap();
    assert_eq!(small.data()[..8], [1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
    let one = RgbImage::from_pixel(1, 1, ::image::Rgb([10, 20, 30]));
    let grown = photo_tensor(&one, 3, 5).unwrap();
    assert!((grown.data()[14] - 10.0 / 255.0).abs() < 1e-6 && (grown.data()[44] - 30.0 / 255.0).abs() < 1e-6);
    assert!(photo_tensor(&one, 0, 5).is_err());
}
