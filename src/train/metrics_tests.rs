use super::*;

/// 2 of 3 lesion pixels found, 1 of 5 others taken for lesion: tp 2, fp 1, fn 1, tn 4.
const P: [f32; 8] = [0.9, 0.5, 0.4, 0.6, 0.1, 0.0, 0.2, 0.3];
const M: [bool; 8] = [true, true, true, false, false, false, false, false];

#[test]
fn one_image_by_hand() {
    let mut meter = SegmentationMeter::new(&[0.5]).unwrap();
    meter.add_probabilities("a", &P, M).unwrap();
    let scores = meter.scores(0.5).unwrap();
    assert_eq!((scores.images, scores.mean_iou, scores.dice), (1, 0.5, 4.0 / 6.0));
    assert_eq!((scores.jaccard_thresholded, scores.threshold), (0.0, 0.5));
    assert_eq!((scores.pixel_sensitivity, scores.pixel_specificity), (2.0 / 3.0, 0.8));
    assert_eq!((scores.per_image[0].reference_pixels, scores.per_image[0].found_pixels), (3, 3));
}

#[test]
fn means_are_over_images_and_shares_over_pixels() {
    let mut meter = SegmentationMeter::new(&[0.5]).unwrap();
    meter.add_probabilities("a", &P, M).unwrap();
    meter.add_probabilities("empty", &[0.0, 0.1], [false; 2]).unwrap();
    meter.add_probabilities("full", &[0.8; 4], [true, true, true, false]).unwrap();
    let scores = meter.scores(0.5).unwrap();
    assert_eq!(scores.mean_iou, (0.5 + 1.0 + 0.75) / 3.0);
    assert_eq!(scores.jaccard_thresholded, (0.0 + 1.0 + 0.75) / 3.0);
    assert_eq!(scores.dice, (4.0 / 6.0 + 1.0 + 6.0 / 7.0) / 3.0);
    assert_eq!((scores.pixel_sensitivity, scores.pixel_specificity), (5.0 / 6.0, 6.0 / 8.0));
    assert_eq!(scores.worst(2).iter().map(|image| &*image.name).collect::<Vec<_>>(), ["a", "full"]);
}

#[test]
fn an_empty_mask_with_one_pixel_found_scores_nothing() {
    let mut meter = SegmentationMeter::new(&[0.5]).unwrap();
    meter.add_probabilities("a", &[0.5, 0.0], [false; 2]).unwrap();
    let scores = meter.scores(0.5).unwrap();
    assert_eq!((scores.mean_iou, scores.dice, scores.pixel_sensitivity), (0.0, 0.0, 1.0));
}

#[test]
fn the_isic_bound_itself_counts() {
    let mut meter = SegmentationMeter::new(&[0.5]).unwrap();
    let found: Vec<f32> = (0..20u8).map(|at| f32::from(u8::from(at < 13))).collect();
    meter.add_probabilities("a", &found, [true; 20]).unwrap();
    assert_eq!(meter.scores(0.5).unwrap().jaccard_thresholded, 0.65);
}

#[test]
fn every_percent_agrees_with_counting_at_that_threshold_alone() {
    let value = |at: u32| (at.wrapping_mul(2_654_435_761) >> 8) as f32 / 16_777_216.0;
    let values: Vec<f32> = (0..4000).map(value).chain((0..=100u8).map(|p| f32::from(p) / 100.0)).collect();
    let mask = |v: &f32| (v * 37.0).fract() < *v;
    let mut all = SegmentationMeter::percents();
    all.add_probabilities("a", &values, values.iter().map(mask)).unwrap();
    for percent in 0..=100u8 {
        let threshold = f32::from(percent) / 100.0;
        let pairs = || values.iter().map(|v| (*v >= threshold, mask(v)));
        let both = pairs().filter(|&(a, b)| a && b).count() as f64;
        let any = pairs().filter(|&(a, b)| a || b).count() as f64;
        assert_eq!(all.scores(threshold).unwrap().mean_iou, both / any, "{threshold}");
    }
    let best = all.best().unwrap();
    assert!(all.curve().iter().all(|&(_, iou)| iou <= best.mean_iou));
}

#[test]
fn logits_count_as_their_probabilities() {
    let probabilities: Vec<f32> = (0..500u16).map(|at| (f32::from(at) + 0.37) / 501.0).collect();
    let logits: Vec<f32> = probabilities.iter().map(|&p| logit(p)).collect();
    let mask = (0..500).map(|at| at % 3 > 0);
    let (mut a, mut b) = (SegmentationMeter::percents(), SegmentationMeter::percents());
    a.add_probabilities("x", &probabilities, mask.clone()).unwrap();
    b.add_logits("x", &logits, mask).unwrap();
    assert_eq!(a.curve(), b.curve());
    let mut edge = SegmentationMeter::new(&[0.0, 0.5, 1.0]).unwrap();
    edge.add_logits("x", &[0.0, f32::NEG_INFINITY, f32::INFINITY], [true; 3]).unwrap();
    assert_eq!(edge.curve().iter().map(|(_, iou)| *iou).collect::<Vec<_>>(), [1.0, 2.0 / 3.0, 1.0 / 3.0]);
}

#[test]
fn equal_thresholds_give_the_one_nearest_to_a_half() {
    let mut meter = SegmentationMeter::percents();
    meter.add_probabilities("a", &[0.9, 0.1], [true, false]).unwrap();
    assert_eq!(meter.best().unwrap().threshold, 0.5);
}

#[test]
fn what_cannot_be_measured_is_refused() {
    for thresholds in [&[][..], &[0.5, 0.5], &[0.6, 0.5], &[-0.1], &[1.1], &[f32::NAN]] {
        assert!(SegmentationMeter::new(thresholds).is_err(), "{thresholds:?}");
    }
    let mut meter = SegmentationMeter::percents();
    assert!(meter.best().is_err());
    assert!(meter.scores(0.5).is_err());
    assert!(meter.add_probabilities("short", &[0.5], [true; 2]).unwrap_err().to_string().contains("short"));
    assert!(meter.add_probabilities("none", &[], []).is_err());
    assert!(meter.add_logits("nan", &[f32::NAN], [true]).unwrap_err().to_string().contains("nan has a pixel"));
    assert_eq!(meter.images(), 0);
    meter.add_logits("a", &[0.0], [true]).unwrap();
    assert!(meter.scores(0.455).is_err());
}

#[test]
fn the_json_is_one_flat_object() {
    let mut meter = SegmentationMeter::percents();
    meter.add_probabilities("a", &P, M).unwrap();
    let json = serde_json::to_value(meter.scores(0.45).unwrap()).unwrap();
    assert_eq!(json["images"], 1);
    for key in ["mean_iou", "dice", "jaccard_thresholded", "pixel_sensitivity", "pixel_specificity", "threshold"] {
        assert!(json[key].is_number(), "{key}");
    }
    assert!(serde_json::to_string(&meter.scores(0.45).unwrap()).unwrap().contains("\"threshold\":0.45,"));
    assert_eq!(json["per_image"][0]["name"], "a");
}
