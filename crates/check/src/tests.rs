use crate::*;
use std::sync::Arc;
use unmoved_ir::{Builder, DType, Dense, Network, Op, Rational, Tensor};
use unmoved_property::{InputRegion, Norm, Query};

/// The 2-2-2 network of the design notes: margin `y0 - y1` over a box around (0.5, 0.25).
fn tiny() -> Arc<Network> {
    let mut b = Builder::new();
    let x = b.input("x", &[2], DType::F32).unwrap();
    let dense = |w: &[f32], bias: &[f32]| {
        let weight = Tensor::f32(&[2, 2], w.to_vec()).unwrap();
        Op::Dense(Dense::new(weight, Tensor::f32(&[2], bias.to_vec()).unwrap()).unwrap())
    };
    let h = b.push("h", dense(&[1.0, -1.0, 0.5, 0.25], &[0.0, -0.125]), &[x]).unwrap();
    let a = b.push("a", Op::Relu, &[h]).unwrap();
    let y = b.push("y", dense(&[1.0, 1.0, -1.0, 0.5], &[0.0, 0.0]), &[a]).unwrap();
    Arc::new(b.finish(y).unwrap())
}

fn query(eps: &str) -> Query {
    let region =
        InputRegion::ball(vec![0.5, 0.25], Norm::Linf, eps.parse().unwrap(), Some((Rational::ZERO, Rational::ONE)));
    Query::robustness(tiny(), region.unwrap(), 0).unwrap()
}

#[test]
fn a_leaf_proves_a_tiny_network() {
    for arithmetic in [Arithmetic::Float, Arithmetic::Exact] {
        let q = query("1/8");
        let certificate = Certificate::new(&q, vec![Step::Linear(LinearForm::with_lambda(vec![1.0]))]);
        let accepted = check(&q, &certificate, arithmetic).unwrap();
        println!("{accepted:?} {:?}", initial_bounds(&q, arithmetic));
        assert!(accepted.margin > 0.0);
        assert_eq!(Certificate::from_bytes(&certificate.to_bytes()).unwrap(), certificate);
    }
}
