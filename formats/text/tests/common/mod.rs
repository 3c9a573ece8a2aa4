//! Random networks of all seven operators, with odd names and odd numbers.

use proptest::prelude::*;
use std::collections::BTreeMap;
use unmoved_ir::{Builder, Conv2d, DType, Dense, Gather, MaxPool, Network, NodeId, Op, Tensor};

/// One decision about a layer; what it means depends on the layers before it.
type Choice = (u8, u64, String);

/// Networks whose values have at most some hundred elements.
pub(crate) fn networks() -> impl Strategy<Value = Network> {
    let choices = prop::collection::vec((0u8..9, any::<u64>(), names()), 1..10);
    let metadata = prop::collection::btree_map(any::<String>(), any::<String>(), 0..3);
    let dims = (1usize..3, 1usize..5, 1usize..5);
    (names(), dims, any::<bool>(), choices, any::<bool>(), metadata)
        .prop_map(|(name, dims, double, choices, ordering, meta)| build(&name, dims, double, choices, ordering, meta))
}

/// Names as frameworks give them, names that need quotes, and keywords.
fn names() -> impl Strategy<Value = String> {
    let keywords =
        ["layer", "end", "net", "input", "relu", "stride", "0", ".", "..", "a b", "#", "\"", "\\", "\n", "[1]"];
    prop_oneof![
        "[a-z0-9_./:-]{1,8}",
        "/[a-z]{1,4}/[A-Z][a-z]{1,4}_output_[0-9]",
        prop::sample::select(keywords.to_vec()).prop_map(str::to_owned),
        "\\PC{1,4}",
        any::<String>().prop_filter("names are not empty", |s| !s.is_empty()),
    ]
}

/// SplitMix64; the strategy's own randomness is spent on the shape of the network.
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    /// Finite numbers of any bits, in either type: subnormal ones and negative zero among them.
    fn tensor(&mut self, dims: &[usize]) -> Tensor {
        let n = dims.iter().product();
        if self.below(2) == 0 {
            let number = |r: &mut Self| match r.below(4) {
                0 => -0.0,
                1 => r.below(9) as f32 / 4.0 - 1.0,
                _ => Some(f32::from_bits(r.next() as u32)).filter(|v| v.is_finite()).unwrap_or(f32::MAX),
            };
            Tensor::f32(dims, (0..n).map(|_| number(self)).collect()).expect("finite and fitting")
        } else {
            let number = |r: &mut Self| match r.below(4) {
                0 => f64::from_bits(r.next() % 1000),
                1 => r.below(9) as f64 / 4.0 - 1.0,
                _ => Some(f64::from_bits(r.next())).filter(|v| v.is_finite()).unwrap_or(f64::MIN),
            };
            Tensor::f64(dims, (0..n).map(|_| number(self)).collect()).expect("finite and fitting")
        }
    }
}

fn build(
    name: &str,
    (channels, height, width): (usize, usize, usize),
    double: bool,
    choices: Vec<Choice>,
    ordering_only: bool,
    metadata: BTreeMap<String, String>,
) -> Network {
    let mut b = Builder::new();
    let dtype = if double { DType::F64 } else { DType::F32 };
    let mut values = vec![b.input(name, &[channels, height, width], dtype).expect("a small input")];
    for (kind, seed, name) in choices {
        let mut rng = Rng(seed);
        let x = if rng.below(3) == 0 { values[rng.below(values.len())] } else { values[values.len() - 1] };
        let name = b.fresh(&name);
        let (op, inputs) = operator(&b, kind, &mut rng, x, &values);
        // Not every choice fits where it stands; those that do are many.
        if let Ok(id) = b.push(&name, op, &inputs) {
            values.push(id);
        }
    }
    let output = *values.last().expect("at least the input");
    if !ordering_only {
        return b.finish(output).expect("a network").with_metadata(metadata);
    }
    // The note of a dropped Softmax names the output, whose name is known only after normalisation.
    let plain = b.finish(output).expect("a network");
    let mut b = Builder::new();
    for node in plain.nodes() {
        match node.op {
            Op::Input(dtype) => b.input(&node.name, node.shape.dims(), dtype),
            _ => b.push(&node.name, node.op.clone(), &node.inputs),
        }
        .expect("as before");
    }
    b.drop_softmax(&plain.node(plain.output()).name, "Softmax");
    b.finish(plain.output()).expect("as before").with_metadata(metadata)
}

fn operator(b: &Builder, kind: u8, rng: &mut Rng, x: NodeId, values: &[NodeId]) -> (Op, Vec<NodeId>) {
    let shape = b.shape(x).clone();
    let len = shape.len();
    let mut pair = |from: usize, n: usize| [from + rng.below(n), from + rng.below(n)];
    let (kernel, stride, dilation) = (pair(1, 3), pair(1, 2), pair(1, 2));
    let ([top, left], [bottom, right]) = (pair(0, 2), pair(0, 2));
    let padding = [top, left, bottom, right];
    let op = match kind {
        0 => Op::Relu,
        1 => Op::Flatten,
        2 => {
            let outputs = 1 + rng.below(5);
            Op::Dense(Dense::new(rng.tensor(&[outputs, len]), rng.tensor(&[outputs])).expect("fitting"))
        }
        3 | 4 => {
            let channels = shape.dims()[0];
            let groups = if rng.below(2) == 0 { channels } else { 1 };
            let outputs = groups * (1 + rng.below(2));
            let weight = rng.tensor(&[outputs, channels / groups, kernel[0], kernel[1]]);
            let conv = Conv2d::new(weight, rng.tensor(&[outputs])).expect("fitting");
            Op::Conv2d(Conv2d { stride, padding, dilation, groups, ..conv })
        }
        5 => Op::MaxPool(MaxPool { kernel, stride, padding, dilation }),
        6 => {
            let same: Vec<NodeId> = values.iter().copied().filter(|v| *b.shape(*v) == shape).collect();
            return (Op::Add, vec![x, same[rng.below(same.len())]]);
        }
        7 => {
            let dims = [1 + rng.below(3), 1 + rng.below(4), 1 + rng.below(4)];
            let start = rng.below(len);
            let mut entry = |k: usize| match rng.below(6) {
                0 => None,
                1 => Some(rng.below(len) as u32),
                _ => Some(((start + k) % len) as u32),
            };
            let map = (0..dims.iter().product()).map(&mut entry).collect();
            Op::Gather(Gather::new(map, &dims).expect("fitting"))
        }
        _ => Op::Gather(Gather::reshape(&[1, len, 1]).expect("fitting")),
    };
    (op, vec![x])
}
