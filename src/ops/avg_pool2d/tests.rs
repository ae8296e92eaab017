use crate::ops::{Array, kernel};

use super::*;

#[test]
fn by_hand_with_padding_that_counts() {
    let pool = AvgPool2d::new([2, 2], [1, 2], [0, 1]).unwrap();
    let x = Array { shape: vec![1, 1, 2, 2], data: vec![4.0, 8.0, 12.0, 16.0] };
    let out = kernel("avg_pool2d.forward").unwrap().twin.run::<f64>(&pool, &[&x]).unwrap().remove(0);
    assert_eq!((out.shape.as_slice(), out.data.as_slice()), (&[1, 1, 1, 2][..], &[4., 6.][..]));
    let gradient = Array { shape: vec![1, 1, 1, 2], data: vec![4.0, 40.0] };
    let op = AvgPool2dBackward { pool, size: [2, 2] };
    let back = kernel("avg_pool2d.backward").unwrap().twin.run::<f64>(&op, &[&gradient]).unwrap().remove(0);
    assert_eq!(back.data, [1., 10., 1., 10.]);
}

#[test]
fn refusals_name_what_was_wrong() {
    let refused = |result: Result<AvgPool2d>| result.unwrap_err().to_string();
    assert!(refused(AvgPool2d::new([2, 0], [1, 1], [0, 0])).contains("kernel is [2, 0]"));
    assert!(refused(AvgPool2d::new([2, 2], [1, 1], [2, 0])).contains("padding is [2, 0]"));
    let mut graph = Graph::new();
    let x = graph.input("x", [1, 2, 4, 4]).unwrap();
    let flat = graph.input("flat", [4, 4]).unwrap();
    let large = AvgPool2d::new([5, 1], [1, 1], [0, 0]).unwrap();
    assert!(graph.avg_pool2d(large, x).unwrap_err().to_string().contains("kernel height is 5"));
    assert!(graph.avg_pool2d(large, flat).is_err());
    let op = AvgPool2dBackward { pool: AvgPool2d::new([2, 2], [2, 2], [0, 0]).unwrap(), size: [4, 4] };
    assert!(op.outputs(&[&[1, 2, 2, 3]]).unwrap_err().to_string().contains("[1, 2, 2, 2]"));
    for json in [
        serde_json::json!({"kernel": [2, 2], "count_include_pad": false}),
        serde_json::json!({"kernel": [2, 2], "ceil_mode": true}),
        serde_json::json!({"kernel": [2, 2], "divisor_override": 3}),
    ] {
        let attributes = Attributes { op: "avg_pool2d", json: &json, inputs: &[] };
        assert!(from_case(&mut graph, "avg_pool2d", &attributes, &[x]).is_err(), "{json}");
    }
}
