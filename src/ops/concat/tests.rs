use std::sync::Arc;

use crate::graph::Source;
use crate::ops::slice::Slice;
use crate::ops::{Array, kernel};

use super::*;

#[test]
fn by_hand() {
    let a = Array { shape: vec![2, 1, 1, 2], data: vec![1.0, 2.0, 3.0, 4.0] };
    let b = Array { shape: vec![2, 2, 1, 2], data: vec![10.0, 11.0, 12.0, 13.0, 14.0, 15.0, 16.0, 17.0] };
    let out = kernel("concat.forward").unwrap().twin.run::<f64>(&Concat, &[&a, &b]).unwrap();
    assert_eq!(out[0].shape, [2, 3, 1, 2]);
    assert_eq!(out[0].data, [1., 2., 10., 11., 12., 13., 3., 4., 14., 15., 16., 17.]);
}

#[test]
fn gradients_are_slices_of_the_wanted_inputs() {
    let mut graph = Graph::new();
    let [a, b, c] = [3, 4, 2].map(|c| graph.input(&format!("{c}"), [1, c, 2, 2]).unwrap());
    let out = graph.concat(&[a, b, c]).unwrap();
    let gradient = graph.input("gradient", [1, 9, 2, 2]).unwrap();
    let sum: Arc<dyn Op> = Arc::new(crate::ops::pointwise::Add);
    let got = graph.gradients_from(&[(out, gradient)], &[b, c], &sum).unwrap();
    let slices: Vec<Slice> = got
        .iter()
        .map(|value| match graph.info(value.unwrap()).source {
            Source::Node { node, .. } => *graph.nodes()[node].op.downcast::<Slice>().unwrap(),
            _ => panic!("no node"),
        })
        .collect();
    assert_eq!(slices, [Slice { start: 3, end: 7 }, Slice { start: 7, end: 9 }]);
    assert_eq!(graph.nodes().len(), 3);
}

#[test]
fn refusals_name_what_was_wrong() {
    let mut graph = Graph::new();
    let a = graph.input("a", [1, 3, 4, 5]).unwrap();
    let b = graph.input("b", [1, 3, 4, 6]).unwrap();
    let flat = graph.input("flat", [3, 4]).unwrap();
    assert!(graph.concat(&[a, b]).unwrap_err().to_string().contains("input 1 is [1, 3, 4, 6], expected [1, c, 4, 5]"));
    assert!(graph.concat(&[a, flat]).is_err());
    assert!(graph.concat(&[]).is_err());
    for json in [serde_json::json!({"dim": 2}), serde_json::json!({"dim": -3}), serde_json::json!({})] {
        assert!(
            from_case(&mut graph, "concat", &Attributes { op: "concat", json: &json, inputs: &[] }, &[a, a]).is_err()
        );
    }
}
