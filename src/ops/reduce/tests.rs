use crate::ops::{Array, kernel};

use super::*;

#[test]
fn by_hand() {
    let x = Array { shape: vec![2, 2, 1, 2], data: vec![1., 2., 10., 20., 3., 4., 30., 40.] };
    let out = kernel("reduce.channel_sum").unwrap().twin.run::<f64>(&ChannelSum, &[&x]).unwrap().remove(0);
    assert_eq!((out.shape.as_slice(), out.data.as_slice()), (&[2][..], &[10., 100.][..]));
}

#[test]
fn refusals_name_what_was_wrong() {
    let message = ChannelSum.outputs(&[&[2, 3, 4]]).unwrap_err().to_string();
    assert_eq!(message, "reduce.channel_sum: input is [2, 3, 4], expected four dimensions");
    assert!(ChannelSum.outputs(&[&[1; 4], &[1; 4]]).unwrap_err().to_string().contains("takes one input"));
    assert!(ChannelSum.outputs(&[]).is_err());
}

#[test]
fn it_has_no_reference_cases() {
    let json = serde_json::json!({});
    let attributes = Attributes { op: "sum", json: &json, inputs: &[] };
    let error = from_case(&mut Graph::new(), "sum", &attributes, &[]).unwrap_err();
    assert_eq!(error.to_string(), "sum: has no reference cases");
}
