//! How far a point is from a centre, never told too small.

use crate::{InputRegion, Norm, Point, RegionKind};
use unmoved_ir::Rational;

impl Norm {
    /// The distance of a point from a centre: exactly for l-inf and l1; for l2, whose distances are seldom fractions, the
    /// smallest float64 that is not below. `None` if the lengths differ or something is not finite.
    pub fn distance_up(self, point: &Point, centre: &[f64]) -> Option<Rational> {
        if point.nearest.len() != centre.len() {
            return None;
        }
        let rational = |v: f64| Rational::from_f64(v);
        let values = point.nearest.iter().zip(centre).map(|(&x, &c)| Some((rational(x.into())?, rational(c)?)));
        let mut differences = values.map(|pair| pair.map(|(x, c)| &x - &c)).collect::<Option<Vec<Rational>>>()?;
        for (i, value) in &point.exact {
            let centre = rational(*centre.get(*i)?)?;
            differences[*i] = value - &centre;
        }
        let sizes = differences.iter().map(Rational::abs);
        match self {
            Self::Linf => Some(sizes.max().unwrap_or(Rational::ZERO)),
            Self::L1 => Some(sizes.fold(Rational::ZERO, |s, d| &s + &d)),
            Self::L2 => {
                let sum = differences.iter().fold(Rational::ZERO, |s, d| &s + &(d * d));
                root_up(&sum, &sizes.max().unwrap_or(Rational::ZERO))
            }
        }
    }
}

impl Norm {
    /// A radius at which a ball about any point of a range, in so many elements, holds all of the range: the largest that a
    /// distance can be, for l2 rounded up to a multiple of the width.
    pub fn of_range(self, elements: usize, (lower, upper): &(Rational, Rational)) -> Rational {
        let widths = match self {
            Self::Linf => elements.min(1),
            Self::L1 => elements,
            Self::L2 => elements.isqrt() + usize::from(elements.isqrt().pow(2) < elements),
        };
        &Rational::from(widths as i64) * &(upper - lower)
    }
}

impl InputRegion {
    /// How far a point is from the centre of this ball, as [`Norm::distance_up`] tells; `None` for boxes too.
    pub fn distance_up(&self, point: &Point) -> Option<Rational> {
        match self.kind() {
            RegionKind::Ball { centre, norm, .. } => norm.distance_up(point, centre),
            RegionKind::Box { .. } => None,
        }
    }
}

/// The smallest float whose square is not below a sum of squares, of which `largest` is the largest root.
fn root_up(sum: &Rational, largest: &Rational) -> Option<Rational> {
    // In proportion to the largest nothing over- or underflows.
    let Some(ratio) = sum.checked_div(&(largest * largest)) else { return Some(Rational::ZERO) };
    let is_enough = |root: f64| Some(Rational::from_f64(root).map(|r| &r * &r)? >= *sum);
    let mut root = largest.to_f64() * ratio.to_f64().sqrt();
    while !is_enough(root)? {
        root = root.next_up();
    }
    while root > 0.0 && is_enough(root.next_down())? {
        root = root.next_down();
    }
    Rational::from_f64(root)
}
