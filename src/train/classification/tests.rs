use super::*;

/// Logits whose softmax are these probabilities.
fn predicted(name: &str, label: usize, p: [f32; 3]) -> Predicted {
    let logits = vec![p.map(f32::ln).to_vec()];
    Predicted { name: name.into(), lesion: name.into(), label, logits }
}

fn meter() -> ClassificationMeter {
    let mut meter = ClassificationMeter::new(Classes::three());
    let images = [
        predicted("a", 0, [0.8, 0.1, 0.1]),
        predicted("b", 0, [0.2, 0.7, 0.1]),
        predicted("c", 1, [0.1, 0.62, 0.28]),
        predicted("d", 1, [0.3, 0.5, 0.2]),
        predicted("e", 1, [0.62, 0.28, 0.1]),
        predicted("f", 2, [0.1, 0.1, 0.8]),
    ];
    for image in images {
        meter.add(image).unwrap();
    }
    meter
}

fn near(got: f64, wanted: f64) {
    assert!((got - wanted).abs() < 1e-6, "{got} {wanted}");
}

#[test]
fn figures_by_hand() {
    let scores = meter().scores(&Calibration::default(), None).unwrap();
    assert_eq!(scores.confusion, [[1, 1, 0], [1, 2, 0], [0, 0, 1]]);
    assert_eq!((scores.images, scores.lesions), (6, 6));
    near(scores.accuracy, 4.0 / 6.0);
    near(scores.balanced_accuracy, (0.5 + 2.0 / 3.0 + 1.0) / 3.0);
    near(scores.macro_f1, (0.5 + 2.0 / 3.0 + 1.0) / 3.0);
    let [mel, nv, other] = &scores.classes[..] else { panic!() };
    assert_eq!((mel.support, nv.support, other.support), (2, 3, 1));
    near(mel.precision, 0.5);
    near(mel.recall, 0.5);
    near(mel.specificity, 0.75);
    near(nv.precision, 2.0 / 3.0);
    near(nv.f1, 2.0 / 3.0);
    // Melanomas 0.8 and 0.2 against 0.62, 0.3, 0.1, 0.1: 4 and 2 pairs of 8 are in order.
    near(scores.melanoma_auc.unwrap(), 6.0 / 8.0);
    // None of the rest may be an alarm at 90 % of four: only 0.8 is above 0.62.
    near(scores.melanoma_recall_at_90_specificity.unwrap(), 0.5);
    // Precision 1 at recall 1/2, then 2/4 at 1.
    near(scores.melanoma_average_precision.unwrap(), 0.5 + 0.25);
    let nll = -(0.8f64.ln() + 0.2f64.ln() + 0.62f64.ln() + 0.5f64.ln() + 0.28f64.ln() + 0.8f64.ln()) / 6.0;
    near(scores.nll, nll);
    // Tops 0.8 right twice, 0.7 wrong, 0.62 right and 0.62 wrong (one bin), 0.5 right.
    near(scores.ece, (2.0 * 0.2 + 0.7 + 2.0 * 0.12 + 0.5) / 6.0);
    assert_eq!(scores.ece, scores.ece_calibrated);
    let worst: Vec<&str> = scores.worst(9).iter().map(|image| image.name.as_str()).collect();
    assert_eq!(worst, ["b", "e"]);
    let json = serde_json::to_value(&scores).unwrap();
    assert_eq!(json["per_image"][1]["predicted"], "NV");
    assert_eq!(json["classes"][0]["name"], "MEL");
}

#[test]
fn without_melanomas_their_figures_are_null() {
    let names = ["cat".to_owned(), "dog".to_owned(), "newt".to_owned()];
    let mut other = ClassificationMeter::new(Classes::named(&names).unwrap());
    for image in meter().images() {
        other.add(image.clone()).unwrap();
    }
    let scores = other.scores(&Calibration::default(), Some(&Bootstrap { resamples: 5, seed: 1 })).unwrap();
    assert_eq!((scores.melanoma_auc, scores.melanoma_recall), (None, None));
    assert!(scores.intervals.contains_key("accuracy") && !scores.intervals.contains_key("melanoma_auc"));
}

#[test]
fn a_class_that_does_not_occur_is_left_out_of_means() {
    let mut meter = ClassificationMeter::new(Classes::three());
    meter.add(predicted("a", 0, [0.8, 0.1, 0.1])).unwrap();
    meter.add(predicted("b", 1, [0.2, 0.1, 0.7])).unwrap();
    let scores = meter.scores(&Calibration::default(), None).unwrap();
    near(scores.balanced_accuracy, 0.5);
    assert_eq!(scores.classes[2].auc, None);
    near(scores.classes[2].recall, 0.0);
}

