use crate::ops::Array;
use crate::ops::worked::{array, refused, run};

use super::*;

/// 1 to 9, and 1 to 4 over it.
fn image_and_weight() -> (Array<f64>, Array<f64>) {
    let image: Vec<f64> = (1..=9u8).map(f64::from).collect();
    (array(&[1, 1, 3, 3], &image), array(&[1, 1, 2, 2], &[1., 2., 3., 4.]))
}

#[test]
fn by_hand() {
    let (x, weight) = image_and_weight();
    let bias = array(&[1], &[10.]);
    assert_eq!(run(&Conv2d::default(), &[&x, &weight]), [37., 47., 67., 77.]);
    assert_eq!(run(&Conv2d::default(), &[&x, &weight, &bias]), [47., 57., 77., 87.]);
    // Of the first window only the last tap is inside.
    let strided = Conv2d::new([2, 2], [1, 1], [1, 1]).unwrap();
    assert_eq!(run(&strided, &[&x, &weight]), [4., 18., 36., 77.]);
    // The four corners.
    let dilated = Conv2d::new([1, 1], [0, 0], [2, 2]).unwrap();
    assert_eq!(run(&dilated, &[&x, &weight]), [64.]);
    // A weight is (co, ci, …): out 0 has 1·10 + 2·100.
    let (x, weight) = (array(&[1, 2, 1, 1], &[10., 100.]), array(&[2, 2, 1, 1], &[1., 2., 3., 4.]));
    assert_eq!(run(&Conv2d::default(), &[&x, &weight]), [210., 430.]);
}

#[test]
fn gradients_by_hand() {
    let (x, weight) = image_and_weight();
    let gradient = array(&[1, 1, 2, 2], &[1., 0., 0., 10.]);
    let data = Conv2dBackwardData { conv: Conv2d::default(), size: [3, 3] };
    assert_eq!(run(&data, &[&gradient, &weight]), [1., 2., 0., 3., 14., 20., 0., 30., 40.]);
    let of_weight = Conv2dBackwardWeight { conv: Conv2d::default(), kernel: [2, 2] };
    assert_eq!(run(&of_weight, &[&x, &gradient]), [51., 62., 84., 95.]);
}

#[test]
fn parameters_out_of_range_are_refused() {
    let of = |stride, padding, dilation| refused(Conv2d::new(stride, padding, dilation));
    assert_eq!(of([0, 1], [0, 0], [1, 1]), "conv2d: stride is [0, 1], expected 1 to 65535");
    assert!(of([1, 1], [0, 65_536], [1, 1]).contains("padding is [0, 65536]"));
    assert!(of([1, 1], [0, 0], [1, 0]).contains("dilation is [1, 0]"));
}

#[test]
fn fields_that_were_set_without_a_check_are_refused_where_they_are_used() {
    let wrong = [
        Conv2d { stride: [0, 0], ..Conv2d::default() },
        Conv2d { dilation: [1, 0], ..Conv2d::default() },
        Conv2d { padding: [usize::MAX, 0], ..Conv2d::default() },
        Conv2d { stride: [1, usize::MAX], ..Conv2d::default() },
        Conv2d::padded(1 << 40),
    ];
    for conv in wrong {
        let mut graph = Graph::new();
        let (x, weight) = (graph.input("x", [1, 1, 5, 5]).unwrap(), graph.input("weight", [1, 1, 3, 3]).unwrap());
        assert!(refused(graph.conv2d(conv, x, weight, None)).contains("expected"), "{conv:?}");
        assert!(conv.out_size([5, 5], [3, 3]).is_err(), "{conv:?}");
        assert!(Conv2dBackwardData { conv, size: [5, 5] }.outputs(&[&[1, 1, 3, 3], &[1, 1, 3, 3]]).is_err());
        assert!(Conv2dBackwardWeight { conv, kernel: [3, 3] }.outputs(&[&[1, 1, 5, 5], &[1, 1, 3, 3]]).is_err());
    }
}

#[test]
fn sizes_that_overflow_are_refused() {
    let conv = Conv2d::padded(65_535);
    assert!(conv.out_size([usize::MAX, 5], [3, 3]).is_ok());
    assert!(conv.out_size([5, 5], [usize::MAX, 3]).is_err());
    let message = refused(conv.outputs(&[&[1, 1, usize::MAX, 5], &[1, 1, 3, 3]]));
    assert!(message.contains("2^32 - 1 elements"), "{message}");
    assert!(conv.outputs(&[&[1 << 20, 1, 5, 5], &[1, 1, 3, 3]]).is_err());
    let data = Conv2dBackwardData { conv: Conv2d::default(), size: [usize::MAX, 1] };
    assert!(data.outputs(&[&[1, 1, usize::MAX, 1], &[1, 1, 1, 1]]).is_err());
}

