use crate::*;
use std::sync::Arc;
use unmoved_ir::{Builder, DType, Dense, Network, Op, Rational, Tensor};

fn network() -> Arc<Network> {
    let mut b = Builder::new();
    let x = b.input("x", &[2], DType::F32).unwrap();
    let dense = Dense::new(
        Tensor::f32(&[3, 2], vec![1.0, 0.0, 0.0, 1.0, 1.0, 1.0]).unwrap(),
        Tensor::f32(&[3], vec![0.0; 3]).unwrap(),
    );
    let y = b.push("y", Op::Dense(dense.unwrap()), &[x]).unwrap();
    Arc::new(b.finish(y).unwrap())
}

fn rational(text: &str) -> Rational {
    text.parse().unwrap()
}

fn ball(norm: Norm, eps: &str) -> InputRegion {
    InputRegion::ball(vec![0.5, 0.25], norm, rational(eps), Some((Rational::ZERO, Rational::ONE))).unwrap()
}

#[test]
fn query_text_is_canonical_and_reads_back() {
    let query = Query::robustness(network(), ball(Norm::L2, "8/255"), 1).unwrap();
    let text = query.to_text();
    assert_eq!(
        text,
        "query 1\nball l2 8/255 range 0 1\ncentre 0.5 0.25\nor\nle 0 y0 -1 y1 1\nor\nle 0 y1 1 y2 -1\nend\n"
    );
    let again = Query::from_text(network(), &text).unwrap();
    assert_eq!(again.to_text(), text);
    assert_eq!(again.digest(), query.digest());
}
