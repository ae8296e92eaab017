use crate::ops::worked::{array, refused, run};

use super::*;

fn conv(stride: usize, padding: usize) -> ConvTranspose2d {
    ConvTranspose2d { stride: [stride; 2], padding: [padding; 2], ..ConvTranspose2d::default() }
}

#[test]
fn by_hand() {
    let x = array(&[1, 1, 2, 2], &[1., 2., 3., 4.]);
    let weight = array(&[1, 1, 2, 2], &[1., 10., 100., 1000.]);
    let apart = [1., 10., 2., 20., 100., 1000., 200., 2000., 3., 30., 4., 40., 300., 3000., 400., 4000.];
    assert_eq!(run(&ConvTranspose2d::upsampling(2).unwrap(), &[&x, &weight]), apart);
    let meeting = [1., 12., 20., 103., 1234., 2040., 300., 3400., 4000.];
    assert_eq!(run(&conv(1, 0), &[&x, &weight]), meeting);
    assert_eq!(run(&conv(1, 1), &[&x, &weight, &array(&[1], &[5.])]), [1239.]);
    let longer = ConvTranspose2d::new([2, 2], [0, 0], [1, 0], [1, 1]).unwrap();
    assert_eq!(run(&longer, &[&array(&[1, 1, 1, 1], &[7.]), &array(&[1, 1, 1, 1], &[1.])]), [7., 0.]);
    // A weight is (ci, co, …): out 0 has 10·1 + 100·3.
    let (x, weight) = (array(&[1, 2, 1, 1], &[10., 100.]), array(&[2, 2, 1, 1], &[1., 2., 3., 4.]));
    assert_eq!(run(&conv(1, 0), &[&x, &weight]), [310., 420.]);
}

#[test]
fn dilation_by_hand() {
    let dilated = ConvTranspose2d::new([1, 1], [0, 0], [0, 0], [1, 2]).unwrap();
    let (x, weight) = (array(&[1, 1, 1, 2], &[1., 2.]), array(&[1, 1, 1, 2], &[1., 10.]));
    assert_eq!(run(&dilated, &[&x, &weight]), [1., 2., 10., 20.]);
    let gradient = array(&[1, 1, 1, 4], &[1., 2., 3., 4.]);
    let data = ConvTranspose2dBackwardData { conv: dilated, size: [1, 2] };
    assert_eq!(run(&data, &[&gradient, &weight]), [31., 42.]);
    let of_weight = ConvTranspose2dBackwardWeight { conv: dilated, kernel: [1, 2] };
    assert_eq!(run(&of_weight, &[&x, &gradient]), [5., 11.]);
}

#[test]
fn parameters_out_of_range_are_refused() {
    let of = |stride, padding, output_padding, dilation| {
        refused(ConvTranspose2d::new(stride, padding, output_padding, dilation))
    };
    let message = of([0, 1], [0, 0], [0, 0], [1, 1]);
    assert_eq!(message, "conv_transpose2d: stride is [0, 1], expected 1 to 65535");
    assert!(of([1, 1], [65_536, 0], [0, 0], [1, 1]).contains("padding is [65536, 0]"));
    assert!(of([1, 1], [0, 0], [0, 0], [0, 1]).contains("dilation is [0, 1]"));
    assert!(of([2, 2], [0, 0], [2, 0], [1, 2]).contains("output padding is [2, 0], expected below the stride [2, 2]"));
    assert!(ConvTranspose2d::new([2, 2], [0, 0], [1, 2], [1, 3]).is_ok());
    assert!(ConvTranspose2d::upsampling(0).is_err());
}

#[test]
fn fields_that_were_set_without_a_check_are_refused_where_they_are_used() {
    let plain = ConvTranspose2d::default();
    let wrong = [
        ConvTranspose2d { stride: [0, 0], ..plain },
        ConvTranspose2d { dilation: [0, 1], ..plain },
        ConvTranspose2d { padding: [usize::MAX, 0], ..plain },
        ConvTranspose2d { output_padding: [usize::MAX, 0], ..plain },
        ConvTranspose2d { stride: [usize::MAX, 1], ..plain },
    ];
    for conv in wrong {
        let mut graph = Graph::new();
        let (x, weight) = (graph.input("x", [1, 1, 5, 5]).unwrap(), graph.input("weight", [1, 1, 3, 3]).unwrap());
        assert!(refused(graph.conv_transpose2d(conv, x, weight, None)).contains("expected"), "{conv:?}");
        assert!(ConvTranspose2dBackwardData { conv, size: [5, 5] }.outputs(&[&[1, 1, 7, 7], &[1, 1, 3, 3]]).is_err());
        let weight = ConvTranspose2dBackwardWeight { conv, kernel: [3, 3] };
        assert!(weight.outputs(&[&[1, 1, 5, 5], &[1, 1, 7, 7]]).is_err());
    }
}

