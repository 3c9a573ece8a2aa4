//! What a builder refuses, by name; digests; limits.

use crate::testing::{Recipe, Rng, random_network};
use crate::*;
use std::collections::BTreeMap;

fn dense(outputs: usize, inputs: usize) -> Op {
    let weight = (0..outputs * inputs).map(|k| k as f32 * 0.5 - 1.0).collect();
    Op::Dense(Dense::new(Tensor::f32(&[outputs, inputs], weight).unwrap(), Tensor::zeros(&[outputs]).unwrap()).unwrap())
}

fn conv(dims: [usize; 4]) -> Conv2d {
    Conv2d::new(Tensor::zeros(&dims).unwrap(), Tensor::zeros(&[dims[0]]).unwrap()).unwrap()
}

fn pool(kernel: usize, padding: usize) -> Op {
    Op::MaxPool(MaxPool { kernel: [kernel; 2], stride: [1; 2], padding: [padding; 4], dilation: [1; 2] })
}

/// The message of a node "bad" that reads a `[2 3 3]` image (or two) or a vector of 4.
fn refusal(op: Op, vector: bool) -> String {
    let mut b = Builder::new();
    let image = b.input("x", &[2, 3, 3], DType::F32).unwrap();
    let index = Gather::new(vec![Some(0); 4], &[4]).unwrap();
    let four = b.push("four", Op::Gather(index), &[image]).unwrap();
    let x = if vector { four } else { image };
    let inputs: &[NodeId] = if op == Op::Add { &[image, four] } else { &[x] };
    let error = b.push("bad", op, inputs).unwrap_err();
    assert!(matches!(&error, IrError::Node { node, .. } if node == "bad"));
    error.to_string()
}

#[test]
fn errors_name_the_node_and_say_what_is_wrong() {
    let with = |change: fn(&mut Conv2d)| {
        let mut c = conv([2, 2, 2, 2]);
        change(&mut c);
        refusal(Op::Conv2d(c), false)
    };
    let slack = |weight: Vec<f64>| Some(Slack { weight, bias: vec![0.0; 2] });
    let mut loose = conv([2, 2, 1, 1]);
    loose.slack = slack(vec![f64::INFINITY; 2]);
    let mut short = conv([2, 2, 1, 1]);
    short.slack = slack(vec![0.0]);
    // Public fields can be set to anything; a node made of it is refused, not indexed out of bounds.
    let flat_weight = Dense { weight: Tensor::zeros(&[4]).unwrap(), bias: Tensor::zeros(&[4]).unwrap(), slack: None };
    let one_bias = Dense { weight: Tensor::zeros(&[2, 4]).unwrap(), bias: Tensor::zeros(&[1]).unwrap(), slack: None };
    let mut flat_conv = conv([1, 2, 1, 1]);
    flat_conv.weight = Tensor::zeros(&[1, 2]).unwrap();
    let short_map = Gather { index: vec![None].into(), shape: Shape::new(&[2]).unwrap() };
    let messages = [
        refusal(dense(2, 5), true),
        refusal(dense(2, 18), false),
        refusal(Op::Dense(flat_weight), true),
        refusal(Op::Dense(one_bias), true),
        refusal(Op::Conv2d(conv([1, 2, 1, 1])), true),
        refusal(Op::Conv2d(conv([1, 3, 1, 1])), false),
        refusal(Op::Conv2d(conv([1, 2, 4, 1])), false),
        refusal(Op::Conv2d(flat_conv), false),
        refusal(Op::Conv2d(loose), false),
        refusal(Op::Conv2d(short), false),
        with(|c| c.groups = 0),
        with(|c| c.groups = 3),
        with(|c| c.groups = usize::MAX),
        with(|c| c.stride = [0, 1]),
        with(|c| c.padding = [usize::MAX; 4]),
        refusal(pool(2, 2), false),
        refusal(pool(0, 0), false),
        refusal(pool(9, 0), false),
        refusal(Op::Add, false),
        refusal(Op::Gather(Gather::new(vec![Some(18)], &[1]).unwrap()), false),
        refusal(Op::Gather(short_map), false),
        refusal(Op::Input(DType::F32), true),
    ]
    .join("\n");
    insta::assert_snapshot!(messages);
}

