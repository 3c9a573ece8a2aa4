//! Every operator against numbers computed by hand.

use super::*;
use unmoved_ir::Op;

/// What a row multiplied by `[[1, 2], [3, 4], [5, 6]]` should be.
const W: [f32; 6] = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];

#[test]
fn gemm() {
    let gemm = |w: &[i64], attributes| {
        let model = Model::new(&[1, 3]).node("Gemm", &["x", "w", "c"], "y", attributes);
        model.floats("w", w, &W).floats("c", &[2], &[10.0, 20.0])
    };
    let x = [1.0, 0.0, -1.0];
    assert_eq!(gemm(&[3, 2], vec![]).run(&x), (vec![6.0, 16.0], "Dense".into()));
    assert_eq!(gemm(&[2, 3], vec![int("transB", 1)]).run(&x), (vec![8.0, 18.0], "Dense".into()));
    // The factors fold into the layer.
    let scaled = gemm(&[3, 2], vec![float("alpha", 0.5), float("beta", 2.0)]);
    assert_eq!(scaled.run(&x), (vec![18.0, 38.0], "Dense".into()));
    assert!(!scaled.read().unwrap().has_slack());
    assert_eq!(gemm(&[3, 2], vec![float("beta", 0.0)]).run(&x).0, [-4.0, -4.0]);
}

#[test]
fn mat_mul_and_add_become_one_layer() {
    let model = Model::new(&[1, 1, 3]).node("MatMul", &["x", "w"], "h", vec![]).node("Add", &["c", "h"], "y", vec![]);
    let model = model.floats("w", &[3, 2], &W).floats("c", &[2], &[10.0, 20.0]);
    assert_eq!(model.run(&[1.0, 0.0, -1.0]), (vec![6.0, 16.0], "Flatten Dense".into()));
    let left = Model::new(&[3, 1]).node("MatMul", &["w", "x"], "y", vec![]).floats("w", &[2, 3], &W);
    assert_eq!(left.run(&[1.0, 0.0, -1.0]).0, [-2.0, -2.0]);
}

#[test]
fn elementwise_constants() {
    let run = |operator, inputs: &[&str]| {
        let model = Model::new(&[1, 2]).node(operator, inputs, "y", vec![]).floats("c", &[2], &[2.0, -4.0]);
        model.run(&[6.0, 8.0]).0
    };
    assert_eq!(run("Add", &["x", "c"]), [8.0, 4.0]);
    assert_eq!(run("Sub", &["x", "c"]), [4.0, 12.0]);
    assert_eq!(run("Sub", &["c", "x"]), [-4.0, -12.0]);
    assert_eq!(run("Mul", &["c", "x"]), [12.0, -32.0]);
    assert_eq!(run("Div", &["x", "c"]), [3.0, -2.0]);
}

#[test]
fn elementwise_values() {
    let run = |operator| {
        let model = Model::new(&[1, 2]).node("Relu", &["x"], "r", vec![]);
        model.node(operator, &["x", "r"], "y", vec![]).run(&[6.0, -8.0])
    };
    assert_eq!(run("Add"), (vec![12.0, -8.0], "Relu Add".into()));
    assert_eq!(run("Sub").0, [0.0, -8.0]);
    assert_eq!(Model::new(&[1, 2]).node("Neg", &["x"], "y", vec![]).run(&[6.0, -8.0]).0, [-6.0, 8.0]);
}

#[test]
fn conv_with_everything() {
    let attributes = vec![ints("strides", &[1, 2]), ints("pads", &[1, 0, 0, 1]), ints("dilations", &[1, 2])];
    let model = Model::new(&[1, 1, 2, 3]).node("Conv", &["x", "w", "b"], "y", attributes);
    let model = model.floats("w", &[1, 1, 2, 2], &[1.0, 2.0, 3.0, 4.0]).floats("b", &[1], &[100.0]);
    // Padded: 0 0 0 0 / 1 2 3 0 / 4 5 6 0; windows start at columns 0, taps at 0 and 2.
    assert_eq!(model.run(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).0, [115.0, 143.0]);
}

#[test]
fn auto_pad_same() {
    let run = |kind| {
        let attributes = vec![text("auto_pad", kind), ints("strides", &[2, 2])];
        let model = Model::new(&[1, 1, 1, 4]).node("Conv", &["x", "w"], "y", attributes);
        model.floats("w", &[1, 1, 1, 3], &[1.0, 10.0, 100.0]).run(&[1.0, 2.0, 3.0, 4.0]).0
    };
    assert_eq!(run("SAME_UPPER"), [321.0, 43.0]);
    assert_eq!(run("SAME_LOWER"), [210.0, 432.0]);
    assert_eq!(run("VALID"), [321.0]);
}

