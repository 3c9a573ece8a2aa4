//! The ends of the floats: overflow and underflow must cost tightness, never truth.

use super::*;
use crate::{LinearForm, Propagation, Tier};
use unmoved_ir::{Builder, DType, Dense, NodeId, Op, Tensor, lower_max_pool};

fn dense(weight: &[f64], bias: &[f64]) -> Op {
    let dims = [bias.len(), weight.len() / bias.len()];
    let weight = Tensor::f64(&dims, weight.to_vec()).unwrap();
    Op::Dense(Dense::new(weight, Tensor::f64(&[bias.len()], bias.to_vec()).unwrap()).unwrap())
}

/// A chain of operators on one input between two floats, and the lower bound of a form of its output.
fn minimum(ops: Vec<Op>, lower: f64, upper: f64, coefficients: &[f64]) -> f64 {
    let mut b = Builder::new();
    let mut x = b.input("x", &[1], DType::F64).unwrap();
    for (k, op) in ops.into_iter().enumerate() {
        x = b.push(&format!("n{k}"), op, &[x]).unwrap();
    }
    let lowered = lower_max_pool(&b.finish(x).unwrap()).unwrap();
    let end = |v: f64| vec![Rational::from_f64(v).unwrap()];
    let region = InputRegion::boxed(end(lower), end(upper)).unwrap();
    let terms = coefficients.iter().enumerate().map(|(k, &c)| (x, k, c)).collect();
    let minimum =
        Propagation::new(&lowered, &region, Tier::Linear).minima(&[LinearForm { terms, ..Default::default() }])[0];
    // The bound holds exactly at both ends.
    for v in [lower, upper] {
        let y = lowered.network.forward(&[Exact::from_f64(v)]).unwrap();
        let value = y.iter().zip(coefficients).fold(Exact::ZERO, |s, (y, c)| &s + &(y * &Exact::from_f64(*c)));
        assert!(within(minimum, &value, f64::INFINITY), "{minimum} above {}", value.to_f64());
    }
    minimum
}

#[test]
fn an_adjoint_that_underflows_still_counts() {
    // The product of the weights is below the floats, but not that of weights and input.
    minimum(vec![dense(&[1e-200], &[0.0]), dense(&[1e-200], &[0.0])], 0.9e300, 1e300, &[-1.0]);
    minimum(vec![dense(&[1e-170], &[0.0]), dense(&[-1e-170], &[0.0]), dense(&[1.0], &[0.0])], -1e300, 1e300, &[1.0]);
}

#[test]
fn an_adjoint_that_overflows_says_nothing() {
    // The sum is -0.4e308, but two terms alone are infinite; at the ReLU, which reaches further down than up, a positive
    // adjoint would cost nothing.
    let last = dense(&[1.5e308, 1.5e308, -1.7e308, -1.7e308], &[0.0; 4]);
    let found = minimum(vec![Op::Relu, last], -2e-300, 1e-300, &[1.0; 4]);
    assert_eq!(found, f64::NEG_INFINITY);
}

#[test]
fn huge_weights_give_infinite_intervals_not_wrong_ones() {
    for (w, x) in [(1e300, 1e10), (1e300, -1e10), (-1e308, 1e308), (1e200, 0.0)] {
        let ops = || {
            vec![dense(&[w], &[1.0]), Op::Relu, dense(&[w, -w], &[0.0, 1e308]), Op::Relu, dense(&[1.0, -1.0], &[0.0])]
        };
        minimum(ops(), x - 1.0, x + 1.0, &[1.0]);
        minimum(ops(), x - 1.0, x + 1.0, &[-1.0]);
        let mut b = Builder::new();
        let mut id = b.input("x", &[1], DType::F64).unwrap();
        for (k, op) in ops().into_iter().enumerate() {
            id = b.push(&format!("n{k}"), op, &[id]).unwrap();
        }
        let twice = b.push("twice", Op::Add, &[id, id]).unwrap();
        let lowered = lower_max_pool(&b.finish(twice).unwrap()).unwrap();
        let region = InputRegion::ball(vec![x], Norm::Linf, Rational::ONE, None).unwrap();
        for tier in [Tier::Interval, Tier::Linear] {
            let p = Propagation::new(&lowered, &region, tier);
            let values = lowered.network.trace(&[Exact::from_f64(x)]).unwrap();
            for (k, v) in values.iter().enumerate() {
                let bounds = p.bounds(NodeId(k));
                for (i, v) in v.iter().enumerate() {
                    assert!(within(bounds.lower[i], v, bounds.upper[i]));
                }
            }
        }
    }
}

#[test]
fn cancellation_keeps_the_last_bits() {
    // (1 + 2^-52) x - x, written with weights whose products round, is a tiny number next to huge terms.
    let e = f64::EPSILON;
    let first = dense(&[1.0 + e, 1.0 - e / 2.0, 1.0], &[0.0; 3]);
    for coefficients in [[1.0 + e, -1.0, -2.0 * e], [1.0 / 3.0, -1.0 / 3.0 - 1e-17, 0.0], [0.1, 0.2, -0.3]] {
        for sign in [1.0, -1.0] {
            let c = coefficients.map(|c| c * sign);
            minimum(vec![first.clone(), dense(&c, &[0.0])], 1e16, 3e16, &[1.0]);
            minimum(vec![first.clone(), Op::Relu, dense(&c, &[1e16])], -1e16 / 3.0, 3e16, &[1.0]);
            minimum(vec![first.clone()], -7e15, 3e16, &c);
        }
    }
}
