//! Bytes that nobody wrote, or that somebody changed: errors, never panics, and no memory that the bytes do not pay for.

use super::*;
use proptest::prelude::*;
use unmoved_ir::testing::{Recipe, Rng, random_network};

/// Reads, and if that works, computes and writes: what was read must be usable. Large networks are only read.
fn exercise(bytes: &[u8]) {
    let Ok(network) = from_bytes(bytes) else { return };
    if network.nodes().iter().map(|n| n.shape.len()).sum::<usize>() > 10_000 {
        return;
    }
    let input = vec![0.5f32; network.input().shape.len()];
    assert_eq!(network.forward(&input).unwrap().len(), network.output_len());
    if let Ok(written) = crate::to_bytes(&network) {
        from_bytes(&written.bytes).unwrap();
    }
}

/// A model with most operators, attributes and kinds of data.
fn varied() -> Vec<u8> {
    let constant = AttributeProto { t: Some(int64s("", &[2], &[1, -1])), ..attribute("value", AttributeType::Tensor) };
    let model = Model::new(&[1, 1, 4, 4])
        .node(
            "Conv",
            &["x", "w", "b"],
            "c",
            vec![ints("pads", &[1, 1, 1, 1]), ints("strides", &[1, 2]), int("group", 1)],
        )
        .node("BatchNormalization", &["c", "b", "b", "b", "v"], "n", vec![float("epsilon", 0.1)])
        .node(
            "MaxPool",
            &["n"],
            "m",
            vec![ints("kernel_shape", &[2, 2]), int("ceil_mode", 1), text("auto_pad", "SAME_UPPER")],
        )
        .node("AveragePool", &["m"], "a", vec![ints("kernel_shape", &[2, 2]), ints("pads", &[1, 0, 0, 0])])
        .node("Transpose", &["a"], "t", vec![ints("perm", &[0, 2, 3, 1])])
        .node("Constant", &[], "s", vec![constant])
        .node("Reshape", &["t", "s"], "r", vec![])
        .node("Gather", &["r", "i"], "g", vec![int("axis", 1)])
        .node("Pad", &["g", "p"], "h", vec![])
        .node("Gemm", &["h", "u"], "l", vec![int("transB", 1), float("alpha", 0.5)])
        .node("Mul", &["l", "k"], "o", vec![])
        .node("Softmax", &["o"], "y", vec![])
        .floats("w", &[2, 1, 2, 2], &[0.5; 8])
        .floats("b", &[2], &[0.25, -0.5])
        .floats("v", &[2], &[1.0, 2.0])
        .floats("u", &[2, 4], &[1.0; 8])
        .floats("k", &[], &[3.0])
        .int64s("i", &[1, 0, 3])
        .int64s("p", &[0, 0, 0, 1]);
    model.read().expect("the model itself is right");
    model.bytes()
}

