//! Freezes the encoding of a network of your own, so that a change of its program shows in review:
//! `cargo run -p unmoved-core --example snapshot`.
//!
//! Weights with few binary digits keep the listing short and exact. In a test, give the listing to a snapshot library
//! (`insta::assert_snapshot!(milp.listing())`) instead of comparing it with a constant as here.

use std::sync::Arc;
use unmoved_bounds::{Propagation, Tier};
use unmoved_core::{Milp, Objective, encode};
use unmoved_ir::{Builder, DType, Dense, IrError, Network, Op, Rational, Tensor, lower_max_pool};
use unmoved_property::{InputRegion, Norm, Query};

/// Your network: here `y = relu(W1 x)` with two outputs.
fn network() -> Result<Network, IrError> {
    let mut b = Builder::new();
    let x = b.input("x", &[2], DType::F32)?;
    let weight = Tensor::f32(&[2, 2], vec![1.0, -1.0, 0.5, 0.25])?;
    let h = b.push("h", Op::Dense(Dense::new(weight, Tensor::zeros(&[2])?)?), &[x])?;
    let y = b.push("y", Op::Relu, &[h])?;
    b.finish(y)
}

/// Its program for one input and one radius.
fn program(network: Network) -> Result<Milp, Box<dyn std::error::Error>> {
    let valid = Some((Rational::ZERO, Rational::ONE));
    let region = InputRegion::ball(vec![0.5, 0.25], Norm::Linf, "1/4".parse()?, valid)?;
    let query = Query::robustness(Arc::new(network), region, 0)?;
    let lowered = lower_max_pool(query.network())?;
    // The cheapest tier keeps the numbers short; a tighter one gives fewer binaries.
    let propagation = Propagation::new(&lowered, query.region(), Tier::Interval);
    Ok(encode(&query, &propagation, Objective::Worst, None)?)
}

const EXPECTED: &str = "\
size: 6 columns (1 binary), 5 rows
minimise y.0 - h.1

# input x [2], linf ball of radius 1/4
x.0 in [0.25, 0.75]
x.1 in [0, 0.5]

# layer h = dense [2]
h.0     in [-0.25, 0.75]
h.1     in [0.125, 0.5]
h.0:sum h.0 - x.0 + x.1 = 0
h.1:sum h.1 - 0.5 x.0 - 0.25 x.1 = 0

# layer y = relu [2], 1 unstable
y.0         in [0, 0.75]
y.0:on      in {0, 1}
y.0:above   y.0 - h.0 >= 0
y.0:cap_on  y.0 - h.0 + 0.25 y.0:on <= 0.25
y.0:cap_off y.0 - 0.75 y.0:on <= 0
";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let listing = program(network()?)?.listing();
    print!("{listing}");
    assert_eq!(listing, EXPECTED, "the encoding has changed");
    Ok(())
}

#[test]
fn the_encoding_is_as_reviewed() {
    main().unwrap();
}
