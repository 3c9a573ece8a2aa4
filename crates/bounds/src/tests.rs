mod edges;
mod engine;
mod semidefinite;
pub(crate) mod shallow;
mod soundness;
mod values;

use crate::engine::{Compact, Known};
use crate::{Propagation, Tier};
use unmoved_ir::testing::Rng;
use unmoved_ir::{Exact, Lowered, Rational};
use unmoved_property::{InputRegion, Norm};

/// What is left of a network on a region, by its linear bounds.
fn cut(lowered: &Lowered, region: &InputRegion) -> Compact {
    let propagation = Propagation::new(lowered, region, Tier::Linear);
    Compact::new(lowered, region, |id| {
        let bounds = propagation.bounds(id);
        Some(Known { lower: &bounds.lower, upper: &bounds.upper })
    })
}

/// A region of one of four kinds around a point of the unit cube.
fn random_region(rng: &mut Rng, n: usize) -> InputRegion {
    let centre: Vec<f64> = (0..n).map(|_| f64::from(rng.unit() as f32)).collect();
    let eps: Rational = ["8/255", "1/10", "1/2"][rng.below(3)].parse().unwrap();
    let norm = [Norm::Linf, Norm::L1, Norm::L2][rng.below(3)];
    let range = (rng.below(2) == 0).then_some((Rational::ZERO, Rational::ONE));
    if rng.below(4) > 0 {
        return InputRegion::ball(centre, norm, eps, range).unwrap();
    }
    let ends = |sign: f64, rng: &mut Rng| {
        centre.iter().map(|c| Rational::from_f64(c + sign * 0.4 * rng.unit()).unwrap()).collect::<Vec<_>>()
    };
    InputRegion::boxed(ends(-1.0, rng), ends(1.0, rng)).unwrap()
}

/// A float32 point that surely lies in the region: somewhere inside, in a corner, or at the surface.
fn random_point(rng: &mut Rng, region: &InputRegion) -> Vec<Exact> {
    let corner = rng.below(3);
    let mut x = region.sample(|| match corner {
        0 => rng.unit(),
        1 => rng.below(2) as f64,
        _ => 3.0 * rng.signed(),
    });
    region.project(&mut x);
    let x = region.to_f32_inside(&x).expect("a point inside");
    x.iter().map(|&v| Exact::from_f64(f64::from(v))).collect()
}

/// `lower <= value <= upper`, exactly; an infinite bound says nothing.
fn within(lower: f64, value: &Exact, upper: f64) -> bool {
    let known = |bound: f64| bound.is_finite().then(|| Exact::from_f64(bound));
    !lower.is_nan()
        && !upper.is_nan()
        && lower < f64::INFINITY
        && upper > f64::NEG_INFINITY
        && known(lower).is_none_or(|l| l <= *value)
        && known(upper).is_none_or(|u| *value <= u)
}
