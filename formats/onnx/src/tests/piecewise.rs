//! Operators that are written as ReLUs, windows and index maps, against numbers computed by hand; and what is refused.

use super::*;
use std::fmt::Write as _;
use unmoved_ir::{Op, Slack};

fn unary(operator: &str, attributes: Vec<AttributeProto>) -> Model {
    Model::new(&[1, 4]).node(operator, &["x"], "y", attributes)
}

fn scalar(name: &str, value: f64) -> TensorProto {
    TensorProto { double_data: vec![value], ..tensor(name, DataType::Double, &[]) }
}

const X: [f32; 4] = [-2.0, -0.5, 0.5, 4.0];

#[test]
fn leaky_relus() {
    let leaky = |alpha| unary("LeakyRelu", vec![float("alpha", alpha)]).run(&X);
    assert_eq!(leaky(0.25).0, [-0.5, -0.125, 0.5, 4.0]);
    assert_eq!(leaky(2.0).0, [-4.0, -1.0, 0.5, 4.0]);
    assert_eq!(leaky(-1.0).0, [2.0, 0.5, 0.5, 4.0]);
    assert_eq!(leaky(0.0), (vec![0.0, 0.0, 0.5, 4.0], "Relu".into()));
    let model = Model::new(&[1, 2, 1, 2]).node("PRelu", &["x", "s"], "y", vec![]);
    let per_channel = model.clone().floats("s", &[2, 1, 1], &[0.5, -0.25]);
    // One factor per channel, and the image stays one.
    assert_eq!(per_channel.run(&[-2.0, 1.0, -4.0, 1.0]), (vec![-1.0, 1.0, 1.0, 1.0], "Relu Conv2d Conv2d Add".into()));
    let per_element = model.floats("s", &[1, 2], &[0.5, 0.0]);
    assert_eq!(per_element.run(&[-2.0, -2.0, -4.0, 1.0]).0, [-1.0, 0.0, -2.0, 1.0]);
    assert_eq!(unary("ThresholdedRelu", vec![float("alpha", 0.0)]).run(&X), (vec![0.0, 0.0, 0.5, 4.0], "Relu".into()));
}

/// The slack of all nodes that have some.
fn slack(model: &Model) -> Vec<Slack> {
    let network = model.read().unwrap();
    let of = |op: &Op| match op {
        Op::Conv2d(conv) => conv.slack.clone(),
        _ => None,
    };
    network.nodes().iter().filter_map(|n| of(&n.op)).collect()
}

#[test]
fn what_rounds_says_so() {
    // An f32 from 1 has 24 + 7 bits at most here, which an f64 holds.
    assert_eq!(slack(&unary("LeakyRelu", vec![float("alpha", 0.01)])), []);
    let [of_rest] = slack(&unary("LeakyRelu", vec![float("alpha", 1e-20)])).try_into().unwrap();
    assert!(of_rest.weight.iter().all(|&e| e > 0.9e-20 && e < 1e-15), "{of_rest:?}");
    let clip = |lower, upper| {
        let model = Model::new(&[1, 4]).node("Clip", &["x", "a", "b"], "y", vec![]);
        let model = model.change(|m| m.graph.as_mut().unwrap().input[0] = value("x", DataType::Double, &[1, 4]));
        model.tensor(scalar("a", lower)).tensor(scalar("b", upper))
    };
    assert_eq!(slack(&clip(-0.25, 6.0)), []);
    let [of_width] = slack(&clip(-0.1, 1e-9)).try_into().unwrap();
    assert!(of_width.bias.iter().all(|&e| e > 0.0 && e < 1e-6) && of_width.weight == [0.0; 4], "{of_width:?}");
    let mean = Model::new(&[1, 4]).node("Mean", &["x", "x", "x"], "y", vec![]);
    assert!(slack(&mean)[0].weight[0] > 0.0);
    let rewrites = mean.read().unwrap().rewrites().to_vec();
    assert!(rewrites[0].rounds && rewrites[0].from == "Mean");
}

/// Exact over the reals is not enough: floats that compute `c - (c - x)` of a far `c` lose `x`.
#[test]
fn far_bounds_do_not_swallow_the_value() {
    let run = |operator, bounds: &[f32]| {
        let names: Vec<String> = (0..bounds.len()).map(|k| format!("c{k}")).collect();
        let inputs: Vec<&str> = std::iter::once("x").chain(names.iter().map(String::as_str)).collect();
        let model = Model::new(&[1, 3]).node(operator, &inputs, "y", vec![]);
        let model = names.iter().zip(bounds).fold(model, |model, (name, &c)| model.floats(name, &[], &[c]));
        model.run(&[0.1, -0.7, 3e6]).0
    };
    assert_eq!(run("Clip", &[-1e30, 1e6]), [0.1, -0.7, 1e6]);
    assert_eq!(run("Clip", &[0.0, 1e6]), [0.1, 0.0, 1e6]);
    assert_eq!(run("Max", &[-1e30]), [0.1, -0.7, 3e6]);
    assert_eq!(run("Min", &[1e6]), [0.1, -0.7, 1e6]);
}

