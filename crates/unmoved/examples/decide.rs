//! The larger of two inputs wins: where does the answer move?

use std::sync::Arc;
use unmoved::ir::{Builder, DType, Dense, Op, Tensor};
use unmoved::property::{InputRegion, Norm, Query, Verdict};
use unmoved::search::{Options, decide};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Two inputs, two classes: the larger input wins. Networks are usually read with `unmoved::read_model`.
    let mut b = Builder::new();
    let x = b.input("x", &[2], DType::F32)?;
    let identity = Dense::new(Tensor::f32(&[2, 2], vec![1.0, 0.0, 0.0, 1.0])?, Tensor::zeros(&[2])?)?;
    let y = b.push("y", Op::Dense(identity), &[x])?;
    let network = Arc::new(b.finish(y)?);

    // From (0.75, 0.25), the answer cannot move within 1/5; within 1/4 there is a tie.
    let verdict = |eps: &str| -> Result<Verdict, Box<dyn std::error::Error>> {
        let region = InputRegion::ball(vec![0.75, 0.25], Norm::Linf, eps.parse()?, None)?;
        let query = Query::robustness(network.clone(), region, 0)?;
        Ok(decide(&query, &Options::default())?.verdict)
    };
    assert_eq!(verdict("1/5")?, Verdict::Robust);
    assert!(matches!(verdict("1/4")?, Verdict::Violated(tie) if tie.boundary));
    Ok(())
}
