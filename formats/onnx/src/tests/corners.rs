//! Corners where a likely reading of a file is not the one that runtimes and the specification have.

use super::*;
use crate::to_bytes;

fn outputs(mut model: Model, node: usize, names: &[&str]) -> Model {
    model.graph().node[node].output = names.iter().map(|&n| n.into()).collect();
    model
}

#[track_caller]
fn refused(model: &Model, why: &str) {
    let error = model.read().unwrap_err().to_string();
    assert!(error.contains(why), "{error}");
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

/// With five outputs it normalises by the batch's own statistics.
#[test]
fn a_batch_normalisation_in_training() {
    let model = Model::new(&[1, 1, 2]).opset(9).floats("v", &[1], &[1.0]);
    let model = model.node("BatchNormalization", &["x", "v", "v", "v", "v"], "y", vec![]);
    assert!(model.read().is_ok());
    refused(&outputs(model, 0, &["y", "mean", "var", "m", "v2"]), "gives 5 outputs, as in training");
}

/// onnxruntime pads by a negative number then, or refuses; the windows of others start elsewhere.
#[test]
fn windows_that_leave_a_rest() {
    for (operator, side) in [("AveragePool", "SAME_UPPER"), ("AveragePool", "SAME_LOWER"), ("MaxPool", "SAME_UPPER")] {
        let attributes = || vec![ints("kernel_shape", &[1]), text("auto_pad", side)];
        let strides = |by| [attributes(), vec![ints("strides", &[by])]].concat();
        let model = |by| Model::new(&[1, 1, 6]).node(operator, &["x"], "y", strides(by));
        assert!(model(1).read().is_ok());
        refused(&model(3), "with windows that leave a rest of the image is not supported");
    }
}

/// The specification puts a start in front of the first element onto it, and numpy nowhere.
#[test]
fn a_slice_backwards_from_before_the_start() {
    let model = Model::new(&[1, 3]).node("Slice", &["x", "s", "e", "a", "t"], "y", vec![]);
    let model = model.int64s("s", &[-5]).int64s("e", &[-9]).int64s("a", &[1]).int64s("t", &[-1]);
    assert_eq!(model.run(&[1.0, 2.0, 3.0]).0, [1.0]);
    // Of nothing there is nothing in front.
    let empty = Model::new(&[1, 3])
        .node("Slice", &["none", "s", "e", "", "t"], "n", vec![])
        .node("Concat", &["n", "s"], "i", vec![int("axis", 0)])
        .node("Gather", &["x", "i"], "y", vec![int("axis", 1)])
        .int64s("none", &[])
        .int64s("s", &[-1])
        .int64s("e", &[-9])
        .int64s("t", &[-1]);
    assert_eq!(empty.run(&[1.0, 2.0, 3.0]).0, [3.0]);
}

#[test]
fn squeezing_an_empty_list_of_axes() {
    let model = Model::new(&[1, 3]).node("Squeeze", &["x", "a"], "y", vec![]).int64s("a", &[]);
    refused(&model, "axes is an empty list");
    let old = Model::new(&[1, 3]).opset(11).node("Squeeze", &["x"], "y", vec![ints("axes", &[])]);
    refused(&old, "axes is an empty list");
}

/// 70000^2 does not fit an int32, and wraps around there.
#[test]
fn integers_of_32_bits() {
    let model = Model::new(&[1, 1])
        .node("Mul", &["c", "c"], "i", vec![])
        .node("Cast", &["i"], "f", vec![int("to", 1)])
        .node("Add", &["x", "f"], "y", vec![]);
    let number = |v| TensorProto { int32_data: vec![v], ..tensor("c", DataType::Int32, &[]) };
    refused(&model.clone().tensor(number(70_000)), "an integer overflows 32 bits");
    assert_eq!(model.tensor(number(40_000)).run(&[0.0]).0, [1.6e9]);
}

/// As a value of the network it is a list of one, which is also how it is written.
#[test]
fn scalars_come_back() {
    let model = Model::new(&[1, 3])
        .node("GatherND", &["x", "i"], "s", vec![])
        .node("ReduceSum", &["x"], "t", vec![int("keepdims", 0)])
        .int64s("i", &[0, 2]);
    for output in ["s", "t"] {
        let network = model.clone().output(output).read().unwrap();
        assert_eq!(crate::from_bytes(&to_bytes(&network).unwrap().bytes).unwrap().nodes(), network.nodes());
    }
}

/// `1 - 2^-30` is an index of 1 where it is computed in single precision, and of 0 where it is exact.
#[test]
fn jumps_at_rounded_constants() {
    let model = |operator: &str, attributes: Vec<AttributeProto>, d: f32| {
        let inputs: &[&str] = if operator == "Cast" { &["s"] } else { &["s", "c"] };
        let model = Model::new(&[1, 2])
            .node("Add", &["c", "d"], "s", vec![])
            .node(operator, inputs, "t", attributes)
            .node("Cast", &["t"], "i", vec![int("to", 7)])
            .node("Gather", &["x", "i"], "y", vec![int("axis", 1)]);
        model.floats("c", &[1], &[1.0]).floats("d", &[1], &[d])
    };
    let why = "jumps where a constant may be rounded to single precision";
    for (operator, attributes) in [("Cast", vec![int("to", 6)]), ("Equal", vec![]), ("Less", vec![])] {
        refused(&model(operator, attributes.clone(), -(0.5f32.powi(30))), why);
        assert!(model(operator, attributes, -0.5).read().is_ok());
    }
    // 5 * 0.7 is 3.4999999 here and 3.5 there, and either way an index of 3.
    let half = Model::new(&[1, 4])
        .node("Mul", &["c", "d"], "s", vec![])
        .node("Cast", &["s"], "i", vec![int("to", 7)])
        .node("Gather", &["x", "i"], "y", vec![int("axis", 1)]);
    assert_eq!(half.floats("c", &[], &[5.0]).floats("d", &[], &[0.7]).run(&[0.0, 1.0, 2.0, 3.0]).0, [3.0]);
    let range = Model::new(&[1, 2])
        .node("Add", &["c", "d"], "s", vec![])
        .node("Range", &["s", "c", "c"], "r", vec![])
        .node("Add", &["x", "r"], "y", vec![])
        .floats("c", &[], &[1.0])
        .floats("d", &[], &[-(0.5f32.powi(30))]);
    refused(&range, why);
}

/// Rewrites are of the type of the input, as they are in a file.
#[test]
fn double_precision_comes_back() {
    let model = Model::new(&[1, 1, 2, 2])
        .change(|m| m.graph.as_mut().unwrap().input[0] = value("x", DataType::Double, &[1, 1, 2, 2]))
        .node("Neg", &["x"], "n", vec![])
        .node("Relu", &["n"], "r", vec![])
        .node("AveragePool", &["r"], "p", vec![ints("kernel_shape", &[2, 1])])
        .node("Relu", &["p"], "q", vec![])
        .node("ReduceSum", &["q"], "y", vec![]);
    let network = model.read().unwrap();
    let again = crate::from_bytes(&to_bytes(&network).unwrap().bytes).unwrap();
    assert_eq!((again.nodes(), again.digest()), (network.nodes(), network.digest()));
    // Constants in single precision stay there.
    let single = Model::new(&[1, 1]).node("Neg", &["w"], "v", vec![]).node("MatMul", &["x", "v"], "y", vec![]);
    let network = single.floats("w", &[1, 1], &[0.5]).read().unwrap();
    let again = crate::from_bytes(&to_bytes(&network).unwrap().bytes).unwrap();
    assert_eq!(again.nodes(), network.nodes());
}

#[test]
fn features_beyond_a_matrix() {
    let model = |numbers: &[f32]| {
        let list = |name| AttributeProto { floats: numbers.to_vec(), ..attribute(name, AttributeType::Floats) };
        let model = Model::new(&[1, 3, 2]).node("Scaler", &["x"], "y", vec![list("offset"), list("scale")]);
        model.change(|m| m.graph.as_mut().unwrap().node[0].domain = Some("ai.onnx.ml".into()))
    };
    refused(&model(&[1.0, 2.0]), "beyond [rows, features] only one is supported");
    assert_eq!(model(&[2.0]).run(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]).0, [-4.0, -2.0, 0.0, 2.0, 4.0, 6.0]);
}
