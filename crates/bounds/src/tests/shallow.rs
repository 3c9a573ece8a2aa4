//! Random networks of one to three layers of ReLUs, forms of their outputs, and splits: what semidefinite bounds are for.

use super::{cut, random_point, random_region};
use crate::engine::{Compact, Form, Side, Split};
use unmoved_ir::testing::Rng;
use unmoved_ir::{Builder, Conv2d, DType, Dense, Exact, Lowered, NodeId, Op, Rational, Tensor, lower_max_pool};
use unmoved_property::InputRegion;

/// A form on a region.
pub(crate) struct Case {
    pub(crate) lowered: Lowered,
    pub(crate) region: InputRegion,
    pub(crate) compact: Compact,
    pub(crate) form: Form,
}

/// One point, and what the network makes of it.
pub(crate) struct Seen {
    pub(crate) trace: Vec<Vec<f64>>,
}

impl Case {
    pub(crate) fn new(rng: &mut Rng) -> Self {
        loop {
            let lowered = network(rng);
            let inputs = lowered.network.input().shape.len();
            let region = if rng.below(4) == 0 { flat_box(rng, inputs) } else { random_region(rng, inputs) };
            let compact = cut(&lowered, &region);
            if compact.unstable().is_empty() {
                continue;
            }
            let form = Form {
                node: compact.output(),
                terms: (0..lowered.network.output_len() as u32).map(|k| (k, rng.signed() as f32)).collect(),
                inputs: vec![(rng.below(inputs) as u32, rng.signed() as f32)],
                constant: rng.signed() as f32,
            };
            return Self { lowered, region, compact, form };
        }
    }

    pub(crate) fn at(&self, x: &[f64]) -> Seen {
        Seen { trace: self.lowered.network.trace(x).expect("it fits") }
    }

    /// A point of the region.
    pub(crate) fn point(&self, rng: &mut Rng) -> Seen {
        self.at(&random_point(rng, &self.region).iter().map(Exact::to_f64).collect::<Vec<_>>())
    }

    /// What each unstable ReLU reads.
    pub(crate) fn read(&self, seen: &Seen) -> Vec<f64> {
        self.compact.unstable().iter().map(|u| seen.trace[u.node.0][u.position as usize]).collect()
    }

    pub(crate) fn value(&self, seen: &Seen) -> f64 {
        let dot =
            |terms: &[(u32, f32)], v: &[f64]| terms.iter().map(|&(k, c)| f64::from(c) * v[k as usize]).sum::<f64>();
        let Form { node, terms, inputs, constant } = &self.form;
        dot(terms, &seen.trace[*node]) + dot(inputs, &seen.trace[0]) + f64::from(*constant)
    }

    /// Some of the phases that ReLUs have at a point; of two that read the same one, if any.
    pub(crate) fn splits(&self, rng: &mut Rng, seen: &Seen) -> Vec<Split> {
        let share = rng.below(4);
        let read = self.read(seen);
        let unstable = self.compact.unstable();
        let is_first =
            |k: usize| !unstable[..k].iter().any(|u| (u.node, u.position) == (unstable[k].node, unstable[k].position));
        let side = |k: usize| if read[k] > 0.0 { Side::Active } else { Side::Inactive };
        let chosen = (0..read.len()).filter(|&k| is_first(k) && rng.below(4) < share);
        chosen.map(|k| Split { relu: k as u32, side: side(k) }).collect()
    }

    /// Whether a point lies in the part that the splits leave.
    pub(crate) fn obeys(&self, seen: &Seen, splits: &[Split]) -> bool {
        let read = self.read(seen);
        splits
            .iter()
            .all(|s| if s.side == Side::Active { read[s.relu as usize] >= 0.0 } else { read[s.relu as usize] <= 0.0 })
    }
}

fn tensor(rng: &mut Rng, dims: &[usize], size: f64) -> Tensor {
    Tensor::f32(dims, (0..dims.iter().product()).map(|_| (size * rng.signed()) as f32).collect()).expect("it fits")
}

fn push(b: &mut Builder, op: Op, from: &[NodeId]) -> NodeId {
    let name = b.fresh("n");
    b.push(&name, op, from).expect("it fits")
}

fn dense(b: &mut Builder, rng: &mut Rng, from: NodeId, rows: usize) -> NodeId {
    let width = b.shape(from).len();
    let layer = Dense::new(tensor(rng, &[rows, width], 1.0), tensor(rng, &[rows], 0.2)).expect("it fits");
    push(b, Op::Dense(layer), &[from])
}

/// A layer of ReLUs; one in three has a twin, which reads the same values and is added to it.
fn layer(b: &mut Builder, rng: &mut Rng, from: NodeId, rows: usize) -> NodeId {
    let z = dense(b, rng, from, rows);
    let y = push(b, Op::Relu, &[z]);
    if rng.below(3) > 0 {
        return y;
    }
    let twin = push(b, Op::Relu, &[z]);
    let turned = dense(b, rng, twin, rows);
    push(b, Op::Add, &[y, turned])
}

fn network(rng: &mut Rng) -> Lowered {
    let mut b = Builder::new();
    let is_image = rng.below(4) == 0;
    let dims = if is_image { vec![1, 3, 3] } else { vec![1 + rng.below(5)] };
    let x = b.input("x", &dims, DType::F32).expect("an input");
    let mut value = x;
    if is_image {
        let conv = Conv2d::new(tensor(rng, &[2, 1, 2, 2], 1.0), tensor(rng, &[2], 0.2)).expect("it fits");
        let z = push(&mut b, Op::Conv2d(conv), &[x]);
        let y = push(&mut b, Op::Relu, &[z]);
        value = b.reshape("flat", y, &[8]).expect("as many");
    }
    for _ in 0..1 + rng.below(2) {
        let rows = 2 + rng.below(5);
        value = layer(&mut b, rng, value, rows);
        if rng.below(3) == 0 {
            // A residual block.
            let inner = layer(&mut b, rng, value, rows);
            value = push(&mut b, Op::Add, &[value, inner]);
        }
    }
    let y = dense(&mut b, rng, value, 2);
    lower_max_pool(&b.finish(y).expect("a network")).expect("it is small")
}

/// A box of which some inputs may not move, or hardly.
fn flat_box(rng: &mut Rng, inputs: usize) -> InputRegion {
    let ends = (0..inputs).map(|_| {
        let width = [0.0, 1e-24, 0.25, 1.0][rng.below(4)];
        let middle = if width == 1e-24 { 0.0 } else { f64::from(rng.signed() as f32) };
        [middle - width, middle + width].map(|v| Rational::from_f64(v).expect("a number"))
    });
    let (lower, upper) = ends.map(|[l, u]| (l, u)).unzip();
    InputRegion::boxed(lower, upper).expect("no side is negative")
}
