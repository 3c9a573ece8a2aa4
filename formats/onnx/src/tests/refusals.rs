//! What is refused, and in which words.

use super::*;
use std::fmt::Write as _;

fn unary(operator: &str, attributes: Vec<AttributeProto>) -> Model {
    Model::new(&[1, 2]).node(operator, &["x"], "y", attributes)
}

fn image(operator: &str, attributes: Vec<AttributeProto>) -> Model {
    Model::new(&[1, 1, 4, 4]).node(operator, &["x"], "y", attributes)
}

fn conv(attributes: Vec<AttributeProto>) -> Model {
    let model = Model::new(&[1, 1, 4, 4]).node("Conv", &["x", "w"], "y", attributes);
    model.floats("w", &[1, 1, 2, 2], &[1.0; 4])
}

fn with(operator: &str, constant: TensorProto) -> Model {
    let name = constant.name().to_owned();
    Model::new(&[1, 2]).node(operator, &["x", &name], "y", vec![]).tensor(constant)
}

fn relu() -> Model {
    unary("Relu", vec![])
}

fn graph(change: impl FnOnce(&mut GraphProto)) -> Model {
    relu().change(|m| change(m.graph.as_mut().unwrap()))
}

fn cases() -> Vec<(&'static str, Model)> {
    let kernel = || ints("kernel_shape", &[2, 2]);
    vec![
        ("sigmoid", unary("Sigmoid", vec![]).opset(17)),
        ("an operator that does not exist", unary("Frobnicate", vec![])),
        ("another domain", relu().change(|m| m.graph.as_mut().unwrap().node[0].domain = Some("com.microsoft".into()))),
        ("a product of two values", Model::new(&[1, 2]).node("Mul", &["x", "x"], "y", vec![])),
        ("a softmax inside", unary("Softmax", vec![]).node("Relu", &["y"], "z", vec![]).output("z")),
        ("a softmax over channels", image("Softmax", vec![int("axis", 1)])),
        ("division by a value", Model::new(&[1, 2]).node("Div", &["c", "x"], "y", vec![]).floats("c", &[], &[1.0])),
        ("division by zero", with("Div", floats("c", &[2], &[1.0, 0.0]))),
        ("an unknown attribute", unary("Relu", vec![int("leak", 1)])),
        ("an attribute of a later opset", image("MaxPool", vec![kernel(), int("ceil_mode", 1)]).opset(9)),
        ("an attribute of the wrong type", unary("Flatten", vec![float("axis", 1.0)])),
        ("an attribute given twice", unary("Flatten", vec![int("axis", 1), int("axis", 0)])),
        (
            "a flag that is none",
            Model::new(&[1, 2]).node("Gemm", &["x", "w"], "y", vec![int("transB", 2)]).floats("w", &[2, 2], &[0.0; 4]),
        ),
        (
            "an infinite attribute",
            Model::new(&[1, 2]).node("Gemm", &["x", "w"], "y", vec![float("alpha", f32::INFINITY)]).floats(
                "w",
                &[2, 2],
                &[0.0; 4],
            ),
        ),
        ("an axis out of range", unary("Flatten", vec![int("axis", 3)])),
        ("an unknown padding", conv(vec![text("auto_pad", "SAME")])),
        ("padding twice", conv(vec![text("auto_pad", "VALID"), ints("pads", &[1, 1, 1, 1])])),
        ("negative padding", conv(vec![ints("pads", &[-1, 0, 0, 0])])),
        ("a stride of zero", conv(vec![ints("strides", &[0, 1])])),
        ("a huge dilation", conv(vec![ints("dilations", &[1, i64::MAX])])),
        ("another kernel than the weights", conv(vec![ints("kernel_shape", &[3, 3])])),
        ("a window larger than the image", conv(vec![ints("dilations", &[9, 9])])),
        ("groups that do not divide", conv(vec![int("group", 3)])),
        ("a negative group", conv(vec![int("group", -1)])),
        ("no kernel", image("MaxPool", vec![])),
        ("three-dimensional pooling", image("MaxPool", vec![ints("kernel_shape", &[2, 2, 2])])),
        ("a window in the padding", image("MaxPool", vec![kernel(), ints("pads", &[2, 0, 0, 0])])),
        (
            "indices of a max-pool",
            image("MaxPool", vec![kernel()])
                .change(|m| m.graph.as_mut().unwrap().node[0].output.push("i".into()))
                .node("Relu", &["i"], "z", vec![])
                .output("z"),
        ),
        ("pooling a vector", unary("MaxPool", vec![kernel()])),
        ("a batch of images", Model::new(&[4, 1, 2, 2]).node("MaxPool", &["x"], "y", vec![kernel()])),
        ("weights that do not fit", with("MatMul", floats("w", &[3, 2], &[0.0; 6]))),
        ("weights that are computed", Model::new(&[1, 2]).node("Gemm", &["x", "x"], "y", vec![])),
        (
            "a bias that does not fit",
            Model::new(&[1, 2]).node("Gemm", &["x", "w", "c"], "y", vec![]).floats("w", &[2, 2], &[0.0; 4]).floats(
                "c",
                &[2, 1],
                &[0.0; 2],
            ),
        ),
        ("shapes that do not broadcast", with("Add", floats("c", &[3], &[0.0; 3]))),
        ("a shape that does not fit", with("Reshape", int64s("s", &[1], &[3]))),
        ("a permutation that is none", unary("Transpose", vec![ints("perm", &[0, 0])])),
        (
            "an index out of range",
            Model::new(&[1, 2]).node("Gather", &["x", "i"], "y", vec![int("axis", 1)]).int64s("i", &[2]),
        ),
        (
            "training",
            Model::new(&[1, 2])
                .node("Dropout", &["x", "", "t"], "y", vec![])
                .tensor(TensorProto { int32_data: vec![1], ..tensor("t", DataType::Bool, &[]) }),
        ),
        (
            "a negative variance",
            Model::new(&[1, 1]).node("BatchNormalization", &["x", "v", "v", "v", "v"], "y", vec![]).floats(
                "v",
                &[1],
                &[-1.0],
            ),
        ),
        (
            "a rounding constant",
            Model::new(&[1, 2])
                .node("Mul", &["c", "d"], "e", vec![])
                .node("Add", &["x", "e"], "y", vec![])
                .tensor(TensorProto { double_data: vec![0.1], ..tensor("c", DataType::Double, &[]) })
                .floats("d", &[], &[0.3]),
        ),
        ("too many inputs", Model::new(&[1, 2]).node("Relu", &["x", "x"], "y", vec![])),
        ("too few inputs", Model::new(&[1, 2]).node("Add", &["x"], "y", vec![])),
        ("no output of a node", graph(|g| g.node[0].output.clear())),
        ("a missing tensor", Model::new(&[1, 2]).node("Relu", &["z"], "y", vec![])),
        ("a cycle", Model::new(&[1, 2]).node("Add", &["x", "y"], "y", vec![])),
        ("a tensor given twice", relu().node("Relu", &["x"], "y", vec![])),
        ("an initialiser given twice", relu().floats("c", &[], &[0.0]).floats("c", &[], &[0.0])),
        ("not a number", with("Add", floats("c", &[1], &[f32::NAN]))),
        ("an infinite weight", with("MatMul", floats("w", &[2, 1], &[0.0, f32::INFINITY]))),
        ("too few numbers", with("Add", floats("c", &[2], &[0.0]))),
        ("a shape that overflows", with("Add", floats("c", &[i64::MAX, i64::MAX], &[0.0]))),
        ("a huge shape without data", with("Add", floats("c", &[1 << 40], &[]))),
        ("a negative extent", with("Add", floats("c", &[-1], &[0.0]))),
        ("half precision", with("Add", tensor("c", DataType::Float16, &[1]))),
        ("integer weights", with("Add", int64s("c", &[1], &[1]))),
        (
            "raw data of the wrong length",
            with("Add", TensorProto { raw_data: Some(vec![0; 3].into()), ..tensor("c", DataType::Float, &[1]) }),
        ),
        (
            "data in two places",
            with("Add", TensorProto { raw_data: Some(vec![0; 4].into()), ..floats("c", &[1], &[1.0]) }),
        ),
        (
            "external data from memory",
            with("Add", TensorProto { data_location: Some(1), ..tensor("c", DataType::Float, &[1]) }),
        ),
        ("an old opset", relu().opset(6)),
        ("a future opset", relu().opset(99)),
        ("no opset", relu().change(|m| m.opset_import.clear())),
        ("a future IR", relu().change(|m| m.ir_version = Some(99))),
        ("no graph", relu().change(|m| m.graph = None)),
        ("functions", relu().change(|m| m.functions.push(FunctionProto::default()))),
        (
            "two inputs",
            Model::new(&[1, 2])
                .node("Add", &["x", "z"], "y", vec![])
                .change(|m| m.graph.as_mut().unwrap().input.push(value("z", DataType::Float, &[1]))),
        ),
        ("no input", graph(|g| g.input.clear())),
        ("two outputs", graph(|g| g.output.push(value("x", DataType::Float, &[1])))),
        ("an output that nothing gives", graph(|g| g.output[0].name = Some("z".into()))),
        ("a constant output", graph(|g| g.output[0].name = Some("c".into())).floats("c", &[], &[0.0])),
        ("an input of integers", graph(|g| g.input[0] = value("x", DataType::Uint8, &[1, 2]))),
        ("an open extent", graph(|g| g.input[0] = value("x", DataType::Float, &[1, -1]))),
        ("an open vector", graph(|g| g.input[0] = value("x", DataType::Float, &[-1]))),
        ("a huge input", graph(|g| g.input[0] = value("x", DataType::Float, &[1, i64::MAX, i64::MAX]))),
        ("a sparse initialiser", graph(|g| g.sparse_initializer.push(SparseTensorProto::default()))),
    ]
}

#[test]
fn messages() {
    let mut listing = String::new();
    for (title, model) in cases() {
        let message = match model.read() {
            Ok(_) => panic!("{title}: was read"),
            Err(error) => error.to_string(),
        };
        writeln!(listing, "{title}\n    {message}").unwrap();
    }
    insta::assert_snapshot!(listing);
}

#[test]
fn every_unsupported_node_is_listed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.onnx");
    let model =
        unary("Tanh", vec![]).node("Relu", &["y"], "z", vec![]).node("Frobnicate", &["z"], "w", vec![]).output("w");
    std::fs::write(&path, model.bytes()).unwrap();
    let found = crate::unsupported(&path, None).unwrap();
    let listed: Vec<_> =
        found.iter().map(|u| format!("{} {} {}: {}", u.node, u.operator, u.opset, u.problem)).collect();
    assert_eq!(
        listed,
        [
            "/y/Tanh Tanh 13: not piecewise linear; the network is refused, not approximated",
            "/w/Frobnicate Frobnicate 13: this operator is not supported",
        ]
    );
}