#[test]
fn a_builder_refuses_what_is_no_network() {
    let message = |e: IrError| e.to_string();
    let mut b = Builder::new();
    let early = message(b.push("relu", Op::Relu, &[NodeId(0)]).unwrap_err());
    let nameless = message(b.input("", &[1], DType::F32).unwrap_err());
    let x = b.input("x", &[2], DType::F32).unwrap();
    let nowhere = NodeId(7);
    let messages = [
        early,
        nameless,
        message(b.input("again", &[1], DType::F32).unwrap_err()),
        message(b.push("x", Op::Relu, &[x]).unwrap_err()),
        message(b.push("", Op::Relu, &[x]).unwrap_err()),
        message(b.push("late", Op::Relu, &[nowhere]).unwrap_err()),
        message(b.push("none", Op::Relu, &[]).unwrap_err()),
        message(b.push("one", Op::Add, &[x]).unwrap_err()),
        message(b.reshape("r", nowhere, &[1]).unwrap_err()),
        message(b.reshape("r", x, &[3]).unwrap_err()),
        message(b.reshape("r", x, &[0]).unwrap_err()),
        message(b.affine("a", nowhere, Scale::exact(vec![1.0]), Shift::exact(vec![1.0])).unwrap_err()),
        message(b.affine("a", x, Scale::exact(vec![1.0; 3]), Shift::exact(vec![1.0; 3])).unwrap_err()),
        message(b.affine("a", x, Scale::exact(vec![1.0; 2]), Shift::exact(vec![1.0])).unwrap_err()),
        message(b.affine("a", x, Scale::exact(vec![f64::NAN, 1.0]), Shift::exact(vec![1.0; 2])).unwrap_err()),
        message(b.average_pool("p", x, [1; 2], [1; 2], [0; 4], true).unwrap_err()),
        message(b.finish(nowhere).unwrap_err()),
    ]
    .join("\n");
    insta::assert_snapshot!(messages);
}

#[test]
fn an_error_bound_that_is_no_number_is_refused() {
    for (scale, shift) in [(f64::NAN, 0.0), (-1.0, 0.0), (f64::INFINITY, 0.0), (0.0, f64::NAN), (0.0, -1.0)] {
        let mut b = Builder::new();
        let x = b.input("x", &[1], DType::F32).unwrap();
        let scale = Scale { values: vec![1.0], error: scale };
        let shift = Shift { values: vec![1.0], errors: vec![shift] };
        assert!(b.affine("a", x, scale, shift).is_err());
    }
}

#[test]
fn claims_of_many_elements_end_in_an_error() {
    assert!(matches!(Shape::new(&[1 << 40, 1 << 40]), Err(NodeProblem::TooLarge(_))));
    assert!(matches!(Shape::new(&[MAX_ELEMENTS, 2]), Err(NodeProblem::TooLarge(_))));
    assert_eq!(Shape::new(&[MAX_ELEMENTS]).unwrap().len(), MAX_ELEMENTS);
    assert!(matches!(Tensor::zeros(&[usize::MAX]), Err(NodeProblem::TooLarge(_))));
    let mut b = Builder::new();
    let mut x = b.input("x", &[MAX_ELEMENTS], DType::F32).unwrap();
    let error = loop {
        match b.push(&b.fresh("relu"), Op::Relu, &[x]) {
            Ok(id) => x = id,
            Err(error) => break error,
        }
    };
    assert_eq!(x.0 + 1, MAX_TOTAL / MAX_ELEMENTS);
    assert!(matches!(error, IrError::Node { problem: NodeProblem::TotalTooLarge, .. }));
}

