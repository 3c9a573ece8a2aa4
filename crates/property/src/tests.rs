mod distance;
mod minimum;
mod points;
mod query;
mod region;

use crate::*;
use unmoved_ir::Rational;

fn rational(text: &str) -> Rational {
    text.parse().unwrap()
}

fn float(v: f64) -> Rational {
    Rational::from_f64(v).unwrap()
}

fn unit() -> Option<(Rational, Rational)> {
    Some((Rational::ZERO, Rational::ONE))
}

const NORMS: [Norm; 3] = [Norm::Linf, Norm::L1, Norm::L2];
