use crate::ops::{Array, kernel};

use super::*;

fn run(op: &dyn Op, shape: [usize; 4], data: &[f64]) -> Vec<f64> {
    let x = Array { shape: shape.to_vec(), data: data.to_vec() };
    kernel(op.kernel()).unwrap().twin.run::<f64>(op, &[&x]).unwrap().remove(0).data
}

#[test]
fn by_hand_up_and_down() {
    let up = ResizeBilinear::new([1, 4]).unwrap();
    assert_eq!(run(&up, [1, 1, 1, 2], &[0., 8.]), [0., 2., 6., 8.]);
    let down = ResizeBilinear::new([1, 2]).unwrap();
    assert_eq!(run(&down, [1, 1, 1, 4], &[0., 2., 6., 8.]), [1., 7.]);
    // Two columns of three pixels each: the middles, whose neighbours have no share.
    assert_eq!(run(&down, [1, 1, 1, 6], &[0., 5., 0., 0., 7., 0.]), [5., 7.]);
    let back = ResizeBilinearBackward { resize: up, from: [1, 2] };
    assert_eq!(run(&back, [1, 1, 1, 4], &[1., 10., 100., 1000.]), [33.5, 1077.5]);
}

#[test]
fn refusals_name_what_was_wrong() {
    assert!(ResizeBilinear::new([0, 3]).unwrap_err().to_string().contains("size is [0, 3]"));
    assert!(ResizeBilinear::new([3, 40_000]).is_err());
    let mut graph = Graph::new();
    let flat = graph.input("flat", [4, 4]).unwrap();
    let x = graph.input("x", [1, 3, 4, 4]).unwrap();
    assert!(graph.resize_bilinear(flat, [2, 2]).unwrap_err().to_string().contains("four dimensions"));
    let op = ResizeBilinearBackward { resize: ResizeBilinear { size: [2, 2] }, from: [4, 4] };
    assert!(op.outputs(&[&[1, 3, 4, 4]]).is_err());
    for json in [
        serde_json::json!({"size": [2, 2], "align_corners": true}),
        serde_json::json!({"size": [2, 2], "antialias": true}),
        serde_json::json!({"size": [2, 2], "mode": "bicubic"}),
        serde_json::json!({"align_corners": false}),
    ] {
        let attributes = Attributes { op: "resize_bilinear", json: &json, inputs: &[] };
        assert!(from_case(&mut graph, "resize_bilinear", &attributes, &[x]).is_err(), "{json}");
    }
}
