//! The set of allowed inputs.

use crate::{Point, PropertyError};
use unmoved_ir::{Exact, Rational};

/// The norm of a ball.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Norm {
    /// Largest absolute difference of an element.
    Linf,
    /// Sum of absolute differences.
    L1,
    /// Euclidean distance.
    L2,
}

impl Norm {
    /// `linf`, `l1`, `l2`: the word of the command line, of JSON and of query files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Linf => "linf",
            Self::L1 => "l1",
            Self::L2 => "l2",
        }
    }
}

/// How a region was described.
#[derive(Debug, Clone, PartialEq)]
pub enum RegionKind {
    /// Every element between its own bounds.
    Box {
        /// Lower bounds.
        lower: Vec<Rational>,
        /// Upper bounds.
        upper: Vec<Rational>,
    },
    /// All points within a distance of a centre, every element within one valid range.
    Ball {
        /// The centre: the stored input, exactly.
        centre: Vec<f64>,
        /// The distance.
        norm: Norm,
        /// The largest distance.
        eps: Rational,
        /// The smallest and largest valid value of an element (0 and 1 for pixels).
        range: Option<(Rational, Rational)>,
    },
}

/// A box of floats.
#[derive(Debug, Clone, PartialEq)]
pub struct FloatBox {
    /// Lower bounds.
    pub lower: Vec<f64>,
    /// Upper bounds.
    pub upper: Vec<f64>,
}

/// A non-empty, bounded set of inputs: a box, or a ball within a box.
#[derive(Debug, Clone, PartialEq)]
pub struct InputRegion {
    kind: RegionKind,
    enclosing: FloatBox,
    /// The radius of a ball, rounded up.
    radius: f64,
}

impl InputRegion {
    /// The points between the bounds. Errors if some element has none.
    pub fn boxed(lower: Vec<Rational>, upper: Vec<Rational>) -> Result<Self, PropertyError> {
        if lower.len() != upper.len() {
            return Err(PropertyError::InputLength { network: lower.len(), region: upper.len() });
        }
        if let Some(index) = (0..lower.len()).find(|&i| lower[i] > upper[i]) {
            return Err(PropertyError::EmptyBox { index, lower: lower[index].clone(), upper: upper[index].clone() });
        }
        let enclosing = FloatBox {
            lower: lower.iter().map(Rational::round_down).collect(),
            upper: upper.iter().map(Rational::round_up).collect(),
        };
        finite(&enclosing.lower, "lower bounds")?;
        finite(&enclosing.upper, "upper bounds")?;
        Ok(Self { kind: RegionKind::Box { lower, upper }, enclosing, radius: f64::INFINITY })
    }

    /// The points within `eps` of the centre whose elements lie in `range`. Errors if eps is negative or the centre is
    /// not itself such a point.
    pub fn ball(
        centre: Vec<f64>,
        norm: Norm,
        eps: Rational,
        range: Option<(Rational, Rational)>,
    ) -> Result<Self, PropertyError> {
        finite(&centre, "centre")?;
        if eps < Rational::ZERO {
            return Err(PropertyError::NegativeRadius(eps));
        }
        if let Some((lower, upper)) = &range {
            let (above, below) = (lower.round_up(), upper.round_down());
            if let Some(index) = centre.iter().position(|&c| c < above || c > below) {
                let (lower, upper) = (lower.clone(), upper.clone());
                return Err(PropertyError::CentreOutside { index, value: centre[index], lower, upper });
            }
        }
        // No element moves farther than eps in any of the three norms.
        let radius = eps.round_up();
        let (least, most) = match &range {
            Some((lower, upper)) => (lower.round_down(), upper.round_up()),
            None => (f64::NEG_INFINITY, f64::INFINITY),
        };
        let enclosing = FloatBox {
            lower: centre.iter().map(|&c| sum_down(c, -radius).max(least)).collect(),
            upper: centre.iter().map(|&c| (-sum_down(-c, -radius)).min(most)).collect(),
        };
        finite(&enclosing.lower, "lower bounds")?;
        finite(&enclosing.upper, "upper bounds")?;
        Ok(Self { kind: RegionKind::Ball { centre, norm, eps, range }, enclosing, radius })
    }

    /// The ball of another radius about the same centre, in the same norm and range. Errors for boxes, which have no
    /// radius, and as [`InputRegion::ball`] does.
    pub fn with_radius(&self, eps: Rational) -> Result<Self, PropertyError> {
        match &self.kind {
            RegionKind::Ball { centre, norm, range, .. } => Self::ball(centre.clone(), *norm, eps, range.clone()),
            RegionKind::Box { .. } => Err(PropertyError::NoRadius),
        }
    }

    /// How the region was described.
    pub fn kind(&self) -> &RegionKind {
        &self.kind
    }

    /// The number of input elements.
    #[allow(clippy::len_without_is_empty)] // a region is never empty
    pub fn len(&self) -> usize {
        self.enclosing.lower.len()
    }

    /// The smallest box of floats that surely contains the region; the region itself but for rounding if it is a box or
    /// an l-inf ball.
    pub fn enclosing_box(&self) -> &FloatBox {
        &self.enclosing
    }