#[test]
fn clipping() {
    let clip = |bounds: &[&str]| {
        let inputs = [&["x"], bounds].concat();
        let model = Model::new(&[1, 4]).node("Clip", &inputs, "y", vec![]);
        let model = model.floats("low", &[], &[-1.0]).floats("high", &[], &[0.25]).floats("zero", &[], &[0.0]);
        model.floats("most", &[], &[f32::MAX]).floats("least", &[], &[f32::NEG_INFINITY]).run(&X)
    };
    assert_eq!(clip(&["low", "high"]).0, [-1.0, -0.5, 0.25, 0.25]);
    assert_eq!(clip(&["low"]).0, [-1.0, -0.5, 0.5, 4.0]);
    assert_eq!(clip(&["", "high"]).0, [-2.0, -0.5, 0.25, 0.25]);
    assert_eq!(clip(&["zero", "most"]), (vec![0.0, 0.0, 0.5, 4.0], "Relu".into()));
    assert_eq!(clip(&["least", "most"]), (X.to_vec(), String::new()));
    // The upper bound wins.
    assert_eq!(clip(&["high", "low"]).0, [-1.0; 4]);
    let old = |attributes| unary("Clip", attributes).opset(10).run(&X).0;
    assert_eq!(old(vec![float("min", 0.0), float("max", 1.0)]), [0.0, 0.0, 0.5, 1.0]);
    assert_eq!(old(vec![]), X);
    let hard = unary("HardSigmoid", vec![float("alpha", 0.5), float("beta", 0.25)]);
    assert_eq!(hard.run(&X).0, [0.0, 0.0, 0.5, 1.0]);
}

#[test]
fn a_clip_folds_into_the_layer_in_front() {
    let model = Model::new(&[1, 2]).node("Gemm", &["x", "w"], "h", vec![]).node("Clip", &["h", "a", "b"], "y", vec![]);
    let model = model.floats("w", &[2, 2], &[1.0, 2.0, 3.0, 4.0]).floats("a", &[], &[0.0]).floats("b", &[], &[6.0]);
    let network = model.read().unwrap();
    let Op::Dense(dense) = &network.nodes()[1].op else { panic!("a dense layer") };
    assert_eq!(dense.bias.to_f64(), [6.0, 6.0]);
    assert_eq!(dense.weight.to_f64(), [-1.0, -3.0, -2.0, -4.0]);
    assert_eq!(model.run(&[1.0, 1.0]).0, [4.0, 6.0]);
}

#[test]
fn absolute_values_and_extremes() {
    assert_eq!(unary("Abs", vec![]).run(&X).0, [2.0, 0.5, 0.5, 4.0]);
    let run = |operator, inputs: &[&str]| {
        let model = Model::new(&[1, 4]).node("Neg", &["x"], "n", vec![]).node(operator, inputs, "y", vec![]);
        model.floats("c", &[4], &[0.0, 0.0, 1.0, 1.0]).floats("d", &[1, 1], &[0.25]).run(&X).0
    };
    assert_eq!(run("Max", &["x"]), X);
    assert_eq!(run("Max", &["x", "n"]), [2.0, 0.5, 0.5, 4.0]);
    assert_eq!(run("Min", &["n", "x"]), [-2.0, -0.5, -0.5, -4.0]);
    assert_eq!(run("Max", &["c", "x", "d"]), [0.25, 0.25, 1.0, 4.0]);
    assert_eq!(run("Min", &["c", "x", "d", "n"]), [-2.0, -0.5, -0.5, -4.0]);
    assert_eq!(run("Min", &["c", "x", "d"]), [-2.0, -0.5, 0.25, 0.25]);
    assert_eq!(run("Sum", &["c", "x", "d", "x"]), [-3.75, -0.75, 2.25, 9.25]);
    assert_eq!(run("Mean", &["c", "x", "d", "x"]), [-0.9375, -0.1875, 0.5625, 2.3125]);
    // Constants alone stay constant.
    let model = Model::new(&[1, 4]).node("Max", &["c", "d"], "e", vec![]).node("Add", &["x", "e"], "y", vec![]);
    let model = model.floats("c", &[2, 1], &[0.0, 1.0]).floats("d", &[], &[0.5]);
    assert_eq!(model.run(&[0.0; 4]).0, [0.5, 0.5, 0.5, 0.5, 1.0, 1.0, 1.0, 1.0]);
}

