//! Shapes that a graph computes, and operators that move elements.

use super::*;

fn bools(name: &str, dims: &[i64], values: &[i32]) -> TensorProto {
    TensorProto { int32_data: values.to_vec(), ..tensor(name, DataType::Bool, dims) }
}

/// `x.view(x.size(0), -1)` as the tracing exporter writes it.
#[test]
fn a_computed_shape() {
    let model = Model::new(&[1, 2, 3])
        .node("Shape", &["x"], "s", vec![])
        .node("Gather", &["s", "zero"], "n", vec![])
        .node("Unsqueeze", &["n", "axes"], "n1", vec![])
        .node("Concat", &["n1", "rest"], "shape", vec![int("axis", 0)])
        .node("Reshape", &["x", "shape"], "y", vec![])
        .tensor(int64s("zero", &[], &[0]))
        .int64s("axes", &[0])
        .int64s("rest", &[-1]);
    let network = model.read().unwrap();
    assert_eq!(network.node(network.output()).shape.dims(), [6]);
    assert_eq!(model.run(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).0, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
}

/// Half of the last axis by integer arithmetic, as chunks are cut.
#[test]
fn integer_arithmetic() {
    let model = Model::new(&[1, 7])
        .opset(15)
        .node("Shape", &["x"], "s", vec![int("start", -1)])
        .node("Add", &["s", "one"], "t", vec![])
        .node("Div", &["t", "two"], "half", vec![])
        .node("Mod", &["s", "four"], "rest", vec![])
        .node("Cast", &["rest"], "f", vec![int("to", 1)])
        .node("Cast", &["f"], "i", vec![int("to", 7)])
        .node("Slice", &["x", "i", "half", "one"], "y", vec![])
        .int64s("one", &[1])
        .int64s("two", &[2])
        .int64s("four", &[4]);
    assert_eq!(model.run(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).0, [3.0]);
    let by_zero = Model::new(&[1, 1]).node("Div", &["a", "b"], "c", vec![]).node("Reshape", &["x", "c"], "y", vec![]);
    let by_zero = by_zero.int64s("a", &[i64::MIN]).int64s("b", &[0]);
    assert!(by_zero.read().unwrap_err().to_string().contains("divided by zero"));
    let overflow = Model::new(&[1, 1]).node("Mul", &["a", "a"], "c", vec![]).node("Reshape", &["x", "c"], "y", vec![]);
    assert!(overflow.int64s("a", &[i64::MIN]).read().unwrap_err().to_string().contains("overflows"));
}

/// `torch.zeros(...)`, `expand(-1, ...)` and `arange`, as the tracing exporter writes them.
#[test]
fn filled_constants_and_choices() {
    let model = Model::new(&[1, 4])
        .node(
            "ConstantOfShape",
            &["four"],
            "ones",
            vec![AttributeProto { t: Some(floats("v", &[1], &[1.5])), ..attribute("value", AttributeType::Tensor) }],
        )
        .node("Range", &["start", "limit", "delta"], "r", vec![])
        .node("Equal", &["r", "five"], "e", vec![])
        .node("Not", &["e"], "ne", vec![])
        .node("Where", &["ne", "x", "ones"], "y", vec![])
        .int64s("four", &[4])
        .tensor(int64s("start", &[], &[1]))
        .tensor(int64s("limit", &[], &[8]))
        .tensor(int64s("delta", &[], &[2]))
        .tensor(int64s("five", &[], &[5]));
    assert_eq!(model.run(&[-1.0, -2.0, -3.0, -4.0]).0, [-1.0, -2.0, 1.5, -4.0]);
    let two = Model::new(&[1, 2]).node("Neg", &["x"], "n", vec![]).node("Where", &["c", "n", "x"], "y", vec![]);
    assert_eq!(two.tensor(bools("c", &[2], &[0, 1])).run(&[5.0, 7.0]).0, [5.0, -7.0]);
    let empty = |limit| {
        let model = Model::new(&[1, 2]).node("Range", &["a", "b", "d"], "r", vec![]);
        let model = model.node("Gather", &["x", "r"], "y", vec![int("axis", 1)]).tensor(int64s("a", &[], &[0]));
        model.tensor(int64s("b", &[], &[limit])).tensor(int64s("d", &[], &[1])).read()
    };
    assert!(empty(2).is_ok() && empty(-3).is_err() && empty(i64::MAX).is_err());
}

#[test]
fn slices() {
    let run = |opset: i64, attributes, inputs: &[&str]| {
        let model = Model::new(&[1, 3, 4]).opset(opset).node("Slice", inputs, "y", attributes);
        let model = model.int64s("s", &[-1, 1]).int64s("e", &[i64::MIN, 9]).int64s("a", &[1, -1]).int64s("t", &[-2, 2]);
        model.run(&(0..12).map(|v| v as f32).collect::<Vec<_>>()).0
    };
    assert_eq!(run(13, vec![], &["x", "s", "e", "a", "t"]), [9.0, 11.0, 1.0, 3.0]);
    let attributes = vec![ints("starts", &[1, 0]), ints("ends", &[3, -2]), ints("axes", &[1, 2])];
    assert_eq!(run(9, attributes, &["x"]), [4.0, 5.0, 8.0, 9.0]);
    let empty = Model::new(&[1, 3]).node("Slice", &["x", "e", "e", "e"], "y", vec![]).int64s("e", &[1]);
    assert!(empty.read().is_err());
}

#[test]
fn splits() {
    let run = |opset: i64, attributes, inputs: &[&str], outputs: &[&str]| {
        let model = Model::new(&[1, 5]).opset(opset).node("Split", inputs, "a", attributes).change(|m| {
            m.graph.as_mut().unwrap().node[0].output = outputs.iter().map(|&o| o.into()).collect();
        });
        let model = model.int64s("s", &[1, 4]).node("Neg", &["b"], "y", vec![]);
        model.read().map(|n| n.forward(&[1.0f32, 2.0, 3.0, 4.0, 5.0]).unwrap()).map_err(|e| e.to_string())
    };
    assert_eq!(run(13, vec![int("axis", 1)], &["x", "s"], &["a", "b"]).unwrap(), [-2.0, -3.0, -4.0, -5.0]);
    let attributes = || vec![int("axis", -1), ints("split", &[4, 1])];
    assert_eq!(run(11, attributes(), &["x"], &["a", "b"]).unwrap(), [-5.0]);
    let counted = vec![int("axis", 1), int("num_outputs", 3)];
    assert_eq!(run(18, counted, &["x"], &["a", "c", "b"]).unwrap(), [-5.0]);
    assert!(run(13, vec![int("axis", 1)], &["x"], &["a", "b"]).unwrap_err().contains("is no division of 5 into 2"));
}

/// Channels cut and joined again in another order, in NHWC, with a constant between.
#[test]
fn concatenations() {
    let model = Model::new(&[1, 1, 2, 2])
        .node("Relu", &["x"], "r", vec![])
        .node("Concat", &["r", "c", "x"], "y", vec![int("axis", 1)])
        .floats("c", &[1, 1, 2, 2], &[7.0, 8.0, 9.0, 10.0]);
    let (y, operators) = model.run(&[-1.0, 2.0, -3.0, 4.0]);
    assert_eq!(y, [0.0, 2.0, 0.0, 4.0, 7.0, 8.0, 9.0, 10.0, -1.0, 2.0, -3.0, 4.0]);
    assert_eq!(operators, "Relu Gather Gather Add Gather Conv2d Gather", "no dense layer");
    // Two transposed values are joined where they lie.
    let nhwc = Model::new(&[1, 1, 2, 2])
        .node("Conv", &["x", "w"], "h", vec![])
        .node("Transpose", &["h"], "t", vec![ints("perm", &[0, 2, 3, 1])])
        .node("Relu", &["t"], "r", vec![])
        .node("Concat", &["t", "r"], "k", vec![int("axis", -1)])
        .node("Transpose", &["k"], "y", vec![ints("perm", &[0, 3, 1, 2])])
        .floats("w", &[2, 1, 1, 1], &[1.0, -1.0]);
    let (y, operators) = nhwc.run(&[1.0, 2.0, 3.0, -4.0]);
    assert_eq!(y[..8], [1.0, 2.0, 3.0, -4.0, -1.0, -2.0, -3.0, 4.0]);
    assert_eq!(y[8..], [1.0, 2.0, 3.0, 0.0, 0.0, 0.0, 0.0, 4.0]);
    assert_eq!(operators, "Conv2d Relu Gather Gather Add");
}

#[test]
fn expansions_and_blocks() {
    let run = |operator, attributes, constant: &[i64], dims: &[i64], x: &[f32]| {
        let inputs: &[&str] = if constant.is_empty() { &["x"] } else { &["x", "c"] };
        let model = Model::new(dims).node(operator, inputs, "y", attributes).int64s("c", constant);
        let network = model.read().unwrap();
        (network.forward(x).unwrap(), network.node(network.output()).shape.dims().to_vec())
    };
    assert_eq!(run("Expand", vec![], &[1, 2, 3], &[1, 2, 1], &[1.0, 2.0]).0, [1.0, 1.0, 1.0, 2.0, 2.0, 2.0]);
    assert_eq!(run("Expand", vec![], &[1], &[1, 2, 1], &[1.0, 2.0]).0, [1.0, 2.0]);
    assert_eq!(run("Tile", vec![], &[1, 2], &[1, 2], &[1.0, 2.0]).0, [1.0, 2.0, 1.0, 2.0]);
    let x: Vec<f32> = (0..8).map(|v| v as f32).collect();
    let (y, dims) = run("DepthToSpace", vec![int("blocksize", 2)], &[], &[1, 8, 1, 1], &x);
    assert_eq!((y, dims), (vec![0.0, 2.0, 4.0, 6.0, 1.0, 3.0, 5.0, 7.0], vec![2, 2, 2]));
    let (y, _) = run("DepthToSpace", vec![int("blocksize", 2), text("mode", "CRD")], &[], &[1, 8, 1, 1], &x);
    assert_eq!(y, x);
    let (y, dims) = run("SpaceToDepth", vec![int("blocksize", 2)], &[], &[1, 1, 2, 4], &x);
    assert_eq!((y, dims), (vec![0.0, 2.0, 1.0, 3.0, 4.0, 6.0, 5.0, 7.0], vec![4, 1, 2]));
}

#[test]
fn casts() {
    let cast = |to| Model::new(&[1, 2]).node("Cast", &["x"], "y", vec![int("to", to)]);
    assert_eq!(cast(11).run(&[0.1, -2.0]).0, [0.1, -2.0]);
    let error = cast(7).read().unwrap_err().to_string();
    assert!(error.contains("casts a computed value to int64"), "{error}");
    let constant = |v: f32, to| {
        let model = Model::new(&[1, 2]).node("Cast", &["c"], "i", vec![int("to", to)]);
        let model = model.node("Cast", &["i"], "f", vec![int("to", 1)]).node("Add", &["x", "f"], "y", vec![]);
        model.floats("c", &[], &[v]).read().map(|n| n.forward(&[0.0f32, 0.0]).unwrap()[0])
    };
    assert_eq!((constant(-2.9, 7).unwrap(), constant(0.5, 9).unwrap()), (-2.0, 1.0));
    assert!(constant(3e9, 6).is_err() && constant(1e30, 7).is_err() && constant(f32::NAN, 7).is_err());
}