#[test]
fn batch_normalization_folds_into_conv_and_gemm() {
    let batch_norm = |model: Model| {
        let model = model.node("BatchNormalization", &["h", "s", "t", "m", "v"], "y", vec![float("epsilon", 0.0)]);
        let model = model.floats("s", &[2], &[3.0, 1.0]).floats("t", &[2], &[1.0, 0.5]).floats("m", &[2], &[2.0, 0.0]);
        model.floats("v", &[2], &[2.25, 1.0])
    };
    let conv = Model::new(&[1, 1, 1, 1]).node("Conv", &["x", "w"], "h", vec![]);
    let conv = batch_norm(conv.floats("w", &[2, 1, 1, 1], &[4.0, 5.0]));
    assert_eq!(conv.run(&[2.0]), (vec![13.0, 10.5], "Conv2d".into()));
    assert!(!conv.read().unwrap().has_slack(), "sqrt(2.25) and all that follows is exact");
    let gemm = Model::new(&[1, 1]).node("Gemm", &["x", "w"], "h", vec![]);
    let gemm = batch_norm(gemm.floats("w", &[1, 2], &[4.0, 5.0]));
    assert_eq!(gemm.run(&[2.0]), (vec![13.0, 10.5], "Dense".into()));
    // On the input there is nothing to fold it into.
    let alone = batch_norm(Model::new(&[1, 2]).node("Identity", &["x"], "h", vec![]));
    assert_eq!(alone.run(&[3.0, 1.0]).0, [3.0, 1.5]);
}

#[test]
fn inexact_batch_normalization_has_slack() {
    let model = Model::new(&[1, 1]).node("BatchNormalization", &["x", "s", "t", "m", "v"], "y", vec![]);
    let model = ["s", "t", "m", "v"].into_iter().fold(model, |model, name| model.floats(name, &[1], &[2.0]));
    let network = model.read().unwrap();
    assert!(network.has_slack());
    let [rewrite] = network.rewrites() else { panic!("one rewrite") };
    assert!(rewrite.rounds);
    assert_eq!((rewrite.node.as_str(), rewrite.from.as_str()), ("/y/BatchNormalization", "BatchNormalization"));
    let Some(Op::Conv2d(conv)) = network.nodes().iter().map(|n| &n.op).find(|op| matches!(op, Op::Conv2d(_))) else {
        panic!("a scale and shift")
    };
    let slack = conv.slack.as_ref().unwrap();
    assert!(slack.weight[0] > 0.0 && slack.weight[0] < 1e-15 && slack.bias[0] > 0.0 && slack.bias[0] < 1e-14);
}

#[test]
fn mul_and_add_after_layers_fold() {
    let model = Model::new(&[1, 1, 1, 2]).node("Conv", &["x", "w"], "h", vec![]);
    let model = model.node("Mul", &["h", "g"], "i", vec![]).node("Add", &["i", "b"], "y", vec![]);
    let model = model.floats("w", &[2, 1, 1, 1], &[1.0, 2.0]).floats("g", &[2, 1, 1], &[3.0, 4.0]);
    let model = model.floats("b", &[1, 2, 1, 1], &[5.0, 6.0]);
    assert_eq!(model.run(&[1.0, -1.0]), (vec![8.0, 2.0, 14.0, -2.0], "Conv2d".into()));
}

#[test]
fn pooling() {
    let run = |operator, mut attributes: Vec<_>| {
        attributes.push(ints("kernel_shape", &[1, 2]));
        let model = Model::new(&[1, 1, 1, 3]).node(operator, &["x"], "y", attributes);
        model.run(&[-1.0, -2.0, -6.0]).0
    };
    assert_eq!(run("MaxPool", vec![]), [-1.0, -2.0]);
    // Padding takes no part in a maximum.
    assert_eq!(run("MaxPool", vec![ints("pads", &[0, 1, 0, 1])]), [-1.0, -1.0, -2.0, -6.0]);
    assert_eq!(run("MaxPool", vec![ints("strides", &[1, 2]), int("ceil_mode", 1)]), [-1.0, -6.0]);
    assert_eq!(run("MaxPool", vec![ints("dilations", &[1, 2])]), [-1.0]);
    assert_eq!(run("AveragePool", vec![]), [-1.5, -4.0]);
    assert_eq!(run("AveragePool", vec![ints("pads", &[0, 1, 0, 0])]), [-1.0, -1.5, -4.0]);
    let counting = vec![ints("pads", &[0, 1, 0, 0]), int("count_include_pad", 1)];
    assert_eq!(run("AveragePool", counting), [-0.5, -1.5, -4.0]);
    assert_eq!(
        Model::new(&[1, 1, 1, 3]).node("GlobalAveragePool", &["x"], "y", vec![]).run(&[-1.0, -2.0, -6.0]).0,
        [-3.0]
    );
}