#[test]
fn transposed_convolutions() {
    let run = |attributes| {
        let model = Model::new(&[1, 1, 3]).node("ConvTranspose", &["x", "w", "b"], "y", attributes);
        model.floats("w", &[1, 1, 2], &[1.0, 10.0]).floats("b", &[1], &[0.5]).run(&[1.0, 2.0, 3.0])
    };
    assert_eq!(run(vec![]), (vec![1.5, 12.5, 23.5, 30.5], "Gather Conv2d".into()));
    assert_eq!(run(vec![ints("strides", &[2])]).0, [1.5, 10.5, 2.5, 20.5, 3.5, 30.5]);
    assert_eq!(run(vec![ints("strides", &[3])]).0, [1.5, 10.5, 0.5, 2.5, 20.5, 0.5, 3.5, 30.5]);
    assert_eq!(run(vec![ints("dilations", &[2])]).0, [1.5, 2.5, 13.5, 20.5, 30.5]);
    // More is cut than the kernel puts around.
    assert_eq!(run(vec![ints("strides", &[2]), ints("pads", &[2, 1])]).0, [2.5, 20.5, 3.5]);
    assert_eq!(run(vec![ints("strides", &[2]), ints("output_padding", &[1])]).0[6..], [0.5]);
    assert_eq!(run(vec![ints("output_shape", &[3])]).0, [12.5, 23.5, 30.5]);
    assert_eq!(run(vec![text("auto_pad", "SAME_UPPER")]).0, [1.5, 12.5, 23.5]);
    // Two inputs and two outputs, one kernel each way.
    let model = Model::new(&[1, 2, 1, 1]).node("ConvTranspose", &["x", "w"], "y", vec![]);
    let model = model.floats("w", &[2, 2, 1, 1], &[1.0, 2.0, 3.0, 4.0]);
    assert_eq!(model.run(&[1.0, 10.0]), (vec![31.0, 42.0], "Conv2d".into()));
}

#[test]
fn reductions() {
    let x: Vec<f32> = (0..12).map(|v| v as f32).collect();
    let run = |operator, dims: &[i64], axes: &[i64]| {
        let attributes = vec![ints("axes", axes), int("keepdims", 0)];
        Model::new(dims).opset(12).node(operator, &["x"], "y", attributes).run(&x)
    };
    // The axes of an image need no index map.
    assert_eq!(run("ReduceSum", &[1, 3, 2, 2], &[2, 3]), (vec![6.0, 22.0, 38.0], "Conv2d".into()));
    assert_eq!(run("ReduceMean", &[1, 3, 2, 2], &[-1]), (vec![0.5, 2.5, 4.5, 6.5, 8.5, 10.5], "Conv2d".into()));
    assert_eq!(run("ReduceMax", &[1, 3, 2, 2], &[0, 3, 2]), (vec![3.0, 7.0, 11.0], "MaxPool".into()));
    // Others take another shape of the same order, or, if they are apart, an order of their own: one map either way.
    assert_eq!(run("ReduceSum", &[1, 3, 2, 2], &[1]), (vec![12.0, 15.0, 18.0, 21.0], "Gather Conv2d".into()));
    assert_eq!(run("ReduceMin", &[1, 3, 4], &[1]).0, [0.0, 1.0, 2.0, 3.0]);
    assert_eq!(run("ReduceSum", &[1, 3, 2, 2], &[1, 3]), (vec![27.0, 39.0], "Gather Conv2d".into()));
    assert_eq!(run("ReduceMax", &[2, 3, 2], &[1]).0, [4.0, 5.0, 10.0, 11.0]);
    assert_eq!(run("ReduceSum", &[1, 12], &[0]), (x.clone(), String::new()));
    let newer = |inputs: &[&str], attributes| {
        let model = Model::new(&[1, 12]).opset(18).node("ReduceMax", inputs, "y", attributes);
        model.int64s("none", &[]).int64s("one", &[1]).run(&x).0
    };
    assert_eq!(newer(&["x"], vec![]), [11.0]);
    assert_eq!(newer(&["x", "one"], vec![]), [11.0]);
    assert_eq!(newer(&["x", "none"], vec![]), [11.0]);
    assert_eq!(newer(&["x", "none"], vec![int("noop_with_empty_axes", 1)]), x);
    let global = |operator| Model::new(&[1, 3, 4]).node(operator, &["x"], "y", vec![]).run(&x).0;
    assert_eq!(global("GlobalMaxPool"), [3.0, 7.0, 11.0]);
    assert_eq!(global("GlobalAveragePool"), [1.5, 5.5, 9.5]);
}

