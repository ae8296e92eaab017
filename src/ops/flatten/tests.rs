use crate::ops::{Array, kernel};

use super::*;

#[test]
fn by_hand() {
    let x = Array { shape: vec![1, 2, 1, 2], data: vec![1.0, 2.0, 3.0, 6.0] };
    let out = kernel("flatten.forward").unwrap().twin.run::<f64>(&Flatten, &[&x]).unwrap().remove(0);
    assert_eq!((out.shape.as_slice(), &out.data), (&[1, 4][..], &x.data));
    let op = FlattenBackward { sample: [2, 1, 2] };
    assert_eq!(kernel("flatten.backward").unwrap().twin.run::<f64>(&op, &[&out]).unwrap().remove(0), x);
}

#[test]
fn refusals_name_what_was_wrong() {
    let mut graph = Graph::new();
    let flat = graph.input("flat", [4, 4]).unwrap();
    assert!(graph.flatten(flat).unwrap_err().to_string().contains("four dimensions"));
    let op = FlattenBackward { sample: [3, 2, 2] };
    assert!(op.outputs(&[&[2, 11]]).unwrap_err().to_string().contains("[n, 12]"));
    assert!(FlattenBackward { sample: [3, 0, 2] }.outputs(&[&[2, 0]]).is_err());
    assert!(FlattenBackward { sample: [usize::MAX, 2, 2] }.outputs(&[&[2, 4]]).is_err());
}