#[test]
fn sizes_that_overflow_are_refused() {
    let large = ConvTranspose2d::upsampling(65_535).unwrap();
    let message = refused(large.outputs(&[&[1, 1, 5, 5], &[1, 1, 3, 3]]));
    assert!(message.contains("2^32 - 1 elements"), "{message}");
    assert!(large.outputs(&[&[1, 1, usize::MAX, 5], &[1, 1, 3, 3]]).is_err());
    assert!(large.outputs(&[&[1, 1, 5, 5], &[1, 1, usize::MAX, 3]]).is_err());
}

#[test]
fn shapes_that_do_not_go_together_are_refused() {
    let of = |inputs: &[&[usize]]| refused(conv(1, 0).outputs(inputs));
    assert!(of(&[&[1, 2, 5, 5]]).contains("takes 2 or 3 inputs, got 1"));
    assert!(of(&[&[2, 5, 5], &[2, 3, 3, 3]]).contains("input is [2, 5, 5], expected four dimensions"));
    assert!(of(&[&[1, 2, 5, 5], &[2, 3]]).contains("weight is [2, 3], expected four dimensions"));
    assert!(of(&[&[1, 2, 5, 5], &[3, 2, 3, 3]]).contains("weight is [3, 2, 3, 3], expected [2, co, kh, kw]"));
    assert!(of(&[&[1, 2, 5, 5], &[2, 3, 3, 3], &[2]]).contains("bias is [2], expected [3]"));
    assert!(of(&[&[1, 2, 5, 5], &[2, 3, 0, 3]]).contains("kernel is [0, 3]"));
    let message = refused(conv(1, 2).outputs(&[&[1, 2, 2, 9], &[2, 3, 3, 3]]));
    assert!(message.contains("padding [2, 2] leaves nothing of an output of 4"), "{message}");
}

#[test]
fn gradients_of_another_shape_are_refused() {
    let conv = conv(2, 0);
    let data = ConvTranspose2dBackwardData { conv, size: [4, 3] };
    assert_eq!(data.outputs(&[&[2, 3, 8, 6], &[5, 3, 2, 2]]).unwrap(), [[2, 5, 4, 3]]);
    assert!(refused(data.outputs(&[&[2, 3, 8, 7], &[5, 3, 2, 2]])).contains("expected [n, 3, 8, 6]"));
    assert!(refused(data.outputs(&[&[2, 3, 8, 6]])).contains("takes two inputs"));
    assert!(refused(data.outputs(&[&[3, 8, 6], &[5, 3, 2, 2]])).contains("four dimensions"));
    let weight = ConvTranspose2dBackwardWeight { conv, kernel: [2, 2] };
    assert_eq!(weight.outputs(&[&[2, 5, 4, 3], &[2, 3, 8, 6]]).unwrap(), [[5, 3, 2, 2]]);
    assert!(refused(weight.outputs(&[&[2, 5, 4, 3], &[1, 3, 8, 6]])).contains("expected [2, co, 8, 6]"));
    assert!(refused(weight.outputs(&[&[2, 5, 4, 3]])).contains("takes two inputs"));
    assert!(refused(weight.outputs(&[&[2, 5, 4, 3], &[3, 8, 6]])).contains("four dimensions"));
}

#[test]
fn attributes_are_heeded_or_refused() {
    let case = |json: serde_json::Value| {
        let mut graph = Graph::new();
        let x = graph.input("x", [1, 2, 4, 4]).unwrap();
        let weight = graph.input("weight", [2, 3, 3, 3]).unwrap();
        let attributes = Attributes { op: "conv_transpose2d", json: &json, inputs: &[] };
        let output = from_case(&mut graph, "conv_transpose2d", &attributes, &[x, weight])?[0];
        Ok::<_, Error>(graph.shape(output).to_vec())
    };
    assert_eq!(case(serde_json::json!({})).unwrap(), [1, 3, 6, 6]);
    assert_eq!(case(serde_json::json!({"dilation": [2, 1], "groups": 1})).unwrap(), [1, 3, 8, 6]);
    assert!(refused(case(serde_json::json!({"groups": 2}))).contains("groups is 2, only 1 is supported"));
    assert!(refused(case(serde_json::json!({"dilation": [0, 1]}))).contains("dilation is [0, 1]"));
    assert!(refused(case(serde_json::json!({"output_padding": [1, 0]}))).contains("output padding is [1, 0]"));
}