#[test]
fn sequences_are_images_of_one_row() {
    let model = Model::new(&[1, 1, 5]).node("Conv", &["x", "w"], "c", vec![ints("pads", &[1, 0])]);
    let model =
        model.node("Add", &["c", "b"], "d", vec![]).node("MaxPool", &["d"], "y", vec![ints("kernel_shape", &[2])]);
    let model = model.floats("w", &[2, 1, 2], &[1.0, 10.0, 0.0, 1.0]).floats("b", &[2, 1], &[0.5, 0.25]);
    let (y, operators) = model.run(&[1.0, 2.0, 3.0, 4.0, 5.0]);
    assert_eq!(y, [21.5, 32.5, 43.5, 54.5, 2.25, 3.25, 4.25, 5.25]);
    assert_eq!(operators, "Gather Conv2d MaxPool", "what is added per channel folds into the convolution");
}

#[test]
fn partial_and_dilated_averages() {
    let run = |attributes: &[AttributeProto]| {
        let attributes = [&[ints("kernel_shape", &[1, 2])], attributes].concat();
        Model::new(&[1, 1, 1, 3]).opset(19).node("AveragePool", &["x"], "y", attributes).run(&[2.0, 4.0, 12.0]).0
    };
    let ceil = [ints("strides", &[1, 2]), int("ceil_mode", 1)];
    // The second window has one element; what ceil_mode adds never counts.
    assert_eq!(run(&ceil), [3.0, 12.0]);
    assert_eq!(run(&[&ceil[..], &[int("count_include_pad", 1)]].concat()), [3.0, 12.0]);
    let padded = [&ceil[..], &[ints("pads", &[0, 0, 0, 1])]].concat();
    assert_eq!(run(&padded), [3.0, 12.0]);
    assert_eq!(run(&[&padded[..], &[int("count_include_pad", 1)]].concat()), [3.0, 6.0]);
    assert_eq!(run(&[ints("dilations", &[1, 2])]), [7.0]);
}

#[test]
fn padding() {
    let run = |mode: &'static str, pads: &[i64]| {
        let attributes = if mode.is_empty() { vec![] } else { vec![text("mode", mode)] };
        let model = Model::new(&[1, 3]).opset(19).node("Pad", &["x", "p", "v", "a"], "y", attributes);
        model.int64s("p", pads).int64s("a", &[1]).floats("v", &[], &[7.0]).run(&[1.0, 2.0, 3.0])
    };
    assert_eq!(run("", &[1, 2]).0, [7.0, 1.0, 2.0, 3.0, 7.0, 7.0]);
    assert_eq!(run("constant", &[-1, 1]).0, [2.0, 3.0, 7.0]);
    assert_eq!(run("", &[-1, -1]), (vec![2.0], "Gather".into()));
    assert_eq!(run("reflect", &[1, 2]), (vec![2.0, 1.0, 2.0, 3.0, 2.0, 1.0], "Gather".into()));
    assert_eq!(run("edge", &[2, 1]).0, [1.0, 1.0, 1.0, 2.0, 3.0, 3.0]);
    assert_eq!(run("wrap", &[1, 4]).0, [3.0, 1.0, 2.0, 3.0, 1.0, 2.0, 3.0, 1.0]);
}