/// The same of the operators that become ReLUs, windows and index maps.
fn piecewise() -> Vec<u8> {
    let model = Model::new(&[1, 2, 6])
        .node("Conv", &["x", "w", "b"], "c", vec![ints("pads", &[1, 0]), ints("strides", &[1])])
        .node("LeakyRelu", &["c"], "l", vec![float("alpha", 0.1)])
        .node("ConvTranspose", &["l", "t"], "d", vec![ints("strides", &[2]), ints("output_padding", &[1])])
        .node("Clip", &["d", "low", "high"], "e", vec![])
        .node("AveragePool", &["e"], "f", vec![ints("kernel_shape", &[3]), ints("strides", &[2]), int("ceil_mode", 1)])
        .node("PRelu", &["f", "s"], "g", vec![])
        .node("Pad", &["g", "p", "low"], "h", vec![text("mode", "constant")])
        .node("Abs", &["h"], "i", vec![])
        .node("Max", &["i", "s", "h", "low"], "j", vec![])
        .node("Mean", &["j", "h", "high"], "k", vec![])
        .node("ReduceMin", &["k"], "m", vec![ints("axes", &[1]), int("keepdims", 0)])
        .node("ReduceSum", &["m", "a"], "y", vec![int("keepdims", 1), int("noop_with_empty_axes", 0)])
        .floats("w", &[2, 2, 2], &[0.5; 8])
        .floats("b", &[2], &[0.25, -0.5])
        .floats("t", &[2, 2, 3], &[0.5; 12])
        .floats("s", &[2, 1], &[0.5, 2.0])
        .floats("low", &[], &[-0.5])
        .floats("high", &[], &[1.5])
        .int64s("a", &[-1])
        .int64s("p", &[0, 0, 1, 0, 0, -1]);
    model.read().expect("the model itself is right");
    model.bytes()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn arbitrary_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        exercise(&bytes);
    }

    #[test]
    fn mutated_models(
        of_first in any::<bool>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)
    ) {
        let mut bytes = if of_first { varied() } else { piecewise() };
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        exercise(&bytes);
    }

    #[test]
    fn mutated_networks(seed in any::<u64>(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let network = random_network(&mut Rng(seed), &Recipe::default());
        let mut bytes = crate::to_bytes(&network).unwrap().bytes;
        let at = at.index(bytes.len());
        bytes[at] = byte;
        exercise(&bytes);
    }
}

#[test]
fn truncated_models() {
    let bytes = varied();
    (0..bytes.len()).for_each(|end| exercise(&bytes[..end]));
}

#[test]
fn deep_nesting() {
    let mut graph = GraphProto::default();
    for _ in 0..50_000 {
        // Encoding recursively would overflow the stack of the test itself.
        let bytes = graph.encode_to_vec();
        if bytes.len() > 4_000 {
            break;
        }
        let attribute = AttributeProto { g: Some(graph), ..attribute("g", AttributeType::Graph) };
        graph = GraphProto {
            node: vec![NodeProto { attribute: vec![attribute], ..Default::default() }],
            ..Default::default()
        };
    }
    let model = ModelProto { graph: Some(graph), ..Default::default() };
    assert!(matches!(from_bytes(&model.encode_to_vec()), Err(Error::Protobuf(_))));
}

#[test]
fn empty_messages_do_not_fill_the_memory() {
    // A graph of 2,000,000 empty nodes: four megabytes that would take half a gigabyte.
    let nodes = [0x0a, 0x00].repeat(2_000_000);
    let mut bytes = vec![0x3a];
    prost::encoding::encode_varint(nodes.len() as u64, &mut bytes);
    bytes.extend(nodes);
    assert!(matches!(from_bytes(&bytes), Err(Error::TooLarge { .. })));
}

#[test]
fn empty_constants_of_huge_extents() {
    let huge = |dims: &[i64]| Model::new(&[1, 2]).node("Add", &["x", "c"], "y", vec![]).floats("c", dims, &[]);
    let error = huge(&[0, 1 << 40, 1 << 40]).read().unwrap_err().to_string();
    assert!(error.contains("is too large"), "{error}");
    huge(&[0]).read().unwrap_err();
    let model = huge(&[0]).node("Reshape", &["c", "s"], "z", vec![int("allowzero", 1)]).opset(14);
    let error = model.int64s("s", &[0, 1 << 40, 1 << 40]).read().unwrap_err().to_string();
    assert!(error.contains("do not broadcast") || error.contains("is too large"), "{error}");
}

#[test]
fn shared_weights_have_a_budget() {
    let mut model = Model::new(&[1024, 1]).floats("w", &[1024, 1024], &[0.0; 1 << 20]);
    for k in 0..300 {
        let (from, to) = (if k == 0 { "x".into() } else { format!("t{k}") }, format!("t{}", k + 1));
        model = model.node("MatMul", &["w", &from], &to, vec![]);
    }
    model = model.output("t300");
    let error = model.read().unwrap_err().to_string();
    assert!(error.contains("weights and index maps of more than"), "{error}");
}
