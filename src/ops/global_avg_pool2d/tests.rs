use crate::ops::{Array, kernel};

use super::*;

#[test]
fn by_hand() {
    let x = Array { shape: vec![1, 2, 2, 2], data: vec![1.0, 2.0, 3.0, 6.0, -4.0, 0.0, 0.0, 0.0] };
    let out = kernel("global_avg_pool2d.forward").unwrap().twin.run::<f64>(&GlobalAvgPool2d, &[&x]).unwrap().remove(0);
    assert_eq!((out.shape.as_slice(), out.data.as_slice()), (&[1, 2, 1, 1][..], &[3., -1.][..]));
    let op = GlobalAvgPool2dBackward { size: [1, 4] };
    let back = kernel("global_avg_pool2d.backward").unwrap().twin.run::<f64>(&op, &[&out]).unwrap().remove(0);
    assert_eq!(back.data, [0.75, 0.75, 0.75, 0.75, -0.25, -0.25, -0.25, -0.25]);
}

#[test]
fn refusals_name_what_was_wrong() {
    let mut graph = Graph::new();
    let flat = graph.input("flat", [4, 4]).unwrap();
    assert!(graph.global_avg_pool2d(flat).unwrap_err().to_string().contains("four dimensions"));
    let op = GlobalAvgPool2dBackward { size: [2, 2] };
    assert!(op.outputs(&[&[1, 3, 2, 1]]).unwrap_err().to_string().contains("[1, 3, 1, 1]"));
    assert!(GlobalAvgPool2dBackward { size: [2, 0] }.outputs(&[&[1, 3, 1, 1]]).is_err());
}
