//! Random networks and queries, a function of the seed alone.

use super::{Case, Random, with_slack};
use std::sync::Arc;
use unmoved_core::Objective;
use unmoved_ir::{Builder, Conv2d, DType, Dense, MaxPool, NodeId, Op, Rational, Tensor};
use unmoved_property::{Conjunction, Constraint, InputRegion, Norm, Query};

impl Random {
    pub fn below(&mut self, n: usize) -> usize {
        (self.next() * n as f64) as usize
    }

    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.next()
    }

    fn tensor(&mut self, dims: &[usize]) -> Tensor {
        let values = (0..dims.iter().product()).map(|_| self.between(-1.0, 1.0) as f32).collect();
        Tensor::f32(dims, values).unwrap()
    }

    fn dense(&mut self, b: &mut Builder, name: &str, x: NodeId, outputs: usize) -> NodeId {
        let inputs = b.shape(x).len();
        let dense = Dense::new(self.tensor(&[outputs, inputs]), self.tensor(&[outputs])).unwrap();
        b.push(name, Op::Dense(dense), &[x]).unwrap()
    }
}

/// A query about a small network: vectors with a residual connection, or images with a convolution and a max-pool.
pub fn random_case(seed: u64) -> Case {
    let r = &mut Random(seed);
    let mut b = Builder::new();
    let (x, f) = if r.below(2) == 0 { vectors(r, &mut b) } else { images(r, &mut b) };
    let y = r.dense(&mut b, "y", f, 3);
    let inputs = b.shape(x).len();
    let mut network = b.finish(y).unwrap();
    if r.below(4) == 0 {
        network = with_slack(&network, "y", 0.01, 0.02);
    }
    let centre: Vec<f64> = (0..inputs).map(|_| f64::from(r.next() as f32)).collect();
    let eps = Rational::from_f64(r.between(0.05, 0.6)).unwrap();
    let range = Some((Rational::ZERO, Rational::ONE));
    let region = match r.below(4) {
        0 => InputRegion::ball(centre, Norm::L1, eps, range),
        1 => InputRegion::ball(centre, Norm::Linf, eps, None),
        _ => InputRegion::ball(centre, Norm::Linf, eps, range),
    }
    .unwrap();
    let label = r.below(3);
    let unsafe_set = match r.below(3) {
        0 => {
            let mut constraint = |k: usize| Constraint {
                outputs: vec![(k, Rational::from_f64(r.between(-1.0, 1.0)).unwrap()), (2, Rational::ONE)],
                inputs: vec![(0, Rational::ONE)],
                constant: "1/3".parse().unwrap(),
                strict: false,
            };
            vec![Conjunction(vec![constraint(0), constraint(1)]), Conjunction(vec![constraint(1)])]
        }
        1 => vec![Conjunction(vec![Constraint::at_most(label, (label + 1) % 3)])],
        _ => (0..3).filter(|t| *t != label).map(|t| Conjunction(vec![Constraint::at_most(label, t)])).collect(),
    };
    let objectives =
        [Objective::Worst, Objective::Feasibility, Objective::Closest(Norm::L1), Objective::Closest(Norm::Linf)];
    let objective = objectives[r.below(4)];
    Case::new(Query::new(Arc::new(network), region, unsafe_set).unwrap(), objective)
}

fn vectors(r: &mut Random, b: &mut Builder) -> (NodeId, NodeId) {
    let x = b.input("x", &[2 + r.below(2)], DType::F32).unwrap();
    let h1 = r.dense(b, "h1", x, 3);
    let a1 = b.push("a1", Op::Relu, &[h1]).unwrap();
    let h2 = r.dense(b, "h2", a1, 3);
    // The pre-activation h1 is read by its ReLU and by the sum.
    let s = b.push("s", Op::Add, &[h2, if r.below(2) == 0 { h1 } else { a1 }]).unwrap();
    (x, b.push("a2", Op::Relu, &[s]).unwrap())
}

fn images(r: &mut Random, b: &mut Builder) -> (NodeId, NodeId) {
    let x = b.input("x", &[1, 2, 3], DType::F32).unwrap();
    let mut conv = Conv2d::new(r.tensor(&[2, 1, 2, 2]), r.tensor(&[2])).unwrap();
    conv.padding = [r.below(2), 0, 0, r.below(2)];
    let c = b.push("c", Op::Conv2d(conv), &[x]).unwrap();
    let mut a = c;
    if r.below(3) > 0 {
        a = b.push("a", Op::Relu, &[c]).unwrap();
    }
    let pool =
        MaxPool { kernel: [1, 2], stride: [1, 1 + r.below(2)], padding: [0, r.below(2), 0, 0], dilation: [1; 2] };
    let p = b.push("p", Op::MaxPool(pool), &[a]).unwrap();
    (x, b.push("f", Op::Flatten, &[p]).unwrap())
}