#[test]
fn shapes_that_do_not_go_together_are_refused() {
    let of = |inputs: &[&[usize]]| refused(Conv2d::default().outputs(inputs));
    assert!(of(&[&[1, 2, 5, 5]]).contains("takes 2 or 3 inputs, got 1"));
    assert!(of(&[&[1, 2, 5, 5], &[3, 2, 3, 3], &[3], &[3]]).contains("got 4"));
    assert!(of(&[&[2, 5, 5], &[3, 2, 3, 3]]).contains("input is [2, 5, 5], expected four dimensions"));
    assert!(of(&[&[1, 2, 5, 5], &[3, 2, 3]]).contains("weight is [3, 2, 3], expected four dimensions"));
    let groups = of(&[&[1, 4, 5, 5], &[4, 2, 3, 3]]);
    assert!(groups.contains("weight is [4, 2, 3, 3]") && groups.contains("groups are not supported"), "{groups}");
    assert!(of(&[&[1, 2, 5, 5], &[3, 2, 3, 3], &[2]]).contains("bias is [2], expected [3]"));
    assert!(of(&[&[1, 2, 5, 5], &[3, 2, 3, 3], &[1, 3]]).contains("bias is [1, 3]"));
    let large = of(&[&[1, 2, 5, 2], &[3, 2, 3, 3]]);
    assert!(large.contains("kernel width is 3 with its dilation, but the padded input has only 2"), "{large}");
    assert!(of(&[&[1, 2, 5, 5], &[3, 2, 0, 3]]).contains("kernel height"));
    let dilated = Conv2d { dilation: [3, 1], ..Conv2d::default() };
    assert!(refused(dilated.outputs(&[&[1, 2, 5, 5], &[3, 2, 3, 3]])).contains("kernel height is 7"));
}

#[test]
fn gradients_of_another_shape_are_refused() {
    let conv = Conv2d::padded(1);
    let data = Conv2dBackwardData { conv, size: [4, 6] };
    assert_eq!(data.outputs(&[&[2, 3, 4, 6], &[3, 5, 3, 3]]).unwrap(), [[2, 5, 4, 6]]);
    assert!(refused(data.outputs(&[&[2, 3, 4, 5], &[3, 5, 3, 3]])).contains("expected [n, 3, 4, 6]"));
    assert!(refused(data.outputs(&[&[2, 3, 4, 6]])).contains("takes two inputs"));
    assert!(refused(data.outputs(&[&[2, 3, 4, 6], &[3, 5]])).contains("four dimensions"));
    let weight = Conv2dBackwardWeight { conv, kernel: [3, 3] };
    assert_eq!(weight.outputs(&[&[2, 5, 4, 6], &[2, 3, 4, 6]]).unwrap(), [[3, 5, 3, 3]]);
    assert!(refused(weight.outputs(&[&[2, 5, 4, 6], &[1, 3, 4, 6]])).contains("expected [2, co, 4, 6]"));
    assert!(refused(weight.outputs(&[&[2, 5, 4, 6], &[2, 3, 4, 6], &[1]])).contains("takes two inputs"));
    assert!(refused(weight.outputs(&[&[5, 4, 6], &[2, 3, 4, 6]])).contains("four dimensions"));
}

#[test]
fn attributes_that_are_not_supported_are_refused() {
    let case = |json: serde_json::Value| {
        let mut graph = Graph::new();
        let x = graph.input("x", [1, 2, 8, 8]).unwrap();
        let weight = graph.input("weight", [3, 2, 3, 3]).unwrap();
        from_case(&mut graph, "conv2d", &Attributes { op: "conv2d", json: &json, inputs: &[] }, &[x, weight])
    };
    assert!(case(serde_json::json!({})).is_ok());
    assert!(case(serde_json::json!({"stride": [2, 1], "padding": [1, 0], "dilation": [1, 2], "groups": 1})).is_ok());
    assert!(refused(case(serde_json::json!({"groups": 2}))).contains("groups is 2, only 1 is supported"));
    assert!(refused(case(serde_json::json!({"stride": [0, 1]}))).contains("stride is [0, 1]"));
    assert!(case(serde_json::json!({"padding": [1]})).is_err());
}