#[test]
fn shapes() {
    let x: Vec<f32> = (0..6).map(|v| v as f32).collect();
    let transposed = [0.0, 3.0, 1.0, 4.0, 2.0, 5.0];
    let model = Model::new(&[1, 2, 3]).node("Transpose", &["x"], "y", vec![ints("perm", &[0, 2, 1])]);
    assert_eq!(model.run(&x), (transposed.to_vec(), "Gather".into()));
    // Two index maps become one, and a change of shape alone is none.
    let model = model
        .node("Flatten", &["y"], "z", vec![])
        .change(|m| m.graph.as_mut().unwrap().output[0].name = Some("z".into()));
    assert_eq!(model.run(&x), (transposed.to_vec(), "Gather".into()));
    let model = Model::new(&[1, 2, 3]).node("Reshape", &["x", "s"], "y", vec![]).int64s("s", &[0, -1]);
    assert_eq!(model.run(&x), (x.clone(), "Flatten".into()));
    let model = Model::new(&[1, 2, 3]).node("Gather", &["x", "i"], "y", vec![int("axis", 2)]).int64s("i", &[-1]);
    assert_eq!(model.run(&x).0, [2.0, 5.0]);
    let model = Model::new(&[1, 3]).node("Pad", &["x", "p"], "y", vec![]).int64s("p", &[0, 1, 0, 0]);
    assert_eq!(model.run(&x[1..4]).0, [0.0, 1.0, 2.0, 3.0]);
    let model =
        Model::new(&[1, 1, 3]).node("Squeeze", &["x", "a"], "s", vec![]).node("Unsqueeze", &["s", "b"], "y", vec![]);
    assert_eq!(model.int64s("a", &[1]).int64s("b", &[2]).run(&x[..3]).0, x[..3]);
}

#[test]
fn identity_dropout_and_constants() {
    let constant = AttributeProto { t: Some(floats("", &[], &[2.0])), ..attribute("value", AttributeType::Tensor) };
    let model = Model::new(&[1, 2]).node("Identity", &["x"], "a", vec![]).node("Dropout", &["a"], "b", vec![]);
    let model = model.node("Constant", &[], "c", vec![constant]).node("Mul", &["b", "c"], "y", vec![]);
    assert_eq!(model.run(&[1.0, -2.0]).0, [2.0, -4.0]);
}

#[test]
fn nodes_in_any_order() {
    let model = Model::new(&[1, 2]).node("Relu", &["b"], "y", vec![]).node("Neg", &["x"], "b", vec![]);
    assert_eq!(model.run(&[1.0, -2.0]).0, [0.0, 2.0]);
}

#[test]
fn final_softmax_is_dropped_and_comes_back() {
    for (opset, operator, axis) in [(12, "Softmax", vec![]), (13, "LogSoftmax", vec![int("axis", 1)])] {
        let model =
            Model::new(&[1, 2]).opset(opset).node("Relu", &["x"], "h", vec![]).node(operator, &["h"], "y", axis);
        let network = model.read().unwrap();
        assert!(network.ordering_only());
        assert_eq!(network.forward(&[3.0f32, -1.0]).unwrap(), [3.0, 0.0]);
        let written = crate::to_bytes(&network).unwrap();
        assert_eq!(crate::from_bytes(&written.bytes).unwrap(), network);
    }
}

#[test]
fn batch_may_be_open_or_absent() {
    let relu = |dims: &[i64]| Model::new(dims).node("Relu", &["x"], "y", vec![]).read().unwrap();
    assert_eq!(relu(&[-1, 3]).input().shape.dims(), [3]);
    assert_eq!(relu(&[0, 2, 3]).input().shape.dims(), [2, 3]);
    assert_eq!(relu(&[1, 3]).input().shape.dims(), [3]);
    assert_eq!(relu(&[3]).input().shape.dims(), [3]);
    assert_eq!(relu(&[1]).input().shape.dims(), [1]);
    assert_eq!(relu(&[3, 1]).input().shape.dims(), [3, 1]);
}

#[test]
fn double_stays_double() {
    let third = 1.0f64 / 3.0;
    let weight = TensorProto { double_data: vec![third], ..tensor("w", DataType::Double, &[1, 1]) };
    let model = Model::new(&[1, 1]).node("MatMul", &["x", "w"], "y", vec![]).tensor(weight);
    let model = model.change(|m| m.graph.as_mut().unwrap().input[0] = value("x", DataType::Double, &[1, 1]));
    let network = model.read().unwrap();
    assert_eq!(network.forward(&[3.0f64]).unwrap(), [3.0 * third]);
    let written = crate::to_bytes(&network).unwrap();
    assert!(!written.rounded);
    assert_eq!(crate::from_bytes(&written.bytes).unwrap(), network);
    // The same weight in an f32 model has to be rounded, and is reported.
    let mixed = model.change(|m| m.graph.as_mut().unwrap().input[0] = value("x", DataType::Float, &[1, 1]));
    assert!(crate::to_bytes(&mixed.read().unwrap()).unwrap().rounded);
}
