use std::sync::Arc;

use crate::ops::{Array, kernel};

use super::*;

fn mask(op: Dropout, step: f64, shape: &[usize]) -> Vec<bool> {
    let x = Array { shape: shape.to_vec(), data: vec![1.0; shape.iter().product()] };
    let step = Array { shape: vec![1], data: vec![step] };
    let out = kernel("dropout.forward").unwrap().twin.run::<f64>(&op, &[&x, &step]).unwrap();
    out[0].data.iter().map(|&v| v != 0.0).collect()
}

/// The mean of a ∧ b over the product of their means, minus 1: 0 for independent masks.
fn dependence(a: &[bool], b: &[bool]) -> f64 {
    let mean = |pairs: &mut dyn Iterator<Item = bool>| pairs.filter(|&v| v).count() as f64 / a.len() as f64;
    let both = mean(&mut a.iter().zip(b).map(|(&a, &b)| a && b));
    both / (mean(&mut a.iter().copied()) * mean(&mut b.iter().copied())) - 1.0
}

#[test]
fn the_hash_by_hand() {
    // From the formulas of the paper, worked out in whole numbers of any length.
    assert_eq!(twin::pcg4d([0, 0, 0, 0]), [0x0f02_f829, 0x2d56_8769, 0x32b0_c43b, 0xd325_48ea]);
    assert_eq!(twin::pcg4d([1, 2, 3, 4]), [0x3622_cd16, 0xf114_71d8, 0xe110_9b3f, 0x02b9_4c2f]);
}

#[test]
fn the_kept_share_is_one_minus_p_and_what_is_kept_is_scaled() {
    for p in [0.0, 0.1, 0.5, 0.8] {
        let share = mask(Dropout::new(p, 7).unwrap(), 3.0, &[4, 16, 32, 32]).iter().filter(|&&v| v).count();
        let share = share as f64 / 65_536.0;
        assert!((share - f64::from(1.0 - p)).abs() < 0.008, "p {p}: kept {share}");
    }
    let x = Array { shape: vec![1, 8], data: vec![3.0; 8] };
    let step = Array { shape: vec![1], data: vec![1.0] };
    let op = Dropout::new(0.75, 1).unwrap();
    let out = kernel("dropout.forward").unwrap().twin.run::<f64>(&op, &[&x, &step]).unwrap();
    assert!(out[0].data.iter().all(|&v| v == 0.0 || v == 12.0));
}

#[test]
fn neighbours_steps_samples_and_seeds_are_independent() {
    let shape = [2, 8, 64, 64];
    let op = Dropout::new(0.5, 11).unwrap();
    let base = mask(op, 5.0, &shape);
    for (what, shift) in [("x", 1), ("y", 64), ("c", 4096), ("n", 8 * 4096)] {
        let d = dependence(&base[..base.len() - shift], &base[shift..]);
        assert!(d.abs() < 0.02, "neighbours along {what}: {d}");
    }
    for (what, other) in [
        ("step", mask(op, 6.0, &shape)),
        ("seed", mask(Dropout { seed: 12, ..op }, 5.0, &shape)),
        ("sample", mask(Dropout { sample: 2, ..op }, 5.0, &shape)),
    ] {
        let d = dependence(&base, &other);
        assert!(d.abs() < 0.02, "{what}: {d}");
    }
}

#[test]
fn a_part_of_a_batch_draws_what_the_whole_draws() {
    let op = Dropout::new(0.4, 99).unwrap();
    let whole = mask(op, 8.0, &[5, 3, 2, 7]);
    let part = mask(Dropout { sample: 2, ..op }, 8.0, &[3, 3, 2, 7]);
    assert_eq!(whole[2 * 42..], part);
}

#[test]
fn the_gradient_is_dropped_alike() {
    let mut graph = Graph::new();
    let x = graph.input("x", [2, 3]).unwrap();
    let step = graph.input("step", [1]).unwrap();
    let gradient = graph.input("gradient", [2, 3]).unwrap();
    let op = Dropout::new(0.5, 4).unwrap();
    let out = graph.dropout(op, x, step).unwrap();
    let sum: Arc<dyn Op> = Arc::new(crate::ops::pointwise::Add);
    graph.gradients_from(&[(out, gradient)], &[x], &sum).unwrap();
    let node = graph.nodes().last().unwrap();
    assert_eq!(node.op.downcast::<Dropout>(), Some(&op));
    assert_eq!(node.inputs, [gradient, step]);
}

#[test]
fn refusals_name_what_was_wrong() {
    for p in [1.0, -0.1, f32::NAN, f32::INFINITY] {
        assert!(Dropout::new(p, 0).unwrap_err().to_string().contains("p is"), "{p}");
    }
    let mut graph = Graph::new();
    let x = graph.input("x", [2, 3, 4]).unwrap();
    let flat = graph.input("flat", [2, 3]).unwrap();
    let step = graph.input("step", [1]).unwrap();
    let op = Dropout::new(0.5, 0).unwrap();
    assert!(graph.dropout(op, x, step).is_err());
    assert!(graph.dropout(op, flat, flat).unwrap_err().to_string().contains("step is [2, 3], expected [1]"));
    assert!(graph.dropout(Dropout { p: 1.5, ..op }, flat, step).is_err());
}
