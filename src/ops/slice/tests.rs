use crate::ops::{Array, kernel};

use super::*;

#[test]
fn by_hand_and_back() {
    let x = Array { shape: vec![1, 4, 1, 2], data: vec![0.0, 1.0, 10.0, 11.0, 20.0, 21.0, 30.0, 31.0] };
    let slice = Slice::new(1, 3).unwrap();
    let out = kernel("slice.forward").unwrap().twin.run::<f64>(&slice, &[&x]).unwrap().remove(0);
    assert_eq!((out.shape.as_slice(), out.data.as_slice()), (&[1, 2, 1, 2][..], &[10., 11., 20., 21.][..]));
    let back = SliceBackward { slice, channels: 4 };
    let back = kernel("slice.backward").unwrap().twin.run::<f64>(&back, &[&out]).unwrap().remove(0);
    assert_eq!(back.data, [0., 0., 10., 11., 20., 21., 0., 0.]);
}

#[test]
fn refusals_name_what_was_wrong() {
    let mut graph = Graph::new();
    let x = graph.input("x", [1, 4, 2, 2]).unwrap();
    let flat = graph.input("flat", [4, 4]).unwrap();
    assert!(graph.slice(x, 2, 2).unwrap_err().to_string().contains("channels 2 to 2"));
    assert!(graph.slice(x, 2, 5).unwrap_err().to_string().contains("channels 2 to 5"));
    assert!(graph.slice(flat, 0, 1).is_err());
    let back = SliceBackward { slice: Slice { start: 1, end: 3 }, channels: 4 };
    assert!(back.outputs(&[&[1, 3, 2, 2]]).is_err());
    for json in [
        serde_json::json!({"dim": 2, "start": 0, "end": 1}),
        serde_json::json!({"dim": 1, "start": 0}),
        serde_json::json!({"dim": 1, "start": -1, "end": 2}),
    ] {
        assert!(from_case(&mut graph, "slice", &Attributes { op: "slice", json: &json, inputs: &[] }, &[x]).is_err());
    }
}
