use crate::error::Error;
use crate::graph::Graph;
use crate::ops::{Array, kernel};

use super::*;

fn run(op: &dyn Op, inputs: &[Array<f64>]) -> Array<f64> {
    let twin = &kernel(op.kernel()).unwrap().twin;
    twin.run(op, &inputs.iter().collect::<Vec<_>>()).unwrap().remove(0)
}

fn array(shape: [usize; 4], data: &[f64]) -> Array<f64> {
    Array { shape: shape.to_vec(), data: data.to_vec() }
}

#[test]
fn by_hand_with_ties_and_overlap() {
    let pool = MaxPool2d::new([2, 2], [1, 1], [0, 0]).unwrap();
    let x = array([1, 1, 2, 3], &[1., 5., 5., 0., 5., 2.]);
    assert_eq!(run(&pool, std::slice::from_ref(&x)).data, [5., 5.]);
    // Both windows hold three or more equal fives; the first in row-major order is the same pixel.
    let gradient = array([1, 1, 1, 2], &[10., 1.]);
    assert_eq!(run(&MaxPool2dBackward { pool }, &[x, gradient]).data, [0., 11., 0., 0., 0., 0.]);
}

#[test]
fn a_nan_is_the_maximum_and_the_last_one_takes_the_gradient() {
    let pool = MaxPool2d::new([1, 3], [1, 3], [0, 1]).unwrap();
    let x = array([1, 1, 1, 4], &[f64::NAN, 7., f64::NAN, f64::NAN]);
    assert!(run(&pool, std::slice::from_ref(&x)).data.iter().all(|v| v.is_nan()));
    let gradient = array([1, 1, 1, 2], &[1., 2.]);
    assert_eq!(run(&MaxPool2dBackward { pool }, &[x, gradient]).data, [1., 0., 0., 2.]);
}

#[test]
fn negative_numbers_win_over_the_padding() {
    let pool = MaxPool2d::new([3, 3], [2, 2], [1, 1]).unwrap();
    let x = array([1, 1, 2, 2], &[-4., -3., -2., -1.]);
    assert_eq!(run(&pool, &[x]).data, [-1.]);
}

#[test]
fn refusals_name_what_was_wrong() {
    let refused = |result: Result<MaxPool2d>| result.unwrap_err().to_string();
    assert!(refused(MaxPool2d::new([0, 2], [1, 1], [0, 0])).contains("kernel is [0, 2]"));
    assert!(refused(MaxPool2d::new([2, 2], [1, 0], [0, 0])).contains("stride is [1, 0]"));
    assert!(refused(MaxPool2d::new([2, 2], [1, 1], [0, 2])).contains("padding is [0, 2]"));
    let mut graph = Graph::new();
    let flat = graph.input("flat", [2, 3]).unwrap();
    let small = graph.input("small", [1, 1, 2, 9]).unwrap();
    let pool = MaxPool2d::new([3, 3], [1, 1], [0, 0]).unwrap();
    assert!(matches!(graph.max_pool2d(pool, flat), Err(Error::Shape { .. })));
    assert!(graph.max_pool2d(pool, small).unwrap_err().to_string().contains("kernel height is 3"));
    let gradient = MaxPool2dBackward { pool }.outputs(&[&[1, 1, 5, 5], &[1, 1, 5, 5]]);
    assert!(gradient.unwrap_err().to_string().contains("[1, 1, 3, 3]"));
}

#[test]
fn attributes_that_are_not_supported_are_refused() {
    let case = |json: serde_json::Value| {
        let mut graph = Graph::new();
        let x = graph.input("x", [1, 2, 8, 8]).unwrap();
        from_case(&mut graph, "max_pool2d", &Attributes { op: "max_pool2d", json: &json, inputs: &[] }, &[x])
    };
    assert!(case(serde_json::json!({"kernel": [2, 2], "dilation": [1, 1], "ceil_mode": false})).is_ok());
    assert!(case(serde_json::json!({"kernel": [2, 2], "ceil_mode": true})).is_err());
    assert!(case(serde_json::json!({"kernel": [2, 2], "dilation": [2, 1]})).is_err());
    assert!(case(serde_json::json!({"stride": [2, 2]})).is_err());
}
