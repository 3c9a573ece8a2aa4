//! What goes in and out of a graph, and layouts that exporters wrap around convolutions.

use super::*;
use crate::{read_output, unsupported};

/// Two heads over one layer, the second of which no verifier reads.
fn two_heads() -> Model {
    let model = Model::new(&[1, 2]).node("Relu", &["x"], "h", vec![]).node("Neg", &["h"], "a", vec![]);
    model.node("Sigmoid", &["h"], "b", vec![]).output("a").change(|m| {
        let graph = m.graph.as_mut().unwrap();
        graph.output.push(value("b", DataType::Float, &[]));
    })
}

#[test]
fn one_of_several_outputs_is_chosen() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.onnx");
    std::fs::write(&path, two_heads().bytes()).unwrap();
    let error = crate::read(&path).unwrap_err().to_string();
    assert_eq!(error, r#"the model has 2 outputs ("a", "b"); one of them must be chosen"#);
    // What the other head needs does not matter.
    assert_eq!(read_output(&path, "a").unwrap().forward(&[1.0f32, -1.0]).unwrap(), [-1.0, 0.0]);
    assert!(matches!(read_output(&path, "b"), Err(Error::Node { problem: crate::Problem::NotPiecewiseLinear, .. })));
    // Any value of the graph will do: here what the Sigmoid reads.
    assert_eq!(read_output(&path, "h").unwrap().forward(&[1.0f32, -1.0]).unwrap(), [1.0, 0.0]);
    let error = read_output(&path, "c").unwrap_err().to_string();
    assert_eq!(error, r#"nothing in the model gives "c"; its outputs are "a", "b""#);
    let found = |output| unsupported(&path, output).unwrap().len();
    assert_eq!((found(None), found(Some("a")), found(Some("b"))), (1, 0, 1));
}

#[test]
fn unused_inputs_and_dead_branches_change_nothing() {
    let model = Model::new(&[1, 2]).node("Relu", &["x"], "y", vec![]).node("Frobnicate", &["x"], "dead", vec![]);
    let model = model.floats("unread", &[2], &[f32::NAN; 2]);
    let model = model.change(|m| {
        let graph = m.graph.as_mut().unwrap();
        graph.input.insert(0, value("ids", DataType::Int64, &[1, -1]));
        graph.input.push(value("unread", DataType::Float, &[2]));
    });
    assert_eq!(model.run(&[1.0, -1.0]), (vec![1.0, 0.0], "Relu".into()));
}

#[test]
fn a_softmax_may_be_followed_by_names_and_shapes() {
    let tail = |model: Model| model.node("Softmax", &["x"], "p", vec![]).node("Identity", &["p"], "q", vec![]);
    let model = tail(Model::new(&[1, 3])).node("Reshape", &["q", "s"], "y", vec![]).int64s("s", &[3]);
    assert!(model.read().unwrap().ordering_only());
    // Here another node reads it too.
    let model = tail(Model::new(&[1, 3])).node("Add", &["p", "q"], "y", vec![]);
    assert!(model.read().is_err());
}

/// As exporters of NHWC write it: each convolution between two transpositions.
#[test]
fn transpositions_around_convolutions_cancel() {
    let to_nchw = || vec![ints("perm", &[0, 3, 1, 2])];
    let to_nhwc = || vec![ints("perm", &[0, 2, 3, 1])];
    let model = Model::new(&[1, 2, 3, 2])
        .node("Transpose", &["x"], "t1", to_nchw())
        .node("Conv", &["t1", "w"], "c1", vec![])
        .node("Transpose", &["c1"], "u1", to_nhwc())
        .node("Add", &["u1", "b"], "a1", vec![])
        .node("Relu", &["a1"], "r1", vec![])
        .node("Transpose", &["r1"], "t2", to_nchw())
        .node("Conv", &["t2", "v"], "c2", vec![])
        .node("Transpose", &["c2"], "u2", to_nhwc())
        .node("Mul", &["u2", "k"], "a2", vec![])
        .node("Add", &["a2", "r1"], "y", vec![])
        .floats("w", &[2, 2, 1, 1], &[1.0, 2.0, 3.0, 4.0])
        .floats("b", &[2], &[0.5, -20.0])
        .floats("v", &[2, 2, 1, 1], &[1.0, 0.0, 0.0, -1.0])
        .floats("k", &[1, 1, 1, 2], &[2.0, 3.0]);
    let x: Vec<f32> = (1..=12).map(|v| v as f32).collect();
    let (y, operators) = model.run(&x);
    // One index map in front, one behind; the bias and the factor are in the convolutions.
    assert_eq!(operators, "Gather Conv2d Relu Conv2d Add Gather");
    let expected: Vec<f32> = x
        .as_chunks::<2>()
        .0
        .iter()
        .flat_map(|&[a, b]| {
            let h = [(a + 2.0 * b + 0.5).max(0.0), (3.0 * a + 4.0 * b - 20.0).max(0.0)];
            [2.0 * h[0] + h[0], -3.0 * h[1] + h[1]]
        })
        .collect();
    assert_eq!(y, expected);
}
