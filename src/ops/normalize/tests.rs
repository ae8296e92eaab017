use std::sync::Arc;

use crate::ops::{Array, kernel};

use super::*;

#[test]
fn by_hand() {
    let x = Array { shape: vec![1, 2, 1, 2], data: vec![1.0, 2.0, 3.0, 4.0] };
    let (mean, std) = ([1.0, 5.0], [0.5, 2.0]);
    let vector = |data: [f64; 2]| Array { shape: vec![2], data: data.to_vec() };
    let twin = &kernel("normalize.forward").unwrap().twin;
    let out = twin.run::<f64>(&Normalize, &[&x, &vector(mean), &vector(std)]).unwrap();
    assert_eq!(out[0].data, [0., 2., -1., -0.5]);
    let back = &kernel("normalize.backward").unwrap().twin;
    assert_eq!(back.run::<f64>(&NormalizeBackward, &[&x, &vector(std)]).unwrap()[0].data, [2., 4., 1.5, 2.]);
}

#[test]
fn refusals_name_what_was_wrong() {
    let mut graph = Graph::new();
    let x = graph.input("x", [1, 2, 4, 4]).unwrap();
    let before = graph.values().len();
    assert!(graph.normalize(x, &[0.0, f32::NAN], &[1.0, 1.0]).unwrap_err().to_string().contains("a mean is NaN"));
    for std in [0.0, -1.0, f32::INFINITY, f32::NAN] {
        assert!(graph.normalize(x, &[0.0, 0.0], &[1.0, std]).unwrap_err().to_string().contains("a std is"), "{std}");
    }
    assert!(graph.normalize(x, &[0.0; 3], &[1.0; 3]).unwrap_err().to_string().contains("mean is [3], expected [2]"));
    assert!(graph.normalize(x, &[0.0; 2], &[1.0; 3]).is_err());
    assert_eq!(graph.values().len(), before);
    let flat = graph.input("flat", [2, 2]).unwrap();
    assert!(graph.normalize(flat, &[0.0; 2], &[1.0; 2]).is_err());
}

#[test]
fn mean_and_std_have_no_gradient() {
    let mut graph = Graph::new();
    let x = graph.input("x", [1, 2, 4, 4]).unwrap();
    let [mean, std] = ["mean", "std"].map(|name| graph.input(name, [2]).unwrap());
    let out = graph.push1(Normalize, &[x, mean, std]).unwrap();
    let gradient = graph.input("gradient", [1, 2, 4, 4]).unwrap();
    let sum: Arc<dyn Op> = Arc::new(crate::ops::pointwise::Add);
    assert!(graph.gradients_from(&[(out, gradient)], &[mean], &sum).is_err());
    assert!(graph.gradients_from(&[(out, gradient)], &[x], &sum).is_ok());
}
