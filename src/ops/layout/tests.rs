use crate::ops::{Array, kernel};

use super::*;

#[test]
fn by_hand() {
    let x = Array { shape: vec![2, 1, 1, 2], data: vec![1., 2., 3., 4.] };
    let op = Convert { from: Layout::Plain, to: Layout::C4 };
    let out = kernel("layout.convert").unwrap().twin.run::<f64>(&op, &[&x]).unwrap().remove(0);
    assert_eq!(out, x, "the values stay what they are");
    // Two channels out of one channel in, by kx, then by the channel out; and one out of two in.
    let packed = |layout: Layout| layout.pack(&[2, 1, 1, 2], &[1., 2., 3., 4.], 0.0);
    assert_eq!(packed(Layout::Oihw4), [1., 0., 0., 0., 3., 0., 0., 0., 2., 0., 0., 0., 4., 0., 0., 0.]);
    assert_eq!(packed(Layout::Iohw4), [1., 3., 0., 0., 2., 4., 0., 0.]);
    assert_eq!(packed(Layout::C4), [1., 0., 0., 0., 2., 0., 0., 0., 3., 0., 0., 0., 4., 0., 0., 0.]);
}

#[test]
fn shapes_that_have_no_such_layout_are_refused() {
    let convert = |from, to| Convert { from, to };
    assert!(convert(Layout::Plain, Layout::Plain).outputs(&[&[2, 3]]).is_ok());
    for packed in [Layout::C4, Layout::Oihw4, Layout::Iohw4] {
        assert_eq!(convert(Layout::Plain, packed).outputs(&[&[2, 3, 4, 5]]).unwrap(), [[2, 3, 4, 5]]);
        for op in [convert(Layout::Plain, packed), convert(packed, Layout::Plain)] {
            let message = op.outputs(&[&[2, 3]]).unwrap_err().to_string();
            assert!(message.contains("is [2, 3], expected four dimensions"), "{message}");
        }
    }
    let two = convert(Layout::Plain, Layout::C4).outputs(&[&[1; 4], &[1; 4]]);
    assert!(two.unwrap_err().to_string().contains("takes one input"));
}

#[test]
fn it_has_no_reference_cases() {
    let json = serde_json::json!({});
    let attributes = Attributes { op: "pack", json: &json, inputs: &[] };
    let error = from_case(&mut Graph::new(), "pack", &attributes, &[]).unwrap_err();
    assert_eq!(error.to_string(), "pack: has no reference cases");
}
