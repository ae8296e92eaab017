use crate::ops::{Array, kernel};

use super::*;

fn run(op: &dyn Op, inputs: &[&[f64]]) -> Vec<f64> {
    let arrays: Vec<Array<f64>> =
        inputs.iter().map(|data| Array { shape: vec![data.len()], data: data.to_vec() }).collect();
    let twin = &kernel(op.kernel()).unwrap().twin;
    twin.run(op, &arrays.iter().collect::<Vec<_>>()).unwrap().remove(0).data
}

#[test]
fn by_hand() {
    assert_eq!(run(&Relu, &[&[-2.0, 0.0, 3.0]]), [0.0, 0.0, 3.0]);
    assert!(run(&Relu, &[&[f64::NAN]])[0].is_nan());
    assert_eq!(run(&ReluBackward, &[&[1.0, 2.0, 3.0], &[0.0, -1.0, 5.0]]), [0.0, 0.0, 3.0]);
    assert_eq!(run(&Scale { factor: -0.5 }, &[&[4.0, -6.0]]), [-2.0, 3.0]);
    assert_eq!(run(&Add, &[&[1.0, 2.0], &[10.0, 20.0]]), [11.0, 22.0]);
    assert_eq!(run(&Mul, &[&[3.0, -2.0], &[10.0, 20.0]]), [30.0, -40.0]);
    // exp(-ln 3) is a third: 1 / (1 + 1/3), and its slope is 3/4 · 1/4.
    let x = 3f64.ln();
    assert!((run(&Sigmoid, &[&[x]])[0] - 0.75).abs() < 1e-15);
    assert!((run(&SigmoidBackward, &[&[2.0], &[x]])[0] - 0.375).abs() < 1e-15);
    assert_eq!(run(&Sigmoid, &[&[0.0, 1000.0, -1000.0]]), [0.5, 1.0, 0.0]);
}

#[test]
fn shapes_that_differ_are_refused() {
    let mut graph = Graph::new();
    let (a, b) = (graph.input("a", [2, 3]).unwrap(), graph.input("b", [3, 2]).unwrap());
    for error in [graph.add(a, b).unwrap_err(), graph.mul(a, b).unwrap_err()] {
        let message = error.to_string();
        assert!(message.contains("an input is [3, 2], expected [2, 3] as the first input has"), "{message}");
    }
    assert_eq!(Relu.outputs(&[&[4], &[4]]).unwrap_err().to_string(), "pointwise.relu: takes 1 inputs, got 2");
    assert_eq!(Add.outputs(&[&[4]]).unwrap_err().to_string(), "pointwise.add: takes 2 inputs, got 1");
    assert!(Mul.outputs(&[]).is_err());
    assert!(ReluBackward.outputs(&[&[4], &[5]]).is_err());
    assert!(SigmoidBackward.outputs(&[&[4], &[4, 1]]).is_err());
}

#[test]
fn a_factor_that_is_not_finite_is_refused() {
    let mut graph = Graph::new();
    let x = graph.input("x", [2]).unwrap();
    for factor in [f32::NAN, f32::INFINITY] {
        let message = graph.scale(x, factor).unwrap_err().to_string();
        assert!(message.contains("expected a finite number"), "{message}");
    }
}

#[test]
fn a_gradient_has_no_gradient() {
    let mut graph = Graph::new();
    let (gradient, y) = (graph.input("gradient", [1]).unwrap(), graph.input("y", [1]).unwrap());
    for value in [graph.push1(ReluBackward, &[gradient, y]), graph.push1(SigmoidBackward, &[gradient, y])] {
        let message = graph.gradients(value.unwrap(), &[gradient]).unwrap_err().to_string();
        assert!(message.contains("second derivatives are not supported"), "{message}");
    }
}

#[test]
fn cases_of_other_ops_and_without_their_parts_are_refused() {
    let case = |op: &str, json: serde_json::Value| {
        let mut graph = Graph::new();
        let x = graph.input("x", [2]).unwrap();
        from_case(&mut graph, op, &Attributes { op, json: &json, inputs: &[] }, &[x])
    };
    assert!(case("scale", serde_json::json!({"factor": 2})).is_ok());
    assert!(case("scale", serde_json::json!({})).unwrap_err().to_string().contains("expected a number"));
    for op in ["add", "mul"] {
        assert!(case(op, serde_json::json!({})).unwrap_err().to_string().contains("takes two inputs"));
    }
    assert!(case("tanh", serde_json::json!({})).unwrap_err().to_string().contains("is not of this room"));
}