fn refused() -> Vec<(&'static str, Model)> {
    let binary = |operator, constant: TensorProto| {
        let name = constant.name().to_owned();
        Model::new(&[1, 4]).node(operator, &["x", &name], "y", vec![]).tensor(constant)
    };
    let image = |operator, attributes| Model::new(&[1, 1, 4, 4]).node(operator, &["x"], "y", attributes);
    let kernel = || ints("kernel_shape", &[2, 2]);
    let transposed = |attributes| {
        let model = Model::new(&[1, 1, 3]).node("ConvTranspose", &["x", "w"], "y", attributes);
        model.floats("w", &[1, 1, 2], &[1.0, 10.0])
    };
    let pad = |mode, pads: &[i64]| {
        Model::new(&[1, 3]).node("Pad", &["x", "p"], "y", vec![text("mode", mode)]).int64s("p", pads)
    };
    let volume = |operator, inputs: &[&str]| {
        let attributes = if operator == "Conv" { vec![] } else { vec![ints("kernel_shape", &[2, 2, 2])] };
        let model = Model::new(&[1, 1, 4, 4, 4]).node(operator, inputs, "y", attributes);
        model.floats("w", &[1, 1, 2, 2, 2], &[1.0; 8])
    };
    vec![
        ("a sign", unary("Sign", vec![])),
        ("an argmax", unary("ArgMax", vec![])),
        ("a comparison", binary("Greater", floats("c", &[], &[0.0]))),
        ("a threshold", unary("ThresholdedRelu", vec![])),
        ("a threshold below", unary("ThresholdedRelu", vec![float("alpha", -1.0)])),
        ("a slope that is computed", Model::new(&[1, 4]).node("PRelu", &["x", "x"], "y", vec![])),
        ("a slope that does not fit", binary("PRelu", floats("s", &[3], &[0.5; 3]))),
        ("a slope that is larger", binary("PRelu", floats("s", &[2, 4], &[0.5; 8]))),
        ("an infinite slope", unary("LeakyRelu", vec![float("alpha", f32::INFINITY)])),
        ("a bound that is computed", Model::new(&[1, 4]).node("Clip", &["x", "x"], "y", vec![])),
        ("two bounds at once", binary("Clip", floats("c", &[2], &[0.0; 2]))),
        ("a lower bound of infinity", binary("Clip", floats("c", &[], &[f32::INFINITY]))),
        ("a bound that is no number", unary("Clip", vec![float("max", f32::NAN)]).opset(9)),
        ("a bound of integers", binary("Clip", int64s("c", &[], &[0]))),
        ("a maximum of nothing", Model::new(&[1, 4]).node("Max", &[], "y", vec![])),
        ("a maximum with a gap", Model::new(&[1, 4]).node("Max", &["x", "", "x"], "y", vec![])),
        ("a maximum of integers", binary("Max", int64s("c", &[], &[0]))),
        ("an infinite maximum", binary("Max", floats("c", &[], &[f32::INFINITY]))),
        ("a sum that does not fit", binary("Sum", floats("c", &[3], &[0.0; 3]))),
        ("an axis twice", unary("ReduceSum", vec![ints("axes", &[1, -1])]).opset(11)),
        ("an axis out of range", unary("ReduceMax", vec![ints("axes", &[2])])),
        ("axes that are computed", Model::new(&[1, 4]).node("ReduceSum", &["x", "x"], "y", vec![])),
        ("axes of an older opset", unary("ReduceMean", vec![ints("axes", &[1])]).opset(18)),
        ("a reduction that is none", unary("ReduceProd", vec![])),
        ("a global pool of a vector", unary("GlobalMaxPool", vec![])),
        ("a convolution in three dimensions", volume("Conv", &["x", "w"])),
        ("a pool in three dimensions", volume("MaxPool", &["x"])),
        ("a batch of sequences", Model::new(&[2, 1, 4]).node("MaxPool", &["x"], "y", vec![ints("kernel_shape", &[2])])),
        ("pads for a larger output", transposed(vec![ints("output_shape", &[9])])),
        ("pads for an output without", transposed(vec![ints("output_shape", &[3]), ints("pads", &[1, 0])])),
        ("pads that leave nothing", transposed(vec![ints("pads", &[9, 0])])),
        ("a huge stride", transposed(vec![ints("strides", &[1 << 40])])),
        ("groups that do not divide", transposed(vec![int("group", 2)])),
        ("a kernel for another rank", transposed(vec![ints("kernel_shape", &[1, 2])])),
        (
            "rounded up without padding",
            image(
                "AveragePool",
                vec![kernel(), ints("strides", &[3, 3]), text("auto_pad", "VALID"), int("ceil_mode", 1)],
            ),
        ),
        (
            "dilations with automatic padding",
            image("MaxPool", vec![kernel(), ints("dilations", &[2, 2]), text("auto_pad", "SAME_UPPER")]),
        ),
        ("dilated averages of an old opset", image("AveragePool", vec![kernel(), ints("dilations", &[2, 2])])),
        ("an average of padding alone", image("AveragePool", vec![kernel(), ints("pads", &[2, 0, 0, 0])])),
        ("a reflection that is too wide", pad("reflect", &[0, 3, 0, 0])),
        ("an edge of nothing", pad("edge", &[0, -3, 0, 1])),
        ("wrapping in an old opset", pad("wrap", &[0, 1, 0, 0])),
        ("an unknown mode", pad("mirror", &[0, 1, 0, 0])),
    ]
}

#[test]
fn messages() {
    let mut listing = String::new();
    for (title, model) in refused() {
        let message = match model.read() {
            Ok(_) => panic!("{title}: was read"),
            Err(error) => error.to_string(),
        };
        writeln!(listing, "{title}\n    {message}").unwrap();
    }
    insta::assert_snapshot!(listing);
}