#[test]
fn several_ways_are_averaged_and_the_temperature_is_applied_to_each() {
    let ways = vec![vec![0.0, 3f32.ln()], vec![3f32.ln(), 0.0]];
    near(Calibration::default().probabilities(&ways)[0], 0.5);
    let ways = vec![vec![0.0, 2.0 * 3f32.ln()], vec![0.0, 0.0]];
    near(Calibration::tempered(2.0).probabilities(&ways)[1], 0.625);
    // A bias counts in each way: 3/4 and 1/2 become 1/2 and 1/4.
    let bias = vec![0.5 * 3f64.ln(), -0.5 * 3f64.ln()];
    near(Calibration { bias, ..Calibration::tempered(2.0) }.probabilities(&ways)[1], 0.375);
}

#[test]
fn decision_weights_move_what_is_named_and_nothing_else() {
    let plain = meter().scores(&Calibration::default(), None).unwrap();
    let decision = vec![2.5, 1.0, 1.0];
    let weighted = meter().scores(&Calibration { decision, ..Calibration::default() }, None).unwrap();
    // "b" is named MEL by 2.5 · 0.2 only if that passes 0.7: no; "d" by 2.5 · 0.3 against 0.5: yes.
    assert_eq!(weighted.confusion, [[1, 1, 0], [2, 1, 0], [0, 0, 1]]);
    near(weighted.accuracy, 0.5);
    near(weighted.balanced_accuracy, (0.5 + 1.0 / 3.0 + 1.0) / 3.0);
    let said = weighted.per_image.iter().find(|image| image.name == "d").unwrap();
    assert_eq!((said.predicted.as_str(), said.right()), ("MEL", false));
    near(said.probability, 0.3);
    for (weighted, plain) in weighted.per_image.iter().zip(&plain.per_image) {
        assert_eq!(weighted.probabilities, plain.probabilities);
    }
    assert_eq!((weighted.ece, weighted.ece_calibrated, weighted.nll), (plain.ece, plain.ece_calibrated, plain.nll));
    assert_eq!(weighted.melanoma_auc, plain.melanoma_auc);
    assert_eq!(weighted.decision_weights, [2.5, 1.0, 1.0]);
    assert_eq!((plain.decision_weights, plain.class_bias), (vec![1.0; 3], vec![0.0; 3]));
    // The surest mistakes go by the probability of the class that is named.
    let worst: Vec<&str> = weighted.worst(9).iter().map(|image| image.name.as_str()).collect();
    assert_eq!(worst, ["b", "e", "d"]);
}

#[test]
fn a_fitted_temperature_lowers_the_error_of_what_is_too_sure() {
    // 100 photographs said to be 0.95 sure, of which 70 are right.
    let names = ["x".to_owned(), "y".to_owned()];
    let mut meter = ClassificationMeter::new(Classes::named(&names).unwrap());
    let logit = (0.95f32 / 0.05).ln();
    for i in 0..100 {
        let name = i.to_string();
        let label = usize::from(i >= 70);
        meter.add(Predicted { lesion: name.clone(), name, label, logits: vec![vec![logit, 0.0]] }).unwrap();
    }
    let temperature = meter.fit_temperature().unwrap();
    near(temperature, f64::from(logit) / (7.0f64 / 3.0).ln());
    let scores = meter.scores(&Calibration::tempered(temperature), None).unwrap();
    near(scores.ece, 0.25);
    assert!(scores.ece_calibrated < 1e-4, "{}", scores.ece_calibrated);
    near(scores.accuracy, 0.7);
    // With weights as well: 30 of 100 are of the second class.
    let calibration = meter.calibrate(Decide::Balanced).unwrap();
    near(calibration.decision[1] / calibration.decision[0], 71.0 / 31.0);
    assert!(meter.nll(&calibration) <= meter.nll(&Calibration::tempered(temperature)) + 1e-12);
    assert!(meter.calibrate(Decide::Accurate).unwrap().decision.is_empty());
}

#[test]
fn refusals_name_the_photograph() {
    let mut meter = ClassificationMeter::new(Classes::three());
    assert!(meter.scores(&Calibration::default(), None).unwrap_err().to_string().contains("no photograph"));
    assert!(meter.fit_temperature().is_err() && meter.calibrate(Decide::Both).is_err());
    let message = meter.add(predicted("spot", 3, [0.1, 0.2, 0.7])).unwrap_err().to_string();
    assert!(message.contains("spot: class 3"), "{message}");
    let nan = Predicted { logits: vec![vec![0.0, f32::NAN, 0.0]], ..predicted("spot", 0, [0.1, 0.2, 0.7]) };
    assert!(meter.add(nan).unwrap_err().to_string().contains("spot: a logit is not finite"));
    meter.add(predicted("spot", 0, [0.1, 0.2, 0.7])).unwrap();
    assert!(meter.scores(&Calibration::tempered(0.0), None).unwrap_err().to_string().contains("temperature"));
}
