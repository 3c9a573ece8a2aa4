//! Corners where a likely reading of a file is not the one that runtimes and the specification have.

use super::*;

fn outputs(mut model: Model, node: usize, names: &[&str]) -> Model {
    model.graph().node[node].output = names.iter().map(|&n| n.into()).collect();
    model
}

/// A missing lower bound is not the part of a constant that nobody named.
#[test]
fn what_has_no_name_is_not_read() {
    let model = Model::new(&[1, 2])
        .node("Split", &["c"], "a", vec![])
        .node("Clip", &["x", "", "a"], "y", vec![])
        .floats("c", &[2], &[5.0, 3.0]);
    assert_eq!(outputs(model, 0, &["a", ""]).run(&[1.0, 7.0]).0, [1.0, 5.0]);
    // Nor is a mask without a name read by an input that is left out.
    let model = Model::new(&[1, 2])
        .node("Dropout", &["x"], "d", vec![])
        .node("Clip", &["d", "", "c"], "y", vec![])
        .floats("c", &[], &[5.0]);
    assert_eq!(outputs(model, 0, &["d", ""]).run(&[1.0, 7.0]).0, [1.0, 5.0]);
}