#[test]
fn one_name_for_thousands_of_nodes_costs_little() {
    let mut b = Builder::new();
    let mut x = b.input("relu", &[1], DType::F32).unwrap();
    for k in 2..20_000 {
        let name = b.fresh("relu");
        assert_eq!(name, format!("relu.{k}"));
        x = b.push(&name, Op::Relu, &[x]).unwrap();
    }
}

/// A network whose every parameter `changes` can alter, one at a time; change 0 alters nothing.
fn altered(change: usize) -> Network {
    let is = |k: usize| usize::from(change == k);
    let mut b = Builder::new();
    let x = b.input("x", &[2, 6, 6], DType::F32).unwrap();
    let mut weight = vec![0.5f32; 8];
    weight[3] += is(1) as f32;
    let weight = Tensor::f32(&[2, 1, 2, 2], weight).unwrap();
    let mut c = Conv2d::new(weight, Tensor::f32(&[2], vec![is(2) as f32, 1.0]).unwrap()).unwrap();
    (c.groups, c.stride, c.padding) = (2, [2, 2 - is(3)], [1, 1, 1, 1 + is(4)]);
    if change == 5 {
        c.bias = Tensor::f64(&[2], vec![0.0, 1.0]).unwrap();
    }
    if (6..8).contains(&change) {
        c.slack = Some(Slack { weight: vec![is(6) as f64; 2], bias: vec![is(7) as f64; 2] });
    }
    let c = b.push("c", Op::Conv2d(c), &[x]).unwrap();
    let r = b.push("r", Op::Relu, &[c]).unwrap();
    let p = MaxPool { kernel: [2, 2], stride: [1, 1], padding: [0, 0, 0, is(8)], dilation: [1, 1 + is(9)] };
    let p = b.push("p", Op::MaxPool(p), &[r]).unwrap();
    let mut index: Vec<Option<u32>> = (0..4).map(|k| Some(k + 1)).collect();
    match change {
        10 => index[0] = None,
        11 => index[0] = Some(0),
        _ => {}
    }
    let g = b.push("g", Op::Gather(Gather::new(index, &[4]).unwrap()), &[p]).unwrap();
    let d = b.push("d", dense(4, 4), &[g]).unwrap();
    let s = b.push("s", Op::Add, &[d, if change == 12 { g } else { d }]).unwrap();
    if change == 13 {
        b.drop_softmax("softmax", "Softmax");
    }
    b.finish(if change == 14 { d } else { s }).unwrap()
}

#[test]
fn every_parameter_changes_the_digest() {
    let digests: BTreeMap<String, usize> = (0..15).map(|k| (altered(k).digest().to_string(), k)).collect();
    assert_eq!(digests.len(), 15, "{digests:?}");
}

#[test]
fn names_and_notes_do_not_change_the_digest() {
    let network = random_network(&mut Rng(3), &Recipe::default());
    let mut b = Builder::new();
    b.metadata("key", "value");
    b.note("node", "Sub", "Dense", false);
    let mut ids = Vec::new();
    for (k, node) in network.nodes().iter().enumerate() {
        let inputs: Vec<NodeId> = node.inputs.iter().map(|i| ids[i.0]).collect();
        ids.push(match node.op {
            Op::Input(dtype) => b.input("other", node.shape.dims(), dtype).unwrap(),
            _ => b.push(&format!("other {k}"), node.op.clone(), &inputs).unwrap(),
        });
    }
    let renamed = b.finish(ids[network.output().0]).unwrap();
    assert_eq!(renamed.digest(), network.digest());
    assert_eq!(renamed.metadata().get("key").map(String::as_str), Some("value"));
    assert_eq!(renamed.rewrites().len(), 1);
    assert_eq!(renamed.with_metadata(BTreeMap::new()).metadata().len(), 0);
}
