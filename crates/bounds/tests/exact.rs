//! Bounds of networks whose arithmetic is exact are not moved outward; all others are.

use unmoved_bounds::{Propagation, Tier};
use unmoved_ir::{Builder, DType, Dense, NodeId, Op, Tensor, lower_max_pool};
use unmoved_property::InputRegion;

fn bounds_of_dense(weight: [f64; 2], bias: f64, lower: [&str; 2], upper: [&str; 2]) -> (f64, f64) {
    let mut b = Builder::new();
    let x = b.input("x", &[2], DType::F64).unwrap();
    let weight = Tensor::f64(&[1, 2], weight.to_vec()).unwrap();
    let dense = Dense::new(weight, Tensor::f64(&[1], vec![bias]).unwrap()).unwrap();
    let y = b.push("y", Op::Dense(dense), &[x]).unwrap();
    let lowered = lower_max_pool(&b.finish(y).unwrap()).unwrap();
    let corner = |c: [&str; 2]| c.iter().map(|v| v.parse().unwrap()).collect();
    let region = InputRegion::boxed(corner(lower), corner(upper)).unwrap();
    let p = Propagation::new(&lowered, &region, Tier::Interval);
    let bounds = p.bounds(NodeId(1));
    (bounds.lower[0], bounds.upper[0])
}

#[test]
fn dyadic_networks_have_exact_bounds() {
    // Were 0 rounded outward, a ReLU behind it would be unstable.
    assert_eq!(bounds_of_dense([0.5, 0.25], -0.125, ["1/4", "0"], ["3/4", "1/2"]), (0.0, 0.375));
    assert_eq!(bounds_of_dense([1.0, -1.0], 0.0, ["1/4", "0"], ["3/4", "1/2"]), (-0.25, 0.75));
}

#[test]
fn rounded_products_and_sums_are_moved_outward() {
    // 0.1 * 0.1 rounds; so does 1 + 2^-60; a product below the subnormals would look exact to a fused multiply-add.
    let ends = ["1/2", "1/2"];
    let (lower, upper) = bounds_of_dense([0.1, 0.2], 0.3, ends, ends);
    assert!(lower < upper);
    let (lower, upper) = bounds_of_dense([2.0, f64::powi(2.0, -59)], 0.0, ends, ends);
    assert!(lower < 1.0 && upper > 1.0);
    let tiny = f64::powi(2.0, -1074);
    let (lower, upper) = bounds_of_dense([tiny, 0.0], 0.0, ends, ends);
    assert!(lower < 0.0 && upper > tiny / 2.0 && upper > 0.0);
}