    /// Lower and upper bounds of every element, if the region is all that lies between them: a box or an l-inf ball.
    pub fn exact_box(&self) -> Option<(Vec<Rational>, Vec<Rational>)> {
        match &self.kind {
            RegionKind::Box { lower, upper } => Some((lower.clone(), upper.clone())),
            RegionKind::Ball { centre, norm: Norm::Linf, eps, range } => {
                let ends = |c: &f64| {
                    let c = Rational::from_f64(*c)?;
                    let (lower, upper) = (&c - eps, &c + eps);
                    Some(match range {
                        Some((least, most)) => (lower.max(least.clone()), upper.min(most.clone())),
                        None => (lower, upper),
                    })
                };
                centre.iter().map(ends).collect()
            }
            RegionKind::Ball { norm: Norm::L1 | Norm::L2, .. } => None,
        }
    }

    pub(crate) fn radius(&self) -> f64 {
        self.radius
    }

    /// Whether a point lies in the region, decided exactly. False for points that are not finite or of another length.
    pub fn contains(&self, x: &[f32]) -> bool {
        if x.len() != self.len() || x.iter().any(|v| !v.is_finite()) {
            return false;
        }
        match &self.kind {
            RegionKind::Ball { centre, norm: norm @ (Norm::L1 | Norm::L2), eps, range } => {
                let values = x.iter().map(|&v| Exact::from_f64(f64::from(v)));
                let outside = |v: &Rational| range.as_ref().is_some_and(|(l, u)| v < l || v > u);
                if values.clone().any(|v| outside(&v.to_rational())) {
                    return false;
                }
                let differences = values.zip(centre).map(|(v, &c)| (&v - &Exact::from_f64(c)).abs());
                // Dyadic sums need no common denominators; only the radius may be any fraction.
                match norm {
                    Norm::L2 => differences.fold(Exact::ZERO, |s, d| &s + &(&d * &d)).to_rational() <= eps * eps,
                    _ => differences.fold(Exact::ZERO, |s, d| &s + &d).to_rational() <= *eps,
                }
            }
            _ => (0..x.len()).all(|i| self.contains_element(i, x[i])),
        }
    }

    /// Whether a box or an l-inf ball allows a value of element `i`, decided exactly.
    pub(crate) fn contains_element(&self, i: usize, v: f32) -> bool {
        let (l, u) = (self.enclosing.lower[i], self.enclosing.upper[i]);
        // Fractions are slow. The floats `l` and `u` lie but a few roundings outside of the exact bounds.
        let margin = 1e-12 * (l.abs() + u.abs());
        if f64::from(v) > l + margin && f64::from(v) < u - margin {
            return true;
        }
        let Some(v) = Rational::from_f64(f64::from(v)) else { return false };
        self.contains_value(i, &v)
    }

    /// The same of any value.
    fn contains_value(&self, i: usize, v: &Rational) -> bool {
        match &self.kind {
            RegionKind::Box { lower, upper } => lower[i] <= *v && *v <= upper[i],
            RegionKind::Ball { centre, eps, range, .. } => {
                let in_range = range.as_ref().is_none_or(|(l, u)| l <= v && v <= u);
                in_range && Rational::from_f64(centre[i]).is_some_and(|c| (v - &c).abs() <= *eps)
            }
        }
    }

    /// Between which values element `i` of a box or an l-inf ball lies; `None` for other balls.
    pub(crate) fn ends(&self, i: usize) -> Option<(Rational, Rational)> {
        match &self.kind {
            RegionKind::Box { lower, upper } => Some((lower[i].clone(), upper[i].clone())),
            RegionKind::Ball { centre, norm: Norm::Linf, eps, range } => {
                let centre = Rational::from_f64(centre[i])?;
                let (lower, upper) = (&centre - eps, &centre + eps);
                Some(match range {
                    Some((least, most)) => (lower.max(least.clone()), upper.min(most.clone())),
                    None => (lower, upper),
                })
            }
            RegionKind::Ball { .. } => None,
        }
    }

    /// Whether a point lies in the region, decided exactly.
    pub fn contains_point(&self, point: &Point) -> bool {
        if point.exact.is_empty() {
            return self.contains(&point.nearest);
        }
        let is_round = matches!(self.kind, RegionKind::Ball { norm: Norm::L1 | Norm::L2, .. });
        if is_round || point.nearest.len() != self.len() || point.nearest.iter().any(|v| !v.is_finite()) {
            return false;
        }
        let mut exact = point.exact.iter().peekable();
        let inside = |i: usize| match exact.next_if(|(at, _)| *at == i) {
            Some((_, v)) => self.contains_value(i, v),
            None => self.contains_element(i, point.nearest[i]),
        };
        // What is left over stands for no element, or stands there twice.
        (0..self.len()).all(inside) && exact.next().is_none()
    }
}

fn finite(values: &[f64], what: &'static str) -> Result<(), PropertyError> {
    match values.iter().position(|v| !v.is_finite()) {
        Some(index) => Err(PropertyError::NotFinite { what, index, value: values[index] }),
        None => Ok(()),
    }
}

/// `a + b` rounded down: Knuth's two-sum tells the sign of the rounding error exactly.
fn sum_down(a: f64, b: f64) -> f64 {
    let s = a + b;
    let bb = s - a;
    let error = (a - (s - bb)) + (b - bb);
    if error < 0.0 || !error.is_finite() { s.next_down() } else { s }
}
