//! What is written reads back as the same network, names and shapes included.

use proptest::prelude::*;
use std::collections::BTreeMap;
use unmoved_ir::testing::{Recipe, Rng, random_network};
use unmoved_ir::{Builder, DType, Network, Op, Tensor};
use unmoved_onnx::{from_bytes, to_bytes};

/// The same network with input and weights of another type, and a Softmax dropped at its end.
fn converted(network: &Network, dtype: DType, softmax: bool) -> Network {
    let tensor = |t: &Tensor| match dtype {
        DType::F32 => t.clone(),
        DType::F64 => Tensor::f64(t.shape().dims(), t.to_f64()).unwrap(),
    };
    let mut b = Builder::new();
    b.input(&network.input().name, network.input().shape.dims(), dtype).unwrap();
    for node in &network.nodes()[1..] {
        let mut op = node.op.clone();
        match &mut op {
            Op::Dense(d) => (d.weight, d.bias) = (tensor(&d.weight), tensor(&d.bias)),
            Op::Conv2d(c) => (c.weight, c.bias) = (tensor(&c.weight), tensor(&c.bias)),
            _ => {}
        }
        b.push(&node.name, op, &node.inputs).unwrap();
    }
    if softmax {
        b.drop_softmax("probabilities", "Softmax");
    }
    b.metadata("b", "2");
    b.metadata("a", "1");
    b.finish(network.output()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn random_networks(seed in any::<u64>(), nodes in 1usize..16, double in any::<bool>(), softmax in any::<bool>()) {
        let network = random_network(&mut Rng(seed), &Recipe { nodes, ..Recipe::default() });
        let network = converted(&network, if double { DType::F64 } else { DType::F32 }, softmax);
        let written = to_bytes(&network).unwrap();
        prop_assert!(!written.rounded);
        let again = from_bytes(&written.bytes).unwrap();
        prop_assert_eq!(&again, &network);
        prop_assert_eq!(to_bytes(&again).unwrap(), written);
    }
}

#[test]
fn values_of_any_rank() {
    let mut b = Builder::new();
    let x = b.input("x", &[2, 3], DType::F32).unwrap();
    let r = b.push("r", Op::Relu, &[x]).unwrap();
    let deep = b.reshape("deep", r, &[1, 3, 1, 2]).unwrap();
    let s = b.push("s", Op::Relu, &[deep]).unwrap();
    let network = b.finish(s).unwrap();
    assert_eq!(from_bytes(&to_bytes(&network).unwrap().bytes).unwrap(), network);
}

#[test]
fn metadata_keep_their_order() {
    let network = random_network(&mut Rng(1), &Recipe::default());
    let network = network.with_metadata(BTreeMap::from([("k".into(), "v".into())]));
    assert_eq!(from_bytes(&to_bytes(&network).unwrap().bytes).unwrap().metadata(), network.metadata());
}

#[test]
fn weights_beyond_f32_are_refused() {
    let mut b = Builder::new();
    let x = b.input("x", &[1], DType::F32).unwrap();
    let dense =
        unmoved_ir::Dense::new(Tensor::f64(&[1, 1], vec![1e300]).unwrap(), Tensor::zeros(&[1]).unwrap()).unwrap();
    let y = b.push("y", Op::Dense(dense), &[x]).unwrap();
    let error = to_bytes(&b.finish(y).unwrap()).unwrap_err().to_string();
    assert_eq!(error, "cannot write node \"y\" to ONNX: its weight 1e300 is beyond f32");
}
